"""Causes of the package manager: each claims what a record or a version shows, and cites it."""

from driftscan.model import Collected, Partial, Side
from tests.build import explained, fingerprint, image, package, transaction

MAIN = {"Debian/bookworm/main": {"position": 0}}
SECURITY = {**MAIN, "Debian/bookworm-security/main": {"position": 1}}
BOOKWORM = {
    "release": {"id": "debian", "version_id": "12", "codename": "bookworm", "pretty": "Debian 12"}
}
FACTS = {"os": BOOKWORM, "repositories": MAIN}


def host(name, packages, repositories=MAIN, evidence=None, **facts):
    given = {"os": BOOKWORM, "repositories": repositories, **facts}
    return fingerprint(name, packages, facts=given, evidence=evidence)


def history(*items):
    return {f"{n}": {**item, "start": item["start"]} for n, item in enumerate(items)}


def with_details(fingerprint, **details):
    from msgspec.structs import replace

    sections = {name: Collected(items=items) for name, items in details.items()}
    return Side(fingerprint=replace(fingerprint, details=sections))


def causes(report):
    return {cause.id: sorted(cause.claims) for cause in report.causes}


def texts(cause):
    return [evidence.text for evidence in cause.evidence]


def test_a_held_package_names_the_repository_that_is_missing_too():
    ours = host("web-a", {"a": package("1", want="hold")})
    theirs = host("web-b", {"a": package("1+deb12u1")}, repositories=SECURITY)

    (hold,) = [c for c in explained(ours, theirs).causes if c.type == "hold"]

    assert hold.also == ["repository-missing:bookworm-security"]
    assert hold.evidence[0].cites == ["subject/dpkg:a"]


def test_a_pin_that_does_not_hold_the_version_back_claims_no_package():
    pins = {"a|version 9*": {"priority": "1001"}}
    ours = host("web-a", {"a": package("1")}, **{"apt-pins": pins})
    theirs = host("web-b", {"a": package("2")}, **{"apt-pins": {}})

    assert causes(explained(ours, theirs)) == {
        "pin:a": ["apt-pins:a|version 9*"],
        "behind:packages": ["dpkg:a"],
    }


def test_a_pin_that_bars_a_whole_suite_claims_its_packages_and_is_inferred():
    pins = {"*|release n=bookworm-security": {"priority": "-1"}}
    ours = host("web-a", {"a": package("1"), "b": package("1")}, **{"apt-pins": pins})
    theirs = host("web-b", {"a": package("1+deb12u1"), "b": package("2")}, **{"apt-pins": {}})

    pin = next(c for c in explained(ours, theirs).causes if c.type == "pin")

    assert (pin.confidence, "dpkg:a" in pin.claims, "dpkg:b" in pin.claims) == (
        "inferred",
        True,
        False,
    )


CHANGED = {
    "changelogs": {
        "a": {
            "lines": ["a (2) bookworm-security; urgency=high", "", "  * x", "", "a (1) bookworm; x"]
        }
    }
}


def _preferring_bookworm(repositories, **details):
    pins = {"*|release n=bookworm": {"priority": "990"}}
    ours = host("web-a", {"a": package("1")}, repositories, **{"apt-pins": pins})
    theirs = host("web-b", {"a": package("2")}, SECURITY, **{"apt-pins": {}})
    return explained(ours, with_details(theirs, **details))


def test_a_pin_that_prefers_a_suite_for_all_keeps_what_another_suite_has_newer():
    report = _preferring_bookworm(SECURITY, **CHANGED)

    assert causes(report) == {"pin:*": ["apt-pins:*|release n=bookworm", "dpkg:a"]}
    assert report.causes[0].confidence == "inferred"


def test_without_the_changelog_or_the_suite_such_a_pin_is_only_named_beside_the_cause():
    unread, missing = _preferring_bookworm(SECURITY), _preferring_bookworm(MAIN, **CHANGED)

    (behind,) = [c for c in unread.causes if c.type == "behind"]
    assert (behind.claims, behind.also) == (["dpkg:a"], ["pin:*"])
    assert "dpkg:a" in causes(missing)["repository-missing:bookworm-security"]


def test_backports_claim_what_their_version_marks_and_nothing_else():
    backports = {**MAIN, "Debian Backports/bookworm-backports/main": {"position": 1}}
    ours = host(
        "web-p",
        {"curl": package("8~bpo12+1"), "libcurl4": package("8~bpo12+1"), "b": package("2")},
        repositories=backports,
        evidence={"apt-history": history(transaction("apt-get upgrade", upgrade={"b": "1 -> 2"}))},
    )
    theirs = host("web-b", {"curl": package("7"), "b": package("1")})

    assert causes(explained(ours, theirs)) == {
        "repository-foreign:Debian Backports/bookworm-backports": [
            "dpkg:curl",
            "dpkg:libcurl4",
            "repositories:Debian Backports/bookworm-backports/main",
        ],
        "ahead:packages": ["dpkg:b"],
    }


def test_a_vendor_s_repository_claims_the_versions_that_name_the_vendor():
    sury = {**MAIN, "packages.sury.org-php/bookworm/main": {"position": 1}}
    ours = host("web-p", {"php": package("8.3-1+0~2026+debian12~1.sury.org+1")}, sury)
    theirs = host("web-b", {"php": package("8.2-1")})

    found = causes(explained(ours, theirs))

    assert found == {
        "repository-foreign:packages.sury.org-php/bookworm": [
            "dpkg:php",
            "repositories:packages.sury.org-php/bookworm/main",
        ]
    }


CHANGELOG = """a (1+deb12u3) bookworm-security; urgency=high

  * Third.

 -- X <x@example.org>  Mon, 19 Oct 2026 10:00:00 +0000

a (1+deb12u2) bookworm-security; urgency=high

  * Second.

 -- X <x@example.org>  Sun, 12 Jul 2026 10:00:00 +0000

a (1) bookworm; urgency=medium

  * First.

 -- X <x@example.org>  Sun, 11 Jan 2026 10:00:00 +0000
""".splitlines()


def test_changelogs_prove_the_repository_and_that_it_is_not_age():
    installed = transaction("apt-get install a", install={"a": "1"})
    ours = with_details(
        host("web-a", {"a": package("1")}, evidence={"apt-history": history(installed)}),
        available={"a": {"versions": ["1"], "fetched": 1}},
    )
    newer = host("web-b", {"a": package("1+deb12u3")}, repositories=SECURITY)
    theirs = with_details(newer, changelogs={"a": {"version": "1+deb12u3", "lines": CHANGELOG}})

    (cause,) = explained(ours, theirs).causes

    assert (cause.id, cause.confidence) == ("repository-missing:bookworm-security", "recorded")
    assert "the changelogs of a name bookworm-security as the suite of the newer version" in texts(
        cause
    )
    not_age = next(e for e in cause.evidence if e.text.startswith("not age"))
    assert not_age.text == (
        "not age: the changelog dates 1+deb12u2 (2026-07-12), 1+deb12u3 (2026-10-19) of a before "
        "web-a last changed it, 2026-10-21"
    )
    assert not_age.cites == ["reference/changelogs:a", "subject/apt-history:0"]
    assert "the repositories of web-a offer nothing newer of a" in texts(cause)


def test_what_the_host_s_own_lists_offer_is_no_matter_of_the_missing_repository():
    ours = with_details(
        host("web-a", {"a": package("1")}), available={"a": {"versions": ["2"], "fetched": 1}}
    )
    theirs = Side(fingerprint=host("web-b", {"a": package("2")}, repositories=SECURITY))

    assert causes(explained(ours, theirs)) == {
        "repository-missing:bookworm-security": ["repositories:Debian/bookworm-security/main"],
        "behind:packages": ["dpkg:a"],
    }


def test_an_upgrade_of_one_package_by_name_is_told_as_a_partial_upgrade():
    partial = transaction(
        "apt-get install --only-upgrade lib", "2026-11-23 16:31:00", upgrade={"lib": "1 -> 2"}
    )
    ours = host(
        "web-u",
        {"lib": package("2"), "a": package("1")},
        evidence={"apt-history": history(partial)},
    )
    theirs = host("web-b", {"lib": package("2"), "a": package("2")})

    (cause,) = explained(ours, theirs).causes

    assert (cause.id, cause.confidence) == ("behind:packages", "recorded")
    assert cause.text == (
        "only a part of web-u was upgraded, by `apt-get install --only-upgrade lib` "
        "of 2026-11-23 16:31"
    )


def test_what_an_install_dragged_along_is_told_by_that_command():
    dragged = transaction(
        "apt-get install jbig2dec", install={"jbig2dec": "2"}, upgrade={"libjbig2dec0": "1 -> 2"}
    )
    ours = host(
        "web-a",
        {"jbig2dec": package("2"), "libjbig2dec0": package("2")},
        evidence={"apt-history": history(dragged)},
    )
    reference = image({"libjbig2dec0": package("1")}, {}, {}, facts=FACTS)

    found = causes(explained(ours, reference))

    assert found == {
        "dragged:libjbig2dec0": ["dpkg:libjbig2dec0"],
        "host-only:jbig2dec": ["dpkg:jbig2dec"],
    }


def test_an_unattended_upgrade_beyond_the_image_says_that_the_image_is_stale():
    upgrade = transaction("/usr/bin/unattended-upgrade -v", upgrade={"a": "1 -> 2"}, user="")
    ours = host("web-a", {"a": package("2")}, evidence={"apt-history": history(upgrade)})

    (cause,) = explained(ours, image({"a": package("1")}, {}, {}, facts=FACTS)).causes

    assert cause.text == (
        "web-a was upgraded beyond image web by its own automatic updates: "
        "the image is stale, rebuild it"
    )
    assert cause.host_record.user == "root or unknown"


def test_a_command_s_dependencies_and_recommendations_are_told_apart():
    install = transaction(
        "apt-get install --no-x telnetd",
        install={"telnetd": "1", "dep": "1", "extra": "1"},
        automatic=["dep", "extra"],
    )
    needs = {"telnetd": {"depends": "dep", "recommends": "extra"}, "dep": {}, "extra": {}}
    ours = host(
        "web-a",
        {name: package("1") for name in needs},
        evidence={"apt-history": history(install), "dpkg-needs": needs},
    )

    (cause,) = explained(ours, image({}, {}, {}, facts=FACTS)).causes

    assert texts(cause)[1:] == [
        "asked for: telnetd",
        "needed by it: dep",
        "only recommended: extra",
    ]
    assert cause.evidence[2].cites[0] == "subject/apt-history:0"


def test_a_package_that_only_dpkg_removed_is_told_without_a_command():
    log = {
        "php": {"events": ["2026-10-01 10:00:00 install <none> 8", "2026-10-02 10:00:00 remove 8"]}
    }
    ours = host("web-a", {}, evidence={"dpkg-log": log})
    reference = image(
        {"php": package("8")}, {4: "RUN apt-get install -y php"}, {"php": 4}, facts=FACTS
    )

    (cause,) = explained(ours, reference).causes

    assert (cause.id, cause.level) == ("removed:php", "breaks")
    assert cause.host_record.time == "2026-10-02 10:00"
    assert cause.host_record.source == "dpkg log"


def test_without_logs_nobody_says_that_the_host_never_had_it():
    reference = image(
        {"php": package("8")}, {4: "RUN apt-get install -y php"}, {"php": 4}, facts=FACTS
    )
    full = {"apt-history": {}, "dpkg-log": {}}
    cut = {name: Partial(items={}, gaps=["cut"]) for name in full}

    told = {}
    for name, evidence in (("full", full), ("cut", cut), ("none", {})):
        (cause,) = explained(host("web-a", {}, evidence=evidence), reference).causes
        told[name] = ("never on" in cause.text, cause.evidence[0].confidence)

    assert told == {
        "full": (True, "recorded"),
        "cut": (False, "inferred"),
        "none": (False, "unknown"),
    }


def test_where_no_log_reaches_back_the_times_of_files_tell_what_came_together():
    times = {"a": {"changed": 1_760_000_000}, "b": {"changed": 1_760_000_060}}
    times["late"] = {"changed": 1_770_000_000}
    ours = host("web-a", {name: package("1") for name in times}, evidence={"dpkg-times": times})

    report = explained(ours, image({}, {}, {}, facts=FACTS))

    assert causes(report) == {"host-only:a": ["dpkg:a", "dpkg:b"], "host-only:late": ["dpkg:late"]}
    assert {cause.confidence for cause in report.causes} == {"inferred"}


def test_a_file_time_that_no_calendar_has_is_no_record():
    ours = host("web-a", {"a": package("1")}, evidence={"dpkg-times": {"a": {"changed": 10**15}}})

    (cause,) = explained(ours, image({}, {}, {}, facts=FACTS)).causes

    assert (cause.id, cause.host_record, cause.confidence) == ("host-only:a", None, "unknown")


def test_a_package_named_on_a_command_line_is_asked_for_though_no_list_has_it():
    install = transaction("apt-get install -y imagemagick gs=10", install={"imagemagick": "6"})
    ours = host(
        "web-a",
        {"imagemagick": package("6"), "gs": package("10")},
        evidence={"apt-history": history(install)},
    )
    theirs = host("web-b", {"imagemagick": package("6"), "gs": package("11")})

    (finding,) = explained(ours, theirs).findings

    assert (finding.id, finding.requested, finding.level) == ("dpkg:gs", True, "in-use")


EARLIER = transaction("apt-get install vim", "2026-10-01 10:00:00", install={"vim": "9"})


def test_a_package_that_dpkg_installed_and_apt_never_did_is_from_a_file():
    log = {
        "tool": {"events": ["2026-10-05 11:30:00 install <none> 2.0"]},
        "base": {"events": ["2026-09-01 09:00:00 install <none> 1.0"]},
    }
    evidence = {"apt-history": history(EARLIER), "dpkg-log": log}
    ours = host(
        "web-a", {"tool": package("2.0"), "base": package("1.0")}, SECURITY, evidence=evidence
    )
    theirs = host("web-b", {"tool": package("1.0"), "base": package("1.1")}, SECURITY)

    found = {cause.id: cause for cause in explained(ours, theirs).causes}

    assert list(found) == ["behind:packages", "local-package:tool"]
    local = found["local-package:tool"]
    assert local.text == "tool was installed on web-a from a package file, with dpkg"
    assert (local.host_record.time, local.host_record.source) == ("2026-10-05 11:30", "dpkg log")
    assert local.host_record.cites == ["subject/apt-history:0", "subject/dpkg-log:tool"]


def test_a_package_file_on_apt_s_command_line_is_told_with_the_command():
    install = transaction(
        "apt install ./tool_2.0_amd64.deb", install={"tool": "2.0", "dep": "1"}, automatic=["dep"]
    )
    ours = host(
        "web-a",
        {"tool": package("2.0"), "dep": package("1")},
        evidence={"apt-history": history(install)},
    )

    found = causes(explained(ours, image({}, {}, {}, facts=FACTS)))

    assert found == {"local-package:tool": ["dpkg:tool"], "host-only:tool": ["dpkg:dep"]}


def test_with_a_history_that_was_cut_a_package_file_is_only_inferred():
    log = {"tool": {"events": ["2026-10-05 11:30:00 install <none> 2.0"]}}
    cut = Partial(items=history(EARLIER), gaps=["larger than the limit"])
    ours = host("web-a", {"tool": package("2.0")}, evidence={"apt-history": cut, "dpkg-log": log})

    (cause,) = explained(ours, image({}, {}, {}, facts=FACTS)).causes

    assert (cause.id, cause.confidence) == ("local-package:tool", "inferred")
