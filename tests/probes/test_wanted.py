"""Details: what is asked about a name, that no name can be more than a name, and what is read."""

import re
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftscan.details.asking import learned, questions_for
from driftscan.errors import ParseError
from driftscan.model import Answer, Lines, Payload, Raw, Shell
from driftscan.probes.wanted import available, changelogs, names, owners, programs, status, symbols
from driftscan.probes.wanted.table import KINDS
from tests.probes.wanted import MAGICK, WANTS, captured, want

HOSTILE = [
    "$(touch pwned)",
    "a'; touch pwned; '",
    "a\ntouch pwned\n",
    "`touch pwned`",
    "../../etc/shadow",
    "-rf",
    "a b",
    "*",
    "a\x00b",
    "\uff41",
    "a\n",
    "lib:amd64:x",
    "",
]


@pytest.fixture(scope="module")
def web_b():
    return captured("web-b")


# --- real answers ----------------------------------------------------------------------------


def test_a_changelog_is_read_with_its_news_and_where_it_stood(web_b):
    found = web_b["changelogs"].items["imagemagick"]
    assert found["lines"][0] == f"imagemagick ({MAGICK}) bookworm-security; urgency=high"
    assert (found["version"], found["package"]) == (MAGICK, "imagemagick")
    assert found["origin"] == "web-b"
    assert found["news"][0] == "imagemagick (8:6.8.9.9-1) unstable; urgency=high"


def test_a_directory_that_is_a_link_is_not_the_one_that_is_read(web_b):
    assert web_b["changelogs"].items["php8.2"]["package"] == "php8.2-common"


def test_a_native_package_has_its_changelog_under_the_plain_name(web_b):
    assert web_b["changelogs"].items["adduser"]["lines"][0].startswith("adduser (3.134) unstable")


def test_a_rebuild_stands_before_the_version_it_rebuilt(web_b):
    found = web_b["changelogs"].items["bash"]
    headers = [line for line in found["lines"] if line.startswith("bash (")]
    assert headers[0].startswith("bash (5.2.15-2+b13) ")
    assert headers[1].startswith("bash (5.2.15-2) ")
    assert found["version"] == "5.2.15-2"


def test_a_changelog_begins_at_the_version_that_was_wanted(web_b):
    found = web_b["changelogs"].items["brotli"]
    assert found["lines"][0].startswith("brotli (1.0.9-2) ")
    assert found["version"] == "1.0.9-2"


def test_what_is_not_there_is_told_with_the_reason(web_b):
    assert web_b["changelogs"].missing == {"nowhere": "not installed there"}


def test_symbols_are_those_of_the_native_architecture_and_having_none_is_no_gap(web_b):
    found = web_b["symbols"]
    assert found.items["libbrotli1"]["lines"][0] == "libbrotlicommon.so.1 libbrotli1 #MINVER#"
    assert "imagemagick" not in found.items
    assert found.missing == {}


def test_versions_that_can_be_had_come_with_the_time_of_the_lists(web_b):
    found = web_b["available"].items
    assert MAGICK in found["imagemagick"]["versions"]
    assert found["nowhere"]["versions"] == []
    assert found["nowhere"]["fetched"] > 1_700_000_000


def test_programs_are_what_a_path_finds_and_a_library_has_none(web_b):
    found = web_b["programs"]
    assert "/usr/bin/convert-im6.q16" in found.items["imagemagick-6.q16"]["programs"]
    assert found.items.keys() == {"imagemagick-6.q16"}
    assert found.missing == {}


def test_programs_of_a_foreign_package_are_its_own():
    told = ("/var/lib/dpkg/info/libx:i386.list:/usr/bin/x",)
    found = programs.parse(
        Raw(outputs={"programs-0": Payload(told)}), [want("programs", "libx:i386")]
    )
    assert found.items == {"libx:i386": {"programs": ["/usr/bin/x"]}}


# As Debian 12 with mawk answered, and for a name that nothing has.
OWNERS = (
    "name awk",
    "target /usr/bin/mawk",
    "/var/lib/dpkg/info/mawk.list:/usr/bin/mawk",
    "name nowhere",
    "target ",
)


def test_the_owner_of_an_alternative_is_who_brings_what_it_leads_to():
    wants = [want("owners", "/usr/bin/awk"), want("owners", "nowhere"), want("owners", "a/b")]
    found = owners.parse(Raw(outputs={"owners": Payload(OWNERS)}), wants)
    mawk = {"target": "/usr/bin/mawk", "programs": {"/usr/bin/mawk": "mawk"}}
    assert found.items == {"/usr/bin/awk": mawk}
    assert found.missing == {"a/b": "no name of a program"}


def test_the_question_for_owners_reads_links_and_lists_as_they_are(tmp_path):
    lists, links = tmp_path / "var/lib/dpkg/info", tmp_path / "etc/alternatives"
    lists.mkdir(parents=True)
    links.mkdir(parents=True)
    (lists / "mawk.list").write_text("/.\n/usr/bin\n/usr/bin/mawk\n")
    (lists / "base.list").write_text("/.\n/usr/bin/awkward\n/usr/bin/ls\n")
    (links / "awk").symlink_to("/usr/bin/mawk")
    (asked,) = owners.questions([want("owners", "awk"), want("owners", "ls")])
    body = asked.body.replace("/var/lib/", f"{tmp_path}/var/lib/").replace(
        "/etc/alternatives", str(links)
    )
    done = subprocess.run(
        ["sh", "-c", f"main() {{ {body}\n}}; main"], capture_output=True, text=True, check=True
    )
    lines = tuple(done.stdout.replace(str(tmp_path), "").splitlines())
    found = owners.parse(
        Raw(outputs={"owners": Payload(lines)}), [want("owners", "awk"), want("owners", "ls")]
    )
    assert found.items["awk"]["programs"] == {"/usr/bin/mawk": "mawk"}
    assert found.items["ls"] == {"target": "", "programs": {"/usr/bin/ls": "base"}}


# --- names -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_that_is_none_is_not_sent_and_told(name):
    plain = [want(kind.KIND, "curl", "curl") for kind in KINDS]
    wants = [want(kind.KIND, name, "curl", name) for kind in KINDS]
    with_it = questions_for([*plain, *wants], deadline=9, nonce="0" * 32)
    assert with_it.script == questions_for(plain, deadline=9, nonce="0" * 32).script
    for kind in (changelogs, symbols):
        raw = Raw(outputs={kind.KIND: Payload(())})
        told = kind.parse(raw, [want(kind.KIND, name)])
        assert told.missing[name] == "no name of a Debian package"


def test_a_hostile_name_does_nothing_in_a_shell(tmp_path):
    wants = [want(kind.KIND, name, name, version=name) for kind in KINDS for name in HOSTILE]
    wants += [want("changelogs", "curl", name, "curl", version=name) for name in HOSTILE]
    script = questions_for(wants, deadline=60).script
    done = subprocess.run(
        ["sh", "-s"],
        input=script.encode(),
        cwd=tmp_path,
        capture_output=True,
        timeout=90,
        start_new_session=True,
    )
    assert done.returncode == 0
    assert done.stderr == b""
    assert list(tmp_path.iterdir()) == []


_WORDS = re.compile(r"'[A-Za-z0-9_][A-Za-z0-9_+.:-]*'")


@given(st.lists(st.tuples(st.text(max_size=20), st.lists(st.text(max_size=20), max_size=3))))
def test_no_text_of_a_host_becomes_text_of_the_shell(pairs):
    """Every word that depends on the wants is a quoted name, whatever they hold."""
    for kind in KINDS:
        wants = [want(kind.KIND, name, *packages, version=name) for name, packages in pairs]
        for question in kind.questions(wants):
            if isinstance(question, Lines):
                assert re.fullmatch(r"[a-z0-9][a-z0-9+.:-]*[.]list", question.pattern)
                continue
            if not isinstance(question, Shell):
                assert all(re.fullmatch(r"/[a-z0-9/+.:*-]+", glob) for glob in question.globs)
                continue
            (plain,) = kind.questions([])
            added = question.body.splitlines()
            for line in plain.body.splitlines():
                if line in added:
                    added.remove(line)
            for line in added:
                start, _, words = line.replace("=", " ", 1).partition(" ")
                assert start in ("wanted", "all")
                assert all(_WORDS.fullmatch(w) for w in re.findall(r"'[^']*'|\S+", words)) or (
                    start == "all" and re.fullmatch(r"'[A-Za-z0-9+._@/ -]*'", words)
                )


@given(st.text())
def test_only_the_grammar_of_the_ecosystem_is_a_name(name):
    if names.is_key(name):
        assert re.fullmatch(r"[a-z0-9][a-z0-9+.-]*(:[a-z0-9][a-z0-9-]*)?", name)
        assert names.quoted([name]) == f"'{name}'"
    else:
        with pytest.raises(ValueError, match="not a name"):
            names.quoted([name])


# --- whatever a host says --------------------------------------------------------------------


_LINES = st.lists(
    st.one_of(
        st.text(max_size=30),
        st.builds("{}{}".format, st.sampled_from("=@+rn~!TNV"), st.text(max_size=30)),
        st.builds("+a ({}) x; y".format, st.text(max_size=5)),
    ),
    max_size=20,
)


@given(_LINES)
def test_any_answer_is_read_or_refused(lines):
    for kind in (changelogs, available):
        raw = Raw(outputs={kind.KIND: Payload(tuple(lines))})
        try:
            told = kind.parse(raw, [want(kind.KIND, "a", "a", version="1")])
        except ParseError:
            continue
        assert {*told.items, *told.missing} == {"a"}


@given(st.lists(st.text(max_size=20)))
def test_any_symbols_file_is_kept_as_it_is(lines):
    path = "/var/lib/dpkg/info/liba1:amd64.symbols"
    told = symbols.parse(Raw(files={path: Payload(tuple(lines))}), [want("symbols", "liba1")])
    assert told.items == {"liba1": {"lines": lines}}


def test_of_two_architectures_the_native_one_is_told_by_dpkg_s_own_list():
    files = {
        "/var/lib/dpkg/arch": Payload(("amd64", "i386")),
        "/var/lib/dpkg/info/liba1:amd64.symbols": Payload(("native",)),
        "/var/lib/dpkg/info/liba1:i386.symbols": Payload(("foreign",)),
    }
    wants = [want("symbols", "liba1"), want("symbols", "liba1:i386")]
    told = symbols.parse(Raw(files=files), wants)
    assert told.items == {"liba1": {"lines": ["native"]}, "liba1:i386": {"lines": ["foreign"]}}


def test_no_file_is_asked_for_twice():
    wants = [want("symbols", name) for name in ("liba1", "liba1:i386", "libb1:i386", "liba1")]
    (question,) = symbols.questions(wants)
    assert [glob.rpartition("/")[2] for glob in question.globs] == [
        *("arch", "liba1.symbols", "liba1:*.symbols", "libb1:i386.symbols"),
    ]


def test_lists_that_cannot_be_read_leave_availability_unknown():
    path = "/var/lib/apt/lists/deb_Packages.lz4"
    raw = Raw(outputs={"available": Payload((f"! packed {path}",))})
    told = available.parse(raw, [want("available", "curl")])
    assert told.items == {}
    assert told.missing == {"curl": f"{path}: is compressed"}


def test_half_a_package_database_is_none():
    path = "/var/lib/dpkg/status"
    cut = Raw(files={path: Payload(("Package: a",), cut=True)})
    assert status.parse(cut, [want("status", "dpkg")]).items == {}
    whole = Raw(files={path: Payload(("Package: a",))})
    assert status.parse(whole, [want("status", "dpkg")]).items == {
        "dpkg": {"lines": ["Package: a"]}
    }


def test_what_a_limit_cuts_is_still_read(tmp_path):
    """The oldest entries stand last: a changelog of megabytes is cut there."""
    body = changelogs.questions([])[0].body
    big = tmp_path / "big"
    big.write_text("a (2) x; urgency=low\n\n" + "  * text\n" * 200_000)
    told = subprocess.run(
        ["sh", "-c", f'{body}\ntold + {changelogs.LIMIT} "$1"', "sh", big],
        capture_output=True,
        timeout=30,
    )
    lines = told.stdout.decode().splitlines()
    assert lines[0] == "+a (2) x; urgency=low"
    assert lines[-1] == "~"
    assert len(told.stdout) < 2 * changelogs.LIMIT
    raw = Raw(outputs={"changelogs": Payload(("= a", "@ a", *lines))})
    item = changelogs.parse(raw, [want("changelogs", "a", "a", version="2")]).items["a"]
    assert (item["version"], item["cut"]) == ("2", True)


def test_more_changelogs_than_the_limit_are_told_not_asked():
    wants = [want("changelogs", f"s{n:03}", f"s{n:03}") for n in range(changelogs.MOST + 1)]
    told = changelogs.parse(Raw(outputs={"changelogs": Payload(())}), wants)
    assert told.missing["s150"] == "more than 150 changelogs are wanted"
    assert "'s150'" not in changelogs.questions(wants)[0].body


def test_an_answer_that_is_not_understood_is_the_reason_of_its_own_kind_alone(tmp_path):
    wants = [want("changelogs", "a", "a"), want("status", "dpkg")]
    questions = questions_for(wants, deadline=9, nonce="0" * 32)
    output = (
        "@ BEGIN 1\n@ S changelogs\n@ C changelogs\n what\n\n@ . 0\n"
        "@ S status\n@ F /var/lib/dpkg/status\n Package: a\n\n@ . 0\n@ END\n"
    ).replace("@", "0" * 32)
    told = learned(Answer(output.encode(), b"", 0, 1.0), questions, wants, origin="h")
    assert told["changelogs"].missing == {"a": "changelogs: unexpected 'what'"}
    assert told["status"].items == {"dpkg": {"lines": ["Package: a"]}}


def test_every_kind_was_captured():
    # a file as it is, and those with a test of their own
    others = {"status", "contents", "classes", "imports", "rpm-changelogs", "binaries", "owners"}
    assert {want.kind for want in WANTS} | others == {kind.KIND for kind in KINDS}
