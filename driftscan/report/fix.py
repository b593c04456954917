"""A remedy as files: the script for one host, its exact versions, its automatic marks."""

import re

from msgspec.structs import replace

from driftscan.model import HostReport, Phase, Remedy, Step
from driftscan.sanitize import safe

MARK = "# driftscan: the remedy of "
_SUFFIX: dict[Phase, str] = {"packages": "pins", "marks": "auto"}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,200}", re.ASCII)


def is_name(name: str) -> bool:
    """Files can be called so: the grammar of an inventory's hosts."""
    return _NAME.fullmatch(name) is not None


def remedy(host: HostReport) -> Remedy | None:
    """What is run on the subject, if there is anything to run and nothing against it."""
    ours = (r for r in host.remedies if r.direction == "subject" and r.recommended)
    return next((r for r in ours if any(_runs(step) for step in r.steps)), None)


def _runs(step: Step) -> bool:
    return step.phase != "again" and not step.run.startswith("#")


def files(name: str, host: HostReport) -> dict[str, str]:
    """Name of each file -> its text: `NAME.sh`, and lists of words, one a line."""
    chosen = remedy(host)
    if chosen is None:
        return {}
    named = pointed(name, chosen)
    lists = {step.file: "".join(f"{word}\n" for word in step.words) for step in named.steps}
    lists.pop("", None)
    return {f"{name}.sh": _script(name, host, named), **lists}


def pointed(name: str, chosen: Remedy) -> Remedy:
    """The remedy whose long commands read their words from the files, a file a step."""
    steps: list[Step] = []
    for step in chosen.steps:
        same = sum(before.file != "" and before.phase == step.phase for before in steps)
        # No other host's file is called so: a number before the suffix could be part of a name.
        steps.append(_from_file(name, step, str(same + 1) if same else ""))
    return replace(chosen, steps=steps)


def _from_file(name: str, step: Step, number: str) -> Step:
    suffix = _SUFFIX.get(step.phase, "")
    words = " ".join(step.words)
    if not words or not suffix or not step.run.endswith(f" {words}"):
        return step
    file = f"{name}.{suffix}{number}"
    return replace(step, run=f"{step.run.removesuffix(words)}$(cat {file})", file=file)


def _script(name: str, host: HostReport, chosen: Remedy) -> str:
    lines = ["#!/bin/sh", f"{MARK}{name}. Review it, then run it there as root,"]
    lines.append("# with the files that it names beside it. Nothing of it was run.")
    lines.append(_comment(f"({chosen.simulated})"))
    causes = [cause for cause in host.causes if cause.id in chosen.causes]
    lines += [_comment(f"{cause.id}: {cause.text}") for cause in causes]
    lines += [_comment(f"note: {note}") for note in chosen.notes]
    lines += ["set -eu", 'cd "$(dirname "$0")"']
    for step in chosen.steps:
        lines += _step(step)
    return "\n".join([*lines, ""])


def _step(step: Step) -> list[str]:
    lines = ["", *([_comment(step.why)] if step.why else [])]
    if step.phase == "again":
        return [*lines, "# then, where driftscan runs:", _comment(step.run)]
    if step.file:
        lines.append("# shellcheck disable=SC2046 # each word of the file is one argument")
    return [*lines, step.run]


def _comment(text: str) -> str:
    return f"# {safe(text)}"
