"""Alpine packages: what is installed, from which source; what was asked for; what needs what.

The database is text (apk-package(5): fields of one letter, a blank line ends a package); what an
administrator asked for is `/etc/apk/world` (apk-world(5)). apk keeps no time and no log.
"""

import re
import stat
from collections.abc import Iterator, Mapping

from msgspec import Struct

from driftscan.errors import ParseError
from driftscan.model import (
    Absent,
    Collected,
    Denied,
    Failed,
    Files,
    Item,
    Items,
    Lines,
    Payload,
    Question,
    Raw,
    Section,
    Stats,
)
from driftscan.probes import reading
from driftscan.probes.contract import About

NAME = "apk"
# apk 3 has its database in /usr/lib where /lib is no directory of its own (usr-merged systems).
_PLACES = {"installed": "/lib/apk/db", "installed-usr": "/usr/lib/apk/db"}
_FIELDS = "^([PVAotcDps]:|$)"
_WORLD = "/etc/apk/world"
ASK: tuple[Question, ...] = (
    *(Lines(name, (place,), "installed", _FIELDS, path=False) for name, place in _PLACES.items()),
    Stats("database", tuple(_PLACES.values()), "installed"),
    Files((_WORLD,)),
)
GIVES = (
    About(
        "apk",
        "facts",
        "name",
        "version, source, source_version, architecture, want (hold: world allows this version "
        "alone, or none above a limit)",
        cost="all 8 ms with 60 packages",
    ),
    About("apk-pins", "facts", "name", "rule (@TAG, or ! for never; apk-world(5))"),
    About(
        "apk-origins",
        "evidence",
        "as apk",
        "built (seconds since 1970), commit (of the distribution), tag, asked (for, by world), "
        "rule (as world writes it)",
    ),
    About("apk-needs", "evidence", "as apk, and virtual packages", "depends, provides"),
    About("apk-auto", "evidence", "as apk", "auto"),
)

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9+._-]{0,250}")
_VIRTUAL = re.compile(r"\.[A-Za-z0-9+._-]{1,250}")
_ASKED = re.compile(
    r"(?P<never>!?)(?P<name>[^!=<>~@\s][^=<>~@\s]{0,250})(?:@(?P<tag>[^=<>~@\s]+))?"
    r"(?:(?P<compare>[=<>~]{1,3})(?P<version>[^@\s]+))?(?:@(?P<late>[^=<>~@\s]+))?"
)
_CAPABILITY = re.compile(r"[^=<>~@]+")


class _Wish(Struct, frozen=True):
    """One word of world: a package or what it provides, and what is asked of it."""

    name: str
    rule: str
    never: bool
    held: bool


def parse(raw: Raw) -> Mapping[str, Section]:
    """The five sections; raises ParseError for a stanza or a wish that apk would not write."""
    refused = [*_refused(raw), *_closed(raw)]
    if refused:
        return _all(Denied(cure=f"read access to {refused[0]}, or --become"))
    wishes = list(_wishes(raw.files.get(_WORLD, Payload(())).lines))
    path, answer = _database(raw)
    if not path or not _sizes(raw)[path]:
        return _all(_missing(path, wishes))
    if answer.cut:
        return _all(Failed(reason=f"{path} is larger than the limit"))
    if not answer.lines or answer.lines[-1]:
        return _all(Failed(reason=f"{path} is damaged: it ends within a package"))
    return _sections(_stanzas(path, answer.lines), wishes)


def _all(section: Section) -> dict[str, Section]:
    return {about.name: section for about in GIVES}


def _refused(raw: Raw) -> list[str]:
    """What is there, is needed and may not be read."""
    needed = [*(f"{place}/installed" for place in _PLACES.values()), _WORLD]
    return [
        path
        for path in reading.denied(raw)
        if any(file == path or file.startswith(path + "/") for file in needed)
    ]


def _closed(raw: Raw) -> list[str]:
    """A database that holds something, that not everybody may read, and of which nothing came."""
    return [
        row.path
        for row in reading.stats(raw.outputs["database"])
        if row.size and not row.mode & stat.S_IROTH and not _answer(raw, row.path).lines
    ]


def _sizes(raw: Raw) -> dict[str, int]:
    return {row.path: row.size for row in reading.stats(raw.outputs["database"])}


def _answer(raw: Raw, path: str) -> Payload:
    places = {f"{place}/installed": name for name, place in _PLACES.items()}
    if path not in places:
        raise ParseError(f"no database of apk: {path!r}")
    return raw.outputs[places[path]]


def _database(raw: Raw) -> tuple[str, Payload]:
    """Where it is, if anywhere. Two names of one database are one; two databases are a doubt."""
    found = [path for path in sorted(_sizes(raw)) if _sizes(raw)[path]] or sorted(_sizes(raw))
    if not found:
        return "", Payload(())
    answers = [_answer(raw, path) for path in found]
    if any(answer != answers[0] for answer in answers):
        raise ParseError(f"two databases that differ: {' and '.join(found)}")
    return found[0], answers[0]


def _missing(path: str, wishes: list[_Wish]) -> Section:
    """No database: no apk here, unless packages were asked for."""
    if not wishes:
        return Absent()
    state = f"{path} is empty" if path else "there is no database of apk"
    return Failed(reason=f"{state}, though {_WORLD} asks for {len(wishes)} packages")


def _stanzas(path: str, lines: tuple[str, ...]) -> list[dict[str, str]]:
    found: list[dict[str, str]] = []
    stanza: dict[str, str] = {}
    names: set[str] = set()
    for line in lines:
        field, _, value = line.partition(":")
        if line and field in stanza:
            raise ParseError(f"{path}: field answered twice: {line!r}")
        if line:
            stanza[field] = value
        elif stanza:
            _check(path, stanza, names)
            found.append(stanza)
            stanza = {}
    return found


def _check(path: str, stanza: dict[str, str], names: set[str]) -> None:
    name = stanza.get("P", "")
    if not (_NAME.fullmatch(name) or _VIRTUAL.fullmatch(name)) or not stanza.get("V"):
        raise ParseError(f"{path}: a package {name!r} of version {stanza.get('V', '')!r}")
    if name in names:
        raise ParseError(f"{path}: {name!r} is there twice")
    names.add(name)


def _wishes(lines: tuple[str, ...]) -> Iterator[_Wish]:
    for word in (word for line in lines for word in reading.words(reading.without_return(line))):
        found = _ASKED.fullmatch(word)
        if found is None:
            raise ParseError(f"{_WORLD}: {word!r} is no name with a version")
        rule = word.removeprefix("!").removeprefix(found["name"])
        # `>` and `>=` leave an upgrade its way; `><` is the checksum of a file that was added.
        held = bool(found["compare"]) and found["compare"] not in (">", ">=", ">~")
        yield _Wish(found["name"], rule, bool(found["never"]), held)


def _sections(stanzas: list[dict[str, str]], wishes: list[_Wish]) -> dict[str, Section]:
    real = [stanza for stanza in stanzas if _NAME.fullmatch(stanza["P"])]
    providers = _providers(stanzas)
    asked = {
        name: wish
        for wish in wishes
        if not wish.never
        for name in sorted(providers.get(wish.name, ()))
    }
    packages = {stanza["P"]: _package(stanza, asked.get(stanza["P"])) for stanza in real}
    origins = {stanza["P"]: _origin(stanza, asked.get(stanza["P"])) for stanza in real}
    needs = {stanza["P"]: _needs(stanza, providers) for stanza in stanzas}
    automatic: Items = {name: {"auto": True} for name in packages if name not in asked}
    return {
        "apk": Collected(items=packages),
        "apk-pins": Collected(items=dict(_pins(wishes))),
        "apk-origins": Collected(items=origins),
        "apk-needs": Collected(items=needs),
        "apk-auto": Collected(items=automatic),
    }


def _pins(wishes: list[_Wish]) -> Iterator[tuple[str, Item]]:
    """What binds no version: a package that may not come, a repository that one may come from."""
    for wish in wishes:
        if wish.never:
            yield wish.name, {"rule": f"!{wish.rule}"}
        elif wish.rule and not wish.held:
            yield wish.name, {"rule": wish.rule}


def _package(stanza: dict[str, str], wish: _Wish | None) -> Item:
    """All packages of one source (`origin`) have its version."""
    return {
        "version": stanza["V"],
        "source": stanza.get("o") or stanza["P"],
        "source_version": stanza["V"],
        **({"architecture": stanza["A"]} if "A" in stanza else {}),
        **({"want": "hold"} if wish and wish.held else {}),
    }


def _origin(stanza: dict[str, str], wish: _Wish | None) -> Item:
    built = stanza.get("t", "")
    if built and not re.fullmatch(r"[0-9]{1,12}", built):
        raise ParseError(f"{stanza['P']!r} was built at {built!r}")
    item: Item = {"built": int(built)} if built else {}
    item |= {"asked": True} if wish else {}
    texts = {"commit": stanza.get("c"), "tag": stanza.get("s"), "rule": wish.rule if wish else ""}
    return {**item, **{name: text for name, text in texts.items() if text}}


def _capabilities(text: str) -> list[str]:
    """The names in a list of dependencies, without versions; `!x` is a conflict, no need."""
    words = [word for word in reading.words(text) if not word.startswith("!")]
    return [match.group() for word in words if (match := _CAPABILITY.match(word))]


def _providers(stanzas: list[dict[str, str]]) -> dict[str, set[str]]:
    """The packages by their own name and by all that they provide."""
    found: dict[str, set[str]] = {}
    for stanza in stanzas:
        for name in (stanza["P"], *_capabilities(stanza.get("p", ""))):
            found.setdefault(name, set()).add(stanza["P"])
    return found


def _needs(stanza: dict[str, str], providers: dict[str, set[str]]) -> Item:
    """Packages that are here where one satisfies it (`a | b` if several do), else what is asked."""
    depends = [
        " | ".join(sorted(providers.get(name, {name})))
        for name in _capabilities(stanza.get("D", ""))
        if stanza["P"] not in providers.get(name, ())
    ]
    # Libraries, commands and pkg-config names are resolved: only names of packages may be asked.
    provides = [name for name in _capabilities(stanza.get("p", "")) if ":" not in name]
    fields = {"depends": depends, "provides": provides}
    return {name: ", ".join(dict.fromkeys(words)) for name, words in fields.items() if words}
