"""Who is asked for what, what is shared between the targets of a run, and what is kept for ever."""

import stat

import pytest

from driftscan.details.cache import Cache, at
from driftscan.details.needs import Needs, Sources
from driftscan.model import Collected, Failed, Partial, Unreached, Want
from driftscan.probes.contract import Learned
from tests import made

ITEM = {"version": "2", "package": "curl", "origin": "b", "lines": ["curl (2) x; y"], "news": []}


def told(name="curl", version="2", side="reference"):
    return Want(side=side, kind="changelogs", name=name, names=(name,), version=version)


@pytest.fixture
def cache(tmp_path):
    return Cache(tmp_path / "cache")


@pytest.fixture
def sources():
    found = Sources()
    for host in ("c", "b"):
        found.add(host, made.fingerprint(host, curl="2", libcurl4="2"))
    return found


def test_a_live_host_is_asked_about_itself(cache, sources):
    needs = Needs({"a": [told()]}, {}, cache)
    assert needs.plan(["a", "b"], ["a", "b"], sources) == {"a": [told()]}


def test_what_an_image_cannot_tell_is_asked_of_the_first_host_that_has_that_version(cache, sources):
    needs = Needs({"image": [told(), told("zlib", "1")]}, {}, cache)
    assert needs.plan(["a", "b", "c"], ["a", "b", "c"], sources) == {"b": [told()]}


def test_one_answer_is_for_all_that_want_that_version(cache):
    older = told(version="1")
    needs = Needs({"x": [told()], "y": [told(), older]}, {}, cache)
    needs.learn("b", [told()], {"changelogs": Learned({"curl": ITEM})})
    assert needs.sections("x", [told()]) == {"changelogs": Collected(items={"curl": ITEM})}
    assert needs.open("y") == [older]


def test_a_pair_is_told_only_what_it_wants_itself(cache):
    needs = Needs({"x": [told(), told("zlib", "1")]}, {}, cache)
    needs.learn("b", [told("zlib", "1")], {"changelogs": Learned({}, {"zlib": "not there"})})
    needs.learn("b", [told()], {"changelogs": Learned({"curl": ITEM})})
    assert needs.sections("x", [told()]) == {"changelogs": Collected(items={"curl": ITEM})}


def test_what_is_missing_is_one_gap_a_reason(cache):
    wants = [told(name) for name in ("a", "b", "c", "d", "curl")]
    needs = Needs({"x": wants}, {}, cache)
    lost = dict.fromkeys("abcd", "not installed there")
    needs.learn("x", wants, {"changelogs": Learned({"curl": ITEM}, lost)})
    gaps = ["a, b, c and 1 more: not installed there"]
    assert needs.sections("x", wants)["changelogs"] == Partial(items={"curl": ITEM}, gaps=gaps)


def test_a_machine_that_does_not_answer_again_leaves_it_unknown(cache):
    symbols = Want(side="subject", kind="symbols", name="libcurl4")
    needs = Needs({"a": [told(), symbols]}, {}, cache)
    cut = Unreached(target="a", state="timeout", stage="tcp", cause="it does not answer")
    needs.learn("a", [told(), symbols], cut)
    why = "a did not answer again: timeout: it does not answer"
    found = needs.sections("a", [told(), symbols])
    assert found == {"changelogs": Failed(reason=why), "symbols": Failed(reason=why)}


def test_having_nothing_to_tell_is_an_answer(cache):
    symbols = Want(side="subject", kind="symbols", name="curl")
    needs = Needs({"a": [symbols]}, {}, cache)
    needs.learn("a", [symbols], {"symbols": Learned({})})
    assert needs.targets == []
    assert needs.sections("a", [symbols]) == {"symbols": Collected(items={})}


def test_what_a_saved_fingerprint_brings_is_not_asked(cache):
    known = {"f": {"changelogs": Collected(items={"curl": ITEM})}}
    needs = Needs({"f": [told(), told("zlib", "1")]}, known, cache)
    assert needs.open("f") == [told("zlib", "1")]
    needs.give_up("f", "it was not asked")
    gaps = ["zlib: it was not asked"]
    made_ = needs.sections("f", [told(), told("zlib", "1")])
    assert made_["changelogs"] == Partial(items={"curl": ITEM}, gaps=gaps)


def test_what_was_asked_before_and_had_nothing_to_tell_is_not_asked_again(cache):
    symbols = Want(side="reference", kind="symbols", name="curl")
    needs = Needs({"f": [symbols]}, {"f": {"symbols": Collected(items={})}}, cache)
    assert needs.targets == []


# --- the cache ---------------------------------------------------------------------------------


def test_a_changelog_is_asked_for_once_ever(cache):
    first = Needs({"x": [told()]}, {}, cache)
    first.learn("b", [told()], {"changelogs": Learned({"curl": ITEM})})
    again = Needs({"x": [told()]}, {}, cache)
    assert again.targets == []
    assert again.sections("x", [told()]) == first.sections("x", [told()])


def test_a_text_of_another_version_is_not_kept(cache):
    """The host was upgraded between the two trips."""
    needs = Needs({"x": [told(version="1")]}, {}, cache)
    needs.learn("x", [told(version="1")], {"changelogs": Learned({"curl": ITEM})})
    assert cache.recall(told(version="1")) is None


def test_what_can_change_is_never_kept(cache, tmp_path):
    symbols = Want(side="subject", kind="symbols", name="curl")
    cache.keep(symbols, {"lines": []})
    assert cache.recall(symbols) is None
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"name": "curl"}', "[" * 200_000, "\xff"])
def test_a_damaged_file_of_the_cache_is_ignored_and_replaced(cache, tmp_path, text):
    cache.keep(told(), ITEM)
    (path,) = (tmp_path / "cache").rglob("*.json")
    path.write_text(text, encoding="latin-1")
    assert cache.recall(told()) is None
    cache.keep(told(), ITEM)
    assert cache.recall(told()) == ITEM


def test_a_file_of_another_version_is_no_answer(cache, tmp_path):
    cache.keep(told(), ITEM)
    (path,) = (tmp_path / "cache").rglob("*.json")
    path.rename(path.with_name("3.json"))
    assert cache.recall(told(version="3")) is None


def test_the_cache_is_closed_to_others_and_names_need_nothing_of_the_file_system(cache, tmp_path):
    cache.keep(told("g++-12", "8:1~rc1+dfsg-1"), ITEM)
    (path,) = (tmp_path / "cache").rglob("*.json")
    assert path.relative_to(tmp_path / "cache").parts == (
        *("changelogs", "deb", "g++-12"),
        "8%3A1~rc1+dfsg-1.json",
    )
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "cache").stat().st_mode) == 0o700


@pytest.mark.parametrize("part", ["..", ".", "/etc/passwd", "a/../../b", "", "x" * 300, "\x00"])
def test_no_name_leads_out_of_the_cache(cache, tmp_path, part):
    for want in (told(part), told(version=part)):
        cache.keep(want, ITEM)
    found = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert all((tmp_path / "cache" / "changelogs") in path.parents for path in found)
    assert all(len(path.relative_to(tmp_path).parts) == 5 for path in found)


def test_a_cache_that_cannot_be_written_costs_no_answer(tmp_path):
    (tmp_path / "cache").write_text("a file")
    needs = Needs({"x": [told()]}, {}, Cache(tmp_path / "cache"))
    needs.learn("b", [told()], {"changelogs": Learned({"curl": ITEM})})
    assert needs.targets == []


def test_the_cache_is_where_the_account_keeps_such_things(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    at().keep(told(), ITEM)
    assert (tmp_path / "driftscan" / "changelogs" / "deb" / "curl" / "2.json").is_file()
