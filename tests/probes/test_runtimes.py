"""The runtimes probe against what shells find, what tools say of themselves, and bad input."""

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftscan.errors import ParseError
from driftscan.framing import unframe
from driftscan.model import Absent, Collected, Denied, Partial, Payload, Raw
from driftscan.probes import runtimes, winners
from driftscan.script import questions

GIVEN = [about.name for about in runtimes.GIVES]


def parsed(*copies, settings=(), alternatives=()):
    """The sections of a host that answered these lines."""
    lines = (*settings, "copies", *copies)
    return runtimes.parse(
        Raw({}, {"copies": Payload(lines), "alternatives": Payload(alternatives)})
    )


@pytest.mark.parametrize("shell", [["dash"], ["bash", "--posix"], ["busybox", "sh"], ["zsh"]])
def test_a_machine_without_any_setting_answers_no_empty_line(shell):
    if shutil.which(shell[0]) is None:
        pytest.skip(f"{shell[0]} is not installed on this machine")
    ask = questions([runtimes], deadline=60)
    bare = ask.script.replace("\ncopies() {\n", "\nsettings() { :; }\ncopies() {\n")
    assert bare != ask.script
    answer = subprocess.run(
        [*shell, "-s"], input=bare.encode(), capture_output=True, start_new_session=True
    )
    (raw,) = unframe(answer.stdout, ask.nonce, [runtimes]).values()
    assert raw.outputs["copies"].lines[0] == "copies"


def asked(cwd):
    """The sections of this machine, asked by this machine's sh."""
    ask = questions([runtimes], deadline=60)
    answer = subprocess.run(
        ["sh", "-s"],
        input=ask.script.encode(),
        stdout=-1,
        check=True,
        cwd=cwd,
        timeout=60,
        start_new_session=True,
    )
    return runtimes.parse(unframe(answer.stdout, ask.nonce, [runtimes])[runtimes.NAME])


COPY = ("dir /usr/bin", "copy /usr/bin/perl", "real /usr/bin", "real /usr/bin/perl")


# --- real machines -----------------------------------------------------------------------------


def test_a_real_server_has_its_packaged_runtimes(captured):
    sections = runtimes.parse(captured("runtimes", "web-a"))
    found = {key: item["owner"] for key, item in sections["runtimes"].items.items()}
    assert found == {
        "java|/usr/lib/jvm/java-17-openjdk-amd64/bin/java": "openjdk-17-jre-headless",
        "perl|/usr/bin/perl": "perl-base",
        "perl|/usr/bin/perl5.36.0": "perl-base",
        "php|/usr/bin/php8.2": "php8.2-cli",
        "python3|/usr/bin/python3.11": "python3.11-minimal",
    }
    assert all("note" not in item for item in sections["runtimes"].items.values())


@pytest.mark.parametrize("scope", ["system", "login", "login-root"])
def test_winners_are_what_a_shell_finds_under_that_path(captured, oracle, scope):
    section = runtimes.parse(captured("runtimes", "snowflake"))["winners"]
    assert isinstance(section, Collected)
    found = [section.items.get(f"{kind}@{scope}", {}).get("path") for kind in winners.KINDS]
    assert [path for path in found if path] == oracle(f"winners-{scope}", "snowflake")


def test_alternatives_set_by_hand_are_those_that_update_alternatives_calls_manual(captured, oracle):
    section = runtimes.parse(captured("runtimes", "snowflake"))["alternatives"]
    rows = [line.split() for line in oracle("alternatives", "snowflake")]
    manual = {name: {"target": target} for name, mode, target in rows if mode == "manual"}
    assert section == Collected(items=manual)
    assert sorted(manual) == ["java", "pager"]


def test_copies_without_a_package_tell_their_version_or_why_not(captured):
    items = runtimes.parse(captured("runtimes", "snowflake"))["runtimes"].items
    packaged = items["php|/usr/bin/php8.2"]["version"]
    told = {key: (item["version"], item.get("note")) for key, item in items.items()}
    assert told["php|/usr/local/bin/php"] == (packaged, None)
    assert told["python3|/srv/tools/bin/python3.11"] == ("3.11.2", None)
    assert told["go|/usr/local/go/bin/go"] == ("1.22.5", None)
    assert (
        told["java|/opt/jdk-17/bin/java"]
        == told["java|/usr/lib/jvm/java-17-openjdk-amd64/bin/java"]
    )
    why = "not run: not in the hands of root alone"
    assert told["perl|/opt/app/bin/perl"] == ("unknown", why)
    assert told["ruby|/opt/app/bin/ruby"] == ("unknown", "not run: a script")
    assert told["node|/opt/node/bin/node"] == ("unknown", "gave no version")
    assert told["gcc|/usr/bin/true"] == ("unknown", "leads to true")


def test_a_unit_with_a_path_of_its_own_has_its_own_winners(captured):
    sections = runtimes.parse(captured("runtimes", "snowflake"))
    scope = "unit:app.service"
    paths = {k: i for k, i in sections["path"].items.items() if k.startswith(f"{scope}/")}
    assert paths == {
        f"{scope}//opt/node/bin": {"position": 1},
        f"{scope}//usr/bin": {"position": 2},
        f"{scope}//bin": {"position": 3},
    }
    assert sections["winners"].items[f"node@{scope}"]["path"] == "/opt/node/bin/node"
    assert sections["winners"].items[f"php@{scope}"]["real"] == "/usr/bin/php8.2"


def test_what_an_unprivileged_account_may_not_see_is_a_gap_not_a_missing_copy(captured):
    sections = runtimes.parse(captured("runtimes", "unprivileged"))
    assert isinstance(sections["runtimes"], Partial)
    assert sections["runtimes"].gaps == ["/opt/node: denied", "/srv/tools/bin: denied"]
    assert isinstance(sections["winners"], Partial)
    assert "PATH of system: /srv/tools/bin was not looked into" in sections["winners"].gaps
    assert not [key for key in sections["winners"].items if key.endswith("@system")]


def test_versions_are_those_that_the_tools_of_this_machine_say(tmp_path):
    items = asked(tmp_path)["runtimes"].items
    say = {
        "perl": ["-e", "print substr $^V, 1"],
        "python3": ["-c", "import sys; print(sys.version.split()[0])"],
    }
    checked = 0
    for key, item in items.items():
        kind, path = key.split("|")
        if kind in say and item["version"] != "unknown":
            said = subprocess.run([path, *say[kind]], stdout=-1, check=True, timeout=30).stdout
            assert said.decode().strip() == item["version"], key
            checked += 1
    if not checked:
        pytest.skip("this machine has neither perl nor python3 in its system directories")


def test_winners_of_this_machine_are_what_its_shell_finds(tmp_path):
    sections = asked(tmp_path)
    rows = sections["path"].items
    path = [k.partition("/")[2] for k in rows if k.startswith("system/")]
    for kind in winners.KINDS:
        winner = sections["winners"].items.get(f"{kind}@system")
        found = shutil.which(kind, path=":".join(path))
        assert (winner and winner["path"]) == found
        if winner:
            assert winner["real"] == str(Path(winner["path"]).resolve())


# --- another PATH ------------------------------------------------------------------------------


def test_the_path_of_an_image_replaces_that_of_its_scope_and_of_no_other(captured):
    sections = runtimes.parse(captured("runtimes", "snowflake"))
    changed = winners.with_path(sections, "system", "/opt/jdk-17/bin/:/bin:/usr/games:/bin")
    assert set(changed) == {"path", "winners"}
    system = {k: i for k, i in changed["path"].items.items() if k.startswith("system/")}
    assert system == {
        "system//opt/jdk-17/bin": {"position": 1},
        "system//bin": {"position": 2},
        "system//usr/games": {"position": 3},
    }
    before, after = sections["winners"].items, changed["winners"].items
    assert after["java@system"]["path"] == "/opt/jdk-17/bin/java"
    assert after["python3@system"] == {
        "path": "/bin/python3",
        "real": "/usr/bin/python3.11",
        "version": "3.11.2",
    }
    assert "gcc@system" in before
    assert "gcc@system" not in after
    others = {key for key in before if not key.endswith("@system")}
    assert {key: after[key] for key in others} == {key: before[key] for key in others}


def test_behind_a_directory_that_was_not_looked_into_no_winner_is_known(captured):
    sections = runtimes.parse(captured("runtimes", "web-a"))
    changed = winners.with_path(
        sections, "system", "/usr/lib/jvm/java-17-openjdk-amd64/bin:/app/bin:/usr/bin"
    )
    assert isinstance(changed["winners"], Partial)
    assert changed["winners"].gaps == ["PATH of system: /app/bin was not looked into"]
    assert [k for k in changed["winners"].items if k.endswith("@system")] == ["java@system"]
    again = winners.with_path({**sections, **changed}, "system", "/usr/bin")
    assert isinstance(again["winners"], Collected)


def test_a_directory_that_does_not_exist_hides_nothing(captured):
    sections = runtimes.parse(captured("runtimes", "web-a"))
    changed = winners.with_path(sections, "system", "/opt/none/bin:/usr/bin")
    assert isinstance(changed["winners"], Collected)
    assert changed["winners"].items["php@system"]["path"] == "/usr/bin/php"


def test_without_copies_another_path_changes_nothing():
    assert winners.with_path({"runtimes": Denied(cure="x")}, "system", "/usr/bin") == {}


# --- answers, line by line ---------------------------------------------------------------------


def test_a_copy_listed_below_slash_belongs_to_its_package_on_a_merged_usr():
    sections = parsed(
        *COPY,
        "owner perl-base.list:/bin/perl",
        "Package: dpkg",
        "Architecture: amd64",
        "Version: 1.21",
        "Package: perl-base",
        "Architecture: amd64",
        "Version: 1:5.36.0+dfsg-7+deb12u3",
    )
    assert sections["runtimes"].items == {
        "perl|/usr/bin/perl": {"version": "5.36.0", "owner": "perl-base"}
    }


def test_a_foreign_owner_is_named_and_versioned_by_its_architecture():
    sections = parsed(
        *COPY,
        "owner perl-base:i386.list:/usr/bin/perl",
        *("Package: dpkg", "Architecture: amd64", "Version: 1.21"),
        *("Package: perl-base", "Architecture: amd64", "Version: 5.36.0-7"),
        *("Package: perl-base", "Architecture: i386", "Version: 5.34.0-1"),
        "Package: cut-off",
    )
    assert sections["runtimes"].items == {
        "perl|/usr/bin/perl": {"version": "5.34.0", "owner": "perl-base:i386"}
    }


def test_two_packages_that_list_one_copy_leave_its_version_unknown():
    sections = parsed(*COPY, "owner a.list:/usr/bin/perl", "owner b.list:/bin/perl")
    assert sections["runtimes"].items == {
        "perl|/usr/bin/perl": {
            "version": "unknown",
            "owner": "a, b",
            "note": "listed by several packages",
        }
    }


def test_where_dpkg_is_not_the_packager_no_copy_is_called_unowned():
    sections = parsed(*COPY, "unpackaged", "ran /usr/bin/perl", "says v5.32.1")
    assert sections["runtimes"].items == {"perl|/usr/bin/perl": {"version": "5.32.1"}}


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ("Python 3.13.0rc1", "3.13.0rc1"),
        ("v18.20.4", "18.20.4"),
        ("ruby 3.1.2p20 (2022-04-12 revision 4491bb740a) [x86_64-linux-gnu]", "3.1.2"),
        ("PHP 8.3.0-dev (cli) (built: Nov 1 2026)", "8.3.0-dev"),
        ("12.2.0", "12.2.0"),
        ("", "unknown"),
        ("Segmentation fault", "unknown"),
    ],
)
def test_a_version_is_found_in_what_a_copy_says(said, version):
    sections = parsed(*COPY, "ran /usr/bin/perl", f"says {said}")
    assert sections["runtimes"].items["perl|/usr/bin/perl"]["version"] == version


def test_a_java_of_a_jre_below_its_jdk_has_the_version_of_the_release_file():
    path = "/opt/jdk8/jre/bin/java"
    sections = parsed(f"copy {path}", f"real {path}", '/opt/jdk8/release:JAVA_VERSION="1.8.0_452"')
    assert sections["runtimes"].items[f"java|{path}"]["version"] == "1.8.0_452"


def test_the_path_is_the_default_where_nothing_is_set():
    assert list(parsed()["path"].items)[:6] == [
        "system//usr/local/sbin",
        "system//usr/local/bin",
        "system//usr/sbin",
        "system//usr/bin",
        "system//sbin",
        "system//bin",
    ]


@pytest.mark.parametrize(
    "lines",
    [
        ("garbage",),
        ("dir relative",),
        ("copy /usr/bin/perl",),
        ("copy /usr/bin/perl", "real /usr/bin/perl", "ran /usr/bin/perl"),
        ("owner without-a-path",),
    ],
)
def test_a_line_that_cannot_have_been_printed_is_refused(lines):
    with pytest.raises(ParseError):
        parsed(*lines)


def test_an_answer_without_its_middle_mark_is_refused():
    with pytest.raises(ParseError, match="copies"):
        runtimes.parse(Raw({}, {"copies": Payload(()), "alternatives": Payload(())}))


def test_a_host_without_alternatives_has_none_and_a_closed_database_is_denied():
    assert parsed()["alternatives"] == Absent()
    place = "/var/lib/dpkg/alternatives"
    closed = parsed(alternatives=(f"database {place}", f"denied {place}"))["alternatives"]
    assert closed == Denied(cure=f"read access to {place}, or --become")


ANSWERS = st.lists(
    st.sampled_from(
        [
            *COPY,
            "copies",
            "gone /x",
            "closed /opt",
            "ran /usr/bin/perl",
            "says 5",
            "unpackaged",
            "owner perl-base.list:/usr/bin/perl",
            "Package: dpkg",
            "Version: 1",
            "/etc/environment:PATH=/a::/b/",
            "/etc/systemd/system/a.service:Environment=PATH=relative",
            "/opt/jdk/release:JAVA_VERSION=17",
            "manual java",
            "target /x",
        ]
    )
    | st.text(max_size=40),
    max_size=14,
)


@given(ANSWERS, ANSWERS, st.lists(st.sampled_from(["manual x", "target y", "database /z"])))
def test_any_answer_gives_sections_or_names_the_line(before, after, alternatives):
    raw = {
        "copies": Payload((*before, "copies", *after)),
        "alternatives": Payload(tuple(alternatives)),
    }
    try:
        sections = runtimes.parse(Raw({}, raw))
    except ParseError:
        return
    assert sorted(sections) == sorted(GIVEN)


def test_who_set_an_alternative_is_in_its_own_log(captured):
    sections = runtimes.parse(captured("runtimes", "handmade"))
    assert sections["alternatives"] == Collected(items={"pager": {"target": "/bin/more"}})
    assert sections["alternatives-log"].items["pager"]["command"] == (
        "update-alternatives --set pager /bin/more"
    )
    assert sections["alternatives-log"].items["pager"]["time"].startswith("2026-")


def test_of_several_commands_the_last_one_counts():
    lines = (
        "log 2026-10-01 10:00:00: run with --set java /opt/a/bin/java",
        "log 2026-10-02 10:00:00: run with --config java",
    )
    assert parsed(alternatives=lines)["alternatives-log"].items == {
        "java": {"time": "2026-10-02 10:00:00", "command": "update-alternatives --config java"}
    }
