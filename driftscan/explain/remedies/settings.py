"""What no package manager decides: alternatives, copies that hide others, variables, restarts."""

import shlex
from collections.abc import Sequence

from driftscan.explain import expectations, impact
from driftscan.explain.case import Case
from driftscan.explain.remedies import words
from driftscan.explain.remedies.words import NAME, PLAIN, UNIT, VARIABLE
from driftscan.model import Cause, Divergence, Finding, Step

ASIDE = "/root/set-aside"


def alternative(case: Case, cause: Cause, members: Sequence[Divergence]) -> list[Step]:
    """The link of the reference when it is set by hand there too, else the automatic one."""
    copies = sorted(d.key for d in members if d.section == "runtimes" and d.kind == "extra")
    rest = [
        words.review(f"review: only {case.subject.label} has {key.partition('|')[2]}")
        for key in copies
    ]
    mine = next((d for d in members if d.section == "alternatives"), None)
    name = mine.key if mine else cause.subject
    if not words.fits(NAME, name):
        return []
    target = str(((mine and mine.reference) or {}).get("target", ""))
    way = ("--set", name, target) if words.is_path(target) else ("--auto", name)
    return [words.run("update-alternatives", *way, why=cause.text), *rest]


def library(_case: Case, cause: Cause, members: Sequence[Divergence]) -> list[Step]:
    """Set aside every name of the library: ldconfig would make the link anew from its file."""
    why = "the package's own library is found again"
    if any("built there" in evidence.text for evidence in cause.evidence):
        why += " (`make uninstall` does it too, where the source tree still is)"
    found: list[Step] = []
    for divergence in (d for d in members if d.section == "libraries" and d.subject):
        soname, _, rest = divergence.key.partition("|")
        stem, dot, _ = soname.partition(".so")
        path = f"{rest.rpartition('|')[2]}/{stem}{dot}"
        if dot and words.is_path(path):
            found.append(aside(f"{path}*", why))
    return found


def aside(path: str, why: str) -> Step:
    """Move a file, or what a pattern names, keeping where it was; see `together`."""
    folder = f"{ASIDE}{path.rpartition('/')[0]}"
    end = " && ldconfig" if path.endswith(".so*") else ""
    return Step(run=f"mkdir -p {folder} && mv {path} {folder}/{end}", why=why, words=[path])


def together(steps: Sequence[Step]) -> list[Step]:
    """What is moved from one folder for one reason is moved by one command."""
    moves: dict[tuple[str, str], list[str]] = {}
    for step in steps:
        if step.phase == "settings" and step.words:
            folder = step.words[0].rpartition("/")[0]
            moves.setdefault((folder, step.why), []).extend(step.words)
    found: list[Step] = []
    for step in steps:
        paths = step.words if step.phase == "settings" else []
        if not paths:
            found.append(step)
            continue
        of = moves.pop((paths[0].rpartition("/")[0], step.why), [])
        if of:
            every = " ".join(sorted(set(of)))
            run = step.run.replace(f" mv {paths[0]} ", f" mv {every} ")
            found.append(Step(run=run, why=step.why))
    return found


def program(_case: Case, cause: Cause, members: Sequence[Divergence]) -> list[Step]:
    """Set aside the copy that a PATH finds first."""
    paths = {str((d.subject or {}).get("path", "")) for d in members if d.section == "winners"}
    good = sorted(path for path in paths if words.is_path(path))
    why = "the package's own program is found again"
    return [aside(path, why) for path in good] or reviewed(_case, cause, members)


def variable(case: Case, _cause: Cause, members: Sequence[Divergence]) -> list[Step]:
    """Variables of the whole system for logins and for services; those of units by their editor."""
    return [step for d in members if d.section == "environment" for step in _variable(case, d)]


def _variable(case: Case, divergence: Divergence) -> list[Step]:
    scope, _, name = divergence.key.rpartition("/")
    value = str((divergence.reference or {}).get("value", ""))
    why = f"as {case.reference.label} sets it"
    if not words.fits(VARIABLE, name):
        return []
    if divergence.kind == "extra":
        return [words.review(f"review: only {case.subject.label} sets {name} for {_place(scope)}")]
    if "[redacted]" in value:
        return [words.review(f"set {name} for {_place(scope)}: its value is a secret")]
    if scope != "system" or not words.fits(PLAIN, value):
        return [words.review(f"set {name}={value} for {_place(scope)}", why)]
    line = shlex.quote(f"{name}={value}")
    append = f"grep -q ^{name}= /etc/environment || echo {line} >> /etc/environment"
    if divergence.kind == "changed":
        # Written anew whatever it says now: run twice it says the same.
        delete = f"sed -i '/^\\(export \\)*{name}=/d' /etc/environment"
        append = f"{delete} && echo {line} >> /etc/environment"
    return [Step(run=append, why=f"{why}, for logins only"), *_drop_ins(case, name, value)]


def _drop_ins(case: Case, name: str, value: str) -> list[Step]:
    """The variable for each service that the image would run too (systemd.exec(5))."""
    units = services(case)
    if not units:
        return []
    setting = f'Environment="{name}={value.replace("%", "%%")}"'
    found: list[Step] = []
    for unit in units:
        folder = f"/etc/systemd/system/{unit}.d"
        write = (
            f"printf '%s\\n' '[Service]' {shlex.quote(setting)} > {folder}/driftscan-{name}.conf"
        )
        why = f"{name} for what an image's ENV reaches too"
        found.append(Step(run=f"mkdir -p {folder} && {write}", why=why))
    return [*found, words.run("systemctl", "daemon-reload", phase="restarts")]


def services(case: Case) -> list[str]:
    """Units of the subject that run programs which the reference, an image, has as well."""
    there = case.packages(case.reference) if case.reference.is_image else {}
    found: set[str] = set()
    for key, item in case.evidence(case.subject, "processes").items():
        program, _, unit = key.partition("|")
        loads = item.get("loads")
        owner = loads.get(program, "") if isinstance(loads, dict) else ""
        if owner in there and not expectations.plumbing(owner) and _can_restart(unit):
            found.add(unit)
    return sorted(found)


def _place(scope: str) -> str:
    """`unit:cron.service` -> the command that edits it."""
    kind, _, unit = scope.partition(":")
    if kind == "unit" and words.fits(UNIT, unit):
        return f"{unit} (systemctl edit {unit})"
    return {"system": "/etc/environment", "login": "/etc/profile.d"}.get(kind, kind)


def reviewed(_case: Case, cause: Cause, _members: Sequence[Divergence]) -> list[Step]:
    """What only a person can decide, as a line to look at."""
    return [words.review(f"review: {cause.text}")]


# --- restarts ------------------------------------------------------------------------------------

# Restarting these ends sessions or worse (needrestart leaves them alone too).
_AT_BOOT = ("dbus", "systemd-", "getty@", "user@", "serial-getty@", "display-manager", "init")


def _can_restart(unit: str) -> bool:
    return words.fits(UNIT, unit) and not unit.startswith(_AT_BOOT)


def restarts(found: Sequence[Finding], others: Sequence[str] = ()) -> list[Step]:
    """What runs with files that this remedy replaces, and other units that it changes."""
    uses = [use for finding in found for use in finding.uses]
    every = {*(use.service for use in uses if use.service), *others}
    units = sorted(unit.removesuffix(".service") for unit in every)
    good = [unit for unit in units if _can_restart(unit)]
    loose = {impact.name(use) for use in uses if not use.service}
    boot = sorted(set(units) - set(good))
    steps: list[Step] = []
    if good:
        why = "load the new files" if uses else "start with the new settings"
        steps.append(words.run("systemctl", "restart", *good, why=why, phase="restarts"))
    if loose:
        why = "no unit known: running processes keep the old files until then"
        steps.append(words.review(f"restart {', '.join(sorted(loose))}", why, "restarts"))
    if boot:
        text = f"reboot when it suits: {', '.join(boot)}"
        steps.append(words.review(text, "these cannot be restarted alone", "restarts"))
    return steps
