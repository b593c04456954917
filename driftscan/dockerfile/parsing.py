"""Dockerfile text -> stages and numbered instructions, in the order that made the image."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from driftscan.dockerfile.nouns import KEYWORDS, Dockerfile, Heredoc, Instruction, Stage
from driftscan.dockerfile.words import (
    HEREDOC,
    SPACE,
    flags_of,
    json_words,
    pieces,
    shell_words,
    split_once,
    substitute,
    unquoted,
)
from driftscan.errors import InputError


def parse(text: str, name: str = "Dockerfile") -> Dockerfile:
    """The stages of a Dockerfile; `name` is put before each error message.

    Raises InputError, naming file and line, for what a builder would refuse: an unknown
    instruction, an unterminated heredoc, something other than ARG before the first FROM, no FROM.
    Source: docs.docker.com/reference/dockerfile; line ranges equal those of BuildKit's parser.
    """
    lines = _source_lines(text)
    directives = _directives(lines, name)
    escape = directives.get("escape", "\\")
    global_args: list[Instruction] = []
    stages: list[Stage] = []
    for instruction in _instructions(lines, escape, name):
        if instruction.keyword == "FROM":
            stages.append(_stage(instruction, stages, global_args, name))
        elif stages:
            stages[-1] = _extended(stages[-1], instruction)
        elif instruction.keyword == "ARG":
            global_args.append(instruction)
        else:
            raise InputError(
                f"{name}:{instruction.line}: {instruction.keyword} before the first FROM; "
                "only ARG may stand there"
            )
    if not stages:
        raise InputError(f"{name}: no FROM instruction; a Dockerfile names its base image by FROM")
    return Dockerfile(name, tuple(stages), tuple(global_args), directives)


def final_chain(
    dockerfile: Dockerfile, build_args: Mapping[str, str], target: str | None = None
) -> list[Instruction]:
    """What made the final image (or the stage `target`, a name or a number), in build order.

    The first is the FROM of the base image, its value the resolved reference alone; then the
    instructions of every stage on the way. The triggers of an ONBUILD stand where they run,
    with the line of the ONBUILD. Raises InputError for a target that is not there.
    """
    values = _global_values(dockerfile.global_args, build_args)
    stage: Stage | None = _target(dockerfile, target)
    chain: list[Instruction] = []
    while stage is not None:
        reference = _resolved(stage.base, values)
        parent = _stage_named(dockerfile.stages[: stage.index], reference)
        triggers = [
            trigger for i in (parent.instructions if parent else ()) for trigger in _trigger(i)
        ]
        chain[:0] = [*triggers, *stage.instructions]
        if parent is None:
            chain.insert(0, replace(stage.instruction, value=reference))
        stage = parent
    return chain


def copied_from(instruction: Instruction) -> str | None:
    """The stage or image of `COPY --from=`, None when the files come from the build context."""
    sources = [flag.partition("=")[2] for flag in instruction.flags if flag.startswith("--from=")]
    return sources[-1] if instruction.keyword == "COPY" and sources else None


_DIRECTIVE = re.compile(r"#\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(.+?)\s*")


def _source_lines(text: str) -> list[str]:
    """Split at \\n only: a form feed or U+2028 ends no line of a Dockerfile."""
    lines = text.removeprefix("\ufeff").split("\n")
    return lines[:-1] if lines[-1] == "" else lines


def _directives(lines: list[str], name: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        match = _DIRECTIVE.fullmatch(line.strip(SPACE))
        key = match[1].lower() if match else ""
        if match is None or key not in ("syntax", "escape", "check"):
            break
        if key in found:
            raise InputError(f"{name}:{number}: a second parser directive {key!r}; keep one")
        found[key] = match[2]
    if found.get("escape", "\\") not in ("\\", "`"):
        raise InputError(f"{name}: escape={found['escape']!r}; it must be \\ or `")
    return found


def _is_comment(line: str) -> bool:
    return line.lstrip(SPACE).startswith("#")


def _instructions(lines: list[str], escape: str, name: str) -> Iterator[Instruction]:
    position = 0
    while position < len(lines):
        start = position
        logical, position = _logical_line(lines, start, escape)
        if not logical.strip(SPACE):
            continue
        found = _instruction(logical, start + 1, name)
        heredocs, position = _heredocs(found, lines, position, name)
        original = "\n".join(lines[start:position])
        yield replace(found, original=original, end_line=position, heredocs=heredocs)


def _logical_line(lines: list[str], start: int, escape: str) -> tuple[str, int]:
    """The line at `start` joined with its continuations, and the index of the next line.
    Comments and empty lines inside a continuation vanish without ending it."""
    first = lines[start].strip("\r\n").lstrip(SPACE)
    text, continued = _without_continuation("" if first.startswith("#") else first, escape)
    position = start + 1
    while continued and position < len(lines):
        line = lines[position].rstrip("\r\n")
        position += 1
        if _is_comment(line) or not line.strip(SPACE):
            continue
        more, continued = _without_continuation(line, escape)
        text += more
    return text, position


def _without_continuation(line: str, escape: str) -> tuple[str, bool]:
    """An escape character at the end continues the line, a doubled one does not."""
    bare = line.rstrip(" \t")
    if not bare.endswith(escape) or bare.endswith(escape * 2):
        return line, False
    return bare[:-1], True


def _instruction(logical: str, line: int, name: str) -> Instruction:
    keyword, rest = split_once(logical)
    keyword = _known(keyword, line, name)
    flags, value = flags_of(rest)
    if not value and keyword not in ("CMD", "RUN", "ENTRYPOINT"):
        raise InputError(f"{name}:{line}: {keyword} has no argument; give it one")
    if keyword == "ONBUILD":
        _known(split_once(value)[0], line, name)
    return Instruction(keyword, value, logical, line, line, flags)


def _known(keyword: str, line: int, name: str) -> str:
    if keyword.upper() not in KEYWORDS:
        raise InputError(
            f"{name}:{line}: unknown instruction {keyword.upper()!r}; "
            "is the end of a heredoc or a backslash missing on the line before?"
        )
    return keyword.upper()


# --- heredocs ------------------------------------------------------------------------------


def _heredocs(
    found: Instruction, lines: list[str], position: int, name: str
) -> tuple[tuple[Heredoc, ...], int]:
    heredocs = []
    for chomp, word in _heredoc_words(found):
        ending = unquoted(word)
        content: list[str] = []
        for line in lines[position:]:
            position += 1
            bare = line.rstrip("\r\n")
            if (bare.lstrip("\t") if chomp else bare) == ending:
                break
            content.append(line + "\n")
        else:
            raise InputError(
                f"{name}:{found.line}: the heredoc {ending!r} has no end; "
                f"add a line with {ending} alone"
            )
        heredocs.append(Heredoc(ending, "".join(content), ending == word, chomp))
    return tuple(heredocs), position


def _heredoc_words(found: Instruction) -> Iterator[tuple[bool, str]]:
    keyword, value = found.keyword, found.value
    if keyword == "ONBUILD":
        keyword, value = split_once(value)
        value = flags_of(value)[1]
    if keyword.upper() not in ("RUN", "COPY", "ADD") or "<<" not in value:
        return
    if json_words(value) is not None:
        return
    for word in shell_words(value):  # with backslash, whatever `# escape=` says
        match = HEREDOC.fullmatch(word)
        if match:
            yield match[1] == "-", match[2]


# --- stages --------------------------------------------------------------------------------


def _stage(
    found: Instruction, stages: list[Stage], global_args: list[Instruction], name: str
) -> Stage:
    words = found.value.split()
    if len(words) not in (1, 3) or (len(words) == 3 and words[1].upper() != "AS"):
        raise InputError(
            f"{name}:{found.line}: FROM {found.value!r}; it takes IMAGE or IMAGE AS NAME"
        )
    base = words[0]
    reference = _resolved(base, _global_values(global_args, {}))
    parent = _stage_named(stages, reference)
    if parent is not None:
        found = replace(found, shell=_last_shell(parent))
    return Stage(len(stages), words[2] if len(words) == 3 else None, base, reference, found)


def _extended(stage: Stage, found: Instruction) -> Stage:
    """The shell is the last SHELL of this stage or of the stage it is FROM."""
    shell = _last_shell(stage)
    if found.keyword == "SHELL":
        shell = tuple(json_words(found.value) or shell)
    return replace(stage, instructions=(*stage.instructions, replace(found, shell=shell)))


def _last_shell(stage: Stage) -> tuple[str, ...]:
    return (stage.instructions[-1] if stage.instructions else stage.instruction).shell


def _stage_named(stages: tuple[Stage, ...] | list[Stage], name: str) -> Stage | None:
    """The last stage before that has this name; names ignore case."""
    named = [stage for stage in stages if stage.name and stage.name.lower() == name.lower()]
    return named[-1] if named else None


def _target(dockerfile: Dockerfile, target: str | None) -> Stage:
    if target is None:
        return dockerfile.stages[-1]
    stage = _stage_named(dockerfile.stages, target)
    if stage is None and target.isascii() and target.isdigit():
        stage = next((s for s in dockerfile.stages if str(s.index) == target), None)
    if stage is None:
        names = ", ".join(s.name or str(s.index) for s in dockerfile.stages)
        raise InputError(f"{dockerfile.name}: no stage {target!r}; there are: {names}")
    return stage


def _global_values(
    global_args: tuple[Instruction, ...] | list[Instruction], build_args: Mapping[str, str]
) -> dict[str, str]:
    values: dict[str, str] = {}
    for instruction in global_args:
        for word in shell_words(instruction.value):
            name, given, default = word.partition("=")
            if name in build_args:
                values[name] = build_args[name]
            elif given:
                values[name] = unquoted(substitute(default, values))
    return values


def _resolved(base: str, values: Mapping[str, str]) -> str:
    parts = list(pieces(base, values, "\\"))
    if not all(piece.known for piece in parts):
        return base
    return unquoted("".join(piece.text for piece in parts)) or base


def _trigger(instruction: Instruction) -> list[Instruction]:
    if instruction.keyword != "ONBUILD":
        return []
    keyword, rest = split_once(instruction.value)
    flags, value = flags_of(rest)
    return [replace(instruction, keyword=keyword.upper(), value=value, flags=flags)]
