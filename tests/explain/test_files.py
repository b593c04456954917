"""What no package manager decides: what stands in front, what is set by hand, what still runs."""

import pytest
from msgspec.structs import replace

from driftscan import diff, policy
from driftscan.explain.engine import explain, wants
from driftscan.model import Collected, Side, Want
from tests.build import explained, fingerprint, image, package, transaction

SONAME = "libMagickCore-6.Q16.so.6|libc6,x86-64"
OWNED = f"{SONAME}|/usr/lib/x86_64-linux-gnu"
LOCAL = f"{SONAME}|/usr/local/lib"
FILE = "/usr/local/lib/libMagickCore-6.Q16.so.6.0.0"
FPM = "/usr/sbin/php-fpm8.2|php8.2-fpm.service"
HISTORY = "2026-11-23  16:31:00#0"


def texts(cause):
    return [(e.confidence, e.text) for e in cause.evidence]


def shadowed(*, versions=("1", "1"), evidence=None):
    ours = fingerprint(
        "web-c",
        {"libmagickcore": package(versions[0])},
        facts={
            "libraries": {
                LOCAL: {"owner": "", "target": FILE, "position": 0},
                OWNED: {"owner": "libmagickcore", "position": 1},
            }
        },
        evidence=evidence,
    )
    theirs = fingerprint(
        "web-b",
        {"libmagickcore": package(versions[1])},
        facts={"libraries": {OWNED: {"owner": "libmagickcore", "position": 0}}},
    )
    report = explained(ours, theirs)
    (cause,) = [c for c in report.causes if c.type == "library-shadowed"]
    return cause


def test_a_shadowing_library_names_who_maps_it_and_that_packages_do_not_explain_it():
    item = {"count": 3, "loads": {FILE: "", "/usr/lib/libc.so.6": "libc6"}}
    built = transaction("apt-get install libpng-dev libjpeg-dev gcc", "2026-10-28 18:44:00")
    built["install"] = {"libpng-dev": "1", "libjpeg-dev": "1", "gcc": "4"}
    cause = shadowed(evidence={"processes": {FPM: item}, "apt-history": {"1": built}})

    assert texts(cause) == [
        ("proven", f"php8.2-fpm maps {FILE} (3 processes)"),
        (
            "proven",
            "ldconfig -p lists /usr/local/lib before /usr/lib/x86_64-linux-gnu for "
            "libMagickCore-6.Q16.so.6",
        ),
        (
            "recorded",
            "libmagickcore is equal on both sides: packages do not explain this, "
            "a library outside the package manager does",
        ),
        (
            "inferred",
            "it was probably built on web-c: gcc and 2 -dev packages came 2026-10-28 18:44:00 with "
            "apt-get install libpng-dev libjpeg-dev gcc (deploy)",
        ),
    ]
    assert [e.cites for e in cause.evidence] == [
        [f"subject/processes:{FPM}"],
        [f"subject/libraries:{LOCAL}", f"subject/libraries:{OWNED}"],
        ["subject/dpkg:libmagickcore", "reference/dpkg:libmagickcore"],
        ["subject/apt-history:1"],
    ]


def test_a_shadowing_build_that_can_do_less_says_what():
    builds = {
        "/usr/local/lib/ImageMagick-6.9.11/config-Q16": {"version": "6", "delegates": ["jpeg"]},
        "/usr/lib/x/ImageMagick-6.9.11/config-Q16": {"version": "6", "delegates": ["jpeg", "png"]},
    }
    cause = shadowed(evidence={"builds": builds})

    assert texts(cause)[0] == (
        "proven",
        "delegates: jpeg; the package has 2, among them png (both call themselves 6)",
    )
    assert cause.evidence[0].cites == [f"subject/builds:{key}" for key in builds]


def test_where_the_package_differs_too_upgrading_it_is_told_to_be_in_vain():
    cause = shadowed(versions=("1", "2"))

    assert texts(cause)[1] == (
        "recorded",
        "upgrading libmagickcore changes nothing here: its library is not the one that is loaded",
    )


def test_a_copy_behind_the_packaged_one_shadows_nothing():
    ours = fingerprint(
        "web-c",
        {},
        facts={
            "libraries": {
                OWNED: {"owner": "libmagickcore", "position": 0},
                LOCAL: {"owner": "", "target": FILE, "position": 1},
            }
        },
    )
    theirs = fingerprint(
        "web-b", {}, facts={"libraries": {OWNED: {"owner": "libmagickcore", "position": 0}}}
    )

    assert [c.id for c in explained(ours, theirs).causes] == ["unexplained:libraries"]


NEWER = [
    "pie (2) stable; urgency=high",
    "",
    "  * Fix regression of CVE-2026-1001: cannot slice",
    "",
]
OLDER = ["pie (1) stable; urgency=high", "", "  * CVE-2026-1001: crumbs", ""]
SIGNED = " -- A B <a@b.c>  Sat, 25 Apr 2026 10:00:00 +0000"


def stale(*, history=True, started=1795000000, changelog=()):
    deleted = "/usr/lib/x86_64-linux-gnu/libpie.so.1.0"
    item = {
        "count": 3,
        "loads": {deleted: "libpie1"},
        "deleted": [deleted],
        "started": started,
        "ports": [],
    }
    done = transaction("apt-get install --only-upgrade libpie1", "2026-11-23 16:31:00")
    done["upgrade"] = {"libpie1": "1 -> 2"}
    evidence = {
        "processes": {FPM: item},
        "apt-history": {HISTORY: done} if history else {},
        "host": {"self": {"offset": "+0000", "zone": "UTC"}},
    }
    packages = {"libpie1": package("2", "pie")}
    ours = fingerprint("web-u", packages, evidence=evidence)
    if changelog:
        learned = {"changelogs": Collected(items={"pie": {"lines": list(changelog)}})}
        ours = replace(ours, details=learned)
    return ours, fingerprint("web-b", packages)


def test_a_program_that_runs_a_replaced_library_is_drift_though_no_fact_differs():
    report = explained(*stale())

    (cause,) = report.causes
    (finding,) = report.findings
    assert report.state == "drift"
    assert cause.id == "stale-process:php8.2-fpm"
    assert cause.text == "php8.2-fpm on web-u still runs pie 1, although 2 is installed"
    assert (cause.level, cause.confidence) == ("in-use", "proven")
    assert (finding.section, finding.level) == ("processes", "in-use")
    assert cause.host_record.time == "2026-11-23 16:31"
    assert texts(cause) == [
        ("proven", "3 processes map (deleted) /usr/lib/x86_64-linux-gnu/libpie.so.1.0"),
        (
            "recorded",
            "pie 2 is there since 2026-11-23 16:31 UTC by deploy: apt-get install "
            "--only-upgrade libpie1; the program started 2026-11-18 11:06, when 1 was",
        ),
    ]
    assert policy.judge({"web-u": report}, "in-use").exit_code == 1
    assert policy.judge({"web-u": report}, "breaks").exit_code == 0


@pytest.mark.parametrize(
    ("started", "told"),
    [
        (
            1795451458,
            "since 2026-11-23 16:31 UTC by deploy: {}; the program started 2026-11-23 16:30",
        ),
        (
            1795451460,
            "since 2026-11-23 16:31:00 UTC by deploy: {}; the program started 2026-11-23 16:31:00",
        ),
    ],
)
def test_within_one_minute_the_order_is_told_to_the_second(started, told):
    (cause,) = explained(*stale(started=started)).causes
    command = "apt-get install --only-upgrade libpie1"
    assert f"{told.format(command)}, when 1 was" in cause.evidence[-1].text


def test_a_program_that_started_after_the_upgrade_does_not_tell_the_older_version():
    (cause,) = explained(*stale(started=1795600000)).causes

    assert cause.text == (
        "php8.2-fpm on web-u runs libpie.so.1.0, which was replaced or removed since, "
        "although pie 2 is installed"
    )


def test_a_stale_program_whose_version_was_broken_meanwhile_breaks():
    changelog = [*NEWER, SIGNED, "", *OLDER, SIGNED]

    (cause,) = explained(*stale(changelog=changelog)).causes

    assert cause.level == "breaks"
    assert texts(cause)[1] == (
        "recorded",
        "CVE-2026-1001: broken since 1 (2026-04-25), fixed in 2 (2026-04-25); what runs lies "
        "between: Fix regression of CVE-2026-1001: cannot slice",
    )
    assert "subject/changelogs:pie" in cause.evidence[1].cites


def test_the_changelog_of_what_a_stale_program_runs_is_asked_of_its_host():
    ours, theirs = stale()
    pair = (Side(fingerprint=ours), Side(fingerprint=theirs))

    assert wants(*pair, diff.compare(ours, theirs)) == [
        Want(side="subject", kind="changelogs", name="pie", names=("libpie1",), version="2")
    ]


def test_without_a_log_a_stale_program_is_still_proven():
    (cause,) = explained(*stale(history=False)).causes

    assert (cause.confidence, cause.host_record) == ("proven", None)


def test_what_is_stale_on_the_reference_is_not_the_subject_s_drift():
    ours, theirs = stale()

    assert explained(theirs, ours).findings == []


def test_an_alternative_claims_the_winners_and_the_copy_it_leads_to():
    jdk = {"java|/opt/jdk-11/bin/java": {"version": "11.0.13", "owner": ""}}
    system = {"java|/usr/lib/jvm/j17/bin/java": {"version": "17", "owner": "openjdk"}}
    ours = fingerprint(
        "web-p",
        {},
        facts={
            "alternatives": {"java": {"target": "/opt/jdk-11/bin/java"}},
            "runtimes": {**jdk, **system},
            "winners": {
                "java@system": {
                    "path": "/usr/bin/java",
                    "real": "/opt/jdk-11/bin/java",
                    "version": "11.0.13",
                }
            },
        },
    )
    theirs = fingerprint(
        "web-b",
        {},
        facts={
            "alternatives": {},
            "runtimes": system,
            "winners": {
                "java@system": {
                    "path": "/usr/bin/java",
                    "real": "/usr/lib/jvm/j17/bin/java",
                    "version": "17",
                }
            },
        },
    )

    (cause,) = explained(ours, theirs).causes

    assert cause.text == (
        "java is set by hand to /opt/jdk-11/bin/java on web-p: 11.0.13 wins on web-p, 17 on web-b"
    )
    assert cause.claims == [
        "alternatives:java",
        "winners:java@system",
        "runtimes:java|/opt/jdk-11/bin/java",
    ]
    assert cause.evidence[0].cites == ["subject/alternatives:java"]


def test_a_library_path_of_a_unit_is_proven_by_the_maps():
    key = "unit:php8.2-fpm.service/LD_LIBRARY_PATH"
    ours = fingerprint(
        "web-p",
        {},
        facts={"environment": {key: {"value": "/srv/app/lib:/opt/x"}}},
        evidence={
            "processes": {FPM: {"count": 1, "loads": {"/srv/app/lib/libpng16.so.16": ""}}},
        },
    )

    (cause,) = explained(ours, fingerprint("web-b", {}, facts={"environment": {}})).causes

    assert cause.id == "linker-variable:LD_LIBRARY_PATH"
    assert cause.text == (
        "LD_LIBRARY_PATH=/srv/app/lib:/opt/x is set for unit:php8.2-fpm.service on web-p, "
        "not on web-b"
    )
    assert cause.level == "in-use"
    assert texts(cause)[1] == (
        "proven",
        "php8.2-fpm maps /srv/app/lib/libpng16.so.16 (1 process)",
    )


def test_a_preloaded_library_is_in_use_by_all():
    path = {"linker-path": {"preload:/usr/lib/libfoo.so": {"position": 0}}}

    (cause,) = explained(
        fingerprint("web-p", {}, facts=path), fingerprint("web-b", {}, facts={"linker-path": {}})
    ).causes

    assert (cause.id, cause.level) == ("preload:/usr/lib/libfoo.so", "in-use")
    assert cause.text == "/usr/lib/libfoo.so is loaded into every program on web-p, not on web-b"


def test_a_directory_of_the_linker_that_moved_is_told_as_another_order():
    one, other = {"position": 0}, {"position": 1}
    ours = {"linker-path": {"/a": one, "/b": other}}
    theirs = {"linker-path": {"/a": other, "/b": one}}

    causes = explained(
        fingerprint("web-p", {}, facts=ours), fingerprint("web-b", {}, facts=theirs)
    ).causes

    assert [(c.id, c.text) for c in causes] == [
        (
            f"linker-path:{d}",
            f"{d} is searched for libraries in another order on web-p than on web-b",
        )
        for d in ("/a", "/b")
    ]


def test_a_variable_that_a_unit_sets_or_a_file_may_set_is_not_told_as_unset_there():
    host = fingerprint(
        "web-a",
        {},
        facts={"environment": {"unit:app.service/LIMIT": {"value": "1"}}},
        evidence={"environment-sources": {"unit:app.service": {"files": ["/etc/default/app"]}}},
    )
    reference = image(
        {},
        {7: "ENV LIMIT=1"},
        {},
        facts={
            "environment": {
                "system/LIMIT": {"value": "1"},
                "unit:app.service/LIMIT": {"value": "1"},
            }
        },
    )

    report = explain(Side(fingerprint=host), reference, diff.compare(host, reference.fingerprint))

    (cause,) = report.causes
    assert texts(cause)[1:] == [
        ("recorded", "unit:app.service of web-a sets LIMIT=1"),
        (
            "unknown",
            "whether /etc/default/app sets LIMIT for unit:app.service is not known: it is not read",
        ),
    ]
    assert cause.evidence[2].cites == ["subject/environment-sources:unit:app.service"]


# --- beside the packages -------------------------------------------------------------------------

LOCAL_PYTHON = "/usr/local/lib/python3.11/dist-packages"
APT_PYTHON = "/usr/lib/python3/dist-packages"
PIPS = f"pypi//requests@{LOCAL_PYTHON}"
APTS = {
    f"pypi//{name}@{APT_PYTHON}": {"version": v, "installer": "", "owner": f"python3-{name}"}
    for name, v in (("requests", "2.28.1"), ("urllib3", "1.26.12"))
}


def test_pip_over_apt_names_both_versions_and_the_mix():
    ours = fingerprint(
        "web-p",
        {},
        facts={"python": {**APTS, PIPS: {"version": "2.32.3", "installer": "pip"}}},
        evidence={
            "python-needs": {PIPS: {"needs": ["certifi", "urllib3"], "requested": True}},
            "local-files": {
                f"{LOCAL_PYTHON}/requests-2.32.3.dist-info": {"changed": 1795524203, "uid": 0}
            },
        },
    )

    (cause,) = explained(ours, fingerprint("web-b", {}, facts={"python": APTS})).causes

    assert cause.id == "pip-over-apt:requests"
    assert cause.text == (
        "pip's requests 2.32.3 hides 2.28.1 of python3-requests on web-p, "
        "together with apt's urllib3 1.26.12"
    )
    assert cause.evidence[1].cites == [
        f"subject/python-needs:{PIPS}",
        f"subject/python:pypi//urllib3@{APT_PYTHON}",
    ]
    assert cause.level == "in-use"
    assert texts(cause)[2] == ("recorded", "requests was asked for by name (REQUESTED)")
    assert (cause.host_record.confidence, cause.host_record.source) == ("inferred", "file time")


def test_a_distribution_of_pip_that_hides_nothing_is_told_with_its_place():
    ours = fingerprint("web-p", {}, facts={"python": {}})
    key = f"pypi//flask@{LOCAL_PYTHON}"
    reference = image(
        {},
        {4: "RUN pip install flask==3.0"},
        {},
        facts={"python": {key: {"version": "3.0", "installer": "pip"}}},
    )

    (cause,) = explained(ours, reference).causes

    assert cause.id == f"pip:{LOCAL_PYTHON}"
    assert cause.text == f"pip put into {LOCAL_PYTHON}: flask 3.0 on image web only"
    assert cause.image_record.line == 4


def test_a_distribution_of_a_package_follows_the_package():
    theirs = fingerprint("web-b", {}, facts={"python": {}})
    lone = {k: {**v, "owner": "python3-requests"} for k, v in APTS.items()}
    ours = fingerprint("web-p", {"python3-requests": package("2")}, facts={"python": lone})

    report = explained(ours, theirs)

    assert [f.id for f in report.findings] == ["dpkg:python3-requests"]
    assert len(report.findings[0].members) == 3


def test_libraries_that_an_application_brings_are_told_with_who_maps_them():
    ours = fingerprint(
        "web-p",
        {},
        facts={
            "vendored": {
                "/srv/app/lib": {"libraries": ["libpng16-5c63271e.so.16.44.0", "libown.so"]}
            },
            "libraries": {"libpng16.so.16|libc6|/usr/lib": {"owner": "libpng16-16", "position": 0}},
        },
        evidence={
            "processes": {FPM: {"count": 3, "loads": {"/srv/app/lib/libown.so": ""}}},
        },
    )
    theirs = fingerprint(
        "web-b",
        {},
        facts={
            "vendored": {},
            "libraries": {"libpng16.so.16|libc6|/usr/lib": {"owner": "libpng16-16", "position": 0}},
        },
    )

    (cause,) = explained(ours, theirs).causes

    assert (cause.id, cause.level) == ("vendored:/srv/app/lib", "in-use")
    assert cause.text == (
        "/srv/app/lib on web-p carries 2 libraries of its own (not there on web-b): "
        "updates of packages do not reach them; "
        "php8.2-fpm maps /srv/app/lib/libown.so (3 processes)"
    )
    assert [text for _, text in texts(cause)[1:]] == [
        "packaged here as well: libpng16.so.16 of libpng16-16",
        "php8.2-fpm maps /srv/app/lib/libown.so (3 processes)",
    ]


def hiding(path_facts):
    item = {"hides": "/usr/bin/convert", "owner": "imagemagick-6.q16"}
    packages = {
        "imagemagick-6.q16": package("8", "imagemagick"),
        "imagemagick": package("8", "imagemagick"),
    }
    done = transaction("apt-get install imagemagick", install={"imagemagick": "8"})
    ours = fingerprint(
        "web-c",
        packages,
        facts={"programs": {"/usr/local/bin/convert": item}, "path": path_facts},
        evidence={"apt-history": {"1": done}},
    )
    theirs = fingerprint("web-b", packages, facts={"programs": {}, "path": path_facts})
    (cause,) = explained(ours, theirs).causes
    return cause


def test_a_program_that_hides_a_packaged_one_is_proven_by_the_path():
    cause = hiding({"system//usr/local/bin": {"position": 1}, "system//usr/bin": {"position": 2}})

    assert cause.id == "program-shadowed:imagemagick-6.q16"
    assert cause.text == (
        "/usr/local/bin/convert, which no package owns, hides /usr/bin/convert of "
        "imagemagick-6.q16 on web-c; web-b has none of it"
    )
    assert (cause.level, cause.confidence) == ("in-use", "proven")
    assert texts(cause)[0] == (
        "proven",
        "/usr/local/bin comes before /usr/bin in the PATH of: system",
    )


def test_where_the_path_looks_elsewhere_first_nothing_is_proven():
    cause = hiding({"system//usr/local/bin": {"position": 2}, "system//usr/bin": {"position": 1}})

    assert cause.confidence == "recorded"


def test_edited_configuration_is_one_cause_a_package_with_what_an_upgrade_left():
    ini, conf = "/etc/php/php.ini", "/etc/php/fpm.conf"
    ours = fingerprint(
        "web-p",
        {"php-fpm": package("8")},
        facts={
            "conffiles": {
                ini: {"state": "edited", "package": "php-fpm", "sum": "a"},
                conf: {"state": "missing", "package": "php-fpm"},
            }
        },
        evidence={
            "conffile-times": {ini: {"changed": 1795524203, "uid": 0, "beside": ["ucf-dist"]}}
        },
    )
    reference = image(
        {"php-fpm": package("8")},
        {5: f"RUN sed -i s/a/b/ {ini}"},
        {},
        facts={"conffiles": {ini: {"state": "edited", "package": "php-fpm", "sum": "b"}}},
    )

    (cause,) = explained(ours, reference).causes

    assert cause.id == "conffile-edited:php-fpm"
    assert cause.text == (
        f"{conf} is missing on web-p, as shipped on image web, "
        f"{ini} is edited on both, in different ways"
    )
    assert texts(cause)[-1] == ("recorded", f"an upgrade left php.ini.ucf-dist beside {ini}")
    assert cause.image_record.line == 5
    assert cause.host_record.time == "2026-11-24 12:43"


def test_configuration_of_a_package_that_one_side_lacks_is_no_difference_of_its_own():
    ours = fingerprint(
        "web-p",
        {"cron": package("3")},
        facts={"conffiles": {"/etc/crontab": {"state": "edited", "package": "cron", "sum": "a"}}},
    )

    report = explained(ours, fingerprint("web-b", {}, facts={"conffiles": {}}))

    assert [f.id for f in report.findings] == ["dpkg:cron"]


def test_a_changed_file_of_a_package_is_one_cause_a_package_and_a_reinstall_cures_it():
    files = {
        "/usr/bin/gzip": {"state": "changed", "package": "gzip", "sum": "a"},
        "/usr/lib/x": {"state": "missing", "package": "gzip"},
    }
    packages = {"gzip": package("1"), "tar": package("1")}
    ours = fingerprint(
        "web-p",
        packages,
        facts={"verified": files},
        evidence={"verified-times": {"/usr/bin/gzip": {"changed": 1795524203, "uid": 0}}},
    )
    clean = fingerprint("web-b", packages, facts={"verified": {}})

    report = explained(ours, clean)

    (cause,) = report.causes
    assert cause.id == "package-file-changed:gzip"
    assert cause.text == (
        "/usr/bin/gzip is changed on web-p, as shipped on web-b, "
        "/usr/lib/x is missing on web-p, as shipped on web-b"
    )
    assert cause.host_record.time == "2026-11-24 12:43"
    assert "apt-get install --reinstall gzip" in runs(report)
    assert "reinstall" not in "".join(runs(explained(clean, ours)))


# --- how to undo it ------------------------------------------------------------------------------


def runs(report):
    return [step.run for remedy in report.remedies[:1] for step in remedy.steps]


def test_pip_over_apt_is_undone_by_pip_and_a_missing_file_by_dpkg():
    ours = fingerprint(
        "web-p",
        {"cron": package("3")},
        facts={
            "python": {**APTS, PIPS: {"version": "2.32.3", "installer": "pip"}},
            "conffiles": {"/etc/crontab": {"state": "missing", "package": "cron"}},
        },
    )
    theirs = fingerprint("web-b", {"cron": package("3")}, facts={"python": APTS, "conffiles": {}})

    assert runs(explained(ours, theirs)) == [
        "apt-get install --reinstall -o Dpkg::Options::=--force-confmiss cron",
        "python3 -m pip uninstall -y --break-system-packages requests",
        "driftscan compare web-p web-b",
    ]


def test_a_stale_program_is_restarted_and_that_is_all():
    report = explained(*stale())

    assert runs(report) == ["systemctl restart php8.2-fpm", "driftscan compare web-u web-b"]
    assert report.findings[0].uses[0].stale


def test_a_hiding_program_is_set_aside_and_the_service_that_runs_it_is_restarted():
    item = {"hides": "/usr/bin/worker", "owner": "worker"}
    running = {
        "/usr/local/bin/worker|worker.service": {"count": 1, "loads": {"/usr/local/bin/worker": ""}}
    }
    ours = fingerprint(
        "web-c",
        {},
        facts={"programs": {"/usr/local/bin/worker": item}},
        evidence={"processes": running},
    )

    report = explained(ours, fingerprint("web-b", {}, facts={"programs": {}}))

    assert runs(report) == [
        "mkdir -p /root/set-aside/usr/local/bin && "
        "mv /usr/local/bin/worker /root/set-aside/usr/local/bin/",
        "systemctl restart worker",
        "driftscan compare web-c web-b",
    ]


# --- Java ----------------------------------------------------------------------------------------


def javas(version, classes=None):
    """web-p, whose Java was set by hand, and web-b with 17, with what the second trip learned."""
    jdk = {"java|/opt/jdk/bin/java": {"version": version, "owner": ""}}
    system = {"java|/usr/lib/jvm/j17/bin/java": {"version": "17.0.21", "owner": "openjdk"}}
    won = {"path": "/usr/bin/java", "real": "/opt/jdk/bin/java", "version": version}
    packaged = {"path": "/usr/bin/java", "real": "/usr/lib/jvm/j17/bin/java", "version": "17.0.21"}
    ours = fingerprint(
        "web-p",
        {},
        facts={
            "alternatives": {"java": {"target": "/opt/jdk/bin/java"}},
            "runtimes": {**jdk, **system},
            "winners": {"java@system": won},
        },
        evidence={
            "alternatives-log": {
                "java": {
                    "time": "2026-11-23 16:32:05",
                    "command": "update-alternatives --set java /opt/jdk/bin/java",
                }
            }
        },
    )
    theirs = fingerprint(
        "web-b",
        {},
        facts={"alternatives": {}, "runtimes": system, "winners": {"java@system": packaged}},
    )
    if classes is not None:
        learned = {"classes": Collected(items={"java": {"files": classes}})}
        ours = replace(ours, details=learned)
    return ours, theirs


def asked(ours, theirs):
    pair = (Side(fingerprint=ours), Side(fingerprint=theirs))
    return [w for w in wants(*pair, diff.compare(ours, theirs)) if w.kind == "classes"]


def test_class_files_are_asked_for_where_an_older_java_wins_and_only_there():
    assert asked(*javas("11.0.13")) == [Want(side="subject", kind="classes", name="java")]
    assert asked(*javas("1.8.0_292")) == [Want(side="subject", kind="classes", name="java")]
    assert asked(*javas("21.0.1")) == []
    assert asked(*javas("unknown")) == []


def test_a_java_that_is_too_old_for_the_applications_breaks_them():
    (cause,) = explained(
        *javas(
            "11.0.13",
            {"/srv/App.class": "61", "/srv/old.jar": "52", "/opt/jdk/lib/jrt-fs.jar": "65"},
        )
    ).causes

    assert cause.id == "alternative:java"
    assert (cause.level, cause.confidence) == ("breaks", "recorded")
    assert cause.text == (
        "java is set by hand to /opt/jdk/bin/java on web-p: 11.0.13 wins on web-p, 17.0.21 on web-b"
    )
    assert texts(cause)[0] == (
        "proven",
        "/srv/App.class needs Java 17 (class files of version 61), Java 11 runs them up to 55: "
        "UnsupportedClassVersionError",
    )
    assert cause.evidence[0].cites == ["subject/classes:java"]
    assert cause.host_record.command == "update-alternatives --set java /opt/jdk/bin/java"
    assert cause.host_record.cites == ["subject/alternatives-log:java"]


def test_a_java_that_runs_all_class_files_breaks_nothing():
    (cause,) = explained(*javas("11.0.13", {"/srv/App.class": "55"})).causes

    assert cause.level == "installed"
    assert len(cause.evidence) == 1


def test_without_a_second_trip_nothing_is_told_of_class_files():
    (cause,) = explained(*javas("11.0.13")).causes

    assert cause.level == "installed"


def test_what_one_build_brought_is_one_cause_and_one_finding():
    wand = "libMagickWand-6.Q16.so.6|libc6,x86-64"
    other = "/usr/local/lib/libMagickWand-6.Q16.so.6.0.0"
    cache = {
        LOCAL: {"owner": "", "target": FILE, "position": 0},
        OWNED: {"owner": "libmagickcore", "position": 1},
        f"{wand}|/usr/local/lib": {"owner": "", "target": other, "position": 0},
        f"{wand}|/usr/lib/x86_64-linux-gnu": {"owner": "libmagickwand", "position": 1},
        # the name that compilers look for, a link to the same file
        "libMagickCore-6.Q16.so|libc6,x86-64|/usr/local/lib": {
            "owner": "",
            "target": FILE,
            "position": 0,
        },
    }
    packaged = {key: {**item, "position": 0} for key, item in cache.items() if item["owner"]}
    packages = {name: package("1", "imagemagick") for name in ("libmagickcore", "libmagickwand")}

    report = explained(
        fingerprint("web-c", packages, facts={"libraries": cache}),
        fingerprint("web-b", packages, facts={"libraries": packaged}),
    )

    (cause,) = report.causes
    (finding,) = report.findings
    assert cause.text == (
        "/usr/local/lib/libMagickCore-6.Q16.so.6, libMagickWand-6.Q16.so.6, which no package "
        "owns, hide those of libmagickcore, libmagickwand on web-c"
    )
    assert len(cause.claims) == len(finding.members) == 3


# --- what is switched on -------------------------------------------------------------------------


def enabled(*names):
    return {"extensions": {f"php/8.2/fpm/{name}": {"owner": f"php8.2-{name}"} for name in names}}


def test_an_extension_that_is_switched_off_is_a_capability_that_lacks():
    packages = {"php8.2-gd": package("8")}
    item = {"count": 1, "loads": {"/usr/sbin/php-fpm8.2": "php8.2-fpm"}}
    ours = fingerprint(
        "web-a", packages, facts=enabled("xdebug"), evidence={"processes": {FPM: item}}
    )
    theirs = fingerprint("web-b", packages, facts=enabled("gd"))

    (cause,) = explained(ours, theirs).causes

    assert (cause.id, cause.level) == ("capability:php/8.2/fpm", "in-use")
    assert cause.text == "php/8.2/fpm has xdebug on web-a only and gd on web-b only"
    assert cause.evidence[1].cites == ["reference/extensions:php/8.2/fpm/gd"]


def test_an_extension_whose_package_or_program_one_side_lacks_is_no_difference_of_its_own():
    for lacking in ("php8.2-gd", "php8.2-fpm"):
        ours = fingerprint("web-a", {lacking: package("8")}, facts=enabled("gd"))

        report = explained(ours, fingerprint("web-b", {}, facts={"extensions": {}}))

        assert [f.id for f in report.findings] == [f"dpkg:{lacking}"]


def test_an_edited_file_of_a_package_is_told_once_with_its_package():
    path = "/etc/a.conf"

    def side(name, digest, **facts):
        files = {path: {"digest": digest, "mode": "644"}}
        return fingerprint(name, {"a": package("1")}, facts={"files": files, **facts})

    edited = {path: {"package": "a", "state": "edited"}}
    report = explained(side("web-a", "2", conffiles=edited), side("web-b", "1", conffiles={}))
    (finding,) = report.findings
    assert [member.id for member in finding.members] == [f"conffiles:{path}", f"files:{path}"]
