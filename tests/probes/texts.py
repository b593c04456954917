"""Answers of `probes/texts.py` for tests: files as a mapping, and what else the script prints."""

from driftscan.model import Payload, Raw


def answer(files=None, *closed, name="files", **outputs):
    """A raw answer with these files; `closed` are paths, `outputs` lines of other questions."""
    lines = [f"closed {path}" for path in closed]
    for path, content in (files or {}).items():
        lines += [f"file {path}", *(f" {line}" for line in content)]
    others = {other: Payload(tuple(told)) for other, told in outputs.items()}
    return Raw(outputs={name: Payload(tuple(lines)), **others})
