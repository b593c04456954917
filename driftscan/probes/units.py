"""Units of systemd: the environment that a service's file and its drop-ins set."""

import re
from collections.abc import Iterable, Iterator

from msgspec import Struct

_RANKS = (
    "/lib/systemd/system/",
    "/usr/lib/systemd/system/",
    "/usr/local/lib/systemd/system/",
    "/etc/systemd/system/",
)
_KEY = re.compile(r"[ \t]*((?:Unset)?Environment(?:File)?)[ \t]*=[ \t]*(.*)")
_WORD = re.compile(r"(?:[^ \t\"'\\]|\\.|\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*')+|([^ \t])")
_QUOTED = re.compile(
    r"\"(?P<double>(?:[^\"\\]|\\.)*)\"|'(?P<single>(?:[^'\\]|\\.)*)'"
    r"|(?P<escape>\\(?:x[0-9A-Fa-f]{2}|[0-7]{3}|.))"
)
_ESCAPE = re.compile(r"\\(x[0-9A-Fa-f]{2}|[0-7]{3}|.)")
_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "s": " "}
_ASSIGNS = re.compile(r"([A-Za-z_][A-Za-z0-9_]{0,255})=(.*)", re.DOTALL)


class Service(Struct):
    """What one service's files set; specifiers (`%i`) and the contents of files stay unread."""

    variables: dict[str, str]
    files: list[str]
    gaps: list[str]


def services(units: dict[str, list[str]]) -> dict[str, Service]:
    """By name, from the lines of unit files and drop-ins by path (systemd.unit(5)).

    The file of the highest rank hides the others of its name, among drop-ins too; drop-ins come
    after the unit, by their names.
    """
    chosen: dict[str, dict[str, str]] = {}
    for path in sorted(units, key=_rank):
        directory, _, name = path.rpartition("/")
        if name.endswith(".service"):
            chosen.setdefault(name, {})[""] = path
        else:
            unit = directory.rpartition("/")[2].removesuffix(".d")
            chosen.setdefault(unit, {})[name] = path
    return {
        unit: _service([(paths[name], units[paths[name]]) for name in sorted(paths)])
        for unit, paths in sorted(chosen.items())
    }


def _rank(path: str) -> tuple[int, str]:
    ranks = [number for number, directory in enumerate(_RANKS) if path.startswith(directory)]
    return (ranks[0] if ranks else -1, path)


def _service(files: Iterable[tuple[str, list[str]]]) -> Service:
    service = Service({}, [], [])
    unset: list[str] = []
    for path, lines in files:
        for line in _joined(path, lines, service.gaps):
            match = _KEY.fullmatch(line)
            if match:
                _set(match[1], match[2], service, unset)
    for word in unset:
        name, equals, value = word.partition("=")
        if not equals or service.variables.get(name) == value:
            service.variables.pop(name, None)
    return service


def _joined(path: str, lines: list[str], gaps: list[str]) -> Iterator[str]:
    """Lines that end with a backslash go on in the next one, of which only those that begin with
    a blank or a quote were asked for."""
    held = ""
    for line in lines:
        if held and line[:1] not in (" ", "\t", '"', "'"):
            _tell(held, path, gaps)
            yield held
            held = ""
        held += line
        if held.endswith("\\"):
            held = held[:-1] + " "
        else:
            yield held
            held = ""
    if held:
        _tell(held, path, gaps)
        yield held


def _tell(text: str, path: str, gaps: list[str]) -> None:
    if _KEY.fullmatch(text):
        gaps.append(f"{path}: the next line of {text[:60]!r} was not read")


def _set(key: str, value: str, service: Service, unset: list[str]) -> None:
    """One setting; an empty value takes back all before it (systemd.exec(5))."""
    if key == "EnvironmentFile":
        service.files = [*service.files, value] if value else []
    elif key == "UnsetEnvironment":
        unset[:] = [*unset, *_words(value)] if value else []
    elif not value:
        service.variables.clear()
    else:
        pairs = (match for match in map(_ASSIGNS.fullmatch, _words(value)) if match)
        service.variables.update((match[1], match[2]) for match in pairs)


def _words(value: str) -> list[str]:
    """Split and unquote as systemd.syntax(7) says; from an open quote on, nothing counts."""
    words: list[str] = []
    for match in _WORD.finditer(value):
        if match[1]:
            break
        words.append(_QUOTED.sub(_unquoted, match.group()).replace("%%", "%"))
    return words


def _unquoted(match: re.Match[str]) -> str:
    return _ESCAPE.sub(_unescaped, match["double"] or match["single"] or match["escape"] or "")


def _unescaped(match: re.Match[str]) -> str:
    code = match[1]
    if len(code) == 3:
        return chr(int(code[1:], 16) if code[0] == "x" else int(code, 8))
    return _ESCAPES.get(code, code)
