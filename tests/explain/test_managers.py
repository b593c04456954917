"""dnf, apk and pacman tell of the same causes as apt, as far as their records go."""

import pytest
from msgspec.structs import replace

from driftscan.explain.records import Records
from driftscan.model import Absent, Attribution, Collected, Place, managers
from tests.build import explained, fingerprint, image

ROCKY = {"release": {"id": "rocky", "version_id": "9.5", "pretty": "Rocky Linux 9.5"}}
ALPINE = {"release": {"id": "alpine", "version_id": "3.23.1", "pretty": "Alpine Linux v3.23"}}
ARCH = {"release": {"id": "arch", "pretty": "Arch Linux"}}
SYSTEMS = {"rpm": ROCKY, "apk": ALPINE, "pacman": ARCH}
REPOSITORIES = {
    "rpm": {"rpm/baseos": {"position": 0}, "rpm/appstream": {"position": 1}},
    "apk": {"apk/v3.23/main": {"position": 0}},
    "pacman": {"pacman/extra": {"position": 0}},
}


def item(version, source, **more):
    return {"version": version, "source": source, "source_version": version, **more}


def named(manager, packages):
    """Items by key, of which `name` or `name.arch` is given with its version."""
    return {
        key: value if isinstance(value, dict) else item(value, managers.bare(key))
        for key, value in packages.items()
    }


def machine(manager, name, packages, *, kind="host", facts=None, **evidence):
    given = {
        manager: named(manager, packages),
        "os": SYSTEMS[manager],
        "repositories": REPOSITORIES[manager],
        **(facts or {}),
    }
    evidence = {f"{manager}-{part}": items for part, items in evidence.items()}
    evidence["host"] = {"self": {"zone": "UTC", "offset": "+0000"}}
    return fingerprint(name, Absent(), kind=kind, facts=given, evidence=evidence)


def built(manager, packages, lines, brought, **evidence):
    """An image whose packages came by lines of its Dockerfile, else from the base."""
    side = image({}, lines, {})
    attributions = {
        key: Attribution(brought_by=where, changed_by=where)
        for key in packages
        for where in [f"line {brought[key]}" if key in brought else "base"]
    }
    found = machine(manager, "web", packages, kind="image", **evidence)
    baseline = replace(side.baseline, attributions=attributions, fingerprint=found)
    return replace(side, fingerprint=found, baseline=baseline)


def did(command, start="2026-10-21 14:02:13", user="deploy", **done):
    return {"start": start, "end": start, "command": command, "user": user, **done}


def cause(report, kind):
    return next(c for c in report.causes if c.type == kind)


COMMANDS = {
    "rpm": ("nginx.x86_64", "dnf remove -y nginx", "deploy", "dnf install -y nginx"),
    "pacman": ("nginx", "pacman -R nginx", "", "pacman -S --noconfirm nginx"),
}


@pytest.mark.parametrize("manager", sorted(COMMANDS))
def test_a_removed_package_names_command_user_time_and_the_line_that_wants_it(manager):
    key, remove, user, install = COMMANDS[manager]
    gone = did(remove, user=user, remove={key: "1.20-1"})
    ours = machine(manager, "web-a", {}, history={"1": gone})
    theirs = built(manager, {key: "1.20-1"}, {3: f"RUN {install}"}, {key: 3})

    report = explained(ours, theirs)

    found = cause(report, "removed")
    assert (found.level, found.claims) == ("breaks", [f"{manager}:{key}"])
    assert (found.host_record.command, found.host_record.user) == (
        remove,
        user or "root or unknown",
    )
    assert (found.host_record.time, found.host_record.zone) == ("2026-10-21 14:02", "UTC")
    assert found.image_record == Place(
        kind="line", file="web/Dockerfile", line=3, text=f"RUN {install}"
    )
    assert found.evidence[1].text == f"web/Dockerfile:3 asks for {key}"
    assert found.host_record.cites == [f"subject/{manager}-history:1", "subject/host:self"]


@pytest.mark.parametrize(
    ("manager", "key", "command"),
    [
        ("rpm", "httpd.x86_64", "dnf install httpd-2.4.57"),
        ("rpm", "httpd.x86_64", "yum -y install httpd.x86_64"),
        ("pacman", "apache", "pacman -Syu extra/apache"),
    ],
)
def test_what_a_command_asked_for_leads_what_it_only_needs(manager, key, command):
    tools, dependency = ("apr.x86_64", "apr") if manager == "rpm" else ("apr", "apr")
    done = did(command, install={tools: "1-1", key: "2.4.57-1"}, automatic=[tools])
    ours = machine(
        manager,
        "web-a",
        {key: "2.4.57-1", tools: "1-1"},
        history={"7": done},
        auto={tools: {"auto": True}},
        needs={key: {"depends": dependency}, tools: {}},
    )
    report = explained(ours, machine(manager, "web-b", {}))

    found = cause(report, "subject-only")
    assert found.subject == key
    assert sorted(found.claims) == sorted([f"{manager}:{key}", f"{manager}:{tools}"])
    assert [e.text for e in found.evidence][1:] == [f"asked for: {key}", f"needed by it: {tools}"]
    assert [f.requested for f in report.findings if f.key != "apr"] == [True]


HOLDS = {
    "rpm": ("dnf versionlock: curl.x86_64", "dnf versionlock delete curl"),
    "apk": ("version in /etc/apk/world: curl", "apk add curl"),
    "pacman": ("IgnorePkg of pacman.conf: curl", "# review: take curl out of IgnorePkg"),
}


@pytest.mark.parametrize("manager", sorted(HOLDS))
def test_a_version_that_is_held_is_the_cause_and_is_let_go_first(manager):
    told, lift = HOLDS[manager]
    key = "curl.x86_64" if manager == "rpm" else "curl"
    ours = machine(manager, "web-a", {key: item("7.1-1", "curl", want="hold")})
    report = explained(ours, machine(manager, "web-b", {key: "7.2-1"}))

    found = cause(report, "hold")
    assert [e.text for e in found.evidence] == [told]
    assert found.evidence[0].cites == [f"subject/{manager}:{key}"]
    assert report.remedies[0].steps[0].run.startswith(lift)


@pytest.mark.parametrize(("manager", "key"), [("rpm", "x.noarch"), ("apk", "x"), ("pacman", "x")])
def test_an_older_package_of_the_same_repositories_is_behind(manager, key):
    old, new = ("1.9-r1", "1.10-r1") if manager == "apk" else ("1.9-1", "1.10-1")
    done = did("dnf install x", install={key: old})
    ours = machine(manager, "web-a", {key: old}, history={"1": done})
    report = explained(ours, machine(manager, "web-b", {key: new}))

    (finding,) = report.findings
    assert (finding.cause, finding.direction) == ("behind:packages", "older")
    assert finding.host_record.command == "dnf install x"


def test_a_transaction_that_failed_tells_of_nothing():
    done = did("dnf remove x", remove={"x.x86_64": "1-1"}, error="scriptlet failed")
    ours = machine("rpm", "web-a", {}, history={"2": done})
    report = explained(ours, built("rpm", {"x.x86_64": "1-1"}, {2: "RUN dnf install x"}, {}))

    assert [c.type for c in report.causes] == ["image-only"]


def test_automatic_updates_of_dnf_are_one_cause_that_calls_the_image_stale():
    auto = "/usr/bin/dnf-automatic /etc/dnf/automatic.conf --timer"
    done = did(auto, user="", upgrade={"x.x86_64": "1-1 -> 1-2"})
    ours = machine("rpm", "web-a", {"x.x86_64": "1-2"}, history={"4": done})
    report = explained(ours, built("rpm", {"x.x86_64": "1-1"}, {}, {}))

    text = cause(report, "ahead").text
    assert text.endswith("by its own automatic updates: the image is stale, rebuild it")


def test_what_an_install_dragged_along_is_not_what_it_named():
    done = did("dnf install a", install={"a.x86_64": "1-1"}, upgrade={"b.x86_64": "1-1 -> 1-2"})
    ours = machine("rpm", "web-a", {"a.x86_64": "1-1", "b.x86_64": "1-2"}, history={"2": done})
    report = explained(ours, machine("rpm", "web-b", {"b.x86_64": "1-1"}))

    assert cause(report, "dragged").claims == ["rpm:b.x86_64"]


def test_a_foreign_repository_claims_what_the_history_took_from_it_and_nothing_else():
    done = did(
        "dnf install htop tmux",
        install={"htop.x86_64": "3-1", "tmux.x86_64": "3-1"},
        repositories={"htop.x86_64": "epel", "tmux.x86_64": "baseos"},
    )
    more = {"repositories": {**REPOSITORIES["rpm"], "rpm/epel": {"position": 2}}}
    packages = {"htop.x86_64": "3-1", "tmux.x86_64": "3-1"}
    ours = machine("rpm", "web-a", packages, history={"3": done}, facts=more)
    report = explained(ours, machine("rpm", "web-b", {}))

    found = cause(report, "repository-foreign")
    assert found.subject == "epel"
    assert sorted(found.claims) == ["repositories:rpm/epel", "rpm:htop.x86_64"]
    assert found.evidence[1].text == "dnf history: htop.x86_64 came from there"
    assert found.evidence[1].confidence == "recorded"


def test_a_repository_of_the_distribution_that_is_off_explains_older_packages():
    ours = machine("rpm", "web-a", {"x.x86_64": "1-1"})
    more = {**REPOSITORIES["rpm"], "rpm/extras": {"position": 2}}
    theirs = machine("rpm", "web-b", {"x.x86_64": "1-2"}, facts={"repositories": more})

    found = cause(explained(ours, theirs), "repository-missing")

    assert (found.subject, found.confidence) == ("extras", "inferred")
    assert sorted(found.claims) == ["repositories:rpm/extras", "rpm:x.x86_64"]


def test_the_history_of_the_reference_records_which_repository_brought_the_newer_version():
    done = did(
        "dnf upgrade", upgrade={"x.x86_64": "1-1 -> 1-2"}, repositories={"x.x86_64": "extras"}
    )
    ours = machine("rpm", "web-a", {"x.x86_64": "1-1"})
    more = {**REPOSITORIES["rpm"], "rpm/extras": {"position": 2}}
    theirs = machine(
        "rpm", "web-b", {"x.x86_64": "1-2"}, facts={"repositories": more}, history={"8": done}
    )
    found = cause(explained(ours, theirs), "repository-missing")

    assert found.confidence == "recorded"
    assert found.evidence[-1].text == "dnf history of web-b: x.x86_64 came from it"
    assert found.evidence[-1].cites == ["reference/rpm-history:8"]


@pytest.mark.parametrize(
    ("manager", "command"),
    [
        ("rpm", "dnf install ./tool-1.0-1.x86_64.rpm"),
        ("pacman", "pacman -U tool-1.0-1.pkg.tar.zst"),
    ],
)
def test_a_package_file_on_the_command_line_is_the_cause(manager, command):
    key = "tool.x86_64" if manager == "rpm" else "tool"
    done = did(command, install={key: "1.0-1"})
    ours = machine(manager, "web-a", {key: "1.0-1"}, history={"5": done})

    found = cause(explained(ours, machine(manager, "web-b", {})), "local-package")

    assert found.text.endswith(f"from a package file, with {command}")


def test_rpm_without_dnf_is_told_by_the_time_in_its_database():
    first = did("dnf install a", start="2026-10-01 10:00:00", install={"a.x86_64": "1-1"})
    ours = machine(
        "rpm",
        "web-a",
        {"a.x86_64": "1-1", "tool.x86_64": "2-1"},
        history={"1": first},
        times={"tool.x86_64": {"changed": 1792000000}},
    )
    found = cause(explained(ours, machine("rpm", "web-b", {"a.x86_64": "1-1"})), "local-package")

    assert (found.host_record.source, found.confidence) == ("install time", "recorded")
    assert found.evidence[1].text == "no transaction of dnf brought tool.x86_64"
    assert "subject/rpm-history:1" in found.evidence[1].cites


@pytest.mark.parametrize(("zone", "is_after"), [("UTC", True), ("+0900", False), ("", True)])
def test_the_time_in_the_database_is_compared_in_the_zone_of_the_history(zone, is_after):
    """1792000000 is 2026-10-14 17:46:40 UTC, which is 02:46 of the next day in Tokyo."""
    first = did("dnf install a", start="2026-10-15 02:46:41", install={"a.x86_64": "1-1"})
    first = {**first, "start": "2026-10-14 17:46:39" if is_after else first["start"], "zone": zone}
    first["end"] = first["start"]
    ours = machine(
        "rpm",
        "web-a",
        {"a.x86_64": "1-1", "tool.x86_64": "2-1"},
        history={"1": first},
        times={"tool.x86_64": {"changed": 1792000000}},
    )
    report = explained(ours, machine("rpm", "web-b", {"a.x86_64": "1-1"}))

    assert any(c.type == "local-package" for c in report.causes) is is_after


def test_without_a_history_the_times_of_rpm_tell_which_came_together():
    times = {"a.x86_64": {"changed": 1792000000}, "b.x86_64": {"changed": 1792000060}}
    ours = machine("rpm", "web-a", {"a.x86_64": "1-1", "b.x86_64": "1-1"}, times=times)

    found = cause(explained(ours, machine("rpm", "web-b", {})), "subject-only")

    assert sorted(found.claims) == ["rpm:a.x86_64", "rpm:b.x86_64"]
    assert found.host_record.source == "install time"


def test_what_apk_was_asked_for_takes_along_what_it_needs():
    ours = machine(
        "apk",
        "web-a",
        {"mc": "3-r0", "ncurses": "6-r0", "tree": "2-r0"},
        origins={"mc": {"asked": True}, "tree": {"asked": True}, "ncurses": {"built": 1}},
        needs={"mc": {"depends": "ncurses"}, "ncurses": {}, "tree": {}},
        auto={"ncurses": {"auto": True}},
    )
    report = explained(ours, built("apk", {}, {}, {}))

    assert {c.id: sorted(c.claims) for c in report.causes} == {
        "host-only:mc": ["apk:mc", "apk:ncurses"],
        "host-only:tree": ["apk:tree"],
    }
    assert cause(report, "host-only").evidence[0].cites == ["subject/apk-origins:mc"]


def test_a_log_that_tells_its_own_zone_needs_no_other():
    done = {**did("apk add x", user="", install={"x": "1-r0"}), "zone": "UTC"}
    ours = machine("apk", "web-a", {"x": "1-r0"}, history={"1": done})

    record = cause(explained(ours, machine("apk", "web-b", {})), "subject-only").host_record

    assert (record.zone, record.user, record.source) == ("UTC", "root or unknown", "apk log")
    assert record.cites == ["subject/apk-history:1"]


def test_that_apk_keeps_no_log_is_said_and_the_line_still_named():
    ours = machine("apk", "web-a", {})
    theirs = built("apk", {"nginx": "1-r0"}, {2: "RUN apk add --no-cache nginx=1-r0"}, {"nginx": 2})

    found = cause(explained(ours, theirs), "image-only")

    assert (found.level, found.image_record.line) == ("breaks", 2)
    assert [e.confidence for e in found.evidence] == ["unknown"]
    assert found.evidence[0].text.endswith("its package manager keeps no log")


def test_what_dnf_is_told_to_leave_out_claims_the_versions_it_keeps():
    pins = {"rpm-pins": {"exclude|php*|main": {"excludes": True}}}
    packages = {"php-fpm.x86_64": "8-1", "a.x86_64": "1-1"}
    ours = machine("rpm", "web-a", packages, facts=pins)
    newer = {"php-fpm.x86_64": "8-2", "a.x86_64": "1-2"}
    theirs = machine("rpm", "web-b", newer, facts={"rpm-pins": {}})

    found = cause(explained(ours, theirs), "pin")

    assert sorted(found.claims) == ["rpm-pins:exclude|php*|main", "rpm:php-fpm.x86_64"]
    assert found.text == "dnf of web-a keeps to exclude php* of main, that of web-b does not"


def test_a_repository_that_is_there_and_off_is_switched_on():
    off = {"rpm-repositories-off": {"rpm/updates": {"places": ["/etc/yum.repos.d/x.repo"]}}}
    ours = machine("rpm", "web-a", {"x.x86_64": "1-1"})
    ours = replace(ours, evidence={**ours.evidence, **sections(off)})
    more = {**REPOSITORIES["rpm"], "rpm/updates": {"position": 2}}
    report = explained(
        ours, machine("rpm", "web-b", {"x.x86_64": "1-2"}, facts={"repositories": more})
    )
    found = cause(report, "repository-missing")

    assert found.text == "web-a has switched off the repository updates"
    assert found.evidence[1].cites == ["subject/rpm-repositories-off:rpm/updates"]
    assert runs(report)[0] == "dnf config-manager --set-enabled updates"


def sections(given):
    return {name: Collected(items=items) for name, items in given.items()}


def with_settings(**settings):
    ours = machine("rpm", "web-a", {"a.x86_64": "1-1"}, needs={"a.x86_64": {}})
    items = {key.replace("__", ":").replace("_dot_", "."): value for key, value in settings.items()}
    return replace(ours, evidence={**ours.evidence, **sections({"dnf-settings": items})})


def test_why_dnf_did_not_update_by_itself():
    theirs = machine("rpm", "web-b", {"a.x86_64": "1-2"})
    timer = {"timer:dnf-automatic.timer": {"value": "enabled"}}
    apply = {"automatic.conf:commands.apply_updates": {"value": "no"}}

    def told(settings):
        found = cause(explained(with_settings(**settings), theirs), "behind")
        return [e.text for e in found.evidence if "update" in e.text]

    assert told({}) == ["nothing updates web-a by itself: no timer of dnf-automatic is enabled"]
    assert told({**timer, **apply}) == [
        "automatic updates of web-a are not installed: apply_updates=no"
    ]
    assert told(timer) == []


def test_weak_dependencies_that_are_switched_off_are_why_recommended_packages_are_missing():
    ours = with_settings(**{"dnf.conf:main.install_weak_deps": {"value": "False", "place": "/x"}})
    needs = {"a.x86_64": {"recommends": "b.x86_64"}, "b.x86_64": {}}
    packages = {"a.x86_64": "1-1", "b.x86_64": "1-1"}
    brought = dict.fromkeys(packages, 2)
    theirs = built("rpm", packages, {2: "RUN dnf install a"}, brought, needs=needs)

    found = cause(explained(ours, theirs), "recommends")

    assert (found.confidence, found.evidence[1].text) == (
        "recorded",
        "web-a: install_weak_deps=False (/x)",
    )


def test_what_pacman_is_told_to_leave_out_claims_the_versions_it_keeps():
    pins = {"pacman-pins": {"linux*": {"rule": "IgnorePkg"}, "kde": {"rule": "IgnoreGroup"}}}
    ours = machine("pacman", "web-a", {"linux-lts": "1-1", "a": "1-1"}, facts=pins)
    theirs = machine("pacman", "web-b", {"linux-lts": "2-1", "a": "2-1"}, facts={"pacman-pins": {}})

    assert {c.id: sorted(c.claims) for c in explained(ours, theirs).causes if c.type == "pin"} == {
        "pin:kde": ["pacman-pins:kde"],
        "pin:linux*": ["pacman-pins:linux*", "pacman:linux-lts"],
    }


@pytest.mark.parametrize(
    ("command", "asked"),
    [
        ("apk add --no-cache a", ["a"]),
        ("apk add --virtual .deps b", ["b"]),
        ("apk add /srv/b-1.0-r0.apk", ["b"]),
        ("apk add a@edge b=1.0-r0 !c", ["a", "b"]),
        ("apk upgrade", []),
    ],
)
def test_what_a_log_without_reasons_brought_along_is_what_its_command_does_not_name(command, asked):
    done = did(command, install={"a": "1.0-r0", "b": "1.0-r0", "b-libs": "1.0-r0"})
    ours = machine("apk", "web-a", {"a": "1.0-r0", "b": "1.0-r0", "b-libs": "1.0-r0"})
    records = Records(replace(ours, evidence={"apk-history": Collected(items={"1": done})}))

    assert records.transactions[0].requested == asked


def test_a_rule_of_apk_s_world_claims_the_package_it_is_about():
    pins = {"apk-pins": {"nginx": {"rule": "@edge"}}}
    ours = machine("apk", "web-a", {"nginx": "2-r0"}, facts=pins)
    theirs = machine("apk", "web-b", {"nginx": "1-r0"}, facts={"apk-pins": {}})

    found = cause(explained(ours, theirs), "pin")

    assert sorted(found.claims) == ["apk-pins:nginx", "apk:nginx"]
    assert found.text == "web-a has nginx@edge in /etc/apk/world, web-b has not"


def test_point_releases_of_one_series_are_no_other_release():
    later = {"release": {"id": "rocky", "version_id": "9.6", "pretty": "Rocky Linux 9.6"}}
    ours = machine("rpm", "web-a", {"rocky-release.noarch": "9.5-1", "x.x86_64": "1-1"})
    theirs = machine(
        "rpm",
        "web-b",
        {"rocky-release.noarch": "9.6-1", "x.x86_64": "1-2"},
        facts={"os": later},
    )
    report = explained(ours, theirs)

    assert [c.id for c in report.causes] == ["behind:packages"]
    release = next(f for f in report.findings if f.key == "rocky-release")
    assert [m.id for m in release.members] == ["rpm:rocky-release.noarch", "os:release"]


def test_another_major_release_is_one_cause():
    ten = {"release": {"id": "rocky", "version_id": "10.0", "pretty": "Rocky Linux 10.0"}}
    done = did("leapp upgrade", upgrade={"x.x86_64": "1-1 -> 2-1"})
    ours = machine("rpm", "web-a", {"x.x86_64": "2-1"}, history={"9": done}, facts={"os": ten})
    report = explained(ours, machine("rpm", "web-b", {"x.x86_64": "1-1"}))

    (found,) = report.causes
    assert (found.id, found.host_record.command) == ("release-differs:os", "leapp upgrade")


def test_until_when_an_rpm_host_was_as_it_should_be_is_read_from_its_history():
    done = did("dnf upgrade -y x", upgrade={"x.x86_64": "1-1 -> 1-2"})
    ours = machine("rpm", "web-a", {"x.x86_64": "1-2"}, history={"12": done})
    report = explained(ours, built("rpm", {"x.x86_64": "1-1"}, {}, {}))

    assert report.since.text == (
        "web-a had the packages of image web until 2026-10-21 14:02 UTC, when deploy ran "
        "`dnf upgrade -y x` and moved x.x86_64"
    )


def test_what_only_a_host_has_is_expected_by_the_bare_name():
    ours = machine("rpm", "web-a", {"openssh-server.x86_64": "9-1"})
    report = explained(ours, built("rpm", {}, {}, {}))

    assert [(e.rule, e.members) for e in report.expected] == [
        ("ssh-server", ["rpm:openssh-server.x86_64"])
    ]
    assert report.findings == []


# --- remedies ----------------------------------------------------------------------------------


def runs(report):
    return [step.run for step in report.remedies[0].steps]


def test_dnf_is_given_exact_versions_by_what_each_needs_and_the_undo_it_could_use():
    done = did("dnf upgrade n", upgrade={"n.x86_64": "1-1 -> 1:2-1"}, id="14")
    ours = machine(
        "rpm",
        "web-a",
        {"o.x86_64": "1-1", "n.x86_64": "1:2-1", "extra.noarch": "1-1"},
        history={"14": done},
    )
    theirs = machine(
        "rpm", "web-b", {"o.x86_64": "1:2-1.el9", "n.x86_64": "1-1", "m.noarch": "3-1"}
    )
    report = explained(ours, theirs)

    assert runs(report) == [
        "dnf upgrade o-1:2-1.el9.x86_64",
        "dnf downgrade n-1-1.x86_64",
        "dnf install m-3-1.noarch",
        "dnf remove extra.noarch",
        "driftscan compare web-a web-b",
    ]
    assert (
        "what dnf upgrade n did on 2026-10-21 14:02 also goes back with `dnf history undo 14`"
        in report.remedies[0].notes
    )
    assert report.remedies[0].simulated == "not simulated"
    assert any(n.startswith("unknown whether dnf") for n in report.remedies[0].notes)


@pytest.mark.parametrize(
    ("history", "ours", "theirs"),
    [
        # the state before is not the reference's
        ({"1": did("dnf downgrade n", downgrade={"n.x86_64": "3-1 -> 1-1"}, id="1")}, "1-1", "2-1"),
        # something was done since
        (
            {
                "1": did(
                    "dnf upgrade n", "2026-10-21 14:02:13", upgrade={"n.x86_64": "1-1 -> 2-1"}
                ),
                "2": did("dnf reinstall n", "2026-10-22 14:02:13", reinstall={"n.x86_64": "2-1"}),
            },
            "2-1",
            "1-1",
        ),
        # a second kernel beside the first
        (
            {
                "1": did("dnf install n", "2026-10-21 14:02:13", install={"n.x86_64": "1-1"}),
                "2": did("dnf upgrade n", "2026-10-22 14:02:13", install={"n.x86_64": "2-1"}),
            },
            "2-1",
            None,
        ),
    ],
)
def test_what_would_not_lead_back_is_not_said_to_go_back(history, ours, theirs):
    history = {key: {**item, "id": key} for key, item in history.items()}
    subject = machine("rpm", "web-a", {"n.x86_64": ours}, history=history)
    reference = machine("rpm", "web-b", {"n.x86_64": theirs} if theirs else {})

    for remedy in explained(subject, reference).remedies:
        assert not any("history undo" in note for note in remedy.notes)


def test_what_was_removed_is_not_what_was_never_recommended():
    done = did("dnf remove b", remove={"b.x86_64": "1-1"})
    needs = {"a.x86_64": {"recommends": "b.x86_64"}, "b.x86_64": {}}
    packages = {"a.x86_64": "1-1", "b.x86_64": "1-1"}
    ours = machine("rpm", "web-a", {"a.x86_64": "1-1"}, history={"1": done})
    theirs = built(
        "rpm", packages, {2: "RUN dnf install a"}, dict.fromkeys(packages, 2), needs=needs
    )

    assert [c.type for c in explained(ours, theirs).causes] == ["removed"]


def test_apk_takes_the_versions_out_of_its_world_again():
    ours = machine("apk", "web-a", {"a": "1-r0"})
    theirs = machine("apk", "web-b", {"a": "2-r0", "lib": "1-r1"}, auto={"lib": {"auto": True}})

    assert runs(explained(ours, theirs)) == [
        "apk update",
        "apk add a=2-r0 lib=1-r1",
        "apk add a",
        "apk del lib",
        "driftscan compare web-a web-b",
    ]


def test_pacman_takes_a_version_from_its_cache():
    ours = machine("pacman", "web-a", {"a": item("1-1", "a", architecture="x86_64")})
    theirs = machine("pacman", "web-b", {"a": item("2-1", "a", architecture="x86_64")})

    assert runs(explained(ours, theirs))[0] == (
        "pacman -U /var/cache/pacman/pkg/a-2-1-x86_64.pkg.tar.zst"
    )


def test_the_dockerfile_is_given_lines_of_its_own_manager():
    ours = machine("rpm", "web-a", {"a.x86_64": "2-1"})
    lines = {2: "RUN microdnf install -y b"}
    report = explained(ours, built("rpm", {"b.x86_64": "1-1"}, lines, {"b.x86_64": 2}))

    adopt = next(r for r in report.remedies if r.direction == "reference")
    assert [step.run for step in adopt.steps][:2] == [
        "RUN microdnf install -y a-2-1.x86_64",
        "RUN microdnf remove -y b",
    ]


@pytest.mark.parametrize("name", ["-x", "a;b.x86_64", "$(x)", "a b", "ä"])
@pytest.mark.parametrize("manager", ["rpm", "apk", "pacman"])
def test_no_name_that_a_shell_would_read_reaches_a_command(manager, name):
    ours = machine(manager, "web-a", {name: "1-1"})
    theirs = machine(manager, "web-b", {f"{name}z": item("1-1", "x", architecture="x86_64")})

    for remedy in explained(ours, theirs).remedies:
        assert all(name not in step.run for step in remedy.steps)


# --- the table ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("libc6:i386", "libc6"),
        ("glibc.x86_64", "glibc"),
        ("python3.11.noarch", "python3.11"),
        ("python3.11", "python3.11"),
        ("java-17-openjdk.x86_64", "java-17-openjdk"),
    ],
)
def test_the_name_that_people_write(key, name):
    assert managers.bare(key) == name


@pytest.mark.parametrize(
    ("line", "key", "is_named"),
    [
        ("RUN dnf install -y httpd-2.4.57-1.el9", "httpd.x86_64", True),
        ("RUN dnf install -y httpd-devel", "httpd.x86_64", False),
        ("RUN apk add nginx~1.28 curl", "nginx", True),
        ("RUN apt-get install libc6", "libc6:i386", False),
        ("RUN apt-get install nginx-1", "nginx", False),
    ],
)
def test_whether_a_line_names_a_package(line, key, is_named):
    assert managers.names(line, key) is is_named


@pytest.mark.parametrize(
    ("manager", "command", "whole"),
    [
        ("rpm", "dnf upgrade -y", True),
        ("rpm", "dnf -y upgrade --refresh", True),
        ("rpm", "dnf upgrade httpd", False),
        ("rpm", "yum update", True),
        ("rpm", "dnf install update-tools", False),
        ("pacman", "pacman -Syu", True),
        ("pacman", "pacman -Syu nginx", True),
        ("pacman", "pacman -S nginx", False),
        ("dpkg", "apt-get dist-upgrade -y", True),
    ],
)
def test_whether_a_command_upgrades_all_there_is(manager, command, whole):
    assert bool(managers.MANAGERS[manager].whole.search(command)) is whole
