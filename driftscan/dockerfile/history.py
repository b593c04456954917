"""Instructions as an image's history tells them, whichever builder wrote it."""

import json
import re
from collections.abc import Mapping
from typing import Literal, NamedTuple

from driftscan.dockerfile.nouns import KEYWORDS, Instruction, creates_layer
from driftscan.dockerfile.words import (
    HEREDOC,
    flags_of,
    json_words,
    pairs,
    pieces,
    shell_words,
    substitute,
    unquoted,
)


def history_text(
    instruction: Instruction,
    builder: Literal["legacy", "buildkit"],
    args: Mapping[str, str],
) -> str:
    """What `docker history --no-trunc` shows as CREATED BY for this instruction.

    `args` are the ARGs in scope, as RUN tells them. The digest that the legacy builder shows for
    copied files is not known here: `dir:...`. Sources: moby builder/dockerfile/dispatchers.go and
    BuildKit dockerfile2llb; `matches` is the tolerant way to compare.
    """
    if instruction.keyword == "RUN":
        # BuildKit keeps the order of declaration, the legacy builder sorts
        pairs = sorted(args.items()) if builder == "legacy" else args.items()
        prefix = "".join(f" {name}={value}" for name, value in pairs)
        command = (f"|{len(args)}{prefix} " if args else "") + " ".join(_run_words(instruction))
        return command if builder == "legacy" else f"RUN {command} # buildkit"
    told = _told(instruction, args)
    if builder == "buildkit":
        mark = " # buildkit" if creates_layer(instruction) else ""
        return f"{instruction.keyword} {told}{mark}"
    if creates_layer(instruction):
        told = f"dir:... in {_words(instruction)[-1]} "
    blank = " " if creates_layer(instruction) or instruction.keyword == "WORKDIR" else "  "
    return f"{' '.join(instruction.shell)} #(nop){blank}{instruction.keyword} {told}"


_NO_VARIABLES: Mapping[str, str] = {}


def matches(
    instruction: Instruction, created_by: str, env: Mapping[str, str] = _NO_VARIABLES
) -> bool:
    """Whether a history line is this instruction's, whichever builder wrote it.

    Tolerant about blanks, the `|1 X=y` of ARGs, flags, `# buildkit`, `#(nop)`, and the value of
    any variable that `env` does not know. Never raises.
    """
    told = _Told.read(created_by)
    if instruction.keyword == "RUN":
        return told.keyword in ("", "RUN") and _matches_run(instruction, told.rest)
    if told.keyword != instruction.keyword:
        return False
    compare = _MATCHERS.get(instruction.keyword, _matches_words)
    return compare(instruction, told.rest, env)


_SHELL_HEAD = re.compile(r"(?:\S+ )*(?:-[a-z]*c|/c|-command)", re.IGNORECASE)


class _Told(NamedTuple):
    """A CREATED BY text without what only marks its builder."""

    keyword: str
    rest: str

    @classmethod
    def read(cls, created_by: str) -> "_Told":
        text = re.sub(r"\s*# buildkit\s*$", "", created_by).strip()
        before, nop, after = text.partition("#(nop)")
        if nop and _SHELL_HEAD.fullmatch(before.strip()):
            text = after.strip()
        head, _, rest = text.partition(" ")
        # "RUN" of BuildKit; a legacy RUN has no keyword, even if its program is called "USER"
        is_told = head in KEYWORDS and not text.startswith("|")
        return cls(head, rest.strip()) if is_told else cls("", text)


def _run_words(instruction: Instruction) -> list[str]:
    words = json_words(instruction.value)
    return words if words is not None else [*instruction.shell, _run_script(instruction)]


def _run_script(instruction: Instruction) -> str:
    """A heredoc alone is the script itself, next to a command it stays behind it."""
    heredocs = instruction.heredocs
    if not heredocs:
        return instruction.value
    if len(heredocs) == 1 and HEREDOC.fullmatch(instruction.value):
        script = heredocs[0].content
        return re.sub(r"(?m)^\t+", "", script) if heredocs[0].chomp else script
    return instruction.value + "".join(f"\n{h.content}{h.name}" for h in heredocs)


def _matches_run(instruction: Instruction, told: str) -> bool:
    actual, shell = _squeezed(told), " ".join(instruction.shell)
    words = json_words(instruction.value)
    if words is not None:
        expected = _squeezed(" ".join(words))
        if actual == expected or (actual[:1] == "|" and actual.endswith(" " + expected)):
            return True
    # podman tells the JSON of the exec form behind the shell, as if it were a script
    script = _squeezed(_run_script(instruction))
    if not actual.endswith(" " + script):
        return False
    head = actual[: -len(script) - 1]
    # the base image may bring a shell of its own
    return head == shell or head.endswith(" " + shell) or bool(_SHELL_HEAD.fullmatch(head))


def _squeezed(text: str) -> str:
    return " ".join(text.split())


def _words(instruction: Instruction) -> list[str]:
    words = json_words(instruction.value)
    return words if words is not None else shell_words(instruction.value) or [instruction.value]


def _told(instruction: Instruction, env: Mapping[str, str]) -> str:
    keyword = instruction.keyword
    if keyword in ("CMD", "ENTRYPOINT"):
        return (
            "["
            + " ".join(json.dumps(word, ensure_ascii=False) for word in _run_words(instruction))
            + "]"
        )
    if keyword == "SHELL":
        return "[" + " ".join(_words(instruction)) + "]"
    if keyword == "VOLUME":
        return "[" + " ".join(_words(instruction)) + "]"
    if keyword in ("ENV", "LABEL"):
        return " ".join(unquoted(substitute(pair, env)) for pair in pairs(instruction.value))
    if keyword in ("ONBUILD", "HEALTHCHECK", "MAINTAINER"):
        return instruction.value
    return " ".join(unquoted(substitute(word, env)) for word in _words(instruction))


def _fits(expected: list[str], actual: str, env: Mapping[str, str]) -> bool:
    """Whether `actual` is these words, an unknown variable standing for any text."""
    parts = list(pieces(" ".join(expected), env, "\\"))
    # quotes go while a mark stands for each value: a quote inside a value is no quote
    marked = unquoted("".join("\0" if p.text != p.raw or not p.known else p.raw for p in parts))
    values = [p for p in parts if p.text != p.raw or not p.known]
    literals = marked.split("\0")
    if len(literals) != len(values) + 1:
        return False
    wanted = [literals[0]]
    for piece, literal in zip(values, literals[1:], strict=True):
        if piece.known:
            wanted[-1] += piece.text + literal
        else:
            wanted.append(literal)
    return _fits_literals([re.sub(r"\s+", " ", text) for text in wanted], _squeezed(actual))


def _fits_literals(literals: list[str], actual: str) -> bool:
    first, *rest = literals
    if not rest:
        return actual == first.strip()
    if not actual.startswith(first):
        return False
    position = len(first)
    for literal in rest[:-1]:
        found = actual.find(literal, position)
        if found < 0:
            return False
        position = found + len(literal)
    return actual.endswith(rest[-1]) and len(actual) - len(rest[-1]) >= position


def _matches_words(instruction: Instruction, told: str, env: Mapping[str, str]) -> bool:
    return _fits(_words(instruction), told, env)


def _matches_pairs(instruction: Instruction, told: str, env: Mapping[str, str]) -> bool:
    return _fits(pairs(instruction.value), re.sub(r'"', "", told), env) or _fits(
        pairs(instruction.value), told, env
    )


def _matches_copy(instruction: Instruction, told: str, env: Mapping[str, str]) -> bool:
    words = _words(instruction)
    legacy = re.fullmatch(r"(?:--\S+?)?(?:dir|file|multi):\S+ in (.*)", told.strip(), re.DOTALL)
    if legacy:
        return _ends_path(legacy[1], words[-1], env)
    return _fits([re.sub(r"^\d*<<-?", "<<", word) for word in words], flags_of(told)[1], env)


def _matches_path(instruction: Instruction, told: str, env: Mapping[str, str]) -> bool:
    return _ends_path(told, instruction.value, env)


def _ends_path(told: str, written: str, env: Mapping[str, str]) -> bool:
    """A builder tells the absolute path of a relative one."""
    actual, expected = told.strip().rstrip("/"), unquoted(written).rstrip("/")
    if _fits([expected], actual, env):
        return True
    relative = re.sub(r"^(?:\./|\.$)+", "", expected)
    if relative.startswith(("/", "$")):
        return False
    parts = actual.split("/")
    tail = "/".join(parts[len(parts) - relative.count("/") - 1 :])
    return not relative or _fits([relative], tail, env)


def _matches_command(instruction: Instruction, told: str, _env: Mapping[str, str]) -> bool:
    strings = re.findall(r'"((?:[^"\\]|\\.)*)"', told, re.DOTALL)
    actual = [re.sub(r"\\(.)", r"\1", string) for string in strings]
    words = json_words(instruction.value)
    if words is not None:
        return actual == [re.sub(r"\\(.)", r"\1", word) for word in words]
    expected = re.sub(r"\\(.)", r"\1", instruction.value)
    return actual[-1:] == [expected] or _squeezed(told) == _squeezed(instruction.value)


def _matches_set(instruction: Instruction, told: str, env: Mapping[str, str]) -> bool:
    """EXPOSE and VOLUME: `80/tcp`, `[80/tcp]` or `map[80/tcp:{}]`, in any order."""
    bare = re.sub(r"^map\[|:\{\}|[\[\]\",]", " ", told).split()
    actual = {word.removesuffix("/tcp") for word in bare}
    expected = {
        unquoted(substitute(word, env)).removesuffix("/tcp") for word in _words(instruction)
    }
    return actual == expected or any("$" in word for word in expected)


def _matches_name(instruction: Instruction, told: str, _env: Mapping[str, str]) -> bool:
    """ARG: its value is the build's, its name is the Dockerfile's."""
    names = [word.partition("=")[0] for word in _words(instruction)]
    return [word.partition("=")[0] for word in told.split()[: len(names)]] == names


def _matches_shell(instruction: Instruction, told: str, _env: Mapping[str, str]) -> bool:
    return re.sub(r'[\[\]",]', " ", told).split() == " ".join(_words(instruction)).split()


def _matches_keyword(_instruction: Instruction, _told: str, _env: Mapping[str, str]) -> bool:
    """HEALTHCHECK is told as a Go structure: one a stage counts, so its keyword is enough."""
    return True


_MATCHERS = {
    "ADD": _matches_copy,
    "ARG": _matches_name,
    "CMD": _matches_command,
    "COPY": _matches_copy,
    "ENTRYPOINT": _matches_command,
    "ENV": _matches_pairs,
    "EXPOSE": _matches_set,
    "HEALTHCHECK": _matches_keyword,
    "LABEL": _matches_pairs,
    "SHELL": _matches_shell,
    "VOLUME": _matches_set,
    "WORKDIR": _matches_path,
}
