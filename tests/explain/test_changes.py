"""What changed between the versions: what is asked, what is told, and what it is worth."""

from driftscan import diff
from driftscan.explain import engine
from driftscan.model import Side, Want
from tests.build import fingerprint, package


def _wants(ours, theirs, **more):
    subject, reference = Side(fingerprint=ours), Side(fingerprint=theirs)
    return engine.wants(subject, reference, diff.compare(ours, theirs), **more)


def _of(kind, wants):
    return [want for want in wants if want.kind == kind]


def test_the_changelog_is_asked_of_the_newer_side_with_all_binaries_of_the_source():
    ours = {"tool": package("1-1", "src"), "tool-common": package("1-1", "src")}
    theirs = {"tool": package("1-2", "src"), "tool-common": package("1-2", "src")}

    wants = _wants(fingerprint("a", ours), fingerprint("b", theirs))

    assert _of("changelogs", wants) == [
        Want(
            side="reference",
            kind="changelogs",
            name="src",
            names=("tool", "tool-common"),
            version="1-2",
        )
    ]


def test_where_the_subject_is_newer_it_is_asked_itself():
    wants = _wants(
        fingerprint("a", {"tool": package("2-1")}), fingerprint("b", {"tool": package("1-1")})
    )

    assert [(w.side, w.version) for w in _of("changelogs", wants)] == [("subject", "2-1")]


def test_a_rebuild_of_the_same_source_has_no_changelog_to_ask_for():
    ours = {"tool": {**package("1-1+b1"), "source_version": "1-1"}}
    theirs = {"tool": {**package("1-1+b2"), "source_version": "1-1"}}

    assert _of("changelogs", _wants(fingerprint("a", ours), fingerprint("b", theirs))) == []


def test_symbols_are_asked_of_both_sides_for_libraries_and_not_for_headers():
    names = ("libx1", "libx-dev", "libx-doc", "x-tools")
    ours = {name: package("1", "x") for name in names}
    theirs = {name: package("2", "x") for name in names}

    wants = _of("symbols", _wants(fingerprint("a", ours), fingerprint("b", theirs)))

    assert [(w.side, w.name) for w in wants] == [("reference", "libx1"), ("subject", "libx1")]


def test_a_library_with_another_soname_is_asked_under_both_names():
    ours, theirs = {"libx2": package("2", "x")}, {"libx1": package("1", "x")}

    wants = _of("symbols", _wants(fingerprint("a", ours), fingerprint("b", theirs)))

    assert [(w.side, w.name) for w in wants] == [("reference", "libx1"), ("subject", "libx2")]


def test_between_two_releases_only_what_was_asked_for_is_asked_about():
    def host(name, codename, version):
        return fingerprint(
            name,
            {"tool": package(version), "other": package(version)},
            facts={"os": {"release": {"id": "debian", "codename": codename}}},
            evidence={
                "apt-history": {"0": {"start": "2026-01-01 00:00", "install": {"tool": "1"}}}
            },
        )

    wants = _wants(host("a", "trixie", "2"), host("b", "bookworm", "1"))

    assert [want.name for want in _of("changelogs", wants)] == ["tool"]
