"""A target for each parser of bytes that others write: only its own errors may escape it.

A target of a probe takes an answer in a form that survives mutation better than the script's
frame: records between NUL bytes, the first line of each `F PATH`, `C NAME` or `! REASON PATH`.
"""

import gzip
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import msgspec

from driftscan import collector, dockerfile, framing, rpmdb, sanitize, store
from driftscan.errors import DriftscanError, MachineError, ParseError
from driftscan.explain import changelog
from driftscan.inventory import native, targets
from driftscan.inventory.contract import Inventory
from driftscan.machines import databases, image_layers, keys, known_hosts
from driftscan.model import Files, Payload, Question, Raw, Want
from driftscan.policy import accept_file
from driftscan.probes.contract import Kind, Probe
from driftscan.probes.table import PROBES
from driftscan.probes.wanted.table import KINDS
from tests.probes.conftest import CAPTURED, read_transcript
from tests.rpmdb import made

NONCE = "0123456789abcdef0123456789abcdef"
Target = Callable[[bytes], None]
ASKS = tuple(SimpleNamespace(NAME=name, ASK=()) for name in ("one", "two"))


def raw_of(data: bytes, asked: Iterable[Question] = ()) -> Raw:
    """An answer to a probe's questions: those that have a name are always answered."""
    files: dict[str, Payload] = {}
    outputs = {ask.name: Payload(()) for ask in asked if not isinstance(ask, Files)}
    gaps: dict[str, str] = {}
    for record in data.split(b"\x00"):
        head, _, body = record.partition(b"\n")
        kind, _, name = head.partition(b" ")
        label = sanitize.safe_bytes(name, 4096)
        if kind == b"!":
            reason, _, path = label.partition(" ")
            gaps[path] = reason
        elif kind in (b"F", b"C"):
            lines = Payload(tuple(sanitize.lines(body)))
            (files if kind == b"F" else outputs)[label] = lines
    return Raw(files, outputs, gaps)


def bytes_of(raw: Raw) -> bytes:
    """The same answer as bytes."""
    records = [f"F {name}\n" + "\n".join(told.lines) for name, told in raw.files.items()]
    records += [f"C {name}\n" + "\n".join(told.lines) for name, told in raw.outputs.items()]
    records += [f"! {why} {path}" for path, why in raw.gaps.items()]
    return "\x00".join(records).encode("utf-8", "surrogatepass")


def _probe(probe: Probe) -> Target:
    names = {about.name for about in probe.GIVES}

    def target(data: bytes) -> None:
        with suppress(ParseError):
            sections = probe.parse(raw_of(data, probe.ASK))
            assert set(sections) <= names
            for section in sections.values():
                msgspec.json.encode(sanitize.clean(section))

    return target


def _kind(kind: Kind) -> Target:
    wants = [
        Want(side="subject", kind=kind.KIND, name=name, names=(name,), version="1.0-1")
        for name in ("bash", "java", "imagemagick", "libbrotli1", "dpkg")
    ]

    asked = kind.questions(wants)

    def target(data: bytes) -> None:
        with suppress(ParseError):
            msgspec.json.encode(kind.parse(raw_of(data, asked), wants).items)

    return target


def _framed(data: bytes) -> None:
    with suppress(framing.Malformed):
        framing.unframe(data, NONCE, ASKS)


def _collected(data: bytes) -> None:
    with suppress(framing.Malformed):
        output, strange = collector.answer(data, NONCE, ASKS)
        framing.unframe(output, NONCE, [ask for ask in ASKS if ask.NAME not in strange])


def _text(read: Callable[[str], object]) -> Target:
    def target(data: bytes) -> None:
        with suppress(DriftscanError, MachineError):
            read(data.decode("utf-8", "replace"))

    return target


def _file(read: Callable[[Path], object]) -> Target:
    def target(data: bytes) -> None:
        with tempfile.NamedTemporaryFile() as file:
            file.write(data)
            file.flush()
            with suppress(DriftscanError, MachineError):
                read(Path(file.name))

    return target


def _image(path: Path) -> None:
    with path.open("rb") as archive:
        image_layers.read(archive, {"var/lib/dpkg/status"})


def _verdict(path: Path) -> None:
    found = known_hosts.load([path])
    found.known_types("web-a.example.org", 22)
    found.verdict("web-a.example.org", 22, "ssh-ed25519", b"blob")


def _rpmdb(name: str) -> Target:
    def target(data: bytes) -> None:
        with suppress(ParseError):
            rpmdb.answer({name: data})

    return target


def _layer(database: databases.Database) -> Target:
    path = (*database.paths, f"{database.folder}/bash-5.2-1/desc")[0]

    def target(data: bytes) -> None:
        if data:  # it is only asked where there is something
            with suppress(ParseError):
                database.versions({path: data})

    return target


_EMPTY = Inventory("", {}, {})
OTHERS: Mapping[str, Target] = {
    "frame": _framed,
    "collector": _collected,
    "changelog": _text(lambda text: changelog.entries(text.split("\n"), "bash")),
    "dockerfile": _text(dockerfile.parse),
    "target": _text(lambda text: targets.parse(text, _EMPTY)),
    "accept-file": _text(lambda text: accept_file.parse(text, "accept.yml")),
    "inventory": _file(native.load),
    "known-hosts": _file(_verdict),
    "key": _file(keys.read),
    "fingerprint": _file(store.load),
    "report": _file(store.load_report),
    "image": _file(_image),
    **{name: _rpmdb(name) for name in rpmdb.DATABASES},
    **{f"layer-{one.section}": _layer(one) for one in databases.DATABASES},
}
"""What is neither a probe nor a kind of detail; a new reader of others' bytes is a row here."""

TARGETS: Mapping[str, Target] = {
    **{f"probe-{probe.NAME}": _probe(probe) for probe in PROBES},
    **{f"wanted-{kind.KIND}": _kind(kind) for kind in KINDS},
    **OTHERS,
}


def seeds(name: str) -> Iterator[bytes]:
    """What a target's bytes look like when they are good."""
    if name.startswith("probe-"):
        probe = name.removeprefix("probe-")
        for path in sorted(CAPTURED.glob(f"*/{probe}.txt*")):
            yield bytes_of(read_transcript(_packed(path))[probe])
    elif name.startswith("wanted-"):
        kind = name.removeprefix("wanted-")
        for path in sorted(CAPTURED.glob("*/wanted.txt*")):
            answers = read_transcript(_packed(path))
            if kind in answers:
                yield bytes_of(answers[kind])
    else:
        yield from _SEEDS.get(name, ())


def _packed(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


_BODY = f"{NONCE} S one\n{NONCE} C x\n hello\n\n{NONCE} . 0\n{NONCE} S two\n{NONCE} END\n"
_SEEDS: Mapping[str, tuple[bytes, ...]] = {
    "rpmdb.sqlite": (made.sqlite(made.header()),),
    "Packages.db": (made.ndb(made.header()),),
    "Packages": (made.bdb(made.header()),),
    "layer-dpkg": (b"Package: a\nStatus: install ok installed\nArchitecture: all\nVersion: 1\n",),
    "layer-apk": (b"P:musl\nV:1.2.5-r0\nA:x86_64\n\n",),
    "layer-pacman": (b"%NAME%\nbash\n\n%VERSION%\n5.2-1\n",),
    "frame": (f"{NONCE} BEGIN 1\n{_BODY}".encode(),),
    "collector": (
        f"{NONCE} BEGIN 1 collector {'0' * 64}\n{_BODY}".replace(
            "S one", f"S one {collector.digests(ASKS)['one']}"
        ).encode(),
    ),
    "changelog": (
        b"bash (5.2.15-2) unstable; urgency=medium\n\n  * Fix. (CVE-2024-1, Closes: #1)\n\n"
        b" -- A B <a@example.org>  Mon, 02 Jan 2023 10:00:00 +0000\n",
    ),
    "dockerfile": (
        b"# syntax=x\nARG A=1\nFROM debian:${A} AS b\nRUN <<X\napt-get install -y curl\nX\n"
        b"FROM b\nCOPY --from=b /a \\\n  /b\nENV A=b C='d e'\n",
    ),
    "target": (b"ssh://deploy@[::1]:22/docker/web", b"image://debian:12", b"./a.json", b"web@2026"),
    "accept-file": (
        b"version: 1\naccept:\n- id: dpkg:curl\n  reason: r\n  owner: o\n  until: 2027-01-01\n",
    ),
    "inventory": (
        b"defaults: {user: a}\ngroups:\n  web: {hosts: [a], vars: {become: true}}\n"
        b"hosts:\n  a: {address: 10.0.0.7, port: 22, jump: ops@b:22}\n  b:\n",
    ),
    "known-hosts": (
        b"web-a.example.org,10.0.0.7 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJsb2I=\n"
        b"|1|AAAA|BBBB= ssh-rsa AAAA\n@revoked * ssh-rsa AAAA # c\n!a,*.b ecdsa x\n",
    ),
    "fingerprint": (
        b'{"schema": 1, "meta": {"target": "a", "kind": "host", "address": "a", "taken": "t",'
        b' "privilege": "root"}, "facts": {"dpkg": {"state": "collected", "items": {"a": {"v":'
        b' "1"}}}}, "evidence": {}}',
    ),
}
