"""The text of a file of configuration, asked for by name: secrets redacted, kept in no file."""

from collections.abc import Sequence

from driftscan import config_secrets
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
            items[name] = {
                "lines": list(config_secrets.redacted(map(reading.without_return, file.lines)))
            }
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
