"""The text of a file of configuration, asked for by name: secrets redacted, kept in no file."""

import re
from collections.abc import Iterator, Sequence

from driftscan import sanitize
from driftscan.model import Files, Items, Payload, Question, Raw, Want
from driftscan.probes import etc_paths, reading
from driftscan.probes.contract import Learned

KIND = "contents"
GIVES = "path: lines of the file (secrets redacted)"

MOST = 5000
"""Lines."""


def questions(wants: Sequence[Want]) -> tuple[Question, ...]:
    """The files themselves; a path that may not be asked for is left out."""
    fit = sorted({want.name for want in wants if _askable(want)})
    return (Files(tuple(fit)),) if fit else ()


def _askable(want: Want) -> bool:
    """Whether it is no secret, and below /etc or one of the roots that the want names."""
    return etc_paths.askable(want.name) and etc_paths.within(want.name, want.names)


def parse(raw: Raw, wants: Sequence[Want]) -> Learned:
    """The lines by path; a file that is not there has nothing to tell."""
    items: Items = {}
    missing: dict[str, str] = {}
    for name, want in sorted({want.name: want for want in wants}.items()):
        file = raw.files.get(name)
        why = _why_not(want, raw, file)
        if why:
            missing[name] = why
        elif file is not None:
            items[name] = {"lines": list(redacted(name, file))}
    return Learned(items, missing)


def _why_not(want: Want, raw: Raw, file: Payload | None) -> str:
    if not _askable(want):
        return "its text is not asked for: it may be a secret, or is neither below /etc nor --app"
    if reading.denied(raw) and file is None:
        return "not readable by this account: try --become"
    if file is not None and (file.cut or len(file.lines) > MOST):
        return f"longer than {MOST} lines"
    if file is not None and any("\\x00" in line for line in file.lines):
        return "not a text"
    return ""


# `password hunter2`, `password = hunter2`, `password: hunter2`: the first word names it.
_NAMED = re.compile(r"([ \t]*[\"']?)([\w.-]{1,100})([\"']?[ \t]*[=: \t][ \t]*)(\S.*)")
_MORE = re.compile(r"(?i)pwd?$|psk|community|hmac|salt")
_PLAIN = {"auth", "authorize", "key_buffer_size", "authoritative"}


def redacted(path: str, file: Payload) -> Iterator[str]:
    """The lines without secrets: too much rather than too little is taken out."""
    inside = False
    for line in map(reading.without_return, file.lines):
        if "PRIVATE KEY-----" in line:
            inside = "-----BEGIN" in line
            yield sanitize.REDACTED
        elif inside:
            continue
        else:
            yield _line(path, line)


def _line(path: str, line: str) -> str:
    match = _NAMED.fullmatch(line)
    if match is None or path.startswith("/etc/pam.d/") or match[2] in _PLAIN:
        return sanitize.redact(line)
    secret = sanitize.redact_variable(match[2], match[4]) == sanitize.REDACTED
    if secret or _MORE.search(match[2]):
        return match[1] + match[2] + match[3] + sanitize.REDACTED
    return sanitize.redact(line)
