"""Who is hit: through which plugin, on which ports, and whether it still runs the old file."""

from msgspec.structs import replace

from driftscan import diff
from driftscan.explain import engine, impact
from driftscan.explain.case import Case
from driftscan.model import Collected, Partial, Side
from tests.build import fingerprint, package, transaction

CORE = "/usr/lib/x86_64-linux-gnu/libMagickCore-6.Q16.so.6.0.0"
PLUGIN = "/usr/lib/php/20220829/imagick.so"
FPM = "/usr/sbin/php-fpm8.2|php8.2-fpm.service"


def case(processes, needs=None):
    packages = {"libmagickcore-6.q16-6": package("1"), "php-imagick": package("1")}
    evidence = {"processes": processes, "dpkg-needs": needs or {}}
    side = Side(fingerprint=fingerprint("web-a", packages, evidence=evidence))
    return Case(side, side, diff.compare(side.fingerprint, side.fingerprint))


def fpm(**more):
    loads = {CORE: "libmagickcore-6.q16-6", PLUGIN: "php-imagick", "/usr/lib/libc.so.6": "libc6"}
    return {FPM: {"count": 3, "loads": loads, **more}}


NEEDS = {
    "php-imagick": {"depends": "libc6 (>= 2.34), libmagickcore-6.q16-6 (>= 8:6.9.10.2)"},
    "libc6": {"depends": ""},
    "libmagickcore-6.q16-6": {"depends": "libc6"},
}


def test_a_program_uses_a_library_through_the_module_whose_package_needs_it():
    (use,) = impact.uses(case(fpm(), NEEDS), ["libmagickcore-6.q16-6"])
    assert (use.service, use.processes, use.files, use.via) == (
        "php8.2-fpm.service",
        3,
        [CORE],
        ["imagick.so"],
    )


def test_a_module_that_does_not_need_it_is_not_how_it_is_loaded():
    (use,) = impact.uses(case(fpm(), {**NEEDS, "php-imagick": {"depends": "libc6"}}), ["libc6"])
    assert use.via == ["imagick.so"]
    (use,) = impact.uses(case(fpm(), {}), ["libmagickcore-6.q16-6"])
    assert use.via == []


def test_ports_and_deleted_files_are_told_of_the_program_that_has_them():
    found = case(fpm(ports=["tcp/9000"], deleted=[CORE]), NEEDS)
    (use,) = impact.uses(found, ["libmagickcore-6.q16-6"])
    assert (use.ports, use.stale) == (["tcp/9000"], True)
    (other,) = impact.uses(found, ["libc6"])
    assert other.stale is False


def test_without_root_what_is_not_seen_is_unknown_and_not_unused():
    partial = Partial(items=fpm(), gaps=["8 of 9 processes belong to others"])
    assert not impact.known(case(partial, NEEDS))


def test_a_module_is_no_reason_where_the_program_itself_needs_the_library():
    needs = {**NEEDS, "php8.2-fpm": {"depends": "libmagickcore-6.q16-6"}}
    processes = fpm()
    processes[FPM]["loads"]["/usr/sbin/php-fpm8.2"] = "php8.2-fpm"
    (use,) = impact.uses(case(processes, needs), ["libmagickcore-6.q16-6"])
    assert use.via == []


# --- tools -------------------------------------------------------------------------------------


def differing(details=None):
    history = {"1": transaction("apt-get install magick", install={"magick": "1"})}
    needs = {"magick": {"depends": "magick-core"}}
    evidence = {"apt-history": history, "dpkg-needs": needs, "processes": {}}
    ours = {n: package("1", "magick") for n in ("magick", "magick-core")} | {"zip": package("1")}
    theirs = {name: package("2", item["source"]) for name, item in ours.items()}
    one = fingerprint("web-a", ours, evidence=evidence)
    one = replace(one, details={"programs": Collected(items=details or {})})
    return Side(fingerprint=one), Side(fingerprint=fingerprint("web-b", theirs))


def test_programs_are_wanted_of_what_was_asked_for_and_differs():
    ours, theirs = differing()
    comparison = diff.compare(ours.fingerprint, theirs.fingerprint)
    wanted = engine.wants(ours, theirs, comparison)
    assert [w.name for w in wanted if w.kind == "programs"] == ["magick", "magick-core"]


def test_the_programs_of_what_was_asked_for_are_its_tools():
    ours, theirs = differing({"magick-core": {"programs": ["/usr/bin/convert"]}})
    comparison = diff.compare(ours.fingerprint, theirs.fingerprint)
    report = engine.explain(ours, theirs, comparison)
    assert {f.key: f.tools for f in report.findings} == {"magick": ["/usr/bin/convert"], "zip": []}
