"""Packages of rpm: what is installed, of which source, when it came, who signed it, what it needs.

The host's own rpm tells, but never as root: root's rpm writes beside its database (locks, indexes).
Where it cannot read it so, or there is no rpm, the database itself comes over and is read here.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cmp_to_key
from pathlib import PurePosixPath

from msgspec import Struct
from msgspec.structs import replace

from driftscan import rpmdb, sanitize, versions
from driftscan.errors import ParseError
from driftscan.model import (
    Absent,
    Collected,
    Denied,
    Failed,
    Files,
    Item,
    Items,
    Partial,
    Payload,
    Raw,
    Section,
    Shell,
)
from driftscan.probes import carried, rpm_locks
from driftscan.probes.contract import About
from driftscan.probes.twins import rpm as twin

NAME = "rpm"

FOUND = r"""
[ -d /usr/lib/sysimage/rpm ] || [ -d /var/lib/rpm ] || return 0
db=
for d in @PLACES@; do
  [ -d "$d" ] || continue
  if ! [ -x "$d" ]; then printf 'denied %s\n' "$d"; continue; fi
  for f in @DATABASES@; do
    if [ -s "$d/$f" ]; then db=$d/$f; break 2; fi
  done
done
[ -n "$db" ] || return 0
""".replace("@PLACES@", " ".join(twin.PLACES)).replace("@DATABASES@", " ".join(rpmdb.DATABASES))
"""The start of a question: the database in `$db`, its folder in `$d`; without one, its end."""

AS_NOBODY = r"""
as_nobody() {
  [ -d /usr/lib/sysimage/rpm ] || [ -d /var/lib/rpm ] || return 0
  if [ -w "$d" ]; then
    timeout -s KILL 60 chroot --userspec=65534:65534 --groups=65534 / rpm --dbpath "$d" "$@"
  else
    timeout -s KILL 60 rpm --dbpath "$d" "$@"
  fi
}
"""
"""After FOUND: asks rpm, as nobody where this account could write, for then rpm would."""

LISTED = (
    """
rpm_listed() {
"""
    + FOUND
    + AS_NOBODY
    + r"""
[ -r "$db" ] && command -v rpm >/dev/null || return 0
as_nobody -qa --qf '[%{FILEFLAGS:fflags} %{=NAME}.%{=ARCH}.list:%{FILENAMES}\n]'
}
"""
).replace("printf 'denied %s\\n' \"$d\"; ", "")
"""A function that prints `FLAGS name.arch.list:path` of all files of packages; `g` marks those that
are only named (rpm(8)). All at once: to ask whose 200 files are costs as much."""

_EMPTY = r"""
# Of an empty database, or a folder without one on a system of rpm, nothing is told: not no package.
for d in @PLACES@; do
  [ -d "$d" ] || continue
  for f in @DATABASES@; do
    if [ -f "$d/$f" ] && ! [ -s "$d/$f" ]; then printf 'empty %s\n' "$d/$f"; fi
  done
  for f in @DATABASES@; do
    if [ -s "$d/$f" ]; then d=; break; fi
  done
  if [ -n "$d" ] && [ -x "$d" ] && ! [ -h "$d" ] && [ -f /etc/os-release ] &&
    grep -qsE @FAMILY@ /etc/os-release; then printf 'empty %s\n' "$d"; fi
done
""".replace("@PLACES@", " ".join(twin.PLACES)).replace("@DATABASES@", " ".join(rpmdb.DATABASES))

ASK = (
    Shell(
        "packages",
        _EMPTY.replace("@FAMILY@", f"'{twin.FAMILY}'")
        + FOUND
        + r"""
printf 'database %s\n' "$db"
if ! [ -r "$db" ]; then printf 'denied %s\n' "$db"; return 0; fi
if command -v rpm >/dev/null; then
  q='@FORMAT@'
  case $(rpm --querytags) in *RECOMMENDNAME*) q=$q'@RECOMMENDED@' ;; esac
  # Where this account may write, rpm does: locks, indexes, times. As nobody it only reads.
  { { if [ -w "$d" ]; then
        timeout -s KILL 30 chroot --userspec=65534:65534 --groups=65534 / \
          rpm -qa --dbpath "$d" --qf "$q"
      else
        timeout -s KILL 30 rpm -qa --dbpath "$d" --qf "$q"
      fi 2>&1 >&3 3>&-
    } | awk '/^error: / { n++; last = $0 } END { if (n) print "! " n " " last }'
  } 3>&1 | awk '/^- / { n++ } !/^r rpmlib\(/ { print } END { exit !n }' && return 0
fi
set -- "$db" "$db-wal"
""".replace("@FORMAT@", rpmdb.FORMAT).replace("@RECOMMENDED@", rpmdb.RECOMMENDED)
        + carried.LOOP,
        twin.packages,
    ),
    Files(rpm_locks.FILES),
)
GIVES = (
    About(
        "rpm",
        "facts",
        "name.architecture",
        "version (the newest), versions (if several are there), source, source_version, "
        "architecture, vendor, want (hold: a versionlock names it)",
        cost="130 ms with 500 packages, 50 ms with 100",
    ),
    About(
        "rpm-times",
        "evidence",
        "as rpm",
        "changed (seconds since 1970, when installed), built (seconds since 1970), key (id of the "
        "key that signed it)",
    ),
    About("rpm-needs", "evidence", "as rpm", "depends, recommends (keys), provides"),
    About("rpm-keys", "evidence", "id of a key that rpm trusts", "changed (seconds since 1970)"),
)


class _Record(Struct):
    """One package as it lies in the database, and what it needs."""

    name: str
    architecture: str
    version: str
    source: str
    source_version: str
    vendor: str
    installed: int
    built: int
    key: str
    requires: list[str]
    recommends: list[str]
    provides: list[str]

    @property
    def id(self) -> str:
        return f"{self.name}.{self.architecture}"


def parse(raw: Raw) -> Mapping[str, Section]:
    """The four sections; raises ParseError for a line or a database that is not rpm's."""
    payload = raw.outputs.get("packages", Payload(()))
    closed = [line.partition(" ")[2] for line in payload.lines if line.startswith("denied ")]
    if closed:
        return _all(Denied(cure=f"read access to {closed[-1]}, or --become"))
    empty = [line.partition(" ")[2] for line in payload.lines if line.startswith("empty ")]
    lines = [line for line in payload.lines if not line.startswith("empty ")]
    payload = replace(payload, lines=tuple(lines))
    if not lines:
        return _all(Failed(reason=f"{empty[0]} is empty: {_LOST}") if empty else Absent())
    told = _told(payload)
    gaps = [line[2:] for line in told if line.startswith("! ")]
    records = list(_records(line for line in told if not line.startswith(("! ", "database "))))
    if not records:
        return _all(Failed(reason=_nothing(payload.lines[0], gaps)))
    return _sections(records, raw, gaps)


_LOST = "the database of rpm is gone, which is no machine without packages"


def _all(section: Section) -> dict[str, Section]:
    return {about.name: section for about in GIVES}


def _nothing(first: str, gaps: Sequence[str]) -> str:
    place = first.removeprefix("database ")
    why = f": rpm says {gaps[0]!r}" if gaps else ": there is no rpm that reads it"
    return f"no package could be read of {place}{why}, and the file itself did not come over"


def _sections(records: list[_Record], raw: Raw, gaps: list[str]) -> dict[str, Section]:
    keys = {r.version.partition("-")[0]: r.installed for r in records if r.name == "gpg-pubkey"}
    groups: dict[str, list[_Record]] = {}
    for record in records:
        if record.name != "gpg-pubkey":
            groups.setdefault(record.id, []).append(record)
    newest = {key: _newest_first(group) for key, group in sorted(groups.items())}
    held = rpm_locks.held(raw.files)
    found: dict[str, Items] = {
        "rpm": {key: _package(group, held) for key, group in newest.items()},
        "rpm-times": {key: _times(group[0]) for key, group in newest.items()},
        "rpm-needs": _needs([group[0] for group in newest.values()]),
        "rpm-keys": {key: {"changed": time} for key, time in sorted(keys.items())},
    }
    if not newest:
        return _all(Failed(reason="the database of rpm lists keys and no package"))
    if gaps:
        return {name: Partial(items=items, gaps=gaps) for name, items in found.items()}
    return {name: Collected(items=items) for name, items in found.items()}


# --- what came over ------------------------------------------------------------------------------


def _told(payload: Payload) -> list[str]:
    """The lines of rpm: its own, or read here from the bytes of its database."""
    if not any(line.startswith("bytes ") for line in payload.lines):
        if payload.cut:
            raise ParseError("rpm tells more than the limit")
        return list(payload.lines)
    files = carried.files(payload.lines)
    return sanitize.lines(rpmdb.answer({PurePosixPath(f).name: files[f] for f in files}))


_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+~^%{}-]{0,250}")
_ARCHITECTURE = re.compile(r"[A-Za-z0-9_]{1,40}|\(none\)")
_KEY = re.compile(r"(?i)Key (?:ID|Fingerprint):? ([0-9a-f]{8,64})")
_NONE = "(none)"


def _records(lines: Iterable[str]) -> Iterator[_Record]:
    record: _Record | None = None
    needs: dict[str, list[str]] = {}
    for line in lines:
        mark, _, rest = line.partition(" ")
        if mark == "-":
            if record:
                yield record
            record = _record(line, rest)
            needs = {"r": record.requires, "w": record.recommends, "p": record.provides}
        elif record is None or mark not in needs:
            raise ParseError(f"expected a package of rpm, got {line!r}")
        else:
            needs[mark].append(rest)
    if record:
        yield record


def _record(line: str, text: str) -> _Record:
    fields = text.split("\t")
    if (
        len(fields) != 10
        or not _NAME.fullmatch(fields[0])
        or not _ARCHITECTURE.fullmatch(fields[1])
    ):
        raise ParseError(f"expected a package of rpm, got {line!r}")
    name, architecture, epoch, version, release, source, installed, built, signed, vendor = fields
    evr = _evr(epoch, version, release)
    origin, source_version = _source(source) if source != _NONE else (name, evr)
    if evr.endswith(f":{source_version}"):
        source_version = evr
    key = _KEY.search(signed)
    return _Record(
        name=name,
        architecture="noarch" if architecture == _NONE else architecture,
        version=evr,
        source=origin,
        source_version=source_version,
        vendor="" if vendor == _NONE else vendor,
        installed=_seconds(line, installed),
        built=_seconds(line, built),
        key=key[1].lower()[-16:] if key else "",
        requires=[],
        recommends=[],
        provides=[],
    )


def _evr(epoch: str, version: str, release: str) -> str:
    """Epoch 0 is none (rpm-version(7)), whether the package says it or not."""
    return f"{version}-{release}" if epoch in ("", "0") else f"{epoch}:{version}-{release}"


def _source(file: str) -> tuple[str, str]:
    """`bash-5.1.8-6.el9.src.rpm` -> `bash`, `5.1.8-6.el9`."""
    stem = re.sub(r"\.(?:no)?src\.rpm$", "", file)
    parts = stem.rsplit("-", 2)
    return (parts[0], f"{parts[1]}-{parts[2]}") if len(parts) == 3 else (stem, "")


def _seconds(line: str, text: str) -> int:
    if text == _NONE:
        return 0
    if not re.fullmatch(r"[0-9]{1,12}", text):
        raise ParseError(f"expected seconds, got {text!r} in {line!r}")
    return int(text)


# --- packages ------------------------------------------------------------------------------------


def _newest_first(group: list[_Record]) -> list[_Record]:
    """Several versions side by side (kernels) are one item; without an order the later came."""
    if len(group) == 1:
        return group

    def order(one: _Record, other: _Record) -> int:
        return versions.compare("rpm", one.version, other.version) or (
            one.installed - other.installed
        )

    return sorted(group, key=cmp_to_key(order), reverse=True)


def _package(group: list[_Record], held: rpm_locks.Held) -> Item:
    first = group[0]
    item: Item = {
        "version": first.version,
        "source": first.source,
        "source_version": first.source_version,
        "architecture": first.architecture,
        "vendor": first.vendor,
        "want": "hold" if held(first.name) else "install",
    }
    several = list(dict.fromkeys(record.version for record in group))
    if len(several) > 1:
        item["versions"] = several
    return item


def _times(record: _Record) -> Item:
    item: Item = {"changed": record.installed, "built": record.built}
    if record.key:
        item["key"] = record.key
    return item


# --- needs ---------------------------------------------------------------------------------------


def _needs(records: list[_Record]) -> Items:
    """Capabilities resolved to the keys of those that provide them: alternatives with `|`.

    What nothing installed provides by name (files, which need all lists of files; conditions) is
    left out. Provided names stay where they are no library and not the package itself.
    """
    providers: dict[str, list[str]] = {}
    for record in records:
        for capability in dict.fromkeys(record.provides):
            providers.setdefault(capability, []).append(record.id)
    found: Items = {}
    for record in records:
        needs = {
            "depends": _resolved(record, record.requires, providers),
            "recommends": _resolved(record, record.recommends, providers),
            "provides": ", ".join(sorted(filter(_named, {record.name, *record.provides}))),
        }
        found[record.id] = {name: value for name, value in needs.items() if value}
    return found


def _resolved(record: _Record, wanted: list[str], providers: Mapping[str, list[str]]) -> str:
    groups = (
        providers.get(capability, []) for text in dict.fromkeys(wanted) for capability in _any(text)
    )
    told = {" | ".join(group): None for group in groups if group and record.id not in group}
    return ", ".join(sorted(told))


_RICH = re.compile(r"\((.*) if .*\)")


def _any(text: str) -> list[str]:
    """`(a if b)` asks for a: what is installed tells whether it was."""
    match = _RICH.fullmatch(text)
    return [match[1].strip("(").partition(" ")[0]] if match else [text]


def _named(capability: str) -> bool:
    return re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._+-]*", capability) is not None
