"""What stands beside the packages: Python distributions, programs, libraries, edited files."""

import re
from collections.abc import Sequence

from driftscan.explain.case import Case
from driftscan.explain.remedies import words
from driftscan.explain.remedies.settings import aside, reviewed
from driftscan.explain.remedies.words import ANY_PACKAGE, PACKAGE
from driftscan.model import Cause, Divergence, Step, managers

_DISTRIBUTION = re.compile(r"pypi//([a-z0-9][a-z0-9-]{0,120})@/.*", re.ASCII)
_VERSION = re.compile(r"[0-9][0-9A-Za-z.+!]{0,60}", re.ASCII)
# Debian's pip asks for it where packages own the rest (PEP 668).
_PIP = ("python3", "-m", "pip")
_OVERRIDE = "--break-system-packages"


def program(_case: Case, cause: Cause, members: Sequence[Divergence]) -> list[Step]:
    """Set the copies aside, if they are on the subject and not on the reference."""
    paths = [d.key for d in members if d.section == "programs" and d.kind == "extra"]
    why = "the package's own program is found again"
    steps = [aside(path, why) for path in paths if words.is_path(path)]
    return steps or reviewed(_case, cause, members)


def python(case: Case, cause: Cause, members: Sequence[Divergence]) -> list[Step]:
    """Take away what the reference lacks, install what it has, in its version."""
    gone, wanted = [], []
    for divergence in members:
        match = _DISTRIBUTION.fullmatch(divergence.key)
        version = str((divergence.reference or {}).get("version", ""))
        if match and divergence.reference is None:
            gone.append(match[1])
        elif match and words.fits(_VERSION, version):
            wanted.append(f"{match[1]}=={version}")
    steps: list[Step] = []
    if gone:
        why = f"{case.reference.label} has no such copy"
        steps.append(words.run(*_PIP, "uninstall", "-y", _OVERRIDE, *gone, why=why))
    if wanted:
        why = f"as on {case.reference.label}"
        steps.append(words.run(*_PIP, "install", "--no-deps", _OVERRIDE, *wanted, why=why))
    return steps or reviewed(case, cause, members)


def configuration(case: Case, cause: Cause, members: Sequence[Divergence]) -> list[Step]:
    """dpkg brings back a missing file; what to do with an edited one a person decides."""
    missing = [d for d in members if (d.subject or {}).get("state") == "missing"]
    steps: list[Step] = []
    if any(d.reference is None for d in missing) and words.fits(PACKAGE, cause.subject):
        option = "Dpkg::Options::=--force-confmiss"
        command = ("apt-get", "install", "--reinstall", "-o", option, cause.subject)
        steps.append(words.run(*command, why="brings back the files that are missing"))
    rest = [d for d in members if d not in missing or d.reference is not None]
    names = ", ".join(d.key for d in rest)
    why = f"compare with {case.reference.label}"
    return [*steps, words.review(f"review: {names}", why)] if rest else steps


_REINSTALL = {
    "dpkg": ("apt-get", "install", "--reinstall"),
    "rpm": ("dnf", "reinstall"),
    "apk": ("apk", "fix", "--reinstall"),
    "pacman": ("pacman", "-S"),
}


def reinstalled(case: Case, cause: Cause, members: Sequence[Divergence]) -> list[Step]:
    """The package's own files again, on the side that has them otherwise; an image is rebuilt."""
    command = _REINSTALL.get(managers.of(case.subject.fingerprint).section)
    here = any(d.subject is not None for d in members)
    if not here or command is None or not words.fits(ANY_PACKAGE, cause.subject):
        return reviewed(case, cause, members)
    why = "its own files again; what runs with them has to be restarted"
    return [words.run(*command, cause.subject, why=why, phase="packages")]
