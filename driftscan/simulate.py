"""What a remedy would do: apt's own simulation, in a container of the image, with the host's state.

Nothing is asked of the host here: its package database came with the second trip. It goes into the
memory of the container, and what apt says comes back.
"""

import re
import shlex
from collections.abc import Callable, Iterable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from driftscan import sanitize, versions
from driftscan.errors import EngineError
from driftscan.explain.case import Case
from driftscan.explain.remedies import sources, words
from driftscan.machines import throwaway
from driftscan.machines.engine import Engine
from driftscan.model import (
    Comparison,
    Failed,
    Finding,
    HostReport,
    Items,
    Partial,
    Remedy,
    Side,
    Simulation,
    Want,
)

WANT = Want(side="subject", kind="status", name="dpkg")
_FOLDER = throwaway.FOLDER


def wants(comparison: Comparison) -> list[Want]:
    """The subject's package database, where packages would have to be installed."""
    kinds = {d.kind for d in comparison.divergences if d.section == "dpkg"}
    return [WANT] if kinds & {"changed", "missing"} else []


class Road(Struct, frozen=True):
    """How the container is reached: its engine, found when it is needed, and its network."""

    engine: Callable[[], Engine]
    network: str = ""
    deadline: float = 120.0


def simulated(report: HostReport, subject: Side, reference: Side, road: Road) -> HostReport:
    """The report whose remedy says what it would do, or why that is not known."""
    done = [_told(r, report, subject, reference, road) for r in report.remedies]
    return replace(report, remedies=done)


def _told(remedy: Remedy, report: HostReport, subject: Side, reference: Side, road: Road) -> Remedy:
    if remedy.direction != "subject" or not _installs(remedy):
        return remedy
    try:
        found = _simulation(remedy, report, subject, reference, road)
    except (EngineError, _Unknown) as error:
        return replace(remedy, simulated=f"not simulated: {_line(str(error))}")
    return _with(remedy, found)


class _Unknown(Exception):  # noqa: N818
    """Why there can be no simulation, or no result of one."""


def _line(text: str) -> str:
    return sanitize.safe(sanitize.redact(text))[:300]


def _installs(remedy: Remedy) -> list[list[str]]:
    """The commands of apt-get that change packages, as words."""
    phases = ("packages", "removals")
    runs = [shlex.split(step.run) for step in remedy.steps if step.phase in phases]
    return [run for run in runs if run[:1] == ["apt-get"]]


def _with(remedy: Remedy, found: Simulation) -> Remedy:
    """What would be removed and was not asked for makes the remedy one not to run."""
    parts = [f"{found.upgraded} upgraded"]
    parts += [f"{found.downgraded} downgraded"] if found.downgraded else []
    parts += [f"{found.installed} newly installed"] if found.installed else []
    parts += [f"{len(found.removed)} removed", f"{found.left} differences left"]
    notes = list(remedy.notes)
    if found.beyond:
        notes.append(
            f"a plain dist-upgrade would change {len(found.beyond)} packages beyond these: "
            + _some(found.beyond)
        )
    unasked = sorted(set(found.removed) - _asked_away(remedy))
    if unasked:
        notes.insert(0, f"do not run it: apt would also remove {_some(unasked)}")
    return replace(
        remedy,
        simulated=f"simulated: {', '.join(parts)}",
        simulation=found,
        recommended=not unasked,
        notes=notes,
    )


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 6} more" if len(names) > 6 else ""
    return ", ".join(names[:6]) + more


def _asked_away(remedy: Remedy) -> set[str]:
    return {name for run in _installs(remedy) if run[1:2] == ["remove"] for name in run[2:]}


# --- the container -------------------------------------------------------------------------------


def _simulation(
    remedy: Remedy, report: HostReport, subject: Side, reference: Side, road: Road
) -> Simulation:
    status = _status(subject, _unheld(remedy))
    engine = road.engine()
    said = throwaway.run(
        engine,
        _image(reference, engine),
        _script(remedy, report, subject, reference),
        status,
        network=road.network,
        deadline=road.deadline,
    )
    blocks = _blocks(sanitize.lines(said.output))
    if "upgrade" not in blocks:
        raise _Unknown(throwaway.complaint(said))
    if _failed(blocks["install"]):
        raise _Unknown(f"apt refuses: {_refusal(blocks)}")
    return _judged(report, subject, blocks, _asked_away(remedy))


def _image(reference: Side, engine: Engine) -> str:
    """The image as it was built, if the engine still has it."""
    name = ""
    if reference.baseline is not None:
        name = reference.baseline.image
    elif reference.fingerprint.meta.kind == "image":
        name = reference.fingerprint.meta.address
    if not name:
        raise _Unknown("there is no image to do it in: compare with a baseline")
    if engine.inspect(name) is None:
        raise _Unknown(f"the engine does not have the {reference.label}: build it again")
    return name


def _status(subject: Side, unheld: set[str]) -> bytes:
    """The subject's package database as a file, the holds lifted that the remedy lifts."""
    section = subject.fingerprint.details.get(WANT.kind)
    lines = getattr(section, "items", {}).get(WANT.name, {}).get("lines")
    if not isinstance(lines, list):
        reason = "was not asked for"
        if isinstance(section, Failed):
            reason = f"is not known: {section.reason}"
        elif isinstance(section, Partial) and section.gaps:
            reason = f"is not known: {section.gaps[0]}"
        raise _Unknown(f"the package database of {subject.label} {reason}")
    name, text = "", []
    for line in lines:
        name = line.removeprefix("Package: ") if line.startswith("Package: ") else name
        held = line == "Status: hold ok installed" and name in unheld
        text.append("Status: install ok installed" if held else line)
    return "\n".join([*text, "", ""]).encode()


def _unheld(remedy: Remedy) -> set[str]:
    runs = [shlex.split(step.run) for step in remedy.steps if step.phase == "unblock"]
    found = (run[2:] for run in runs if run[:2] == ["apt-mark", "unhold"])
    return {name.partition(":")[0] for names in found for name in names}


# apt of the container keeps away from the container's own state.
_CONF = f"""Dir::State "{_FOLDER}";
Dir::State::status "{_FOLDER}/status";
Dir::State::Lists "{_FOLDER}/lists";
Dir::State::extended_states "{_FOLDER}/extended_states";
Dir::Cache "{_FOLDER}/cache";
Dir::Log "{_FOLDER}/log";
Dir::Etc::sourcelist "{_FOLDER}/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "{_FOLDER}/preferences";
Dir::Etc::preferencesparts "/dev/null";
APT::Sandbox::User "root";
Acquire::Languages "none";
"""


def _script(remedy: Remedy, report: HostReport, subject: Side, reference: Side) -> str:
    """Every value that a machine sent is a quoted word of it."""
    case = Case(subject, reference, Comparison(divergences=[], equal={}, gaps=[]))
    install = _joined(_installs(remedy))
    parts = [
        "set -u",
        "export LC_ALL=C DEBIAN_FRONTEND=noninteractive",
        "mkdir -p lists/partial cache/archives/partial log",
        "cat > status",
        ": > extended_states",
        f"printf '%s\\n' {shlex.join(_sources(case, remedy, report)) or '#'} > sources.list",
        f"printf '%s' {shlex.quote(_preferences(case))} > preferences",
        f"printf '%s' {shlex.quote(_architecture(case) + _CONF)} > apt.conf",
        _block("update", ["update"]),
        _block("install", ["-s", *install]),
        _block("upgrade", ["-s", "dist-upgrade"]),
    ]
    return "\n".join([*parts, ""])


def _block(name: str, command: Sequence[str]) -> str:
    run = shlex.join(["apt-get", "-c", "apt.conf", "-q", *command])
    return f'echo "== {name}"; {run} 2>&1 </dev/null; echo "== status $?"'


def _joined(runs: Sequence[Sequence[str]]) -> list[str]:
    """Installing and removing in one command, as one state comes out of both."""
    gone = {name for run in runs if run[1] == "remove" for name in run[2:]}
    kept = [word for run in runs if run[1] != "remove" for word in run[2:]]
    install = [word for word in kept if word.partition("=")[0] not in gone]
    return ["install", *install, *(f"{name}-" for name in sorted(gone))]


def _sources(case: Case, remedy: Remedy, report: HostReport) -> list[str]:
    """The subject's repositories as recorded, without those that go, with those that come."""
    gone = {d.key for f in report.findings for d in f.members if d.kind == "extra"}
    suites: dict[str, list[str]] = {}
    for key in case.facts(case.subject, "repositories"):
        if key not in gone:
            suites.setdefault(key.rpartition("/")[0], []).append(key)
    lines = [sources.source_line(case, case.subject, sorted(keys)) for keys in suites.values()]
    added = [shlex.split(step.run) for step in remedy.steps if step.phase == "repository"]
    lines += [run[1] for run in added if run[0] == "echo" and run[1].startswith("deb ")]
    return [line for line in lines if line]


def _preferences(case: Case) -> str:
    stanzas = []
    for key, item in sorted(case.facts(case.subject, "apt-pins").items()):
        package, _, pin = key.partition("|")
        parts = (package, pin, str(item.get("priority", "")))
        if all(part.isprintable() for part in parts):
            stanzas.append("Package: {}\nPin: {}\nPin-Priority: {}\n".format(*parts))
    return "\n".join(stanzas)


def _architecture(case: Case) -> str:
    name = str(case.facts(case.subject, "dpkg").get("dpkg", {}).get("architecture", ""))
    return f'APT::Architecture "{name}";\n' if words.fits(words.NAME, name) else ""


# --- the answer ----------------------------------------------------------------------------------

_DONE = re.compile(r"(Inst|Remv) ([a-z0-9][a-z0-9+.:-]*)(?: \[([^\]\s]+)\])?(?: \((\S+) .*)?", re.A)


def _blocks(lines: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    name = ""
    for line in lines:
        if line.startswith("== ") and not line.startswith("== status "):
            name = line.removeprefix("== ")
        found.setdefault(name, []).append(line)
    return found


def _failed(block: Sequence[str]) -> bool:
    return "== status 0" not in block


def _refusal(blocks: dict[str, list[str]]) -> str:
    """apt's first complaints: what it says of the lists is why it lacks a package."""
    said = [*blocks["update"], *blocks["install"]]
    told = [line[3:] for line in said if line.startswith(("E: ", "W: "))]
    return "; ".join(told[:2]) or "it does not say why"


def _changes(block: Iterable[str]) -> list[re.Match[str]]:
    return [match for line in block if (match := _DONE.match(line))]


def _judged(
    report: HostReport, subject: Side, blocks: dict[str, list[str]], unwanted: set[str]
) -> Simulation:
    before = {k: str(item.get("version", "")) for k, item in _packages(subject).items()}
    after = dict(before)
    changes = _changes(blocks["install"])
    for change in changes:
        kind, name, _, new = change.groups()
        if kind == "Remv":
            after.pop(name, None)
        else:
            after[name] = new or ""
    both = [(before[name], new) for name, new in after.items() if before.get(name, new) != new]
    down = sum(versions.compare("deb", new, old) == -1 for old, new in both)
    beyond = {c.group(2) for c in _changes(blocks["upgrade"])} - {c.group(2) for c in changes}
    return Simulation(
        upgraded=len(both) - down,
        downgraded=down,
        installed=len(after.keys() - before.keys()),
        removed=sorted(before.keys() - after.keys()),
        left=_left(report.findings, before, after, unwanted),
        beyond=sorted(beyond),
    )


def _packages(side: Side) -> Items:
    found: Items = getattr(side.fingerprint.facts.get("dpkg"), "items", {})
    return found


def _left(
    findings: Sequence[Finding], before: dict[str, str], after: dict[str, str], unwanted: set[str]
) -> int:
    """Versions that are not the reference's, unwanted packages that stay, and new ones it lacks.

    What only the subject has and something of it needs is not asked away: no difference is left
    where only what is expected needs it.
    """
    members = [d for f in findings for d in f.members if d.section == "dpkg"]
    wanted = {d.key: str((d.reference or {}).get("version", "")) for d in members if d.reference}
    moved = {d.key for d in members if d.kind == "missing" or "version" in d.changes}
    wrong = sum(after.get(key, "") != wanted[key] for key in moved)
    came = after.keys() - before.keys() - wanted.keys()
    return wrong + len(came) + len(unwanted & after.keys())
