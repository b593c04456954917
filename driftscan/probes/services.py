"""What starts by itself: units of systemd, init scripts, jobs of cron and at; and what listens.

Enabled is read from the links that `systemctl enable` makes, so that images tell it too; only what
is active needs a running systemd.
"""

import re
from collections.abc import Iterable, Mapping
from posixpath import basename, dirname

from msgspec import Struct, field

from driftscan import sanitize
from driftscan.errors import ParseError
from driftscan.model import Absent, Collected, Denied, Item, Items, Partial, Raw, Section, Shell
from driftscan.probes import reading, texts
from driftscan.probes.contract import About
from driftscan.probes.texts import Texts
from driftscan.probes.twins import startup

NAME = "services"

_SPOOLS = ("/var/spool/cron/crontabs", "/var/spool/cron", "/etc/crontabs")
ASK = (
    Shell(
        "startup",
        r"""
set --
for d in /etc/systemd/system /usr/local/lib/systemd/system; do
  if [ -d "$d" ]; then set -- "$@" "$d"; fi
done
if [ $# -gt 0 ]; then
  find -H "$@" -mindepth 1 -maxdepth 2 '(' -type l -o -type f ')' -exec ls -lnd '{}' + |
    sed -n 's,^\(.\)[^/]*/,\1 /,p' | sort
fi
for f in /etc/rc[0-6S].d/S* /etc/runlevels/*/*; do
  if [ -e "$f" ]; then printf 'rc %s\n' "$f"; fi
done
for f in /etc/cron.hourly/* /etc/cron.daily/* /etc/cron.weekly/* /etc/cron.monthly/* \
  /etc/periodic/*/*; do
  if [ -f "$f" ] && [ -x "$f" ]; then printf 'job %s\n' "$f"; fi
done
return 0
""",
        startup.read,
    ),
    texts.question(
        "jobs",
        ("/etc/crontab", "/etc/cron.d/*", *(f"{place}/*" for place in _SPOOLS)),
        ("/etc/cron.d", *_SPOOLS),
    ),
    Shell(
        "active",
        r"""
for f in /var/spool/cron/atjobs/[a-z=]* /var/spool/at/[a-z=]*; do
  if [ -f "$f" ]; then printf 'at %s\n' "${f##*/}"; fi
done
if [ -d /run/systemd/system ] && command -v systemctl >/dev/null; then
  echo 'have systemd'
  systemctl list-units --all --plain --no-legend --no-pager \
    --type=service,timer,socket,mount,path | sed 's/^/unit /'
fi
return 0
""",
        startup.nothing,
    ),
)
GIVES = (
    About(
        "units",
        "facts",
        "unit of systemd that is enabled, linked, masked, or the administrator's own",
        "state (enabled, alias, linked, masked or local), target (of an alias or link), "
        "dropins (file names), wanted_by",
        cost="all seven 20 ms",
        source="/etc/systemd/system, /usr/local/lib/systemd/system",
    ),
    About(
        "init-scripts",
        "facts",
        "name",
        "levels (of rc?.d, or OpenRC's), in which it is started",
        source="/etc/rc?.d, /etc/runlevels",
    ),
    About(
        "cron",
        "facts",
        "file|command, file|NAME= of a variable, or the path of a script run by run-parts",
        "schedule, user; value (secrets redacted)",
        privilege="root for users' own crontabs",
        source="/etc/crontab, /etc/cron.d, /etc/cron.*ly, /var/spool/cron, /etc/periodic",
    ),
    About(
        "failed-units",
        "facts",
        "unit that failed",
        "state",
        source="`systemctl list-units`",
        live=True,
    ),
    About(
        "unit-states",
        "evidence",
        "unit",
        "load, active, sub",
        source="`systemctl list-units`",
        live=True,
    ),
    About(
        "at-jobs",
        "evidence",
        "name of the job",
        "queue, time (seconds since 1970)",
        privilege="root",
        source="/var/spool/cron/atjobs, /var/spool/at",
        live=True,
    ),
)

_ENTRY = re.compile(
    r"(?P<kind>[l-]) (?P<path>/.*?)(?: -> (?P<target>.*))?"
    r"|rc (?P<rc>/etc/(?:rc.\.d|runlevels/[^/]+)/[^/]+)|job (?P<job>/.*)"
)
_UNIT = re.compile(
    r"[A-Za-z0-9:_.\\@-]+\.(?:service|socket|timer|path|mount|automount|target|swap|slice)"
)


class _Startup(Struct):
    """The answer's lines by what they tell; links with where they lead."""

    links: dict[str, str] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)
    scripts: list[str] = field(default_factory=list)
    jobs: list[str] = field(default_factory=list)


def parse(raw: Raw) -> Mapping[str, Section]:
    """The sections of GIVES; raises ParseError for a line that the questions cannot print."""
    startup_ = _startup(_lines(raw, "startup"))
    jobs = texts.read(raw, "jobs")
    cron = {**_jobs(jobs), **{path: {} for path in startup_.jobs if _is_run(path)}}
    return {
        "units": Collected(items=_units(startup_)),
        "init-scripts": Collected(items=_scripts(startup_.scripts)),
        "cron": _cron(jobs, cron),
        **_active(_lines(raw, "active")),
    }


def _lines(raw: Raw, name: str) -> Iterable[str]:
    answer = raw.outputs.get(name)
    return answer.lines if answer else ()


def _startup(lines: Iterable[str]) -> _Startup:
    found = _Startup()
    for line in lines:
        match = _ENTRY.fullmatch(line)
        if match is None:
            raise ParseError(f"expected a unit, a link or a script, got {line!r}")
        if match["rc"]:
            found.scripts.append(match["rc"])
        elif match["job"]:
            found.jobs.append(match["job"])
        elif match["kind"] == "l":
            found.links[match["path"]] = match["target"] or ""
        else:
            found.files.append(match["path"])
    return found


# --- systemd -----------------------------------------------------------------------------------


def _units(found: _Startup) -> Items:
    """What systemctl(1) calls enabled, alias, linked and masked; `local` is a unit file that the
    administrator wrote, where nothing wants it."""
    items: Items = {}
    for path in found.files:
        _add_file(items, path)
    wanted: dict[str, list[str]] = {}
    for path, target in sorted(found.links.items()):
        place, name = dirname(path), basename(path)
        if place.endswith((".wants", ".requires")):
            wanted.setdefault(name, []).append(basename(place).rpartition(".")[0])
        elif _UNIT.fullmatch(name) and not place.endswith(".d"):
            items.setdefault(name, {}).update(_linked(name, target))
    for name, by in wanted.items():
        item = items.setdefault(name, {})
        item["wanted_by"] = sorted(by)
        if item.get("state") in (None, "local", "linked"):
            item["state"] = "enabled"
            item.pop("target", None)
    return items


def _add_file(items: Items, path: str) -> None:
    place, name = dirname(path), basename(path)
    if place.endswith(".d"):
        if name.endswith(".conf"):
            item = items.setdefault(basename(place).removesuffix(".d"), {})
            dropins = item.setdefault("dropins", [])
            if isinstance(dropins, list):
                dropins.append(name)
    elif _UNIT.fullmatch(name) and place.endswith("/system"):
        items.setdefault(name, {})["state"] = "local"


def _linked(name: str, target: str) -> Item:
    if target == "/dev/null":
        return {"state": "masked"}
    other = basename(target)
    return {
        "state": "linked" if other == name else "alias",
        "target": other if other != name else target,
    }


# --- init scripts ------------------------------------------------------------------------------

_RC = re.compile(
    r"/etc/rc(?P<level>.)\.d/S[0-9]{0,3}(?P<name>.+)|/etc/runlevels/(?P<own>[^/]+)/(?P<other>[^/]+)"
)


def _scripts(paths: Iterable[str]) -> Items:
    levels: dict[str, set[str]] = {}
    for match in filter(None, map(_RC.fullmatch, paths)):
        levels.setdefault(match["name"] or match["other"], set()).add(
            match["level"] or match["own"]
        )
    return {name: {"levels": sorted(told)} for name, told in sorted(levels.items())}


# --- cron and at -------------------------------------------------------------------------------

_RUN = re.compile(r"[A-Za-z0-9_-]+")
_VARIABLE = re.compile(r"[ \t]*['\"]?([A-Za-z_][A-Za-z0-9_]*)['\"]?[ \t]*=[ \t]*(.*?)[ \t]*")
_NAMED = re.compile(r"@[a-z]+")


def _is_run(path: str) -> bool:
    """run-parts(8) passes over names with other characters; OpenRC's periodic does not care."""
    return path.startswith("/etc/periodic/") or _RUN.fullmatch(basename(path)) is not None


def _jobs(found: Texts) -> Items:
    items: Items = {}
    for path, lines in found.files.items():
        own = path.startswith(_SPOOLS)
        if path.startswith("/etc/cron.d/") and not _RUN.fullmatch(basename(path)):
            continue  # cron(8) passes over them, what dpkg left among them
        for line in map(reading.without_return, lines):
            key, item = _job(path, line, own)
            if key:
                items[key] = item
    return items


def _job(path: str, line: str, own: bool) -> tuple[str, Item]:
    """One line of crontab(5); of a user's own the user is the file's name."""
    text = line.strip(" \t")
    variable = _VARIABLE.fullmatch(text)
    if not text or text.startswith("#"):
        return "", {}
    if variable:
        value = variable[2].strip("'\"")
        return f"{path}|{variable[1]}=", {"value": sanitize.redact_variable(variable[1], value)}
    count = (1 if _NAMED.match(text) else 5) + (0 if own else 1)
    fields = re.split(r"[ \t]+", text, maxsplit=count)
    if len(fields) <= count:
        return "", {}
    times = fields[:count] if own else fields[: count - 1]
    user = basename(path) if own else fields[count - 1]
    return f"{path}|{fields[count]}", {"schedule": " ".join(times), "user": user}


def _cron(found: Texts, items: Items) -> Section:
    gaps = found.gaps("cron")
    if gaps and not items:
        return Denied(cure="root, or --become: crontabs of users are readable by root alone")
    return Partial(items=items, gaps=gaps) if gaps else Collected(items=items)


_AT = re.compile(r"(?P<queue>[a-zA-Z=])(?P<number>[0-9a-f]{5})(?P<minutes>[0-9a-f]{8})")
_STATE = re.compile(r"(?:[*●x] )?(\S+) +(\S+) +(\S+) +(\S+)(?: .*)?")


def _active(lines: Iterable[str]) -> dict[str, Section]:
    jobs: Items = {}
    states: Items = {}
    systemd = False
    for line in lines:
        kind, _, rest = line.partition(" ")
        match = _AT.fullmatch(rest) if kind == "at" else _STATE.fullmatch(rest.strip(" "))
        if line == "have systemd":
            systemd = True
        elif kind == "at":
            told = (
                {"queue": match["queue"], "time": int(match["minutes"], 16) * 60} if match else {}
            )
            jobs[rest] = dict(told)
        elif kind == "unit" and match:
            states[match[1]] = {"load": match[2], "active": match[3], "sub": match[4]}
        else:
            raise ParseError(f"expected a job or the state of a unit, got {line!r}")
    failed: Items = {
        name: {"state": "failed"} for name, item in states.items() if item["active"] == "failed"
    }
    found: dict[str, Section] = {"at-jobs": Collected(items=jobs)}
    found["unit-states"] = Collected(items=states) if systemd else Absent()
    found["failed-units"] = Collected(items=failed) if systemd else Absent()
    return found
