"""A fingerprint -> a CycloneDX 1.6 bill of materials (ECMA-424), deterministic to the byte."""

import hashlib
import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

import msgspec

from driftscan.model import (
    LANGUAGES,
    Absent,
    Collected,
    Denied,
    Failed,
    Fingerprint,
    Item,
    Items,
    Partial,
    Section,
)
from driftscan.purl import purl

Node: TypeAlias = dict[str, Any]
_PREFIX = "driftscan:"


def render(fingerprint: Fingerprint) -> str:
    """The bill as JSON text: packages of every manager, and what language managers installed.

    A language package that a system package owns is that package, and not told again. What could
    not be seen is a property of the document, whose composition is then `incomplete`. The serial
    number follows from the facts: the same facts have the same one.
    """
    system = _system(fingerprint)
    components = [*_operating_system(fingerprint), *_packages(fingerprint, system)]
    components += _languages(fingerprint)
    unseen = list(_unseen(fingerprint))
    bill: Node = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{_serial(fingerprint)}",
        "version": 1,
        "metadata": _metadata(fingerprint, unseen),
        "components": sorted(components, key=lambda component: str(component["bom-ref"])),
        "compositions": [{"aggregate": "incomplete" if unseen else "complete"}],
    }
    return msgspec.json.format(msgspec.json.encode(bill), indent=1).decode() + "\n"


def _serial(fingerprint: Fingerprint) -> uuid.UUID:
    facts = msgspec.json.encode([fingerprint.meta.target, fingerprint.facts], order="sorted")
    return uuid.UUID(bytes=hashlib.sha256(facts).digest()[:16], version=5)


def _metadata(fingerprint: Fingerprint, unseen: list[str]) -> Node:
    meta = fingerprint.meta
    kind = "device" if meta.kind == "host" else "container"
    known = {"kind": meta.kind, "privilege": meta.privilege}
    return {
        "timestamp": meta.taken,
        "tools": {
            "components": [
                _clear({"type": "application", "name": "driftscan", "version": meta.tool})
            ]
        },
        "component": {"type": kind, "bom-ref": "target", "name": meta.target},
        "properties": _properties(known) + [_property("unknown", text) for text in unseen],
    }


def _unseen(fingerprint: Fingerprint) -> Iterator[str]:
    """Each section of packages that is not whole, and why."""
    for name, section in sorted(fingerprint.facts.items()):
        if name not in _MANAGERS and name not in LANGUAGES:
            continue
        match section:
            case Denied(cure=cure):
                yield f"{name}: {cure}"
            case Failed(reason=reason):
                yield f"{name}: {reason}"
            case Partial(gaps=gaps):
                yield from (f"{name}: {gap}" for gap in gaps)
            case Collected() | Absent():
                pass


def _items(section: Section | None) -> Items:
    return section.items if isinstance(section, Collected | Partial) else {}


def _text(item: Item, field: str) -> str:
    value = item.get(field)
    return str(value) if isinstance(value, str | int) else ""


def _versions(item: Item) -> list[str]:
    """All that are installed side by side, else the one."""
    several = item.get("versions")
    told = isinstance(several, list) and several
    return [str(version) for version in several] if told else [_text(item, "version")]  # type: ignore[union-attr]


def _property(name: str, value: str) -> Node:
    return {"name": f"{_PREFIX}{name}", "value": value}


def _properties(values: Mapping[str, str]) -> list[Node]:
    return [_property(name, value) for name, value in values.items() if value]


def _clear(node: Node) -> Node:
    return {key: value for key, value in node.items() if value not in ("", [], None)}


# --- the operating system ----------------------------------------------------------------------


class _System(msgspec.Struct, frozen=True):
    """What package URLs say of the distribution: its id, and the id with its version."""

    id: str
    distro: str


_UNNAMED = "linux"  # os-release(5): what ID means where it is not set


def _release(fingerprint: Fingerprint) -> Item:
    return _items(fingerprint.facts.get("os")).get("release", {})


def _system(fingerprint: Fingerprint) -> _System:
    release = _release(fingerprint)
    name, version = _text(release, "id"), _text(release, "version_id")
    return _System(name, f"{name}-{version}" if name and version else name)


def _operating_system(fingerprint: Fingerprint) -> list[Node]:
    release = _release(fingerprint)
    if not _text(release, "id"):
        return []
    known = {"codename": _text(release, "codename"), "point": _text(release, "point")}
    node: Node = {
        "type": "operating-system",
        "bom-ref": "os:release",
        "name": _text(release, "id"),
        "version": _text(release, "version_id"),
        "description": _text(release, "pretty"),
        "properties": _properties(known),
    }
    return [_clear(node)]


# --- packages of a manager ---------------------------------------------------------------------

_GONE = {"config-files", "not-installed"}
_PRESENT = ("installed", "triggers-awaited", "triggers-pending")


def _packages(fingerprint: Fingerprint, system: _System) -> Iterator[Node]:
    for manager, write in _MANAGERS.items():
        for key, item in _items(fingerprint.facts.get(manager)).items():
            if _text(item, "status") not in _GONE:
                yield from write(key, item, system)


def _package(section: str, key: str, name: str, version: str, url: str, item: Item) -> Node:
    status = _text(item, "status")
    known = {
        "source": _text(item, "source"),
        "source_version": _text(item, "source_version"),
        "want": _text(item, "want").replace("install", ""),
        "status": "" if status in _PRESENT else status,
    }
    node: Node = {
        "type": "library",
        "bom-ref": f"{section}:{key}",
        "name": name,
        "version": version,
        "purl": url,
        "properties": _properties(known),
    }
    return _clear(node)


def _dpkg(key: str, item: Item, system: _System) -> list[Node]:
    name, version = key.partition(":")[0], _text(item, "version")
    more = {"arch": _text(item, "architecture"), "distro": system.distro}
    url = purl("deb", system.id or "debian", name, version, more)
    return [_package("dpkg", key, name, version, url, item)]


def _rpm(key: str, item: Item, system: _System) -> list[Node]:
    """One component for each version that is installed side by side (kernels)."""
    name, _, arch = key.rpartition(".")
    several = _versions(item)
    nodes = []
    for version in several:
        epoch, colon, rest = version.partition(":")
        more = {"arch": arch, "distro": system.distro, "epoch": epoch if colon else ""}
        url = purl("rpm", system.id or _UNNAMED, name or key, rest if colon else version, more)
        label = key if len(several) == 1 else f"{key}@{version}"
        nodes.append(_package("rpm", label, name or key, version, url, item))
    return nodes


def _apk(key: str, item: Item, system: _System) -> list[Node]:
    return _simple("apk", "apk", key, item, system)


def _pacman(key: str, item: Item, system: _System) -> list[Node]:
    return _simple("pacman", "alpm", key, item, system)


def _simple(section: str, kind: str, key: str, item: Item, system: _System) -> list[Node]:
    version = _text(item, "version")
    more = {"arch": _text(item, "architecture"), "distro": system.distro}
    url = purl(kind, system.id or _UNNAMED, key, version, more)
    return [_package(section, key, key, version, url, item)]


_MANAGERS: Mapping[str, Callable[[str, Item, _System], list[Node]]] = {
    "dpkg": _dpkg,
    "rpm": _rpm,
    "apk": _apk,
    "pacman": _pacman,
}

# --- packages of a language --------------------------------------------------------------------


class _Named(msgspec.Struct, frozen=True):
    """What the key of a language's package says."""

    kind: str
    namespace: str
    name: str
    place: str


def _languages(fingerprint: Fingerprint) -> Iterator[Node]:
    for section in LANGUAGES:
        for key, item in _items(fingerprint.facts.get(section)).items():
            if not _text(item, "owner"):
                yield from _language(section, key, item)


def _language(section: str, key: str, item: Item) -> Iterator[Node]:
    """One component for each version that is installed side by side."""
    named = _named(key)
    known = {"place": named.place, "installer": _text(item, "installer")}
    several = _versions(item)
    for version in several:
        node: Node = {
            "type": "library",
            "bom-ref": f"{section}:{key}" + (f"@{version}" if len(several) > 1 else ""),
            "group": named.namespace,
            "name": named.name,
            "version": version,
            "purl": _language_url(named, version),
            "properties": _properties(known),
        }
        yield _clear(node)


def _named(key: str) -> _Named:
    """`pypi//name@/place`, `npm/@scope/name@/place`, `golang/module/of/parts@/program`."""
    kind, _, rest = key.partition("/")
    path, at, place = rest.partition("@/")
    namespace, _, name = path.rpartition("/")
    return _Named(kind, namespace, name or key, at[1:] + place)


_GEM = re.compile(r"(?P<version>[0-9][0-9A-Za-z.]*)-(?P<platform>.+)")


def _language_url(named: _Named, version: str) -> str:
    """Empty for a file that is known by its bytes alone.

    A jar's group is nowhere told, and a program of Go's that was never published has a path of one
    word: both are `generic`, as Maven and Go ask for what these lack.
    """
    kind, more = named.kind, {}
    if kind == "file":
        return ""
    if kind == "jar" or (kind == "golang" and not named.namespace):
        kind = "generic"
    if version == "(devel)":
        version = ""
    match = _GEM.fullmatch(version) if kind == "gem" else None
    if match is not None:
        version, more = match["version"], {"platform": match["platform"]}
    return purl(kind, named.namespace, named.name, version, more)
