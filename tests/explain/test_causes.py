"""Causes: each family claims what it can show, and nothing else."""

from driftscan import diff
from driftscan.explain.engine import explain
from driftscan.model import Explains, Failed, HostRecord, Side
from tests.build import explained, fingerprint, image, package, transaction

REPOSITORIES = {
    "Debian/bookworm/main": {"position": 0},
    "Debian/bookworm-security/main": {"position": 1},
}
MAIN_ONLY = {"Debian/bookworm/main": {"position": 0}}
BOOKWORM = {
    "release": {"id": "debian", "version_id": "12", "codename": "bookworm", "pretty": "Debian 12"}
}
TRIXIE = {
    "release": {"id": "debian", "version_id": "13", "codename": "trixie", "pretty": "Debian 13"}
}


def _host(name, packages, repositories=MAIN_ONLY, os=BOOKWORM, evidence=None, **facts):
    return fingerprint(
        name,
        packages,
        facts={"os": os, "repositories": repositories, **facts},
        evidence=evidence,
    )


def _causes(report):
    return {cause.id: sorted(cause.claims) for cause in report.causes}


def test_a_missing_repository_claims_every_older_package():
    ours = _host("web-a", {"a": package("1+deb12u1"), "b": package("2+deb12u1")})
    theirs = _host(
        "web-b", {"a": package("1+deb12u2"), "b": package("2+deb12u3")}, repositories=REPOSITORIES
    )

    report = explained(ours, theirs)

    assert _causes(report) == {
        "repository-missing:bookworm-security": [
            "dpkg:a",
            "dpkg:b",
            "repositories:Debian/bookworm-security/main",
        ]
    }
    assert report.causes[0].confidence == "inferred"


def test_a_missing_repository_does_not_claim_a_newer_package():
    ours = _host("web-a", {"a": package("1+deb12u9")})
    theirs = _host("web-b", {"a": package("1+deb12u2")}, repositories=REPOSITORIES)

    assert _causes(explained(ours, theirs)) == {
        "repository-missing:bookworm-security": ["repositories:Debian/bookworm-security/main"],
        "unexplained:dpkg": ["dpkg:a"],
    }


def test_a_missing_third_party_repository_does_not_claim_the_distribution_s_packages():
    vendor = {**MAIN_ONLY, "Docker/bookworm/stable": {"position": 1}}
    ours = _host("web-a", {"a": package("1")})
    theirs = _host("web-b", {"a": package("2")}, repositories=vendor)

    assert _causes(explained(ours, theirs)) == {
        "repository-missing:Docker/bookworm": ["repositories:Docker/bookworm/stable"],
        "unexplained:dpkg": ["dpkg:a"],
    }


def test_the_components_of_one_missing_suite_are_one_cause_and_one_line_of_the_remedy():
    backports = {
        f"Debian/bookworm-backports/{name}": {"position": 1} for name in ("main", "contrib")
    }
    urls = {"Debian/bookworm-backports/contrib": {"urls": ["http://deb.debian.org/debian"]}}
    theirs = _host(
        "web-b", {}, repositories={**MAIN_ONLY, **backports}, evidence={"repository-sources": urls}
    )

    report = explained(_host("web-a", {}), theirs)

    assert list(_causes(report)) == ["repository-missing:bookworm-backports"]
    assert report.remedies[0].steps[0].run == (
        "echo 'deb http://deb.debian.org/debian bookworm-backports contrib main'"
        " > /etc/apt/sources.list.d/bookworm-backports.list"
    )


def test_a_held_package_is_blocked_by_the_hold_before_the_repository():
    ours = _host("web-a", {"a": package("1", want="hold"), "b": package("1")})
    theirs = _host("web-b", {"a": package("2"), "b": package("2")}, repositories=REPOSITORIES)

    causes = _causes(explained(ours, theirs))

    assert causes["hold:a"] == ["dpkg:a"]
    assert "dpkg:a" not in causes["repository-missing:bookworm-security"]


def test_a_pinned_package_is_blocked_by_the_pin_and_its_file_is_named():
    pins = {"ghost*|version 10*": {"priority": "1001"}}
    ours = _host(
        "web-a",
        {"ghostscript": package("10")},
        evidence={
            "apt-pin-files": {"ghost*|version 10*": {"place": "/etc/apt/preferences.d/gs:1"}}
        },
        **{"apt-pins": pins},
    )
    theirs = _host("web-b", {"ghostscript": package("11")}, **{"apt-pins": {}})

    report = explained(ours, theirs)

    assert _causes(report) == {"pin:ghost*": ["apt-pins:ghost*|version 10*", "dpkg:ghostscript"]}
    assert "/etc/apt/preferences.d/gs:1" in report.causes[0].text


def test_the_same_repositories_and_older_packages_are_behind_in_time():
    ours = _host("web-a", {"a": package("1")})
    theirs = _host("web-b", {"a": package("2")})

    (cause,) = explained(ours, theirs).causes

    assert (cause.id, cause.confidence) == ("behind:packages", "inferred")


def test_another_release_is_one_cause_for_the_host():
    ours = _host("web-t", {"a": package("2"), "gone": package("1")}, os=TRIXIE)
    theirs = _host("web-b", {"a": package("1")})

    assert _causes(explained(ours, theirs)) == {
        "release-differs:os": ["dpkg:a", "dpkg:gone", "os:release"]
    }


def test_a_package_installed_by_hand_is_told_with_its_command():
    history = {
        "1": transaction(
            "apt-get install telnetd", install={"telnetd": "1", "dep": "1"}, automatic=["dep"]
        )
    }
    host = _host(
        "web-b",
        {"telnetd": package("1"), "dep": package("1")},
        evidence={"apt-history": history, "apt-auto": {"dep": {"auto": True}}},
    )
    report = explained(host, image({}, {}, {}, facts={"os": BOOKWORM, "repositories": MAIN_ONLY}))

    (cause,) = report.causes
    assert cause.id == "host-only:telnetd"
    assert cause.claims == ["dpkg:dep", "dpkg:telnetd"]
    assert cause.host_record == HostRecord(
        time="2026-10-21 14:02",
        user="deploy",
        command="apt-get install telnetd",
        source="apt history",
        cites=["subject/apt-history:1"],
    )


def test_a_package_that_the_dockerfile_asks_for_and_the_host_removed_breaks():
    history = {"1": transaction("apt-get remove php", remove={"php": "8.2"})}
    host = _host("web-a", {}, evidence={"apt-history": history})
    lines = {4: "RUN apt-get install -y php"}
    reference = image(
        {"php": package("8.2")},
        lines,
        {"php": 4},
        facts={"os": BOOKWORM, "repositories": MAIN_ONLY},
    )

    report = explained(host, reference)

    (cause,) = report.causes
    assert (cause.id, cause.level, cause.image_record.line) == ("removed:php", "breaks", 4)
    assert report.worst == "breaks"


def test_what_the_host_never_had_is_told_by_the_line_that_brought_it():
    lines = {4: "RUN apt-get install -y php", 5: "RUN apt-get install -y openjdk"}
    reference = image(
        {"php": package("8.2"), "php-common": package("8.2"), "openjdk": package("17")},
        lines,
        {"php": 4, "php-common": 4, "openjdk": 5},
        facts={"os": BOOKWORM, "repositories": MAIN_ONLY},
    )

    assert _causes(explained(_host("web-a", {}), reference)) == {
        "image-only:openjdk": ["dpkg:openjdk"],
        "image-only:php": ["dpkg:php", "dpkg:php-common"],
    }


def test_plumbing_of_a_host_is_expected_and_what_only_it_needs_follows():
    history = {
        "1": transaction(
            "apt-get install openssh-server",
            install={"openssh-server": "9", "libwrap0": "7"},
            automatic=["libwrap0"],
        )
    }
    needs = {"openssh-server": {"depends": "libwrap0 (>= 7), libc6"}, "libwrap0": {}, "libc6": {}}
    host = _host(
        "web-b",
        {"openssh-server": package("9"), "libwrap0": package("7"), "libc6": package("2")},
        evidence={
            "apt-history": history,
            "apt-auto": {"libwrap0": {"auto": True}},
            "dpkg-needs": needs,
        },
    )
    reference = image(
        {"libc6": package("2")}, {}, {}, facts={"os": BOOKWORM, "repositories": MAIN_ONLY}
    )

    report = explained(host, reference)

    assert report.findings == []
    assert report.state == "in-sync"
    assert {group.rule: group.members for group in report.expected} == {
        "ssh-server": ["dpkg:openssh-server"],
        "needed-by-those": ["dpkg:libwrap0"],
    }
    assert [r.command for r in report.expected[0].host_records] == [
        "apt-get install openssh-server"
    ]


def test_an_automatic_package_that_something_else_needs_too_is_not_expected():
    needs = {
        "openssh-server": {"depends": "libwrap0"},
        "telnetd": {"depends": "libwrap0"},
        "libwrap0": {},
    }
    host = _host(
        "web-b",
        {name: package("1") for name in needs},
        evidence={"apt-auto": {"libwrap0": {"auto": True}}, "dpkg-needs": needs},
    )
    reference = image({}, {}, {}, facts={"os": BOOKWORM, "repositories": MAIN_ONLY})

    report = explained(host, reference)

    assert {m for group in report.expected for m in group.members} == {"dpkg:openssh-server"}
    assert {f.id for f in report.findings} == {"dpkg:telnetd", "dpkg:libwrap0"}


def test_between_two_hosts_nothing_is_expected():
    ours = _host("web-a", {"openssh-server": package("9")})

    assert explained(ours, _host("web-b", {})).expected == []


def test_a_library_that_no_package_owns_and_that_comes_first_breaks():
    soname = "libMagickCore-6.Q16.so.6|libc6,x86-64"
    owned = {f"{soname}|/lib/x86_64-linux-gnu": {"owner": "libmagickcore", "position": 1}}
    shadow = {f"{soname}|/usr/local/lib": {"owner": "", "target": "x.so.6.0", "position": 0}}
    ours = _host("web-c", {}, libraries={**owned, **shadow})
    theirs = _host(
        "web-b",
        {},
        libraries={f"{soname}|/lib/x86_64-linux-gnu": {"owner": "libmagickcore", "position": 0}},
    )

    report = explained(ours, theirs)

    (cause,) = report.causes
    assert report.remedies[0].steps[0].run == (
        "mkdir -p /root/set-aside/usr/local/lib && "
        "mv /usr/local/lib/libMagickCore-6.Q16.so* /root/set-aside/usr/local/lib/ && ldconfig"
    )
    assert cause.id == "library-shadowed:libMagickCore-6.Q16.so.6"
    assert (cause.level, cause.confidence) == ("breaks", "proven")


def test_a_program_that_no_package_owns_and_that_comes_first_is_named():
    own = {"python3|/usr/local/bin/python3": {"version": "3.13", "owner": ""}}
    system = {"python3|/usr/bin/python3.11": {"version": "3.11", "owner": "python3.11-minimal"}}
    local = {"path": "/usr/local/bin/python3", "real": "/usr/local/bin/python3", "version": "3.13"}
    packaged = {"path": "/usr/bin/python3", "real": "/usr/bin/python3.11", "version": "3.11"}
    ours = _host("web-a", {}, runtimes={**own, **system}, winners={"python3@system": local})
    theirs = _host("web-b", {}, runtimes=system, winners={"python3@system": packaged})

    (cause,) = explained(ours, theirs).causes

    assert cause.text == (
        "python3 is /usr/local/bin/python3 on web-a, which no package owns; "
        "on web-b it is /usr/bin/python3"
    )
    assert cause.claims == ["winners:python3@system", "runtimes:python3|/usr/local/bin/python3"]


def test_the_remedy_removes_nothing_that_what_stays_needs():
    needs = {"sshd": {"depends": "libwrap0"}, "telnetd": {"depends": "libwrap0"}, "libwrap0": {}}
    ours = _host("web-a", {name: package("1") for name in needs}, evidence={"dpkg-needs": needs})
    theirs = _host("web-b", {"sshd": package("1")})

    steps = explained(ours, theirs).remedies[0].steps

    assert [step.run for step in steps if "remove" in step.run] == ["apt-get remove telnetd"]


def test_a_variable_of_the_image_that_the_host_lacks_is_told_with_its_line():
    host = _host("web-a", {}, environment={})
    reference = image(
        {},
        {7: "ENV JAVA_HOME=/usr/lib/jvm/x MAGICK_MEMORY_LIMIT=256MiB"},
        {},
        facts={
            "os": BOOKWORM,
            "repositories": MAIN_ONLY,
            "environment": {"system/MAGICK_MEMORY_LIMIT": {"value": "256MiB"}},
        },
    )

    report = explained(host, reference)

    (cause,) = report.causes
    assert (cause.id, cause.image_record.line) == ("environment:MAGICK_MEMORY_LIMIT", 7)
    assert (
        report.remedies[0]
        .steps[0]
        .run.endswith("|| echo MAGICK_MEMORY_LIMIT=256MiB >> /etc/environment")
    )


def test_one_variable_of_several_units_is_one_cause():
    units = {f"unit:{unit}.service/KEEP": {"value": "3"} for unit in ("a", "b")}

    report = explained(_host("web-a", {}, environment=units), _host("web-b", {}, environment={}))

    (cause,) = report.causes
    assert cause.id == "environment:KEEP"
    assert cause.text == ("KEEP=3 is set on web-a for unit:a.service, unit:b.service, not on web-b")


def test_what_another_host_has_on_purpose_breaks_nothing_here():
    history = {"1": transaction("apt-get install vim", install={"vim": "9"})}
    theirs = _host("web-b", {"vim": package("9")}, evidence={"apt-history": history})

    report = explained(_host("web-a", {}), theirs)

    assert [(c.id, c.level) for c in report.causes] == [("reference-only:vim", "installed")]


def test_the_ids_of_causes_are_unique():
    ours = _host("web-a", {f"p{n}": package("1") for n in range(9)}, os=TRIXIE)
    theirs = _host(
        "web-b", {f"p{n}": package("2") for n in range(3, 12)}, repositories=REPOSITORIES
    )

    ids = [cause.id for cause in explained(ours, theirs).causes]

    assert sorted(set(ids)) == sorted(ids)


def test_a_library_that_left_with_its_package_is_no_second_difference():
    library = {"libz.so.1|x|/lib": {"owner": "zlib1g", "position": 0}}
    history = {"1": transaction("apt-get remove zlib1g", remove={"zlib1g": "1"})}
    ours = _host("web-a", {}, libraries={}, evidence={"apt-history": history})
    theirs = _host("web-b", {"zlib1g": package("1")}, libraries=library)

    report = explained(ours, theirs)

    (finding,) = report.findings
    assert [d.id for d in finding.members] == ["dpkg:zlib1g", "libraries:libz.so.1|x|/lib"]


def test_what_belongs_to_packages_is_not_judged_when_they_could_not_be_compared():
    library = {"libz.so.1|x|/lib": {"owner": "zlib1g", "position": 0}}
    ours = _host("web-a", Failed(reason="damaged"), libraries=library)

    report = explained(ours, _host("web-b", {}, libraries={}))

    assert report.findings == []
    assert [(gap.what, gap.blocks) for gap in report.unknown] == [
        ("dpkg", True),
        ("libraries", False),
    ]


def test_what_nothing_explains_is_said_to_be_unexplained():
    ours = _host("web-a", {"a": package("1")})

    (cause,) = explained(ours, _host("web-b", {})).causes

    assert (cause.id, cause.confidence) == ("unexplained:dpkg", "unknown")


def test_many_steps_of_one_unattended_upgrade_are_one_event():
    steps = {
        f"2026-10-21 06:00:{second:02}#0": transaction(
            "/usr/bin/unattended-upgrade",
            start=f"2026-10-21 06:00:{second:02}",
            upgrade={f"p{second}": "1 -> 2"},
        )
        for second in range(24)
    }
    host = _host(
        "web-a", {f"p{n}": package("2") for n in range(24)}, evidence={"apt-history": steps}
    )
    reference = image(
        {f"p{n}": package("1") for n in range(24)},
        {},
        {},
        facts={"os": BOOKWORM, "repositories": MAIN_ONLY},
    )

    (cause,) = explained(host, reference).causes

    assert cause.id == "ahead:packages"
    assert cause.host_record.command == "/usr/bin/unattended-upgrade"
    assert cause.host_record.time == "2026-10-21 06:00"


def test_the_worst_finding_stands_first_and_names_who_loads_it():
    processes = {
        "/usr/sbin/php-fpm8.2|php8.2-fpm.service": {
            "count": 3,
            "loads": {"/usr/lib/libMagickCore.so.6": "libmagickcore"},
        }
    }
    needs = {"libmagickcore": {"depends": "libpng, libjpeg"}, "libpng": {}, "libjpeg": {}}
    ours = _host(
        "web-a",
        {
            "libmagickcore": package("1", "imagemagick"),
            "libpng": package("1"),
            "libjpeg": package("1"),
        },
        evidence={"processes": processes, "dpkg-needs": needs},
    )
    theirs = _host(
        "web-b",
        {
            "libmagickcore": package("2", "imagemagick"),
            "libpng": package("2"),
            "libjpeg": package("1"),
        },
        repositories=REPOSITORIES,
    )

    report = explained(ours, theirs)

    first = report.findings[0]
    assert (first.id, first.level) == ("dpkg:imagemagick", "in-use")
    assert [(use.service, use.processes) for use in first.uses] == [("php8.2-fpm.service", 3)]
    assert (first.dependencies, first.dependency_count) == (["libpng"], 2)
    assert report.remedies[0].steps[-2].run == "systemctl restart php8.2-fpm"


def test_no_value_of_a_host_becomes_shell_text():
    evil = "1;touch /tmp/x"
    ours = _host("web-a", {"a": package("1"), "$(id)": package("1")})
    theirs = _host("web-b", {"a": package(evil), "$(id)": package("2")})

    report = explained(ours, theirs)

    runs = " ".join(step.run for remedy in report.remedies for step in remedy.steps)
    assert "touch" not in runs
    assert "$(id)" not in runs


def test_the_remedy_of_one_thing_leaves_the_others_alone():
    names = ("a", "b")
    ours = Side(fingerprint=_host("web-a", {name: package("1") for name in names}))
    theirs = Side(fingerprint=_host("web-b", {name: package("2") for name in names}))

    comparison = diff.compare(ours.fingerprint, theirs.fingerprint)
    report = explain(ours, theirs, comparison, about="a")

    assert [finding.id for finding in report.findings] == ["dpkg:a"]
    assert report.remedies[0].steps[1].run.endswith(" a=2")
    assert report.causes[0].explains == Explains(differences=2, sources=2, of=2)


def test_the_same_two_fingerprints_give_the_same_report():
    ours = _host("web-a", {"a": package("1"), "b": package("1")})
    theirs = _host("web-b", {"b": package("2"), "c": package("2")}, repositories=REPOSITORIES)

    assert explained(ours, theirs) == explained(ours, theirs)
