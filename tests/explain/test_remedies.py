"""Remedies: which commands, in which order, and that no value of a host is more than a word."""

import re
import shutil
import subprocess

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftscan import diff
from driftscan.explain import engine, remedies
from driftscan.explain.case import Case
from driftscan.explain.remedies import table
from driftscan.model import Cause, Collected, Failed, Side, Want
from driftscan.report import fix
from tests import recorded
from tests.build import explained, fingerprint, image, package, transaction

MAIN = {"Debian/bookworm/main": {"position": 0}}
SECURITY = {**MAIN, "Debian/bookworm-security/main": {"position": 1}}
BOOKWORM = {"release": {"id": "debian", "version_id": "12", "codename": "bookworm"}}
URL = "http://security.debian.org/debian-security"


def host(name, packages, evidence=None, **facts):
    facts = {"os": BOOKWORM, "repositories": MAIN, **facts}
    return fingerprint(name, packages, facts=facts, evidence=evidence or {})


def commands(report, direction="subject"):
    return [
        step.run
        for remedy in report.remedies
        for step in remedy.steps
        if remedy.direction == direction
    ]


def test_steps_stand_in_the_order_in_which_they_have_to_run():
    runs = {"php-fpm|php8.2-fpm.service": {"count": 1, "loads": {"/lib/a.so": "a"}}}
    ours = host(
        "web-a",
        {"a": package("1", want="hold"), "b": package("1")},
        {"processes": runs, "apt-auto": {"b": {"auto": True}}},
        environment={},
    )
    theirs = host(
        "web-b",
        {"a": package("2"), "b": package("2")},
        {"repository-sources": {"Debian/bookworm-security/main": {"urls": [URL]}}},
        repositories=SECURITY,
        environment={"system/KEEP": {"value": "a b"}},
    )

    assert commands(explained(ours, theirs)) == [
        f"echo 'deb {URL} bookworm-security main' > /etc/apt/sources.list.d/bookworm-security.list",
        "apt-get update",
        "apt-mark unhold a",
        "apt-get install --only-upgrade --no-install-recommends a=2 b=2",
        "apt-mark auto b",
        "grep -q ^KEEP= /etc/environment || echo 'KEEP=a b' >> /etc/environment",
        "systemctl restart php8.2-fpm",
        "driftscan compare web-a web-b",
    ]


def test_every_installed_binary_of_a_source_moves_also_those_only_the_host_has():
    ours = host("web-a", {name: package("1", "perl") for name in ("perl", "perl-base")})
    theirs = host("web-b", {"perl-base": package("2", "perl")})

    install = next(run for run in commands(explained(ours, theirs)) if "install" in run)

    assert install.endswith(" perl=2 perl-base=2")


def test_missing_and_changed_packages_are_installed_together():
    ours = host("web-a", {"a": package("1")})
    theirs = host(
        "web-b", {"a": package("2"), "liba": package("2")}, {"apt-auto": {"liba": {"auto": True}}}
    )

    runs = commands(explained(ours, theirs))

    assert runs[1] == "apt-get install --no-install-recommends a=2 liba=2"
    assert "apt-mark auto liba" in runs
    steps = [step for remedy in explained(ours, theirs).remedies for step in remedy.steps]
    whys = {step.why for step in steps}
    assert "naming a package marked it manual" in whys


def test_an_edited_configuration_file_of_a_package_that_moves_stays_edited():
    edited = {"/etc/a.conf": {"state": "edited", "package": "a", "sum": "0"}}
    ours = host("web-a", {"a": package("1")}, conffiles=edited)
    theirs = host("web-b", {"a": package("2")}, conffiles=edited)

    install = next(run for run in commands(explained(ours, theirs)) if "install" in run)

    assert "-o Dpkg::Options::=--force-confold a=2" in install


def test_a_host_ahead_of_its_image_is_not_taken_back_the_image_is_built_anew():
    place = {"web": 2}
    reference = image(
        {"web": package("1")},
        {2: "RUN apt-get install web"},
        place,
        facts={"os": BOOKWORM, "repositories": MAIN},
    )

    done = {"1": transaction("apt-get upgrade", upgrade={"web": "1 -> 2"})}
    ours = host("web-a", {"web": package("2")}, {"apt-history": done})

    report = explained(ours, reference)

    assert commands(report) == []
    assert commands(report, "reference") == ["driftscan baseline build web"]


def test_another_release_is_set_up_again_or_becomes_the_base_of_the_image():
    trixie = {"release": {"id": "debian", "codename": "trixie", "pretty": "Debian 13"}}
    reference = image({"web": package("1")}, {2: "RUN x"}, {"web": 2}, facts={"os": BOOKWORM})

    report = explained(host("web-t", {"web": package("2")}, os=trixie), reference)

    assert commands(report) == ["# set web-t up again on the release of image web"]
    assert commands(report, "reference") == [
        "# take a base image of Debian 13 in the FROM of web/Dockerfile",
        "driftscan baseline build web",
    ]
    assert fix.files("web-t", report) == {}


def test_what_the_host_has_can_be_taken_into_the_dockerfile_instead():
    sources = {"Docker/bookworm/stable": {"urls": ["https://download.docker.com/linux/debian"]}}
    ours = host(
        "web-a",
        {"web": package("1"), "docker-ce": package("3")},
        {"repository-sources": sources},
        repositories={**MAIN, "Docker/bookworm/stable": {"position": 1}},
        environment={"system/KEEP": {"value": "3"}},
    )
    reference = image(
        {"web": package("2"), "gone": package("1")},
        {2: "RUN apt-get install web gone"},
        {"web": 2, "gone": 2},
        facts={"os": BOOKWORM, "repositories": MAIN, "environment": {}},
    )

    report = explained(ours, reference)

    assert commands(report, "reference") == [
        "RUN echo 'deb https://download.docker.com/linux/debian bookworm stable'"
        " > /etc/apt/sources.list.d/bookworm.list",
        "RUN apt-get update && apt-get install -y --no-install-recommends --allow-downgrades "
        "docker-ce=3 web=1 && rm -rf /var/lib/apt/lists/*",
        "RUN apt-get purge -y gone",
        'ENV KEEP="3"',
        "driftscan baseline build web",
    ]


def test_the_other_way_between_two_hosts_is_the_swapped_question():
    report = explained(host("web-a", {"a": package("1")}), host("web-b", {"a": package("2")}))

    assert commands(report, "reference") == ["driftscan compare web-b web-a"]


def test_a_repository_of_others_asks_for_its_signing_key_first():
    vendor = {"Docker/bookworm/stable": {"position": 1}}
    item = {
        "urls": ["https://download.docker.com/linux/debian"],
        "keys": ["/etc/apt/keyrings/docker.asc"],
    }
    theirs = host(
        "web-b",
        {},
        {"repository-sources": {"Docker/bookworm/stable": item}},
        repositories={**MAIN, **vendor},
    )

    first, second, *_ = commands(explained(host("web-a", {}), theirs))

    assert first == (
        "# first put /etc/apt/keyrings/docker.asc of web-b at the same place here: "
        "apt refuses what it cannot verify"
    )
    assert second.startswith("echo 'deb [signed-by=/etc/apt/keyrings/docker.asc] https://download")


def test_a_repository_only_here_becomes_a_comment_of_its_list():
    sources = {"Debian Backports/bookworm-backports/main": {"places": ["/etc/apt/x.list:3"]}}
    ours = host(
        "web-a",
        {},
        {"repository-sources": sources},
        repositories={**MAIN, "Debian Backports/bookworm-backports/main": {"position": 1}},
    )

    assert commands(explained(ours, host("web-b", {})))[:2] == [
        "sed -i '3s/^/# /' /etc/apt/x.list",
        "apt-get update",
    ]


def test_a_pin_is_told_with_its_place_and_left_to_a_person():
    pins = {"gs|version 10*": {"priority": "1001"}}
    ours = host(
        "web-a",
        {"gs": package("10")},
        {"apt-pin-files": {"gs|version 10*": {"place": "/etc/apt/preferences.d/gs:1"}}},
        **{"apt-pins": pins},
    )
    theirs = host("web-b", {"gs": package("11")}, **{"apt-pins": {}})

    assert "# review, then remove: /etc/apt/preferences.d/gs:1 pins gs to version 10*" in commands(
        explained(ours, theirs)
    )


def test_an_alternative_takes_the_path_of_the_reference_or_the_automatic_one():
    mine = {"java": {"target": "/opt/jdk-11/bin/java"}}
    theirs = {"java": {"target": "/usr/lib/jvm/java-17/bin/java"}}
    ours = host("web-a", {}, alternatives=mine)

    automatic = commands(explained(ours, host("web-b", {}, alternatives={})))
    by_hand = commands(explained(ours, host("web-b", {}, alternatives=theirs)))

    assert automatic[0] == "update-alternatives --auto java"
    assert by_hand[0] == "update-alternatives --set java /usr/lib/jvm/java-17/bin/java"


def test_a_changed_variable_takes_the_place_of_the_old_one():
    ours = host("web-a", {}, environment={"system/KEEP": {"value": "1"}})
    theirs = host("web-b", {}, environment={"system/KEEP": {"value": "2"}})

    assert commands(explained(ours, theirs))[0] == (
        "sed -i '/^\\(export \\)*KEEP=/d' /etc/environment && echo KEEP=2 >> /etc/environment"
    )


def _image_with(value, loads, environment=None):
    """A host that lacks KEEP and runs these programs, and an image that sets it."""
    runs = {key: {"count": 1, "loads": mapped} for key, mapped in loads.items()}
    names = {"app": package("1"), "cron": package("1")}
    ours = host("web-a", names, {"processes": runs}, environment=environment or {})
    facts = {"os": BOOKWORM, "repositories": MAIN}
    facts["environment"] = {"system/KEEP": {"value": value}}
    return ours, image(names, {7: "ENV KEEP=1"}, {}, facts=facts)


def test_services_get_a_variable_from_their_units_since_pam_sets_it_for_logins_only(tmp_path):
    runs = {
        "/usr/bin/app|app.service": {"/usr/bin/app": "app"},
        "/usr/sbin/cron|cron.service": {"/usr/sbin/cron": "cron"},
        "/opt/own|own.service": {"/opt/own": ""},
    }

    (fix_, *_) = explained(*_image_with("5% $HOME", runs)).remedies

    line = "'KEEP=5% $HOME'"
    append = f"grep -q ^KEEP= /etc/environment || echo {line} >> /etc/environment"
    assert [step.run for step in fix_.steps[:-1]] == [
        append,
        "mkdir -p /etc/systemd/system/app.service.d && "
        "printf '%s\\n' '[Service]' 'Environment=\"KEEP=5%% $HOME\"' > "
        "/etc/systemd/system/app.service.d/driftscan-KEEP.conf",
        "systemctl daemon-reload",
        "systemctl restart app",
    ]
    assert fix_.steps[0].why == "as image web sets it, for logins only"
    file = tmp_path / "environment"
    for _ in range(2):
        subprocess.run(["sh", "-c", append.replace("/etc/environment", f"'{file}'")], check=True)
    assert file.read_text() == "KEEP=5% $HOME\n"


def test_a_variable_of_a_unit_that_the_image_sets_for_all_is_no_difference_of_its_own():
    same = {"unit:app.service/KEEP": {"value": "1"}, "system/KEEP": {"value": "1"}}
    other = {"unit:app.service/KEEP": {"value": "2"}, "system/KEEP": {"value": "1"}}

    assert explained(*_image_with("1", {}, same)).state == "in-sync"
    assert explained(*_image_with("1", {}, other)).state == "drift"


@given(unit=st.text("ab1/.-=~:|$(){}[];&<>*?!#\"'`\\\n\r%é ", max_size=12), value=st.text())
def test_no_unit_and_no_value_of_a_variable_becomes_shell_text(unit, value):
    report = explained(*_image_with(value, {f"/usr/bin/app|{unit}": {"/usr/bin/app": "app"}}))

    for run in commands(report):
        assert is_words(run), run


def test_what_cannot_be_restarted_alone_waits_for_a_reboot():
    loads = {"count": 1, "loads": {"/lib/a.so": "a"}}
    runs = {"d|dbus.service": loads, "n|nginx.service": loads, "s|": loads}
    ours = host("web-a", {"a": package("1")}, {"processes": runs})

    runs = commands(explained(ours, host("web-b", {"a": package("2")})))

    assert "systemctl restart nginx" in runs
    assert "# restart s" in runs
    assert "# reboot when it suits: dbus" in runs


# --- hostile values ------------------------------------------------------------------------------

HOSTILE = st.text("a1 /.-=~:|$(){}[];&<>*?!#\"'`\\\n\r\x1b\x85\u2028é", max_size=12)
QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
# What our own templates say outside quotes; nothing a host sent can have these characters.
OURS = re.compile(
    r"\$\(cat [A-Za-z0-9._-]+\.(pins|auto)[0-9]*\)|\* |lists/\*"
    r"|&& (mv|ldconfig|echo|printf|sed|rm|apt-get) ?|\|\| echo |-q \^[A-Za-z0-9_]+= "
    r"|>{1,2} /etc/(apt/sources\.list\.d/[A-Za-z0-9._-]+|environment)"
    r"|> /etc/systemd/system/[A-Za-z0-9:_.@-]+\.d/driftscan-[A-Za-z0-9_]+\.conf"
)
PLAIN = re.compile(r"[A-Za-z0-9 /._+:@,=~%-]*", re.ASCII)


def is_words(run):
    """A line that a shell takes as a comment, or as one of our templates around plain words."""
    if run.startswith("# "):
        return run.isprintable()
    return PLAIN.fullmatch(OURS.sub("", QUOTED.sub("", run) + " ")) is not None


@st.composite
def hostile_hosts(draw):
    def text():
        return draw(HOSTILE)

    def side(name):
        return fingerprint(
            name,
            {text(): package(text(), text(), draw(st.sampled_from(["hold", "install"])))},
            facts={
                "os": BOOKWORM,
                "repositories": {f"{text()}/{text()}/{text()}": {"position": 0}},
                "apt-pins": {f"{text()}|{text()}": {"priority": text()}},
                "alternatives": {text(): {"target": "/" + text()}},
                "environment": {f"{text()}/{text()}": {"value": text()}}
                | {f"system/{text()}": {"value": text()}}
                | {"system/GOOD": {"value": text()}},
                "libraries": {
                    f"{text()}.so|x|/usr/{text()}": {"owner": "", "position": 0},
                },
                "winners": {f"java@{text()}": {"path": "/" + text(), "real": text()}},
            },
            evidence={
                "repository-sources": {
                    f"{text()}/{text()}/{text()}": {
                        "urls": ["http://" + text()],
                        "keys": ["/" + text()],
                        "places": ["/" + text() + ":1"],
                    }
                },
                "processes": {
                    f"{text()}|{text()}.service": {"count": 1, "loads": {text(): text()}}
                },
                "apt-auto": {text(): {"auto": True}},
            },
        )

    return side("web-a"), side("web-b")


@given(hostile_hosts())
def test_no_value_of_a_host_becomes_shell_text_in_a_step_or_a_file(pair):
    report = explained(*pair)

    for remedy in report.remedies:
        for step in remedy.steps:
            assert is_words(step.run), step.run
    for name, text in fix.files("web-a", report).items():
        lines = text.removeprefix("#!/bin/sh\n").split("\n")
        for line in [line for line in lines if line and line != 'cd "$(dirname "$0")"']:
            assert is_words(line), (name, line)


@pytest.mark.parametrize("cause_type", [*table.TABLE, "of-tomorrow"])
@given(subject=HOSTILE, told=HOSTILE, keys=st.lists(HOSTILE, max_size=3))
def test_no_claim_of_any_cause_becomes_shell_text(cause_type, subject, told, keys):
    sections = ("dpkg", "repositories", "libraries", "winners", "alternatives", "environment")
    sections += ("programs", "python", "conffiles")
    keys += [f"pypi//{key}@/{key}" for key in keys]
    fields = ("path", "target", "version", "hides", "package")
    item = {"state": "missing"}
    facts = {s: {key: {**item, **dict.fromkeys(fields, key)} for key in keys} for s in sections}
    ours = Side(fingerprint=fingerprint("web-a", {}, facts=facts))
    theirs = Side(fingerprint=fingerprint("web-b", {}, facts={s: {} for s in sections}))
    comparison = diff.compare(ours.fingerprint, theirs.fingerprint)
    claims = [d.id for d in comparison.divergences]
    cause = Cause(type=cause_type, subject=subject, text=told, confidence="recorded", claims=claims)

    for step in table.undo(Case(ours, theirs, comparison), cause, comparison.divergences):
        assert is_words(step.run), step.run


# --- availability --------------------------------------------------------------------------------


def learned(ours, **versions):
    """The host after the second trip: what its package lists of 2026-11-20 have."""
    items = {name: {"versions": found, "fetched": 1795132800} for name, found in versions.items()}
    return msgspec.structs.replace(ours, details={"available": Collected(items=items)})


def notes(ours, theirs):
    return explained(ours, theirs).remedies[0].notes


def test_only_what_would_be_installed_is_looked_up_in_the_lists_of_the_subject():
    ours = host("web-a", {"a": package("1"), "b": package("1"), "c": package("1")})
    theirs = host("web-b", {"a": package("2"), "b": package("1"), "d": package("1")})
    comparison = diff.compare(ours, theirs)

    wanted = remedies.wants(Case(Side(fingerprint=ours), Side(fingerprint=theirs), comparison))

    assert wanted == [
        Want(side="subject", kind="available", name="a"),
        Want(side="subject", kind="available", name="d"),
    ]


def test_versions_that_the_lists_have_are_told_with_the_age_of_the_lists():
    ours = learned(host("web-a", {"a": package("1")}), a=["1", "2"])

    assert notes(ours, host("web-b", {"a": package("2")})) == [
        "the package lists of web-a (of 2026-11-20) have this version"
    ]


def test_a_version_that_no_list_has_is_told_with_where_else_it_can_come_from():
    ours = learned(host("web-a", {"a": package("1")}), a=["1", "3"])

    first, second = notes(ours, host("web-b", {"a": package("2")}))

    assert "do not have this version; not a=2 (they offer 1, 3)" in first
    assert "http://snapshot.debian.org/archive/debian/20261123T170000Z/ bookworm main" in second
    assert "/var/cache/apt/archives" in second


def test_newer_lists_may_have_it_only_as_long_as_they_offer_nothing_newer():
    old, past = (learned(host("web-a", {"a": package("1")}), a=found) for found in (["1"], ["3"]))
    theirs = host("web-b", {"a": package("2")})

    assert "newer lists may, after apt-get update" in notes(old, theirs)[0]
    assert "its repositories have newer ones by now" in notes(past, theirs)[0]


def test_versions_of_security_updates_are_sought_in_the_archive_of_security_updates():
    ours = learned(host("web-a", {"a": package("1")}, repositories=SECURITY), a=["1"])

    told = notes(ours, host("web-b", {"a": package("2")}, repositories=SECURITY))[1]

    archive = "http://snapshot.debian.org/archive"
    assert f"{archive}/debian/20261123T170000Z/ bookworm main`" in told
    assert f"{archive}/debian-security/20261123T170000Z/ bookworm-security main`" in told


@pytest.mark.parametrize("about", ["libpng16-16", "hold:libpng1.6"])
def test_a_report_about_what_is_on_hold_adds_the_repository_that_has_its_version(about):
    report = engine.explain(*recorded.pair("web-p"), about=about)

    runs = [step.run for step in report.remedies[0].steps]
    assert report.causes[0].id == "hold:libpng1.6"
    assert "apt-mark unhold libpng16-16" in runs
    assert any("bookworm-security main" in run for run in runs)
    assert not any("snapshot" in note for note in report.remedies[0].notes)


def test_a_repository_that_is_added_may_bring_the_rest():
    ours = learned(
        host("web-a", {"a": package("1+deb12u1"), "b": package("1+deb12u1")}),
        a=["1+deb12u1"],
        b=["1+deb12u2"],
    )
    theirs = host(
        "web-b",
        {"a": package("1+deb12u2"), "b": package("1+deb12u2")},
        repositories=SECURITY,
    )

    assert notes(ours, theirs) == [
        "the package lists of web-a (of 2026-11-20) have 1 of these 2 versions: "
        "the added repository has to bring the other 1"
    ]


def test_lists_that_cannot_be_read_leave_it_unknown():
    ours = host("web-a", {"a": package("1")})
    ours = msgspec.structs.replace(
        ours, details={"available": Failed(reason="it has no package lists")}
    )

    assert notes(ours, host("web-b", {"a": package("2")})) == [
        "unknown whether web-a can get these versions: it has no package lists"
    ]


def test_nobody_having_asked_nothing_is_said_of_it():
    assert notes(host("web-a", {"a": package("1")}), host("web-b", {"a": package("2")})) == []


# --- the recorded servers ------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*recorded.HOSTS, *recorded.FAMILIES])
def test_the_files_of_every_recorded_server_hold_the_words_of_their_own_step(name):
    report = recorded.explained(name)
    made = fix.files(name, report)
    script = made.pop(f"{name}.sh", "")

    for file, text in made.items():
        assert f"$(cat {file})" in script
        script = script.replace(f"$(cat {file})", " ".join(text.split()))

    chosen = fix.remedy(report)
    printed = [step.run for step in chosen.steps if step.phase != "again"] if chosen else []
    assert [line for line in script.split("\n") if line in printed] == printed
    assert "$(cat" not in script


@pytest.mark.parametrize("name", [*recorded.HOSTS, *recorded.FAMILIES])
def test_the_script_of_every_recorded_server_is_clean_shell(name, tmp_path):
    made = fix.files(name, recorded.explained(name))

    for file, text in made.items():
        (tmp_path / file).write_text(text)
        for line in text.split("\n"):
            assert is_words(line) or line in ("#!/bin/sh", 'cd "$(dirname "$0")"'), line
    if made:
        script = tmp_path / f"{name}.sh"
        assert subprocess.run(["sh", "-n", script], check=False).returncode == 0
        if shutil.which("shellcheck"):
            told = subprocess.run(["shellcheck", script], capture_output=True, check=False)
            assert told.stdout.decode() == ""
