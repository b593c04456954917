"""The environment probe against PAM, a login shell and systemd themselves, and bad input."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftscan.errors import ParseError
from driftscan.model import Collected, Denied, Partial, Payload, Raw
from driftscan.probes import environment, profiles, settings, units
from driftscan.sanitize import REDACTED, redact_variable

# What su and a shell set by themselves.
SESSION = {"HOME", "LOGNAME", "MAIL", "PWD", "SHELL", "SHLVL", "USER", "HOSTNAME", "_"}


def parsed(*lines):
    """The sections of a host that answered these lines."""
    return environment.parse(Raw({}, {"settings": Payload(lines)}))


def values(section, scope):
    """NAME to value of one scope."""
    prefix = f"{scope}/"
    found = section.items.items()
    return {k.removeprefix(prefix): i["value"] for k, i in found if k.startswith(prefix)}


def etc(*lines):
    """The scope `system` of a host whose /etc/environment has these lines."""
    return values(parsed(*(f"/etc/environment:{line}" for line in lines))["environment"], "system")


def script(*lines):
    """The steps of a profile, as (name, value, exported, when)."""
    return [(s.name, s.value, s.exported, s.when) for s in profiles.steps(lines)]


def variables(lines):
    """The lines of `env`, without what the session itself sets."""
    pairs = (line.partition("=") for line in lines)
    return {name: value for name, _, value in pairs if name not in SESSION}


# --- real machines -----------------------------------------------------------------------------


def test_a_real_server_has_its_variables(captured):
    section = environment.parse(captured("environment", "web-a"))["environment"]
    assert isinstance(section, Collected)
    assert values(section, "system") == {"JAVA_HOME": "/usr/lib/jvm/java-17-openjdk-amd64"}
    assert section.items["unit:rescue.service/HOME"] == {"value": "/root"}


def test_etc_environment_reads_as_pam_sets_it(captured, oracle):
    raw = captured("environment", "snowflake")
    assert settings.pam_env(settings.read(raw.outputs["settings"].lines)) == variables(
        oracle("pam-env", "snowflake")
    )


def test_a_profile_reads_as_a_login_shell_runs_it(captured, oracle):
    found = settings.read(captured("environment", "snowflake").outputs["settings"].lines)
    known, skipped = settings.login_variables(found)
    shell = variables(oracle("login-env", "snowflake"))
    assert settings.login_path(found, root=False)[0] == shell.pop("PATH")
    # As written: the shell put the value of APP_HOME in.
    assert known.pop("APP_LIB") == "$APP_HOME/lib"
    assert shell.pop("APP_LIB") == "/srv/app/lib"
    # By a command: only the shell knows. The others it did not set: their conditions do not hold.
    assert shell.pop("APP_NOW")
    assert {**settings.pam_env(found), **known, "PATH": ""} == {**shell, "PATH": ""}
    assert [place.split(" ")[1] for place in skipped] == [
        "APP_IF",
        "APP_AND",
        "APP_NOW",
        "APP_FUNCTION",
    ]


def test_units_read_as_systemd_loads_them(captured, oracle):
    found = settings.read(captured("environment", "snowflake").outputs["settings"].lines)
    ours = units.services(found.units)
    loaded, unset, files, unit = {}, {}, {}, ""
    for line in oracle("units", "snowflake"):
        word, _, value = line.strip().partition(": " if line.startswith("\t\t") else " Unit ")
        if word == "->":
            unit = value.rstrip(":")
            loaded[unit] = {}
        elif word == "Environment":
            name, _, rest = value.partition("=")
            loaded[unit][name] = rest
        elif word == "UnsetEnvironment":
            unset.setdefault(unit, []).append(value)
        else:
            files.setdefault(unit, []).append(value)
    for name, assigned in loaded.items():
        for word in unset.get(name, []):
            variable, equals, value = word.partition("=")
            if not equals or assigned.get(variable) == value:
                assigned.pop(variable, None)
    services = {name: loaded[name] for name in loaded if name in ours}
    assert {name: ours[name].variables for name in services} == services
    assert {name: ours[name].files for name in services if ours[name].files} == files
    assert {"app.service", "reset.service", "shadowed.service", "linked.service"} <= set(services)


def test_no_seeded_secret_is_kept(captured):
    sections = environment.parse(captured("environment", "snowflake"))
    text = repr(sections)
    assert "hunter2" not in text
    assert "t0psecret" not in text
    section = sections["environment"]
    assert section.items["system/APP_TOKEN"] == {"value": REDACTED}
    assert section.items["login/DB_PASSWORD"] == {"value": REDACTED}
    assert section.items["unit:app.service/API_TOKEN"] == {"value": REDACTED}
    assert section.items["system/HTTP_PROXY"]["value"].startswith(f"http://{REDACTED}@proxy")


def test_path_has_a_section_of_its_own(captured):
    section = environment.parse(captured("environment", "snowflake"))["environment"]
    assert not [key for key in section.items if key.endswith("/PATH")]


def test_an_alias_a_mask_and_a_shadowed_unit_give_nothing(captured):
    keys = environment.parse(captured("environment", "snowflake"))["environment"].items
    named = {key.partition("/")[0] for key in keys}
    hidden = {"unit:alias.service", "unit:e2scrub_all.service", "unit:shadowed.service"}
    assert not named & hidden


def test_what_is_not_evaluated_is_named_as_evidence(captured):
    sources = environment.parse(captured("environment", "snowflake"))["environment-sources"]
    assert sources.items["unit:app.service"] == {"files": ["-/etc/default/app"]}
    assert "/etc/profile.d/app.sh:4 APP_IF" in sources.items["login"]["skipped"]


def test_files_that_an_unprivileged_account_may_not_read_are_gaps(captured):
    section = environment.parse(captured("environment", "unprivileged"))["environment"]
    assert isinstance(section, Partial)
    assert section.gaps[:2] == [
        "/etc/profile.d/app.sh: permission denied",
        "/etc/systemd/system/app.service: permission denied",
    ]
    assert section.items["unit:reset.service/B"] == {"value": "2"}


# --- an image ----------------------------------------------------------------------------------


def test_the_env_of_an_image_takes_the_place_of_etc_environment(captured):
    sections = environment.parse(captured("environment", "web-a"))
    env = {"PATH": "/bin", "API_KEY": "k3y", "JAVA_HOME": "/opt/jdk"}
    changed = environment.with_image_env(sections, env)
    assert set(changed) == {"environment"}
    before, after = sections["environment"].items, changed["environment"].items
    assert values(changed["environment"], "system") == {
        "API_KEY": REDACTED,
        "JAVA_HOME": "/opt/jdk",
    }
    rest = {key: item for key, item in before.items() if not key.startswith("system/")}
    assert rest
    assert {key: after[key] for key in rest} == rest


def test_the_gaps_of_an_image_stay_gaps_and_a_denied_section_stays_denied():
    sections = parsed("grep: /etc/profile: Permission denied")
    changed = environment.with_image_env(sections, {"A": "1"})
    assert changed["environment"] == Partial(
        items={"system/A": {"value": "1"}}, gaps=["/etc/profile: permission denied"]
    )
    assert environment.with_image_env({"environment": Denied(cure="x")}, {"A": "1"}) == {}


# --- /etc/environment --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        (["A=1", "A=2"], {"A": "2"}),
        (["A=1", "A"], {}),
        (["A"], {}),
        (["A="], {"A": ""}),
        (['A=""'], {"A": ""}),
        (['A="'], {"A": ""}),
        (["A=b=c"], {"A": "b=c"}),
        (["# A=1", "", "export A=1"], {"A": "1"}),
        (["=x", "A B=1", "A-B=1"], {}),
        (["1A=x"], {"1A": "x"}),
    ],
)
def test_each_form_of_a_line_of_etc_environment(lines, found):
    assert etc(*lines) == found


# --- shell profiles ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "steps"),
    [
        (["A=1"], [("A", "1", False, "everyone")]),
        (["export A=1 B"], [("A", "1", True, "everyone"), ("B", None, True, "everyone")]),
        (["declare -x A=1"], [("A", "1", True, "everyone")]),
        (["A='a \"b' # c"], [("A", 'a "b', False, "everyone")]),
        (['A="a \\"b\\" $C"'], [("A", 'a "b" $C', False, "everyone")]),
        (["A=a\\ b"], [("A", "a b", False, "everyone")]),
        (["A=x#y"], [("A", "x#y", False, "everyone")]),
        (["A=1 command --option=2"], []),
        (["echo A=1; B=2"], [("B", "2", False, "everyone")]),
        (["true && A=1; B=2"], [("A", "1", False, "unknown"), ("B", "2", False, "everyone")]),
        (["A=1 | B=2"], [("A", "1", False, "unknown"), ("B", "2", False, "everyone")]),
        (["(A=1)", "B=2"], [("A", "1", False, "unknown"), ("B", "2", False, "everyone")]),
        (
            ["A=`date`", "B=$(f $(g))"],
            [("A", "\0", False, "unknown"), ("B", "\0", False, "unknown")],
        ),
        (
            ["case $x in", "a) A=1 ;;", "esac", "B=1"],
            [("A", "1", False, "unknown"), ("B", "1", False, "everyone")],
        ),
        (
            ["for i in 1 2; do", "A=$i", "done", "B=1"],
            [("A", "$i", False, "unknown"), ("B", "1", False, "everyone")],
        ),
        (["f() { A=1; }", "B=1"], [("A", "1", False, "unknown"), ("B", "1", False, "everyone")]),
        (["A=1 \\", "  B=2"], [("A", "1", False, "everyone"), ("B", "2", False, "everyone")]),
        (["A='1", "B=2", "'"], [("A", "1\nB=2\n", False, "everyone")]),
        (["cat <<-'END'", "A=1", "\tEND", "B=1"], [("B", "1", False, "everyone")]),
        (["fi", "done", "}", "A=1"], [("A", "1", False, "everyone")]),
        (["export A=1 &&", "B=1"], [("A", "1", True, "everyone"), ("B", "1", False, "unknown")]),
    ],
)
def test_each_form_of_an_assignment(lines, steps):
    assert script(*lines) == steps


def test_only_a_test_for_root_is_understood_as_a_condition():
    lines = [
        'if [ "$(id -u)" -eq 0 ]; then A=1; else A=2; fi',
        'if [ "`id -u`" != 0 ]',
        "then A=3",
        "elif true; then A=4",
        "else A=5",
        "fi",
        'if [ "$EUID" -eq 0 ] && true; then A=6; fi',
        "if [ -d /x ]; then if [ $UID = 0 ]; then A=7; fi; fi",
    ]
    assert [(value, when) for _, value, _, when in script(*lines)] == [
        ("1", "root"),
        ("2", "others"),
        ("3", "others"),
        ("4", "unknown"),
        ("5", "unknown"),
        ("6", "unknown"),
        ("7", "unknown"),
    ]


def test_profile_d_counts_only_where_the_profile_reads_it():
    lines = ["/etc/profile.d/a.sh:export A=1", "/etc/profile:for i in /etc/profile.d/*.sh; do"]
    assert "login/A" in parsed(*lines)["environment"].items
    assert "login/A" not in parsed(lines[0], "/etc/profile:umask 022")["environment"].items


def test_a_login_gets_the_path_of_the_last_that_sets_it():
    defs = ["/etc/login.defs:ENV_PATH\tPATH=/d", "/etc/login.defs:ENV_SUPATH /sd"]
    pam = "/etc/environment:PATH=/e"
    shell = "/etc/profile:PATH=/p:$PATH"
    both = [settings.login_path(settings.read(defs), root)[0] for root in (False, True)]
    assert both == ["/d", "/sd"]
    assert settings.login_path(settings.read([*defs, pam]), root=True)[0] == "/e"
    assert settings.login_path(settings.read([*defs, pam, shell]), root=True)[0] == "/p:/e"
    assert settings.login_path(settings.read([]), root=False)[0] == settings.SYSTEM_PATH


def test_a_path_that_cannot_be_evaluated_is_told():
    found = settings.read(
        ["/etc/profile:[ -d /snap ] && PATH=$PATH:/snap/bin", "/etc/profile:PATH=$HOME/bin"]
    )
    assert settings.login_path(found, root=False) == (
        settings.SYSTEM_PATH,
        ["/etc/profile:1 PATH", "/etc/profile:2 PATH"],
    )


# --- units -------------------------------------------------------------------------------------


def unit(*lines):
    """The one service of a host with these lines in its file."""
    return units.services({"/etc/systemd/system/a.service": list(lines)})["a.service"]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ('A="b c" D', {"A": "b c"}),
        ("A='b \"c'", {"A": 'b "c'}),
        ("A=\\x41\\102\\s", {"A": "AB "}),
        ("A=%%h", {"A": "%h"}),
        ('A=1 "B=2', {"A": "1"}),
        ("", {}),
    ],
)
def test_each_form_of_an_assignment_in_a_unit(line, found):
    assert unit(f"Environment={line}").variables == found


def test_a_continued_line_that_was_not_asked_for_is_a_gap():
    lines = ["Environment=A=1 \\", "Environment=B=2"]
    assert unit(*lines).gaps == [
        "/etc/systemd/system/a.service: the next line of 'Environment=A=1  ' was not read"
    ]
    assert unit(*lines).variables == {"A": "1", "B": "2"}
    assert unit("ExecStart=/x \\", "Environment=B=2").gaps == []


def test_an_empty_environment_file_takes_back_those_before():
    lines = ("EnvironmentFile=/a", "EnvironmentFile=", "EnvironmentFile=-/b")
    assert unit(*lines).files == ["-/b"]


# --- bad input ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line", ["garbage", "/etc/passwd:x", "/etc/environment", "Binary file /etc/profile matches"]
)
def test_a_line_that_cannot_have_been_printed_is_refused(line):
    with pytest.raises(ParseError):
        parsed(line)


def test_what_is_not_there_is_no_gap():
    gone = "grep: /etc/environment: No such file or directory"
    assert parsed(gone)["environment"] == Collected(items={})


ANSWERS = st.lists(
    st.sampled_from(
        [
            "/etc/environment:A=",
            "/etc/profile:if [ $UID -eq 0 ]; then export A='",
            "/etc/profile:fi; cat <<E $(x) `y` \\",
            '/etc/profile.d/x.sh:export B="$(',
            "/etc/login.defs:ENV_PATH PATH=",
            "/etc/systemd/system/a.service:Environment=\"A='\\x4 B\\",
            '/etc/systemd/system/a.service: "C=1',
            "/usr/lib/systemd/system/a.service.d/b.conf:UnsetEnvironment=A=1 B",
            "lrwxrwxrwx 1 0 0 9 Nov 24 00:13 /etc/systemd/system/a.service -> /dev/null",
            "-rw-r--r-- 1 0 0 9 Nov 24 00:13 /etc/systemd/system/b.service",
            "grep: /etc/profile: Permission denied",
        ]
    )
    | st.text(max_size=30).map(lambda text: f"/etc/profile:{text}")
    | st.text(max_size=30).map(lambda text: f"/etc/environment:{text}"),
    max_size=12,
)


@given(ANSWERS)
def test_any_answer_gives_sections_or_names_the_line(lines):
    try:
        sections = parsed(*lines)
    except ParseError:
        return
    assert list(sections) == [about.name for about in environment.GIVES]


@given(st.lists(st.text(max_size=30), max_size=8))
def test_any_script_can_be_read(lines):
    assert all(
        step.when in {"everyone", "root", "others", "unknown"} for step in profiles.steps(lines)
    )


@pytest.mark.parametrize(
    "piece", ['"', "'", "$(", "`", "(", "\\", "if ", "<<a", "a'\"", "${", "; "]
)
def test_a_long_hostile_line_gives_no_assignment(piece):
    assert list(profiles.steps([piece * 30000])) == []


def test_the_value_of_a_variable_is_redacted_by_its_name():
    assert redact_variable("APP_SECRET", "x") == REDACTED
