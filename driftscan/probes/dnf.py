"""Where dnf, yum and zypper take packages from, what they hold back, what updates by itself.

A repository is known by its id, never by its URL: a mirror is not drift. They have no order but by
priority, then cost, then id: that is `position` (dnf.conf(5), zypper(8)).
"""

import re
from collections.abc import Iterator, Mapping
from configparser import Error as IniError
from configparser import RawConfigParser

from msgspec import Struct

from driftscan.errors import ParseError
from driftscan.model import (
    Absent,
    Collected,
    Denied,
    Files,
    Item,
    Items,
    Payload,
    Raw,
    Section,
    Stats,
)
from driftscan.probes import openpgp, reading, rpm_locks
from driftscan.probes.contract import About

NAME = "dnf"
CONFIGURATIONS = ("/etc/yum.conf", "/etc/dnf/dnf.conf")
AUTOMATIC = (
    "/etc/yum/yum-cron.conf",
    "/etc/dnf/automatic.conf",
    "/usr/share/dnf5/dnf5-plugins/automatic.conf",
    "/etc/dnf/dnf5-plugins/automatic.conf",
)
KEYS = "/etc/pki/rpm-gpg/"
_OVERRIDES = "/etc/dnf/repos.override.d/"

ASK = (
    Files(
        (
            *CONFIGURATIONS,
            *AUTOMATIC,
            "/usr/share/dnf5/repos.d/*.repo",
            "/etc/yum.repos.d/*.repo",
            "/etc/zypp/repos.d/*.repo",
            f"{_OVERRIDES}*.repo",
            "/etc/dnf/modules.d/*.module",
            *rpm_locks.FILES,
        )
    ),
    Files((f"{KEYS}*",)),
    Stats("timers", ("/etc/systemd/system/timers.target.wants",), "dnf*.timer"),
)
GIVES = (
    About(
        "repositories",
        "facts",
        "rpm/ID, of those enabled",
        "position, signed (false: packages are taken without a signature, gpgcheck=0)",
        cost="10 ms",
    ),
    About(
        "repository-sources",
        "evidence",
        "as repositories",
        "urls (baseurl, mirrorlist, metalink), places, keys (fingerprints, or addresses of keys "
        "that are not here)",
    ),
    About("rpm-repositories-off", "evidence", "rpm/ID, of those not enabled", "places"),
    About(
        "rpm-modules",
        "facts",
        "module",
        "state (enabled, disabled), stream, profiles (installed ones)",
    ),
    About(
        "rpm-pins",
        "facts",
        "exclude|PATTERN|main or repository, or versionlock|ENTRY of a pattern of names or of what "
        "may not be installed",
        "excludes (nothing that matches is installed)",
    ),
    About("rpm-pin-files", "evidence", "as rpm-pins, and versionlock|ENTRY of packages", "place"),
    About(
        "dnf-settings",
        "evidence",
        "file:section.name of a setting, or timer:NAME of what starts updates",
        "value, place",
    ),
)

SETTINGS = frozenset(
    {
        *("main.best", "main.gpgcheck", "main.install_weak_deps", "main.installonly_limit"),
        *("main.obsoletes", "main.skip_if_unavailable", "main.module_platform_id"),
        *("commands.apply_updates", "commands.download_updates", "commands.upgrade_type"),
        *("commands.random_sleep", "commands.reboot", "commands.update_cmd"),
    }
)


_NO = ("0", "no", "false", "off")


class _Option(Struct, frozen=True):
    """One value of a configuration, and where it stands."""

    value: str
    place: str


class _Repository(Struct):
    """One repository, of all files that speak of it; the last value of an option counts."""

    options: dict[str, str]
    places: list[str]

    @property
    def enabled(self) -> bool:
        return self.options.get("enabled", "1").lower() not in _NO

    def number(self, name: str, default: int) -> int:
        """A number that is no number counts as the default, as for dnf, which only warns."""
        text = self.options.get(name, "")
        return int(text) if re.fullmatch(r"[0-9]{1,9}", text) else default


def parse(raw: Raw) -> Mapping[str, Section]:
    """The seven sections; raises ParseError naming file and line that dnf would refuse too."""
    closed = [path for path in reading.denied(raw) if not KEYS.startswith(path)]
    settings = [path for path in closed if path in AUTOMATIC]
    if len(closed) > len(settings):
        first = next(path for path in closed if path not in settings)
        return dict.fromkeys(_NAMES, Denied(cure=f"read access to {first}, or --become"))
    if not any(path.startswith(_OURS) for path in raw.files):
        return dict.fromkeys(_NAMES, Absent())
    files = raw.files
    repositories = _repositories(files)
    keys = _fingerprints(files)
    on = sorted(
        (name for name, one in repositories.items() if one.enabled),
        key=lambda name: (
            repositories[name].number("priority", 99),
            repositories[name].number("cost", 1000),
            name,
        ),
    )
    off = sorted(name for name, one in repositories.items() if not one.enabled)
    pins, places = _pins(files, repositories)
    general = _general(files)
    found: dict[str, Items] = {
        "repositories": {
            f"rpm/{name}": {"position": n, "signed": _signed(repositories[name], general)}
            for n, name in enumerate(on)
        },
        "repository-sources": {f"rpm/{n}": _source(repositories[n], keys) for n in on},
        "rpm-repositories-off": {f"rpm/{n}": {"places": repositories[n].places} for n in off},
        "rpm-modules": _modules(files),
        "rpm-pins": pins,
        "rpm-pin-files": places,
        "dnf-settings": _settings(files, raw),
    }
    sections: dict[str, Section] = {n: Collected(items=items) for n, items in found.items()}
    if settings:
        sections["dnf-settings"] = Denied(cure=f"read access to {settings[0]}, or --become")
    return sections


_NAMES = tuple(about.name for about in GIVES)
_OURS = ("/etc/dnf/", "/etc/yum", "/etc/zypp/", "/usr/share/dnf5/")


def _ini(path: str, payload: Payload) -> dict[str, dict[str, str]]:
    """The sections of a file; a value goes on in lines that begin with a blank."""
    parser = RawConfigParser(
        strict=False,
        delimiters=("=",),
        comment_prefixes=("#", ";"),
        default_section="",
        empty_lines_in_values=False,
        allow_no_value=True,
    )
    try:
        parser.read_string("\n".join(map(reading.without_return, payload.lines)) + "\n", path)
    except IniError as error:
        told = " ".join(reading.words(str(error).replace("\n", " ")))
        raise ParseError(f"{path}: expected [section] and name=value: {told}") from None
    return {name: {k: v or "" for k, v in parser.items(name)} for name in parser.sections()}


def _repositories(files: Mapping[str, Payload]) -> dict[str, _Repository]:
    """By id; an override's section may be a pattern of ids, and changes only what there is."""
    found: dict[str, _Repository] = {}
    for path in sorted(files, key=lambda path: (path.startswith("/etc/"), path)):
        if not path.endswith(".repo") or path.startswith(_OVERRIDES):
            continue
        for name, options in _ini(path, files[path]).items():
            if name != "main":
                one = found.setdefault(name, _Repository({}, []))
                one.options.update(options)
                one.places.append(path)
    for path in sorted(path for path in files if path.startswith(_OVERRIDES)):
        for pattern, options in _ini(path, files[path]).items():
            for name in rpm_locks.matching(pattern, found):
                found[name].options.update(options)
                found[name].places.append(path)
    return found


def _general(files: Mapping[str, Payload]) -> dict[str, str]:
    """The options that count for each repository that has none of its own."""
    mains = (_ini(path, files[path]).get("main", {}) for path in CONFIGURATIONS if path in files)
    return {name: value for main in mains for name, value in main.items()}


def _signed(one: _Repository, general: Mapping[str, str]) -> bool:
    """Unless a file says no: what counts where none says anything differs with dnf's version."""
    return one.options.get("gpgcheck", general.get("gpgcheck", "")).lower() not in _NO


def _source(one: _Repository, keys: Mapping[str, list[str]]) -> Item:
    """Addresses and keys of a repository; variables in them stay as written."""
    urls = [one.options.get(name, "") for name in ("baseurl", "mirrorlist", "metalink")]
    item: Item = {"urls": [word for text in urls for word in _list(text)], "places": one.places}
    named = [key for url in _list(one.options.get("gpgkey", "")) for key in _key(url, keys)]
    if named:
        item["keys"] = list(dict.fromkeys(named))
    return item


def _key(url: str, keys: Mapping[str, list[str]]) -> list[str]:
    """The fingerprints in the file that a `file://` URL names; `$releasever` may be in its name."""
    pattern = re.sub(
        r"\\\$[a-z_]+|\\\$\\\{[a-z_]+\\\}", "[^/]*", re.escape(url.removeprefix("file://"))
    )
    found = [key for path in sorted(keys) if re.fullmatch(pattern, path) for key in keys[path]]
    return found or [url]


def _list(text: str) -> list[str]:
    return [
        word
        for line in text.split("\n")
        for part in line.split(",")
        for word in reading.words(part)
    ]


def _fingerprints(files: Mapping[str, Payload]) -> dict[str, list[str]]:
    """What is no key in the folder of keys has no fingerprint."""
    return {
        path: openpgp.fingerprints(files[path].lines) for path in files if path.startswith(KEYS)
    }


def _modules(files: Mapping[str, Payload]) -> Items:
    """`/etc/dnf/modules.d/NAME.module`: what `dnf module enable` and `disable` leave there."""
    items: Items = {}
    for path in sorted(path for path in files if path.endswith(".module")):
        for name, options in _ini(path, files[path]).items():
            state = options.get("state", "")
            if state in ("enabled", "disabled"):
                items[name] = {"state": state, "stream": options.get("stream", "")}
                items[name]["profiles"] = sorted(_list(options.get("profiles", "")))
    return items


def _pins(files: Mapping[str, Payload], known: Mapping[str, _Repository]) -> tuple[Items, Items]:
    pins: Items = {}
    places: Items = {}
    for scope, option in _excludes(files, known):
        for pattern in _list(option.value):
            pins[f"exclude|{pattern}|{scope}"] = {"excludes": True}
            places[f"exclude|{pattern}|{scope}"] = {"place": option.place}
    for lock in rpm_locks.locks(files):
        key = f"versionlock|{lock.entry}"
        places[key] = {"place": lock.place}
        if lock.excludes or rpm_locks.is_pattern(lock.name):
            pins[key] = {"excludes": lock.excludes}
    return pins, places


def _excludes(
    files: Mapping[str, Payload], known: Mapping[str, _Repository]
) -> Iterator[tuple[str, _Option]]:
    """`exclude=` and `excludepkgs=`, of all repositories and of one that is enabled."""
    for path in CONFIGURATIONS:
        if path in files:
            for name, value in _ini(path, files[path]).get("main", {}).items():
                if name in _EXCLUDE:
                    yield "main", _Option(value, path)
    for name, one in sorted(known.items()):
        for option in _EXCLUDE:
            if one.enabled and option in one.options:
                yield name, _Option(one.options[option], one.places[-1])


_EXCLUDE = ("exclude", "excludepkgs")


def _settings(files: Mapping[str, Payload], raw: Raw) -> Items:
    items: Items = {}
    for path in (*CONFIGURATIONS, *AUTOMATIC):
        for section, options in _ini(path, files[path]).items() if path in files else ():
            for name, value in options.items():
                if f"{section}.{name}" in SETTINGS:
                    key = f"{path.rpartition('/')[2]}:{section}.{name}"
                    items[key] = {"value": value, "place": path}
    for row in reading.stats(raw.outputs.get("timers", Payload(()))):
        items[f"timer:{row.path.rpartition('/')[2]}"] = {"value": "enabled", "place": row.path}
    return items
