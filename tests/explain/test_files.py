"""What no package manager decides: what stands in front, what is set by hand, what still runs."""

from driftscan import diff, policy
from driftscan.explain.engine import explain
from driftscan.model import Side
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
        (
            "proven",
            "ldconfig -p lists /usr/local/lib before /usr/lib/x86_64-linux-gnu for "
            "libMagickCore-6.Q16.so.6",
        ),
        ("proven", f"php8.2-fpm maps {FILE} (3 processes)"),
        (
            "recorded",
            "libmagickcore is equal on both sides: packages do not explain this, "
            "a library outside the package manager does",
        ),
        (
            "inferred",
            "it was probably built there: gcc and 2 -dev packages came 2026-10-28 18:44:00 with "
            "apt-get install libpng-dev libjpeg-dev gcc (deploy)",
        ),
    ]
    assert [e.cites for e in cause.evidence] == [
        [f"subject/libraries:{LOCAL}", f"subject/libraries:{OWNED}"],
        [f"subject/processes:{FPM}"],
        ["subject/dpkg:libmagickcore", "reference/dpkg:libmagickcore"],
        ["subject/apt-history:1"],
    ]


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


def stale(*, history=True):
    deleted = "/usr/lib/x86_64-linux-gnu/libMagickCore-6.Q16.so.6.0.0"
    item = {"count": 3, "loads": {deleted: "libmagickcore"}, "deleted": [deleted]}
    done = transaction("apt-get install --only-upgrade libmagickcore", "2026-11-23 16:31:00")
    done["upgrade"] = {"libmagickcore": "1 -> 2"}
    evidence = {"processes": {FPM: item}, "apt-history": {HISTORY: done} if history else {}}
    ours = fingerprint("web-u", {"libmagickcore": package("2")}, evidence=evidence)
    return ours, fingerprint("web-b", {"libmagickcore": package("2")})


def test_a_program_that_runs_a_replaced_library_is_drift_though_no_fact_differs():
    report = explained(*stale())

    (cause,) = report.causes
    (finding,) = report.findings
    assert report.state == "drift"
    assert cause.id == "stale-process:php8.2-fpm"
    assert cause.text == (
        "php8.2-fpm on web-u runs libMagickCore-6.Q16.so.6.0.0, which was replaced or removed "
        "since, although libmagickcore 2 is installed"
    )
    assert (cause.level, cause.confidence) == ("in-use", "proven")
    assert (finding.section, finding.level) == ("processes", "in-use")
    assert cause.host_record.time == "2026-11-23 16:31"
    assert texts(cause) == [
        (
            "proven",
            "3 processes map (deleted) /usr/lib/x86_64-linux-gnu/libMagickCore-6.Q16.so.6.0.0",
        ),
        (
            "recorded",
            "libmagickcore 2 is there since 2026-11-23 16:31, by deploy: "
            "apt-get install --only-upgrade libmagickcore",
        ),
    ]
    assert policy.judge({"web-u": report}, "in-use").exit_code == 1
    assert policy.judge({"web-u": report}, "breaks").exit_code == 0


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

    assert cause.text == "java is set by hand to /opt/jdk-11/bin/java on web-p"
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
