"""Where apk takes packages from, in order, and whose signatures it trusts (apk-repositories(5)).

A repository's identity is the end of its address, `v3.23/main`: a mirror is no drift. The keys
are known by the SHA-256 of what they are, whatever their files are called.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator, Mapping

from msgspec import Struct

from driftscan import url_secrets
from driftscan.errors import ParseError
from driftscan.model import (
    Absent,
    Collected,
    Denied,
    Files,
    Item,
    Items,
    Lines,
    Payload,
    Raw,
    Section,
)
from driftscan.probes import reading
from driftscan.probes.contract import About

NAME = "apk-repositories"
_MAIN = "/etc/apk/repositories"
_FOLDERS = ("/etc/apk/repositories.d", "/lib/apk/repositories.d")
_KEYS = "/etc/apk/keys"
ASK = (
    Files((_MAIN, *(f"{folder}/*.list" for folder in _FOLDERS), "/etc/apk/arch")),
    # As Files each of them would cost 3 ms.
    Lines("keys", (_KEYS,), "*.pub", "^[-A-Za-z0-9+/=]"),
)
GIVES = (
    About(
        "repositories",
        "facts",
        "apk/BRANCH/NAME, the end of its address",
        "position, tag (only for what asks for it)",
        cost="10 ms",
    ),
    About("repository-sources", "evidence", "as repositories", "urls, places"),
    About("apk-keys", "facts", "SHA-256 of the public key", "name (of its file)"),
)


class _Entry(Struct, frozen=True):
    """One repository as it was written."""

    place: str
    url: str
    tag: str


def parse(raw: Raw) -> Mapping[str, Section]:
    """The three sections; raises ParseError naming file and line that apk would refuse too."""
    repositories, sources = _repositories(raw.files)
    named = any(path.startswith((_MAIN, *_FOLDERS)) for path in raw.files)
    keys = _keys(raw.outputs["keys"])
    return {
        "repositories": _section(raw, (_MAIN, *_FOLDERS), repositories, there=named),
        "repository-sources": _section(raw, (_MAIN, *_FOLDERS), sources, there=named),
        "apk-keys": _section(raw, (_KEYS,), keys, there=bool(keys)),
    }


def _section(raw: Raw, places: tuple[str, ...], items: Items, *, there: bool) -> Section:
    """All or nothing: a file that is not told changes what the others mean."""
    for path in reading.denied(raw):
        for place in places:
            if path == place or path.startswith(place + "/") or place.startswith(path + "/"):
                return Denied(cure=f"read access to {path}, or --become")
    return Collected(items=items) if there else Absent()


# --- repositories --------------------------------------------------------------------------------


def _repositories(files: Mapping[str, Payload]) -> tuple[Items, Items]:
    repositories: Items = {}
    members: dict[str, list[_Entry]] = {}
    for entry in _entries(files):
        key = _identity(entry.url)
        tag: Item = {"tag": entry.tag} if entry.tag else {}
        repositories.setdefault(key, {"position": len(repositories), **tag})
        members.setdefault(key, []).append(entry)
    sources: Items = {
        key: {
            "urls": list(dict.fromkeys(entry.url for entry in entries)),
            "places": list(dict.fromkeys(entry.place for entry in entries)),
        }
        for key, entries in members.items()
    }
    return repositories, sources


def _paths(files: Mapping[str, Payload]) -> Iterator[str]:
    """In apk's order: of two files of one name in its folders the first counts."""
    if _MAIN in files:
        yield _MAIN
    seen: set[str] = set()
    for folder in _FOLDERS:
        for path in sorted(path for path in files if path.startswith(folder + "/")):
            name = path.rpartition("/")[2]
            if name not in seen:
                yield path
            seen.add(name)


_TYPES = {"v2", "v3", "ndx"}
_SET = re.compile(r"set[ \t]+(-default[ \t]+)?([A-Za-z][A-Za-z0-9_]{0,60})=(.*)")
_VARIABLE = re.compile(r"\$\{([A-Za-z][A-Za-z0-9_]{0,60})\}")


def _entries(files: Mapping[str, Payload]) -> Iterator[_Entry]:
    arch = [line.strip(" \t") for line in files.get("/etc/apk/arch", Payload(())).lines]
    variables = {"APK_ARCH": arch[0]} if arch else {}
    for path in _paths(files):
        for number, line in enumerate(files[path].lines, 1):
            text = reading.without_return(line).strip(" \t")
            found = _SET.fullmatch(text)
            if found and not (found[1] and found[2] in variables):
                variables[found[2]] = _expanded(found[3].strip(" \t"), variables)
            elif text and not text.startswith("#") and found is None:
                yield from _line(f"{path}:{number}", text, variables)


def _expanded(text: str, variables: Mapping[str, str]) -> str:
    return _VARIABLE.sub(lambda found: variables.get(found[1], found[0]), text)


def _line(place: str, text: str, variables: Mapping[str, str]) -> Iterator[_Entry]:
    """`[v2|v3|ndx] [@tag] url [component...]`, in older apk `[@tag] url`."""
    words = reading.words(text)
    if words[0] == "default":
        return
    kind = words.pop(0) if words[0] in _TYPES else ""
    tag = words.pop(0) if words and words[0].startswith("@") else ""
    if not words or (kind == "ndx" and len(words) > 1):
        raise ParseError(f"{place}: expected '[@tag] url', got {text!r}")
    url, *components = (_expanded(word, variables) for word in words)
    if "://" not in url and not url.startswith("/"):
        raise ParseError(f"{place}: expected an address or an absolute path, got {url!r}")
    for whole in [f"{url.rstrip('/')}/{component}" for component in components] or [url]:
        yield _Entry(place, whole, tag.removeprefix("@"))


def _identity(url: str) -> str:
    """The last two parts of its path: `v3.23/main` wherever it is served from."""
    whole = url_secrets.without_user(url)
    path = re.sub(r"^[A-Za-z0-9.+-]+://", "", whole).partition("?")[0]
    if path.endswith((".adb", ".tar.gz")):
        path = path.rpartition("/")[0]
    parts = [part for part in path.split("/") if part]
    return "/".join(["apk", *([*["-"] * 2, *parts][-2:])])


# --- keys ----------------------------------------------------------------------------------------

_PEM = re.compile(r"-----(BEGIN|END) [A-Z ]*PUBLIC KEY-----")


def _keys(answer: Payload) -> Items:
    files: dict[str, list[str]] = {}
    for path, line in reading.path_lines(answer, ".pub"):
        files.setdefault(path, []).append(reading.without_return(line).strip(" \t"))
    found: Items = {}
    for path, lines in sorted(files.items()):
        found.setdefault(_fingerprint(path, lines), {"name": path.rpartition("/")[2]})
    return found


def _fingerprint(path: str, lines: list[str]) -> str:
    """Of the key within its PEM text (RFC 7468)."""
    marks = [index for index, line in enumerate(lines) if _PEM.fullmatch(line)]
    try:
        begin, end = marks
        key = base64.b64decode("".join(lines[begin + 1 : end]), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ParseError(f"{path}: no public key in PEM form") from error
    return hashlib.sha256(key).hexdigest()
