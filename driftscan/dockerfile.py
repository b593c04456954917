"""Dockerfile text -> stages and numbered instructions, and how `docker history` tells them."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple

from driftscan.errors import InputError

DEFAULT_SHELL = ("/bin/sh", "-c")
KEYWORDS = frozenset(
    (
        *("ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK"),
        *("LABEL", "MAINTAINER", "ONBUILD", "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME"),
        "WORKDIR",
    )
)


@dataclass(frozen=True, slots=True)
class Heredoc:
    """`<<NAME` and its lines; `expand` is false when the name was quoted, `chomp` after `<<-`."""

    name: str
    content: str
    expand: bool
    chomp: bool


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction: `value` is the joined logical line without keyword and flags,
    `original` the raw lines `line` to `end_line` (1-based), `shell` what runs its shell form."""

    keyword: str
    value: str
    original: str
    line: int
    end_line: int
    flags: tuple[str, ...] = ()
    heredocs: tuple[Heredoc, ...] = ()
    shell: tuple[str, ...] = DEFAULT_SHELL


@dataclass(frozen=True, slots=True)
class Stage:
    """`FROM base [AS name]` and what follows; `reference` is `base` with the defaults of the
    global ARGs put in, or `base` itself when one has no value."""

    index: int
    name: str | None
    base: str
    reference: str
    instruction: Instruction
    instructions: tuple[Instruction, ...] = ()


@dataclass(frozen=True, slots=True)
class Dockerfile:
    """A parsed Dockerfile: its parser directives, the ARGs before the first FROM, its stages."""

    name: str
    stages: tuple[Stage, ...]
    global_args: tuple[Instruction, ...] = ()
    directives: Mapping[str, str] = field(default_factory=dict)


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


def creates_layer(instruction: Instruction) -> bool:
    """RUN, COPY and ADD always make a layer. WORKDIR may (when it creates the directory):
    the `empty_layer` mark of the image's history decides there."""
    return instruction.keyword in ("RUN", "COPY", "ADD")


def substitute(text: str, variables: Mapping[str, str], escape: str = "\\") -> str:
    """`text` with $X, ${X}, ${X:-default} and ${X:+alternate} put in as a builder does.

    A variable without a value stays as written (a builder puts nothing there), so that the
    caller sees that it is unknown; so does an unknown modifier. Single quotes and `escape` protect.
    """
    return "".join(
        piece.text if piece.known else piece.raw for piece in _pieces(text, variables, escape)
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


# --- lines ---------------------------------------------------------------------------------

# Go's unicode.IsSpace: Python's str.strip() would also take \x1c to \x1f
_SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(
    map(chr, range(0x2000, 0x200B))
)
_DIRECTIVE = re.compile(r"#\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(.+?)\s*")


def _source_lines(text: str) -> list[str]:
    """Split at \\n only: a form feed or U+2028 ends no line of a Dockerfile."""
    lines = text.removeprefix("\ufeff").split("\n")
    return lines[:-1] if lines[-1] == "" else lines


def _directives(lines: list[str], name: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        match = _DIRECTIVE.fullmatch(line.strip(_SPACE))
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
    return line.lstrip(_SPACE).startswith("#")


def _instructions(lines: list[str], escape: str, name: str) -> Iterator[Instruction]:
    position = 0
    while position < len(lines):
        start = position
        logical, position = _logical_line(lines, start, escape)
        if not logical.strip(_SPACE):
            continue
        found = _instruction(logical, start + 1, name)
        heredocs, position = _heredocs(found, lines, position, name)
        original = "\n".join(lines[start:position])
        yield replace(found, original=original, end_line=position, heredocs=heredocs)


def _logical_line(lines: list[str], start: int, escape: str) -> tuple[str, int]:
    """The line at `start` joined with its continuations, and the index of the next line.
    Comments and empty lines inside a continuation vanish without ending it."""
    first = lines[start].strip("\r\n").lstrip(_SPACE)
    text, continued = _without_continuation("" if first.startswith("#") else first, escape)
    position = start + 1
    while continued and position < len(lines):
        line = lines[position].rstrip("\r\n")
        position += 1
        if _is_comment(line) or not line.strip(_SPACE):
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
    keyword, rest = _split_once(logical)
    keyword = _known(keyword, line, name)
    flags, value = _flags(rest)
    if not value and keyword not in ("CMD", "RUN", "ENTRYPOINT"):
        raise InputError(f"{name}:{line}: {keyword} has no argument; give it one")
    if keyword == "ONBUILD":
        _known(_split_once(value)[0], line, name)
    return Instruction(keyword, value, logical, line, line, flags)


def _known(keyword: str, line: int, name: str) -> str:
    if keyword.upper() not in KEYWORDS:
        raise InputError(
            f"{name}:{line}: unknown instruction {keyword.upper()!r}; "
            "is the end of a heredoc or a backslash missing on the line before?"
        )
    return keyword.upper()


def _split_once(logical: str) -> tuple[str, str]:
    """Keyword and the rest."""
    head, *tail = re.split(r"[\t\v\f\r ]+", logical.strip(_SPACE), maxsplit=1)
    return head, tail[0].strip(_SPACE) if tail else ""


def _flags(rest: str) -> tuple[tuple[str, ...], str]:
    """`--name[=value]` words before the first other word; `--` alone ends them."""
    flags: list[str] = []
    while found := re.match(r"""(--(?:[^\s"'\\]|\\.|"[^"]*"|'[^']*')*)(?:\s+|$)""", rest):
        rest = rest[found.end() :]
        if found[1] == "--":
            break
        flags.append(re.sub(r"""["']""", "", found[1]))
    return tuple(flags), rest


# --- heredocs ------------------------------------------------------------------------------

_HEREDOC = re.compile(r"\d*<<(-?)([^<]+)")


def _heredocs(
    found: Instruction, lines: list[str], position: int, name: str
) -> tuple[tuple[Heredoc, ...], int]:
    heredocs = []
    for chomp, word in _heredoc_words(found):
        ending = _unquoted(word)
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
        keyword, value = _split_once(value)
        value = _flags(value)[1]
    if keyword.upper() not in ("RUN", "COPY", "ADD") or "<<" not in value:
        return
    if _json_words(value) is not None:
        return
    for word in _shell_words(value):  # with backslash, whatever `# escape=` says
        match = _HEREDOC.fullmatch(word)
        if match:
            yield match[1] == "-", match[2]


_WORD = re.compile(r"""(?:\\.|\\\Z|'[^']*'|"(?:\\.|[^"\\])*"|[^\s'"\\])+""", re.DOTALL)
_QUOTED = re.compile(r"""'[^']*'|"(?:\\.|[^"\\])*"|\\.|\\\Z""", re.DOTALL)


def _shell_words(text: str) -> list[str]:
    """Words as a builder splits them, quotes kept; none of a line with an open quote."""
    return [] if _WORD.sub("", text).strip() else _WORD.findall(text)


def _unquoted(word: str) -> str:
    def bare(match: re.Match[str]) -> str:
        text = match[0]
        if text[0] == "\\":
            return text[1:]
        return text[1:-1] if text[0] == "'" else re.sub(r'\\(["$\\])', r"\1", text[1:-1])

    return _QUOTED.sub(bare, word)


def _json_words(value: str) -> list[str] | None:
    if not value.startswith("["):
        return None
    try:
        words = json.loads(value)
    except (ValueError, RecursionError):
        return None
    return words if all(isinstance(word, str) for word in words) else None


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
        shell = tuple(_json_words(found.value) or shell)
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
        for word in _shell_words(instruction.value):
            name, given, default = word.partition("=")
            if name in build_args:
                values[name] = build_args[name]
            elif given:
                values[name] = _unquoted(substitute(default, values))
    return values


def _resolved(base: str, values: Mapping[str, str]) -> str:
    pieces = list(_pieces(base, values, "\\"))
    if not all(piece.known for piece in pieces):
        return base
    return _unquoted("".join(piece.text for piece in pieces)) or base


def _trigger(instruction: Instruction) -> list[Instruction]:
    if instruction.keyword != "ONBUILD":
        return []
    keyword, rest = _split_once(instruction.value)
    flags, value = _flags(rest)
    return [replace(instruction, keyword=keyword.upper(), value=value, flags=flags)]


# --- variables -----------------------------------------------------------------------------


class _Piece(NamedTuple):
    raw: str
    text: str
    known: bool


_VARIABLE = re.compile(
    r"(?P<quoted>'[^']*')|\$(?P<name>[A-Za-z_]\w*)"
    r"|\$\{(?P<braced>[A-Za-z_]\w*)(?:(?P<how>:?[-+])(?P<word>(?:[^{}$]|\$\{[^{}]*\}|\$)*))?\}",
    re.ASCII,
)


def _pieces(text: str, variables: Mapping[str, str], escape: str) -> Iterator[_Piece]:
    """Literals and variables in turn; a default may hold one variable in braces itself."""
    pattern = re.compile(rf"(?P<escaped>{re.escape(escape)}.)|{_VARIABLE.pattern}", re.A | re.S)
    done = 0
    for match in pattern.finditer(text):
        yield _literal(text[done : match.start()])
        done = match.end()
        raw = match[0]
        name = match["name"] or match["braced"]
        if name is None:
            yield _literal(raw[1:] if raw == escape + "$" else raw)
            continue
        value = _value(variables.get(name), match["how"], match["word"] or "", variables, escape)
        yield _Piece(raw, value or "", value is not None)
    rest = text[done:]
    # an unknown modifier (${X#y}, ${X?}) or nesting deeper than one
    yield _Piece(rest, rest, "${" not in rest)


def _literal(text: str) -> _Piece:
    return _Piece(text, text, "${" not in text)


def _value(
    value: str | None, how: str | None, word: str, variables: Mapping[str, str], escape: str
) -> str | None:
    if how is None:
        return value
    present = bool(value) if how.startswith(":") else value is not None
    if how.endswith("-"):
        return value if present else substitute(word, variables, escape)
    return substitute(word, variables, escape) if present else ""


# --- history -------------------------------------------------------------------------------


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
    words = _json_words(instruction.value)
    return words if words is not None else [*instruction.shell, _run_script(instruction)]


def _run_script(instruction: Instruction) -> str:
    """A heredoc alone is the script itself, next to a command it stays behind it."""
    heredocs = instruction.heredocs
    if not heredocs:
        return instruction.value
    if len(heredocs) == 1 and _HEREDOC.fullmatch(instruction.value):
        script = heredocs[0].content
        return re.sub(r"(?m)^\t+", "", script) if heredocs[0].chomp else script
    return instruction.value + "".join(f"\n{h.content}{h.name}" for h in heredocs)


def _matches_run(instruction: Instruction, told: str) -> bool:
    actual, shell = _squeezed(told), " ".join(instruction.shell)
    words = _json_words(instruction.value)
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
    words = _json_words(instruction.value)
    return words if words is not None else _shell_words(instruction.value) or [instruction.value]


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
        return " ".join(_unquoted(substitute(pair, env)) for pair in _pairs(instruction))
    if keyword in ("ONBUILD", "HEALTHCHECK", "MAINTAINER"):
        return instruction.value
    return " ".join(_unquoted(substitute(word, env)) for word in _words(instruction))


def _pairs(instruction: Instruction) -> list[str]:
    """NAME=VALUE words; the old `ENV NAME the whole rest` is one pair."""
    words = _shell_words(instruction.value) or [instruction.value]
    if "=" in words[0]:
        return words
    name, rest = _split_once(instruction.value)
    return [f"{name}={rest}"]


def _fits(expected: list[str], actual: str, env: Mapping[str, str]) -> bool:
    """Whether `actual` is these words, an unknown variable standing for any text."""
    pieces = list(_pieces(" ".join(expected), env, "\\"))
    # quotes go while a mark stands for each value: a quote inside a value is no quote
    marked = _unquoted("".join("\0" if p.text != p.raw or not p.known else p.raw for p in pieces))
    values = [p for p in pieces if p.text != p.raw or not p.known]
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
    return _fits(_pairs(instruction), re.sub(r'"', "", told), env) or _fits(
        _pairs(instruction), told, env
    )


def _matches_copy(instruction: Instruction, told: str, env: Mapping[str, str]) -> bool:
    words = _words(instruction)
    legacy = re.fullmatch(r"(?:--\S+?)?(?:dir|file|multi):\S+ in (.*)", told.strip(), re.DOTALL)
    if legacy:
        return _ends_path(legacy[1], words[-1], env)
    return _fits([re.sub(r"^\d*<<-?", "<<", word) for word in words], _flags(told)[1], env)


def _matches_path(instruction: Instruction, told: str, env: Mapping[str, str]) -> bool:
    return _ends_path(told, instruction.value, env)


def _ends_path(told: str, written: str, env: Mapping[str, str]) -> bool:
    """A builder tells the absolute path of a relative one."""
    actual, expected = told.strip().rstrip("/"), _unquoted(written).rstrip("/")
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
    words = _json_words(instruction.value)
    if words is not None:
        return actual == [re.sub(r"\\(.)", r"\1", word) for word in words]
    expected = re.sub(r"\\(.)", r"\1", instruction.value)
    return actual[-1:] == [expected] or _squeezed(told) == _squeezed(instruction.value)


def _matches_set(instruction: Instruction, told: str, env: Mapping[str, str]) -> bool:
    """EXPOSE and VOLUME: `80/tcp`, `[80/tcp]` or `map[80/tcp:{}]`, in any order."""
    bare = re.sub(r"^map\[|:\{\}|[\[\]\",]", " ", told).split()
    actual = {word.removesuffix("/tcp") for word in bare}
    expected = {
        _unquoted(substitute(word, env)).removesuffix("/tcp") for word in _words(instruction)
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
