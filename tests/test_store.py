"""Fingerprints and baselines on disk: what is written is read back, anything else is named."""

import json
import os
import stat
import string
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftscan import store
from driftscan.errors import StoreError
from driftscan.model import (
    SCHEMA,
    Absent,
    Attribution,
    Baseline,
    Collected,
    Denied,
    Failed,
    Fingerprint,
    Meta,
    Partial,
    Place,
)

META = Meta(
    target="web-a", kind="host", address="10.0.0.7", taken="2026-11-23T17:20:00Z", privilege="root"
)
FINGERPRINT = Fingerprint(
    meta=META,
    facts={
        "dpkg": Collected(items={"curl": {"version": "7.88.1", "n": 1, "held": True}}),
        "apk": Absent(),
        "path": Partial(items={}, gaps=["half of it"]),
    },
    evidence={
        "logs": Denied(cure="root"),
        "x": Failed(reason="no"),
        "y": Collected(items={"a": {"list": ["1"], "map": {"k": "v"}, "none": None}}),
    },
)
LINE = Place(kind="line", file="Dockerfile", line=2, text="RUN a \\\n\tb")
BASELINE = Baseline(
    name="web",
    image="sha256:0f",
    built="2026-11-23T16:43:59Z",
    builder="docker 20.10",
    dockerfile="Dockerfile",
    digest="sha256:1e",
    text="FROM debian\nRUN a \\\n\tb\n",
    attributions={"curl": Attribution(brought_by="line 2", changed_by="base")},
    places={"line 2": LINE, "base": Place(kind="base")},
    fingerprint=FINGERPRINT,
)


@pytest.fixture
def saved(tmp_path):
    """`saved(content)`: a file of that content (bytes, text or plain data)."""

    def saved(content):
        path = tmp_path / "x.json"
        if not isinstance(content, str | bytes):
            content = json.dumps(content)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return saved


def plain(noun):
    return json.loads(store.encode(noun))


def without(data, *path):
    """The data without the entry at the path."""
    *parents, last = path
    inner = data
    for part in parents:
        inner = inner[part]
    del inner[last]
    return data


def refusal(path):
    with pytest.raises(StoreError) as error:
        store.load(path)
    assert str(error.value).startswith(f"{path}: ")
    return str(error.value).removeprefix(f"{path}: ")


@pytest.mark.parametrize("noun", [FINGERPRINT, BASELINE], ids=["fingerprint", "baseline"])
def test_what_is_saved_is_loaded_and_saves_to_the_same_bytes(tmp_path, noun):
    store.save(tmp_path / "a.json", noun)
    again = store.load(tmp_path / "a.json")
    store.save(tmp_path / "b.json", again)

    assert again == noun
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


def test_keys_are_sorted_lines_are_short_and_the_schema_is_always_written(tmp_path):
    store.save(tmp_path / "a.json", BASELINE)
    text = (tmp_path / "a.json").read_text()

    assert text == json.dumps(json.loads(text), sort_keys=True, indent=1) + "\n"
    assert (json.loads(text)["schema"], json.loads(text)["fingerprint"]["schema"]) == (1, 1)


@pytest.mark.case("D12")
def test_fingerprints_and_baselines_are_private_whatever_the_umask(tmp_path):
    for umask in (0o077, 0o000):
        old = os.umask(umask)
        try:
            store.save(tmp_path / "f.json", FINGERPRINT)
            store.save(tmp_path / "b.json", BASELINE)
        finally:
            os.umask(old)
        modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("f.json", "b.json")]
        assert modes == [0o600, 0o600]


def test_a_baseline_that_was_opened_to_others_stays_so(tmp_path):
    store.save(tmp_path / "b.json", BASELINE)
    (tmp_path / "b.json").chmod(0o644)
    store.save(tmp_path / "b.json", BASELINE)
    assert stat.S_IMODE((tmp_path / "b.json").stat().st_mode) == 0o644


@pytest.mark.case("D11")
def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.json"
    store.save(path, FINGERPRINT)
    before = path.read_bytes()

    with pytest.raises(TypeError):
        store.write(path, "not bytes")
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.json"]


@pytest.mark.case("D02")
def test_a_full_disk_leaves_the_old_file_and_names_the_path(tmp_path):
    """A limit on the size of files is the disk that is full."""
    code = f"""
import resource, signal
from pathlib import Path
from driftscan import store
from driftscan.errors import StoreError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
path = Path({str(tmp_path / "a.json")!r})
store.write(path, b"old")
try:
    store.write(path, b"x" * 100_000)
except StoreError as error:
    print(error)
print(path.read_bytes(), [p.name for p in path.parent.iterdir()])
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(__file__).parents[1]
    )
    assert done.stdout == (
        f"{tmp_path}/a.json: cannot be written: File too large\nb'old' ['a.json']\n"
    ), done.stderr


@pytest.mark.case("H38")
def test_a_link_is_replaced_and_what_it_points_to_is_left_alone(tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / "link").symlink_to(victim)
    store.write(tmp_path / "link", b"new")

    assert victim.read_text() == "precious"
    assert (tmp_path / "link").read_text() == "new"


def test_a_pipe_and_a_device_are_written_into_not_replaced(tmp_path):
    store.write(Path("/dev/null"), b"x")
    assert Path("/dev/null").is_char_device()

    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    try:
        store.write(tmp_path / "pipe", b"through")
        assert os.read(reader, 100) == b"through"
    finally:
        os.close(reader)
    assert (tmp_path / "pipe").is_fifo()


@pytest.mark.case("H38")
def test_a_pipe_that_nobody_reads_is_not_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "_READER", 0.05)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(StoreError, match=r"pipe: cannot be written: a pipe that nobody has read"):
        store.write(tmp_path / "pipe", b"x")

    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    try:
        with pytest.raises(StoreError, match="nobody has read the pipe for"):
            store.write(tmp_path / "pipe", bytes(1 << 20))
    finally:
        os.close(reader)


@pytest.mark.case("H38")
@pytest.mark.skipif(os.getuid() != 0, reason="needs root, to give a pipe to another account")
def test_a_pipe_of_another_account_gets_nothing(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    os.chown(tmp_path / "pipe", 65534, 65534)
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    try:
        with pytest.raises(StoreError, match=r"a pipe of another account \(uid 65534\)"):
            store.write(tmp_path / "pipe", b"private")
        assert os.read(reader, 100) == b""
    finally:
        os.close(reader)


@pytest.mark.case("H38")
def test_a_link_to_a_pipe_is_replaced_and_the_pipe_gets_nothing(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "report.json").symlink_to(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    try:
        store.write(tmp_path / "report.json", b"private")
        assert os.read(reader, 100) == b""
    finally:
        os.close(reader)
    assert stat.S_ISREG((tmp_path / "report.json").lstat().st_mode)
    assert (tmp_path / "report.json").read_bytes() == b"private"


def test_what_a_shell_hands_over_is_read_and_written(tmp_path):
    store.save(tmp_path / "a.json", FINGERPRINT)
    reader, writer = os.pipe()
    try:
        store.write(Path(f"/dev/fd/{writer}"), (tmp_path / "a.json").read_bytes())
        os.close(writer)
        assert store.load(Path(f"/dev/fd/{reader}")) == FINGERPRINT
    finally:
        os.close(reader)


def test_a_pipe_in_the_place_of_a_fingerprint_or_report_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "a.json")
    for read in (store.load, store.load_report):
        with pytest.raises(StoreError, match=r"a\.json: cannot be read: not a regular file"):
            read(tmp_path / "a.json")


@pytest.mark.case("D03")
def test_a_place_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(StoreError, match=r"gone/a\.json: cannot be written: No such file"):
        store.save(tmp_path / "gone" / "a.json", FINGERPRINT)
    with pytest.raises(StoreError, match="cannot be written: Is a directory"):
        store.save(tmp_path, FINGERPRINT)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.case("H26")
@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "empty: take it again"),
        (b" \n", "empty: take it again"),
        (b"hello", "not JSON: "),
        (b"[1, 2]", "not of the form driftscan writes: Expected `object`, got `array`"),
        (b"{}", "not of the form driftscan writes: Object missing required field `schema`"),
        (b'{"schema": 1}', "neither a fingerprint nor a baseline"),
        (b'{"schema": 0, "meta": {}}', "not of the form driftscan writes: "),
        (b'{"schema": 2, "meta": {}}', "written by a newer driftscan (schema 2, this"),
        (b'{"schema": 99, "wholly": "new"}', "written by a newer driftscan (schema 99"),
        (b'{"schema": "driftscan/report/1", "hosts": {}}', "is a report: give the fingerprint"),
        (b'{"schema": 1, "meta": ' + b"[" * 100_000, "not JSON that driftscan writes: "),
        (b'{"schema": 1, "meta": "\xff"}', "not JSON"),
    ],
)  # fmt: skip
def test_what_is_no_file_of_ours_is_named(saved, content, told):
    assert refusal(saved(content)).startswith(told)


def test_a_wrong_type_and_an_unknown_field_are_named_with_their_place(saved):
    wrong = plain(FINGERPRINT)
    wrong["facts"]["dpkg"]["items"]["curl"]["version"] = {"a": 1}
    assert "`$.facts[...].items[...][...][...]`" in refusal(saved(wrong))

    unknown = {**plain(BASELINE), "colour": "red"}
    assert "unknown field `colour`" in refusal(saved(unknown))

    state = plain(FINGERPRINT)
    state["facts"]["apk"]["state"] = "guessed"
    assert "Invalid value 'guessed'" in refusal(saved(state))

    missing = without(plain(FINGERPRINT), "meta", "privilege")
    assert "missing required field `privilege` - at `$.meta`" in refusal(saved(missing))


# --- older files --------------------------------------------------------------------------------

SCHEMAS = Path(__file__).parent / "schemas"


@pytest.mark.case("D08")
@pytest.mark.parametrize("kind", ["fingerprint", "baseline"])
@pytest.mark.parametrize("schema", range(1, SCHEMA + 1))
def test_a_file_of_every_schema_ever_written_is_read_and_left_as_it_is(schema, kind):
    path = SCHEMAS / f"{schema}-{kind}.json"
    before = path.read_bytes()
    noun = store.load(path)
    assert (noun.schema, type(noun).__name__) == (SCHEMA, kind.capitalize())
    assert path.read_bytes() == before
    assert sorted(store._NEXT) == [*range(1, SCHEMA)]


@pytest.mark.case("D08")
@pytest.mark.parametrize("noun", [FINGERPRINT, BASELINE], ids=["fingerprint", "baseline"])
def test_an_older_file_goes_through_each_schema_in_between(saved, monkeypatch, noun):
    def renamed(plain):
        meta = plain.get("meta")
        return plain if meta is None else {**plain, "meta": {**meta, "target": meta["name"]}}

    def without_name(plain):
        meta = {key: value for key, value in plain.get("meta", {}).items() if key != "name"}
        return {**plain, "meta": meta} if meta else plain

    old = plain(noun)
    for part in (old, old.get("fingerprint", {})):
        if "meta" in part:
            part["meta"]["name"] = part["meta"].pop("target")
    path = saved(old)
    before = path.read_bytes()
    monkeypatch.setattr(store, "SCHEMA", 3)
    monkeypatch.setattr(store, "_NEXT", {1: renamed, 2: without_name})

    found = store.load(path)

    inner = found if isinstance(found, Fingerprint) else found.fingerprint
    assert (found.schema, inner.schema, inner.meta.target) == (3, 3, "web-a")
    assert path.read_bytes() == before


@pytest.mark.case("D08")
@pytest.mark.parametrize("schema", [0, -1])
def test_a_schema_that_was_never_written_is_refused(saved, schema):
    assert "which no driftscan ever wrote" in refusal(
        saved({**plain(FINGERPRINT), "schema": schema})
    )


def test_a_file_that_is_not_there_is_named(tmp_path):
    assert refusal(tmp_path / "gone.json") == "cannot be read: No such file or directory"
    assert refusal(tmp_path) == "cannot be read: Is a directory"


def test_a_file_over_the_limit_is_not_read(tmp_path):
    path = tmp_path / "big.json"
    with path.open("wb") as file:
        file.truncate(store.MAX_SIZE + 1)
    assert refusal(path) == "cannot be read: larger than 256 MiB, which driftscan never writes"


@pytest.mark.case("H37")
def test_control_characters_planted_in_a_file_are_made_printable_on_loading(saved):
    planted = plain(BASELINE)
    planted["name"] = "web\x1b]52;c;x\x07\nall is well"
    planted["fingerprint"]["facts"]["dpkg"]["items"]["a\u202eb"] = {"version": "1\r2"}
    planted["text"] = "FROM x\r\nRUN \x1b[31m\n"

    found = store.load(saved(planted))

    assert found.name == "web\\x1b]52;c;x\\x07\\x0aall is well"
    assert found.fingerprint.facts["dpkg"].items["a\\u202eb"] == {"version": "1\\x0d2"}
    assert found.text == "FROM x\r\nRUN \\x1b[31m\n"


def test_letters_of_any_language_are_kept(tmp_path):
    store.save(tmp_path / "a.json", msgspec.structs.replace(BASELINE, name="größer 日本"))
    assert store.load(tmp_path / "a.json").name == "größer 日本"


PRINTABLE = st.text(alphabet=string.ascii_letters + string.digits + " .:+-~\\\"'/é日", max_size=12)
FIELD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    PRINTABLE,
    st.lists(PRINTABLE, max_size=3),
    st.dictionaries(PRINTABLE, PRINTABLE, max_size=3),
)
ITEMS = st.dictionaries(PRINTABLE, st.dictionaries(PRINTABLE, FIELD, max_size=4), max_size=4)
SECTION = st.one_of(
    st.builds(Collected, items=ITEMS),
    st.builds(Absent),
    st.builds(Partial, items=ITEMS, gaps=st.lists(PRINTABLE, max_size=2)),
    st.builds(Denied, cure=PRINTABLE),
    st.builds(Failed, reason=PRINTABLE),
)
SECTIONS = st.dictionaries(PRINTABLE, SECTION, max_size=4)
FINGERPRINTS = st.builds(
    Fingerprint, meta=st.just(META), facts=SECTIONS, evidence=SECTIONS, details=SECTIONS
)


@pytest.mark.case("D08")
@given(FINGERPRINTS)
def test_any_fingerprint_survives_the_disk(tmp_path_factory, noun):
    path = tmp_path_factory.getbasetemp() / "any.json"
    store.save(path, noun)
    assert store.load(path) == noun


@pytest.mark.case("H37")
@given(
    data=st.sampled_from([store.encode(FINGERPRINT), store.encode(BASELINE)]),
    place=st.floats(0, 1, exclude_max=True),
    byte=st.integers(0, 255),
    cut=st.booleans(),
)
def test_any_damage_is_a_noun_or_a_named_mistake(tmp_path_factory, data, place, byte, cut):
    path = tmp_path_factory.getbasetemp() / "damaged.json"
    at = int(place * len(data))
    path.write_bytes(data[:at] if cut else data[:at] + bytes([byte]) + data[at + 1 :])
    told = ""
    try:
        store.load(path)
    except StoreError as error:
        told = str(error)
    assert not told or (told.startswith(f"{path}: ") and told.isprintable())
    assert told or not cut or at == len(data) - 1
