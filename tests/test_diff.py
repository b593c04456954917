"""The differ: missing, extra, changed with direction, unknown."""

from deepdiff import DeepDiff
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from driftscan import diff
from driftscan.model import Absent, Collected, Denied, Failed, Gap, Partial
from tests.build import fingerprint, package


def _ids(comparison):
    return [(d.kind, d.id, d.direction) for d in comparison.divergences]


def test_each_package_is_missing_extra_changed_or_equal():
    ours = fingerprint("a", {"curl": package("1"), "old": package("1-1"), "same": package("3")})
    theirs = fingerprint("b", {"old": package("1-2"), "new": package("1"), "same": package("3")})

    comparison = diff.compare(ours, theirs)

    assert _ids(comparison) == [
        ("extra", "dpkg:curl", "unknown"),
        ("missing", "dpkg:new", "unknown"),
        ("changed", "dpkg:old", "older"),
    ]
    assert comparison.equal == {"dpkg": 1}


def test_a_changed_item_names_its_fields_with_both_values():
    ours = fingerprint("a", {"x": package("1", want="hold")})
    theirs = fingerprint("b", {"x": package("2")})

    (divergence,) = diff.compare(ours, theirs).divergences

    assert divergence.changes == {
        "source_version": ["1", "2"],
        "version": ["1", "2"],
        "want": ["hold", "install"],
    }


def test_a_failed_or_denied_section_is_unknown_not_empty():
    theirs = fingerprint("b", {"x": package("1")})
    for section, why, cure in (
        (Failed(reason="line 3"), "line 3", ""),
        (Denied(cure="sudo"), "not readable by this account", "sudo"),
    ):
        comparison = diff.compare(fingerprint("a", section), theirs)

        assert comparison.divergences == []
        assert comparison.equal == {}
        assert comparison.gaps == [Gap(what="dpkg", side="a", why=why, cure=cure, blocks=True)]


def test_an_absent_section_is_compared_as_empty():
    comparison = diff.compare(fingerprint("a", Absent()), fingerprint("b", {"x": package("1")}))

    assert _ids(comparison) == [("missing", "dpkg:x", "unknown")]
    assert comparison.gaps == []


def test_an_item_that_a_partial_section_did_not_see_is_not_missing():
    seen = Partial(items={"x": package("1", "x")}, gaps=["/opt: limit of 100 files"])
    theirs = fingerprint("b", {"x": package("2"), "y": package("1")})

    comparison = diff.compare(fingerprint("a", seen), theirs)

    assert _ids(comparison) == [("changed", "dpkg:x", "older")]
    assert [gap.why for gap in comparison.gaps] == ["/opt: limit of 100 files"]


def test_one_missing_directory_moves_no_other():
    ours = {"path": {"system//bin": {"position": 0}, "system//usr/bin": {"position": 1}}}
    theirs = {
        "path": {
            "system//opt/bin": {"position": 0},
            "system//bin": {"position": 1},
            "system//usr/bin": {"position": 2},
        }
    }

    comparison = diff.compare(fingerprint("a", {}, facts=ours), fingerprint("b", {}, facts=theirs))

    assert _ids(comparison) == [("missing", "path:system//opt/bin", "unknown")]


def test_an_exchange_of_order_is_seen():
    ours = {"path": {"s//bin": {"position": 0}, "s//usr/bin": {"position": 1}}}
    theirs = {"path": {"s//bin": {"position": 1}, "s//usr/bin": {"position": 0}}}

    comparison = diff.compare(fingerprint("a", {}, facts=ours), fingerprint("b", {}, facts=theirs))

    assert [d.changes for d in comparison.divergences] == [
        {"position": ["0", "1"]},
        {"position": ["1", "0"]},
    ]


def test_a_live_section_that_an_image_has_not_blocks_nothing():
    host = fingerprint("a", {}, facts={"kernel": {"kernel": {"release": "6.1"}}})
    image = fingerprint("web", {}, kind="image")

    assert [gap.blocks for gap in diff.compare(host, image).gaps] == [False]


def test_a_section_that_an_older_fingerprint_lacks_blocks():
    host = fingerprint("a", {}, facts={"os": {}})

    assert [gap.blocks for gap in diff.compare(host, fingerprint("b", {})).gaps] == [True]


_VALUES = st.one_of(st.text(max_size=4), st.integers(0, 3), st.booleans())
_ITEMS = st.dictionaries(
    st.sampled_from("abcde"), st.dictionaries(st.sampled_from("xyz"), _VALUES), max_size=5
)


@given(_ITEMS, _ITEMS)
def test_every_key_is_counted_once_and_the_exchange_of_sides_mirrors(ours, theirs):
    left = fingerprint("a", {}, facts={"s": Collected(items=ours)})
    right = fingerprint("b", {}, facts={"s": Collected(items=theirs)})

    there, back = diff.compare(left, right), diff.compare(right, left)

    assert len(there.divergences) + there.equal["s"] == len({*ours, *theirs})
    mirror = {"missing": "extra", "extra": "missing", "changed": "changed"}
    assert [(d.key, d.kind) for d in there.divergences] == [
        (d.key, mirror[d.kind]) for d in back.divergences
    ]
    assert diff.compare(left, left).divergences == []


def test_what_an_older_baseline_was_never_asked_is_unknown_and_not_natural_of_an_image():
    host = fingerprint("web-a", {}, facts={"conffiles": {}, "kernel": {}})
    gaps = {gap.what: gap for gap in diff.compare(host, fingerprint("web", {}, kind="image")).gaps}
    assert gaps["conffiles"].blocks
    assert gaps["conffiles"].cure == "build the baseline web again with this version of driftscan"
    assert (gaps["kernel"].blocks, gaps["kernel"].why) == (False, "only a running machine has it")


def test_files_that_only_the_reference_s_side_summed_are_no_gap_and_the_subject_s_are():
    plain = fingerprint("a", {})
    summed = replace(plain, facts={**plain.facts, "verified": Collected(items={"/x": {}})})
    assert diff.compare(plain, summed).gaps == []
    (gap,) = diff.compare(summed, plain).gaps
    assert (gap.what, gap.why) == ("verified", "its files were not summed")
    assert gap.cure == "scan a with --verify"


def _rooted(name, apps, items, **states):
    """A machine that was asked about these roots, with the files below them."""
    made = fingerprint(name, {})
    facts = {**made.facts, "files": Collected(items={path: {"mode": "644"} for path in items})}
    if states:
        roots = {f"/{root}": {"state": state} for root, state in states.items()}
        facts["apps"] = Collected(items=roots)
    return replace(made, facts=facts, meta=replace(made.meta, apps=apps))


def test_what_only_one_side_was_asked_about_is_a_gap_and_no_difference():
    """Beside it what both have is compared, and everything elsewhere."""
    ours = _rooted("a", ["/srv/x"], ["/etc/a", "/srv/x/y", "/srv/xy"], **{"srv/x": "directory"})
    theirs = _rooted("b", [], ["/etc/b"])
    comparison = diff.compare(ours, theirs)
    assert _ids(comparison) == [
        ("extra", "files:/etc/a", "unknown"),
        ("missing", "files:/etc/b", "unknown"),
        ("extra", "files:/srv/xy", "unknown"),
    ]
    (gap,) = comparison.gaps
    assert (gap.what, gap.side, gap.blocks) == ("apps", "b", True)
    assert gap.cure == "scan b with --app /srv/x"
    assert [g.side for g in diff.compare(theirs, ours).gaps] == ["b"]


def test_a_file_that_another_section_tells_of_is_compared_where_both_have_it_or_others_may_write():
    safe, open_ = {"mode": "644", "account": "root:root"}, {"mode": "666", "account": "root:root"}
    ours = {"/etc/passwd": open_, "/etc/cron.d/a": safe, "/etc/sudoers.d/b": open_, "/etc/x": safe}
    theirs = {"/etc/passwd": safe, "/etc/systemd/system/c.service": {**safe, "digest": "1"}}
    left, right = (
        replace(fingerprint(name, {}), facts={"files": Collected(items=items)})
        for name, items in (("a", ours), ("b", theirs))
    )
    found = [(d.kind, d.key) for d in diff.compare(left, right).divergences]
    assert found == [("changed", "/etc/passwd"), ("extra", "/etc/sudoers.d/b"), ("extra", "/etc/x")]


def test_a_field_that_an_older_fingerprint_does_not_have_is_no_difference():
    now = {"Debian/bookworm/main": {"position": 0, "signed": False}}
    for other, expected in ((True, ["signed"]), (None, []), (False, [])):
        item = {"position": 0} if other is None else {"position": 0, "signed": other}
        left, right = (
            replace(fingerprint(name, {}), facts={"repositories": Collected(items=items)})
            for name, items in (("a", now), ("b", {"Debian/bookworm/main": item}))
        )
        for one, two in ((left, right), (right, left)):
            found = diff.compare(one, two).divergences
            assert [list(d.changes) for d in found] == ([expected] if expected else [])


def test_roots_beside_those_that_both_were_asked_about_are_no_difference_either():
    ours = _rooted("a", ["/a", "/b"], ["/a/1", "/b/1"], a="directory", b="directory")
    theirs = _rooted("b", ["/b"], ["/b/2"], b="directory")
    found = [d.id for d in diff.compare(ours, theirs).divergences]
    assert found == ["files:/b/1", "files:/b/2"]


def test_a_root_that_one_side_lacks_is_a_difference_and_one_that_both_lack_is_told():
    ours = _rooted("a", ["/a", "/b"], ["/a/1"], a="directory", b="missing")
    theirs = _rooted("b", ["/a", "/b"], [], a="missing", b="missing")
    comparison = diff.compare(ours, theirs)
    assert [d.id for d in comparison.divergences] == ["apps:/a", "files:/a/1"]
    (gap,) = comparison.gaps
    assert gap == Gap(
        what="apps", side="a", why="/b: no such directory, here or on b (--app)", blocks=False
    )


_SCALAR = st.text(max_size=3) | st.integers(0, 2) | st.booleans() | st.none()
_ITEM = st.dictionaries(
    st.sampled_from("abc"),
    _SCALAR
    | st.lists(st.text(max_size=2), max_size=3)
    | st.dictionaries(st.text(max_size=2), _SCALAR),
)


@given(_ITEM, _ITEM)
def test_what_differs_inside_an_item_is_told_as_deepdiff_tells_it(ours, theirs):
    """DeepDiff is asked for nested fields only: importing it takes longer than most comparisons.

    Of two things with little in common it tells the whole: here they have more.
    """
    same = {f"same{n}": n for n in range(30)}
    tree = DeepDiff(same | ours, same | theirs, view="tree", verbose_level=2)
    told = {
        ".".join(map(str, one.path(output_format="list"))): [
            diff._shown(one.t1),
            diff._shown(one.t2),
        ]
        for kind in sorted(tree)
        for one in tree[kind]
    }
    assert diff._inside(ours, theirs) == told
