"""The configuration file -> defaults of the options: the first file found, and what it may set."""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from driftscan.errors import InputError

if TYPE_CHECKING:  # reading YAML costs 40 ms: only where there is a file
    from driftscan.inventory.yaml_lines import Value

Plain: TypeAlias = str | int | bool | list[str]
Defaults: TypeAlias = dict[str, Plain]

FORMATS = ("text", "json", "junit", "markdown", "github")
ROADS = ("ssh", "openssh", "read")
FAIL_ON = ("breaks", "in-use", "installed", "never")

TIMEOUTS: dict[str, tuple[str, float]] = {
    "dns": ("dns", 5),
    "tcp": ("connect", 10),
    "kex": ("handshake", 20),
    "login": ("login", 15),
    "session": ("session", 15),
    "first-byte": ("first_byte", 15),
    "idle": ("idle", 30),
}
"""The stages of a trip: their field of `model.Limits` and its default, in seconds."""
DEFAULT_TIMEOUTS = ", ".join(f"{stage} {seconds}" for stage, (_, seconds) in TIMEOUTS.items())

HERE = ("inventory", "targets", "formats", "fail_on", "accept")
"""What a file of the working directory may set: a pull request can change that file."""

_MAX_SIZE = 1 << 20


def defaults(named: str | None) -> Defaults:
    """The defaults by the name of the option's parameter; empty without a configuration file.

    The first of: `named`, `driftscan.yml` here, `[tool.driftscan]` of `pyproject.toml` here, the
    user's, the system's; they are not merged. Raises InputError naming file, line and key.
    """
    if named:
        return _read(Path(named), trusted=True)
    for path in (Path("driftscan.yml"), Path("pyproject.toml")):
        if path.is_file() and (found := _read(path, trusted=False)):
            return found
    for path in _trusted_places():
        if path.is_file():
            return _read(path, trusted=True)
    return {}


def _trusted_places() -> Iterator[Path]:
    home = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")  # noqa: PTH111 - a home that is not there is no error
    yield Path(home) / "driftscan" / "config.yml"
    yield Path("/etc/driftscan/config.yml")


class _Entry:
    """One key of a file, its plain value, and how a mistake in it is told."""

    def __init__(self, key: str, value: Plain | None, place: str) -> None:
        self.key = key
        self.value = value
        self.place = place

    def wrong(self, text: str) -> InputError:
        return InputError(f"{self.place}: {self.key}: {text}")


def _read(path: Path, *, trusted: bool) -> Defaults:
    entries = _toml(path) if path.suffix == ".toml" else _yaml(path)
    found: Defaults = {}
    for entry in entries:
        if entry.key not in KEYS:
            raise entry.wrong(f"no such key: known are {', '.join(KEYS)}")
        if not trusted and entry.key not in HERE:
            raise entry.wrong(
                f"a file of the working directory may set only {', '.join(HERE)}, because a pull"
                " request can change it: set it in ~/.config/driftscan/config.yml, in"
                f" DRIFTSCAN_{entry.key.upper()} or on the command line"
            )
        found.update(KEYS[entry.key](entry, path.parent, trusted))
    return found


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_SIZE + 1)
        if len(data) > _MAX_SIZE:
            raise InputError(f"{path}: a configuration file may have 1 MiB")
        return data.decode()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text: save it as UTF-8") from error


def _toml(path: Path) -> list[_Entry]:
    import tomllib

    from driftscan.sanitize import safe

    try:
        tool = tomllib.loads(_text(path)).get("tool", {})
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path}: not TOML: {safe(str(error))}") from error
    table = tool.get("driftscan", {}) if isinstance(tool, Mapping) else {}
    if not isinstance(table, Mapping):
        raise InputError(f"{path}: tool.driftscan must be a table")
    place = f"{path}: [tool.driftscan]"
    return [_Entry(safe(key), _of_toml(value), place) for key, value in table.items()]


def _of_toml(value: object) -> Plain | None:
    if isinstance(value, str | bool | int):
        return value
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return value
    return None


def _yaml(path: Path) -> list[_Entry]:
    from driftscan.inventory.yaml_lines import Problems, read

    problems = Problems(str(path))
    root = read(_text(path), problems)
    if root.kind != "mapping":
        problems.add(root, "expected a mapping, such as `inventory: hosts.yml`")
    problems.settle()
    return [
        _Entry(key.text, _of_yaml(value), f"{path}:{key.line}:{key.column}")
        for key, value in root.entries
    ]


def _of_yaml(value: "Value") -> Plain | None:
    match value.kind:
        case "text":
            return value.text
        case "number":
            return value.number
        case "truth":
            return value.truth
        case "list" if all(item.kind == "text" for item in value.items):
            return [item.text for item in value.items]
        case _:
            return None


# --- the keys ----------------------------------------------------------------------------------


def _path(entry: _Entry, folder: Path, _trusted: bool) -> Defaults:
    if not isinstance(entry.value, str) or not entry.value:
        raise entry.wrong("must be a path")
    return {entry.key: str(folder / Path(entry.value).expanduser())}


def _targets(entry: _Entry, _folder: Path, _trusted: bool) -> Defaults:
    return {entry.key: _words(entry)}


def _words(entry: _Entry) -> list[str]:
    words = [entry.value] if isinstance(entry.value, str) else entry.value
    if not isinstance(words, list) or not words:
        raise entry.wrong("must be a text or a list of texts")
    return words


def _formats(entry: _Entry, folder: Path, trusted: bool) -> Defaults:
    """`text` is for standard output, `json=PATH` for a file."""
    found: Defaults = {}
    outputs: list[str] = []
    for word in _words(entry):
        name, to_file, path = word.partition("=")
        if name not in FORMATS:
            raise entry.wrong(f"'{name}' is no format: use {' or '.join(FORMATS)}, or FORMAT=PATH")
        if not to_file:
            found["format"] = name
        elif trusted or _is_inside(path):
            outputs.append(f"{name}={folder / path}")
        else:
            raise entry.wrong("a file of the working directory may only name files below it")
    return {**found, **({"outputs": outputs} if outputs else {})}


def _is_inside(path: str) -> bool:
    here = Path.cwd().resolve()
    return bool(path) and path != "-" and (here / path).resolve().is_relative_to(here)


def _fail_on(entry: _Entry, _folder: Path, _trusted: bool) -> Defaults:
    if entry.value not in FAIL_ON:
        raise entry.wrong(f"must be one of {', '.join(FAIL_ON)}")
    return {entry.key: str(entry.value)}


def _truth(entry: _Entry, _folder: Path, _trusted: bool) -> Defaults:
    if not isinstance(entry.value, bool):
        raise entry.wrong("must be true or false")
    return {entry.key: entry.value}


def _number(entry: _Entry, _folder: Path, _trusted: bool) -> Defaults:
    if isinstance(entry.value, bool) or not isinstance(entry.value, int) or entry.value < 1:
        raise entry.wrong("must be a whole number above 0")
    return {entry.key: entry.value}


def _road(entry: _Entry, _folder: Path, _trusted: bool) -> Defaults:
    if entry.value not in ROADS:
        raise entry.wrong(f"must be one of {', '.join(ROADS)}")
    return {entry.key: str(entry.value)}


def wrong_timeout(word: str) -> str:
    """What is wrong with a `STAGE=SECONDS`; nothing if it is one."""
    stage, _, seconds = word.partition("=")
    if stage not in TIMEOUTS:
        return f"{word!r}: the stages are {', '.join(TIMEOUTS)}"
    if not re.fullmatch(r"[0-9]{1,5}(\.[0-9]{1,3})?", seconds) or not float(seconds):
        return f"{word!r}: write it like {stage}=30, in seconds above 0"
    return ""


def _timeouts(entry: _Entry, _folder: Path, _trusted: bool) -> Defaults:
    words = _words(entry)
    for wrong in filter(None, map(wrong_timeout, words)):
        raise entry.wrong(wrong)
    return {entry.key: words}


def _run_deadline(entry: _Entry, folder: Path, trusted: bool) -> Defaults:
    return {"ends": _number(entry, folder, trusted)[entry.key]}


def _engine(entry: _Entry, _folder: Path, _trusted: bool) -> Defaults:
    if not isinstance(entry.value, str) or not entry.value:
        raise entry.wrong("must be the name or the path of a program, such as podman")
    return {entry.key: entry.value}


KEYS: dict[str, Callable[[_Entry, Path, bool], Defaults]] = {
    "inventory": _path,
    "targets": _targets,
    "formats": _formats,
    "fail_on": _fail_on,
    "accept": _path,
    "become": _truth,
    "deadline": _number,
    "timeouts": _timeouts,
    "run_deadline": _run_deadline,
    "workers": _number,
    "per_jump": _number,
    "engine": _engine,
    "road": _road,
}
