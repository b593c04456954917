"""Baselines: which line of the Dockerfile did what, from histories that real builders recorded."""

import itertools
import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftscan import attribution, baseline, dockerfile
from driftscan.attribution import UNKNOWN, History
from driftscan.errors import EngineError, InputError
from driftscan.machines import databases
from driftscan.machines.engine import Engine
from driftscan.machines.image_layers import Entry, Layer, SavedImage
from driftscan.model import Baseline, Collected, Fingerprint, Meta, Place
from tests.rpmdb import made as rpmdb

HARD = Path(__file__).parent / "machines" / "captured" / "hard"
BUILDERS = ["legacy", "buildkit", "podman"]
MADE = {12: "COPY", 14: "RUN", 18: "RUN", 19: "WORKDIR", 20: "RUN", 24: "COPY"} | dict.fromkeys(
    (26, 27, 28, 31, 32, 33, 34), "RUN"
)


def captured(builder):
    """The history that a builder recorded of `captured/hard/Dockerfile`."""
    entries = json.loads((HARD / f"{builder}.json").read_text())["history"]
    layers = itertools.count()
    return [
        Entry(
            entry.get("created_by", ""),
            entry["created"],
            None if entry.get("empty_layer") else next(layers),
            entry.get("comment", ""),
        )
        for entry in entries
    ]


def chain(text, **build_args):
    return dockerfile.final_chain(dockerfile.parse(text), build_args)


def history(text, *entries, base=None, **build_args):
    """The record of a Dockerfile whose history is these texts; `ENV` and the like have no layer."""
    layers = itertools.count()
    made = [
        Entry(
            entry,
            f"2026-11-23T10:00:{number:02}Z",
            next(layers) if not entry or entry.startswith(("RUN", "COPY", "/bin")) else None,
        )
        for number, entry in enumerate(entries)
    ]
    return History("web/Dockerfile", chain(text, **build_args), made, base, "web")


def run(script):
    return f"RUN /bin/sh -c {script} # buildkit"


def told(record):
    """Kind and line of what made each layer."""
    return [(place.kind, place.line) for place in record.of_layers()]


@pytest.mark.parametrize("base", [1, None])
@pytest.mark.parametrize("builder", BUILDERS)
def test_every_entry_of_a_real_history_is_its_instruction(builder, base):
    record = History("D", chain((HARD / "Dockerfile").read_text()), captured(builder), base, "hard")
    assert all(place.built for place in record.lines())
    first, *made = record.of_layers()
    assert (first.kind, first.line, first.text) == ("base", 8, "debian:bookworm")
    assert all(place.kind == "line" for place in made)
    # not every builder makes a layer of every one of them
    lines = [place.line for place in made]
    assert lines == sorted(lines)
    assert {14, 18, 20, 24, 26, 28, 31, 32, 34} <= set(lines) <= set(MADE)
    assert {place.line: place.text.split()[0] for place in made}.items() <= MADE.items()


@pytest.mark.parametrize(
    ("builder", "name"),
    [("legacy", "docker legacy"), ("buildkit", "docker buildkit"), ("podman", "podman")],
)
def test_the_builder_is_told_from_its_own_entries(builder, name):
    engine = Engine("docker", "podman" if builder == "podman" else "docker")
    record = History("D", chain((HARD / "Dockerfile").read_text()), captured(builder), 1, "hard")
    assert baseline._builder(engine, record.own_entries()) == name


def test_a_line_is_one_line_with_its_continuations_and_heredocs():
    text = (
        "FROM a\nRUN apt-get update && \\\n  # why\n\tapt-get install x\nRUN <<E\none\n\ttwo\nE\n"
    )
    record = history(text, "", run("apt-get update &&  apt-get install x"), run("one\n\ttwo\n"))
    assert [(p.line, p.text, p.built[-3:]) for p in record.lines()] == [
        (2, "RUN apt-get update && apt-get install x", "01Z"),
        (5, "RUN <<E ; one ; two", "02Z"),
    ]


def test_secrets_of_the_dockerfile_are_not_kept():
    record = history("FROM a\nRUN curl https://me:hunter2@x/ && PASSWORD=hunter2 y\n", "", "RUN")
    assert "hunter2" not in record.lines()[0].text


def test_the_base_is_what_its_argument_says():
    text = "ARG BASE=debian\nFROM ${BASE}\nRUN a\n"
    record = history(text, "", run("a"), BASE="mine:1")
    assert [place.text for place in record.of_layers()] == ["mine:1", "RUN a"]


def test_all_of_an_image_from_scratch_is_its_dockerfiles():
    record = history("FROM scratch\nCOPY a /\nRUN b\n", "COPY a / # buildkit", run("b"), base=0)
    assert told(record) == [("line", 2), ("line", 3)]


def test_a_stage_that_is_not_the_final_one_made_nothing():
    text = "FROM a AS x\nRUN one\nFROM a\nRUN two\nCOPY --from=x /y /y\n"
    record = history(text, "", run("two"), "COPY /y /y # buildkit")
    assert told(record) == [("base", 3), ("line", 4), ("line", 5)]


def test_the_same_text_in_the_base_and_in_the_dockerfile_is_told_apart_by_order():
    text = "FROM a\nRUN apt-get update\nRUN b\n"
    entries = ["", run("apt-get update"), run("apt-get update"), run("b")]
    assert told(history(text, *entries)) == [("base", 1), ("base", 1), ("line", 2), ("line", 3)]
    assert told(history(text, *entries, base=2)) == told(history(text, *entries))


def test_our_own_label_at_the_end_of_a_history_is_no_instruction():
    text = "FROM a\nRUN apt-get update\nRUN b\n"
    label = ' #(nop) LABEL "driftscan.baseline"="web"'
    entries = ["", run("apt-get update"), run("apt-get update"), run("b"), label]
    assert told(history(text, *entries)) == [("base", 1), ("base", 1), ("line", 2), ("line", 3)]


def test_one_entry_less_than_instructions_leaves_the_twins_unknown_and_the_rest_known():
    text = "FROM a\nRUN same\nRUN same\nRUN other\n"
    record = history(text, "", run("same"), run("other"), base=1)
    assert told(record) == [("base", 1), ("unknown", 0), ("line", 4)]
    unknown = record.of_layers()[1]
    assert unknown.confidence == "unknown"
    assert unknown.text == run("same")
    assert unknown.built == "2026-11-23T10:00:01Z"


def test_a_text_that_no_instruction_has_is_unknown_and_its_neighbours_are_not():
    text = "FROM a\nRUN one\nRUN two\nRUN three\n"
    record = history(text, "", run("one"), run("2"), run("three"), base=1)
    assert told(record) == [("base", 1), ("line", 2), ("unknown", 0), ("line", 4)]


def test_a_builder_that_leaves_out_metadata_is_understood():
    text = "FROM a\nARG X=1\nRUN one\nENV Y=2\nRUN two\n"
    record = history(text, "", run("one"), run("two"))
    assert told(record) == [("base", 1), ("line", 3), ("line", 5)]
    assert [bool(place.built) for place in record.lines()] == [False, True, False, True]


def test_without_any_match_nothing_is_claimed_not_even_for_the_base():
    record = history("FROM a\nRUN one\n", "", run("x"), run("y"))
    assert {place.kind for place in record.of_layers()} == {"unknown"}


def test_a_trigger_of_the_base_image_is_unknown_not_the_dockerfiles():
    record = history("FROM a\nRUN one\n", "", run("trigger"), run("one"), base=1)
    assert told(record) == [("base", 1), ("unknown", 0), ("line", 2)]


TEXTS = st.lists(st.sampled_from("abc"), max_size=5)


@given(TEXTS, TEXTS)
def test_a_pair_is_certain_exactly_if_all_best_pairings_have_it(instructions, entries):
    body = chain("FROM x\n" + "".join(f"RUN {i}\n" for i in instructions))[1:]
    pairings = [
        dict(zip(columns, rows, strict=True))
        for size in range(min(len(instructions), len(entries)) + 1)
        for rows in itertools.combinations(range(len(instructions)), size)
        for columns in itertools.combinations(range(len(entries)), size)
        if all(instructions[i] == entries[j] for i, j in zip(rows, columns, strict=True))
    ]
    most = max(map(len, pairings))
    best = [set(p.items()) for p in pairings if len(p) == most]
    assert attribution.certain_pairs(body, [run(e) for e in entries]) == dict(
        set.intersection(*best)
    )


# --- packages ----------------------------------------------------------------------------------


def place(line):
    return Place(kind="line", line=line) if line else Place(kind="base")


def final(versions):
    return {key: {"version": version} for key, version in versions.items()}


def origins(*states, last=None):
    """Package to (brought, changed) lines; the first state is the base's, the others lines 1..."""
    found = attribution.from_layers(
        states, [place(n) for n in range(len(states))], final(last or states[-1])
    )
    return {
        key: tuple("?" if p == UNKNOWN else p.line for p in origin) for key, origin in found.items()
    }


def test_brought_is_where_it_appeared_and_changed_where_its_version_last_did():
    assert origins(
        {"a": "1", "b": "1"},
        {"a": "1", "b": "2", "c": "1"},
        {"a": "1", "b": "2", "c": "1"},
        {"a": "1", "b": "2", "c": "2"},
    ) == {"a": (0, 0), "b": (0, 1), "c": (1, 3)}


def test_what_was_removed_and_came_again_was_brought_by_the_later_line():
    assert origins({"a": "1"}, {}, {"a": "1"}) == {"a": (2, 2)}


def test_what_is_gone_has_no_origin():
    assert origins({"a": "1", "b": "1"}, {"b": "1"}) == {"b": (0, 0)}


def test_a_version_that_went_and_came_back_was_changed_last():
    assert origins({"a": "1"}, {"a": "2"}, {"a": "1"}) == {"a": (0, 2)}


def test_after_a_layer_that_is_unknown_only_what_stayed_is_known():
    assert origins(
        {"a": "1", "b": "1"},
        None,
        {"a": "1", "b": "2", "c": "1"},
        {"a": "1"} | {"b": "2", "c": "2"},
    ) == {"a": (0, 0), "b": (0, "?"), "c": ("?", 3)}


def test_nothing_is_said_when_the_last_layer_is_unknown_or_layers_do_not_count():
    assert origins({"a": "1"}, None, last={"a": "1"}) == {}
    assert attribution.from_layers([{"a": "1"}], [], final({"a": "1"})) == {}


def test_what_the_image_itself_tells_otherwise_has_no_origin():
    assert origins({"a": "1", "b": "1"}, last={"a": "1", "b": "9", "c": "1"}) == {"a": (0, 0)}


STATUS = """Package: dpkg
Status: install ok installed
Architecture: amd64
Version: 1.21.22
Description: the own
 architecture

Package: libc6
Status: install ok installed
Architecture: i386
Multi-Arch: same
Version: 2.36-9

Package: gone
Status: deinstall ok config-files
Architecture: all
Version: 1
"""


def test_the_packages_of_a_layer_have_the_keys_of_the_probe():
    (dpkg,) = (database for database in databases.DATABASES if database.section == "dpkg")
    assert dpkg.versions({dpkg.paths[0]: STATUS.encode()}) == {
        "dpkg": "1.21.22",
        "libc6:i386": "2.36-9",
    }


APK = "lib/apk/db/installed"
LOCAL = "var/lib/pacman/local"
RPM = "var/lib/rpm/rpmdb.sqlite"


def rpms(*packages):
    """A database of rpm with `name version release epoch`."""
    return rpmdb.sqlite(
        *(
            rpmdb.header(n.encode(), v.encode(), r.encode(), **({"epoch": e} if e else {}))
            for n, v, r, e in packages
        )
    )


def test_an_rpm_database_of_a_layer_has_the_keys_and_versions_of_the_probe():
    (rpm,) = (database for database in databases.DATABASES if database.section == "rpm")
    kernels = [("kernel-core", "5.14", "9", 0), ("kernel-core", "5.14", "10", 0)]
    files = {RPM: rpms(("openssl", "3.0", "1.el9", 1), *kernels)}
    assert rpm.versions(files) == {
        "kernel-core.x86_64": "5.14-10",
        "openssl.x86_64": "1:3.0-1.el9",
    }


@pytest.mark.parametrize(
    ("section", "layers", "removed"),
    [
        (
            "apk",
            [
                {APK: b"C:Q1\nP:musl\nV:1.2-r0\n\nP:curl\nV:8.0-r0\n\n"},
                {APK: b"P:musl\nV:1.2-r1\n\nP:curl\nV:8.0-r0\n\nP:new\nV:1-r0\n\n"},
                {APK: b"P:musl\nV:1.2-r1\n\nP:new\nV:1-r0\n\n"},
            ],
            {},
        ),
        (
            "pacman",
            [
                {f"{LOCAL}/musl-1.2-r0/desc": b"", f"{LOCAL}/curl-8.0-1/desc": b""},
                {f"{LOCAL}/musl-1.2-r1/desc": b"", f"{LOCAL}/new-1-r0/desc": b""},
                {},
            ],
            {1: (f"{LOCAL}/musl-1.2-r0",), 2: (f"{LOCAL}/curl-8.0-1",)},
        ),
        (
            "rpm",
            [
                {RPM: rpms(("musl", "1.2", "r0", 0), ("curl", "8.0", "1", 0))},
                {
                    RPM: rpms(
                        ("musl", "1.2", "r1", 0), ("curl", "8.0", "1", 0), ("new", "1", "r0", 0)
                    )
                },
                {RPM: rpms(("musl", "1.2", "r1", 0), ("new", "1", "r0", 0))},
            ],
            {},
        ),
    ],
)
def test_who_brought_and_changed_packages_of_other_managers(section, layers, removed):
    """A package of the base that a line upgraded, one that a line brought, one that it removed."""
    made = history("FROM alpine\nRUN one\nRUN two\n", "", run("one"), run("two"), base=1)
    saved = SavedImage(
        created="",
        environment=(),
        history=(),
        layers=tuple(Layer(f, removed.get(n, ())) for n, f in enumerate(layers)),
    )
    ending = ".x86_64" if section == "rpm" else ""
    final_ = {f"musl{ending}": {"version": "1.2-r1"}, f"new{ending}": {"version": "1-r0"}}
    found = attribution.attributions(
        Fingerprint(
            meta=Meta(target="web", kind="image", address="", taken="", privilege="root"),
            facts={section: Collected(items=final_)},
            evidence={},
        ),
        saved,
        made,
    )
    assert {k: (o.brought_by.kind, o.changed_by.line) for k, o in found.items()} == {
        f"musl{ending}": ("base", 2),
        f"new{ending}": ("line", 2),
    }


def fingerprint(packages, times=None):
    meta = Meta(target="web", kind="image", address="", taken="", privilege="root")
    changed = {key: {"changed": seconds} for key, seconds in (times or {}).items()}
    return Fingerprint(
        meta=meta,
        facts={"dpkg": Collected(items=final(packages))},
        evidence={"dpkg-times": Collected(items=changed)},
    )


NOON = 1795428000  # 2026-11-23T10:00:00Z


def by_time(layers, times, created=("10:00:00", "10:00:10", "10:00:20")):
    """What is said of each package when layers cannot tell: (kind, line, confidence) pairs."""
    entries = [
        Entry(text, f"2026-11-23T{time}.5Z", number)
        for number, (text, time) in enumerate(zip(["", run("b"), run("c")], created, strict=True))
    ]
    record = History("D", chain("FROM a\nRUN b\nRUN c\n"), entries, 1, "web")
    saved = SavedImage("", (), tuple(entries), tuple(layers))
    given = fingerprint(dict.fromkeys(times, "1"), times)
    return {
        key: [(p.kind, p.line, p.confidence) for p in origin]
        for key, origin in attribution.attributions(given, saved, record).items()
    }


NOTHING = ("unknown", 0, "unknown")


def test_where_layers_cannot_be_read_the_time_infers_the_change_and_not_who_brought_it():
    unreadable = [Layer(), Layer(unreadable="zstd"), Layer()]
    assert by_time(unreadable, {"a": NOON - 9, "b": NOON + 10, "c": NOON + 20, "d": NOON + 99}) == {
        "a": [("base", 1, "inferred")] * 2,
        "b": [NOTHING, ("line", 2, "inferred")],
        "c": [NOTHING, ("line", 3, "inferred")],
        "d": [NOTHING, NOTHING],
    }


@pytest.mark.parametrize(
    "created",
    [("10:00:00", "10:00:00", "10:00:00"), ("10:00:00", "10:00:20", "10:00:10")],
    ids=["one build time for all", "not in order"],
)
def test_times_that_cannot_order_the_layers_infer_nothing(created):
    unreadable = [Layer(unreadable="zstd")] * 3
    assert by_time(unreadable, {"b": NOON + 5}, created) == {"b": [NOTHING, NOTHING]}


def test_the_layers_win_over_the_times():
    one = b"Package: dpkg\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\n"
    layers = [Layer({"var/lib/dpkg/status": one}), Layer(), Layer()]
    assert by_time(layers, {"dpkg": NOON + 20}) == {"dpkg": [("base", 1, "recorded")] * 2}


def test_places_have_short_names_and_two_of_one_line_are_told_apart():
    one, two = Place(kind="line", line=2, text="RUN a"), Place(kind="line", line=2, text="RUN b")
    inferred = msgspec.structs.replace(one, confidence="inferred")
    origin = attribution.Origin
    names, found = attribution.named(
        [one, two], {"a": origin(one, two), "b": origin(UNKNOWN, inferred)}
    )
    assert {key: (o.brought_by, o.changed_by) for key, o in found.items()} == {
        "a": ("line 2", "line 2 (2)"),
        "b": ("unknown", "line 2 (inferred)"),
    }
    assert names == {
        "line 2": one,
        "line 2 (2)": two,
        "line 2 (inferred)": inferred,
        "unknown": UNKNOWN,
    }


# --- small things ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("time", "utc"),
    [
        ("2026-11-23T23:32:13.670966065Z", "2026-11-23T23:32:13Z"),
        ("2026-11-23T23:32:13+02:00", "2026-11-23T21:32:13Z"),
        ("2026-11-23T23:32:13", ""),
        ("0001-01-01T00:00:00Z", ""),
        ("", ""),
        ("yesterday", ""),
    ],
)
def test_times_are_utc_or_empty(time, utc):
    assert attribution.utc(time) == utc


@pytest.mark.parametrize(
    ("reference", "digests", "pulled"),
    [
        ("debian:bookworm", ["debian@sha256:1"], True),
        ("debian", ["docker.io/library/debian@sha256:1"], True),
        ("docker.io/library/debian:12", ["debian@sha256:1"], True),
        ("registry:5000/a/b", ["registry:5000/a/b@sha256:1"], True),
        ("mine:1", ["debian@sha256:1"], False),
        ("mine:1", [], False),
        ("mine:1", None, False),
        ("localhost/mine:1", ["localhost/mine@sha256:1"], False),
    ],
)
def test_only_a_base_that_came_from_its_registry_is_pulled_again(reference, digests, pulled):
    assert baseline._from_registry(reference, digests) is pulled


def test_a_folder_without_a_dockerfile_is_named(tmp_path):
    with pytest.raises(InputError, match=r"Dockerfile: no such file or directory; name a Docker"):
        baseline.build(tmp_path, engine=Engine("false", "docker"))


def test_a_dockerfile_that_cannot_be_parsed_is_told_before_any_engine_is_asked(tmp_path):
    (tmp_path / "Dockerfile").write_text("FROM a\nRUM x\n")
    with pytest.raises(InputError, match="Dockerfile:2: unknown instruction 'RUM'"):
        baseline.build(tmp_path, engine=Engine("/nonexistent", "docker"))


@pytest.mark.case("F42")
def test_an_engine_that_is_away_is_an_engine_error(tmp_path):
    (tmp_path / "Dockerfile").write_text("FROM a\n")
    with pytest.raises(EngineError, match="cannot be started"):
        baseline.build(tmp_path, engine=Engine("/nonexistent", "docker"))


def test_a_baseline_survives_being_stored_and_finds_its_places():
    line = Place(kind="line", file="D", line=2, text="RUN a")
    stored = Baseline(
        name="web",
        image="sha256:1",
        built="2026-11-23T10:00:00Z",
        builder="podman",
        dockerfile="D",
        digest="sha256:2",
        text="FROM a\nRUN a\n",
        attributions=attribution.named([line], {"x": attribution.Origin(line, line)})[1],
        places={"line 2": line},
        fingerprint=fingerprint({"x": "1"}),
    )
    again = msgspec.json.decode(msgspec.json.encode(stored), type=Baseline)
    assert again == stored
    assert again.brought_by("x") == again.changed_by("x") == line
    assert again.lines == [line]
    assert again.brought_by("y") is None
