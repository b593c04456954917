"""Values of hosts -> words of a command: only what fits the grammar of its kind, quoted."""

import re
import shlex

from driftscan.model import Meta, Phase, Step
from driftscan.sanitize import safe

PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]{0,250}(:[a-z0-9-]{1,30})?", re.ASCII)
# Of any manager: rpm knows capitals and `_`, pacman `@`; a leading `-` would be an option.
ANY_PACKAGE = re.compile(r"[A-Za-z0-9_@][A-Za-z0-9_@+.-]{0,250}(:[a-z0-9-]{1,30})?", re.ASCII)
ANY_VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z._+:~^-]{0,250}", re.ASCII)
VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+:~-]{0,250}", re.ASCII)
SUITE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,120}", re.ASCII)
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,120}", re.ASCII)
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+@-]{0,120}", re.ASCII)
UNIT = re.compile(r"[A-Za-z0-9][A-Za-z0-9:_.@-]{0,250}", re.ASCII)
URL = re.compile(
    r"(https?|ftp)://[A-Za-z0-9.-]{1,250}(:[0-9]{1,5})?(/[A-Za-z0-9._~%+/-]*)?", re.ASCII
)
# What pam_env reads back from /etc/environment as it was written.
PLAIN = re.compile(r"[^#\"'\\\x00-\x1f\x7f-\U0010ffff]{0,2000}")
_PATH = re.compile(r"(/[A-Za-z0-9._+@:,-]{1,120}){1,20}", re.ASCII)


def is_path(text: str) -> bool:
    """An absolute path that needs no quotes and goes nowhere but down."""
    return _PATH.fullmatch(text) is not None and not {".", ".."} & set(text.split("/"))


def fits(form: re.Pattern[str], *texts: str) -> bool:
    """Every text is of the form, whole."""
    return all(form.fullmatch(text) for text in texts)


def exact(name: str, version: object) -> str:
    """`name=version`, or nothing when one of them is not of apt's grammar."""
    good = isinstance(version, str) and fits(PACKAGE, name) and fits(VERSION, version)
    return f"{name}={version}" if good else ""


def comment(text: str) -> str:
    """One line that a shell passes over, whatever the text holds."""
    return f"# {safe(text)}"


def review(text: str, why: str = "", phase: Phase = "settings") -> Step:
    """What a person has to look at: no command can be right without."""
    return Step(run=comment(text), why=why, phase=phase)


def run(*words: str, why: str = "", phase: Phase = "settings") -> Step:
    """One command of words, each quoted."""
    return Step(run=shlex.join(words), why=why, phase=phase)


def compare(subject: Meta, reference: Meta) -> tuple[str, ...]:
    """The command that compares two machines as their targets are written."""
    return ("driftscan", "compare", _target(subject), _target(reference))


def _target(meta: Meta) -> str:
    """The name that this machine goes by is not how it is written."""
    return "local://" if meta.target == meta.address == "local" else meta.target


def versions(count: int) -> str:
    """`version` of one package, `3 versions` of several."""
    return f"{count} versions" if count > 1 else "version"
