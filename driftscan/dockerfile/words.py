"""The words of an instruction: quotes, JSON forms, flags, variables."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

# Go's unicode.IsSpace: Python's str.strip() would also take \x1c to \x1f
SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(
    map(chr, range(0x2000, 0x200B))
)
HEREDOC = re.compile(r"\d*<<(-?)([^<]+)")


def split_once(logical: str) -> tuple[str, str]:
    """Keyword and the rest."""
    head, *tail = re.split(r"[\t\v\f\r ]+", logical.strip(SPACE), maxsplit=1)
    return head, tail[0].strip(SPACE) if tail else ""


def flags_of(rest: str) -> tuple[tuple[str, ...], str]:
    """`--name[=value]` words before the first other word; `--` alone ends them."""
    flags: list[str] = []
    while found := re.match(r"""(--(?:[^\s"'\\]|\\.|"[^"]*"|'[^']*')*)(?:\s+|$)""", rest):
        rest = rest[found.end() :]
        if found[1] == "--":
            break
        flags.append(re.sub(r"""["']""", "", found[1]))
    return tuple(flags), rest


_WORD = re.compile(r"""(?:\\.|\\\Z|'[^']*'|"(?:\\.|[^"\\])*"|[^\s'"\\])+""", re.DOTALL)
_QUOTED = re.compile(r"""'[^']*'|"(?:\\.|[^"\\])*"|\\.|\\\Z""", re.DOTALL)


def shell_words(text: str) -> list[str]:
    """Words as a builder splits them, quotes kept; none of a line with an open quote."""
    return [] if _WORD.sub("", text).strip() else _WORD.findall(text)


def pairs(value: str) -> list[str]:
    """The NAME=VALUE words of an ENV or LABEL; the old `ENV NAME the whole rest` is one pair."""
    words = shell_words(value) or [value]
    if "=" in words[0]:
        return words
    name, rest = split_once(value)
    return [f"{name}={rest}"]


def sets(text: str) -> list[str]:
    """The variables that an instruction sets, in order; none if it is no ENV."""
    keyword, value = split_once(text)
    if keyword.upper() != "ENV" or not value:
        return []
    return [unquoted(pair.partition("=")[0]) for pair in pairs(value)]


def unquoted(word: str) -> str:
    """The word without its quotes and escapes."""

    def bare(match: re.Match[str]) -> str:
        text = match[0]
        if text[0] == "\\":
            return text[1:]
        return text[1:-1] if text[0] == "'" else re.sub(r'\\(["$\\])', r"\1", text[1:-1])

    return _QUOTED.sub(bare, word)


def json_words(value: str) -> list[str] | None:
    """The words of the exec form, None when it is not a JSON list of strings."""
    if not value.startswith("["):
        return None
    try:
        words = json.loads(value)
    except (ValueError, RecursionError):
        return None
    return words if all(isinstance(word, str) for word in words) else None


def substitute(text: str, variables: Mapping[str, str], escape: str = "\\") -> str:
    """`text` with $X, ${X}, ${X:-default} and ${X:+alternate} put in as a builder does.

    A variable without a value stays as written (a builder puts nothing there), so that the
    caller sees that it is unknown; so does an unknown modifier. Single quotes and `escape` protect.
    """
    return "".join(
        piece.text if piece.known else piece.raw for piece in pieces(text, variables, escape)
    )


class Piece(NamedTuple):
    """A literal or a variable: as written, with its value put in, and whether that is known."""

    raw: str
    text: str
    known: bool


_VARIABLE = re.compile(
    r"(?P<quoted>'[^']*')|\$(?P<name>[A-Za-z_]\w*)"
    r"|\$\{(?P<braced>[A-Za-z_]\w*)(?:(?P<how>:?[-+])(?P<word>(?:[^{}$]|\$\{[^{}]*\}|\$)*))?\}",
    re.ASCII,
)


def pieces(text: str, variables: Mapping[str, str], escape: str) -> Iterator[Piece]:
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
        yield Piece(raw, value or "", value is not None)
    rest = text[done:]
    # an unknown modifier (${X#y}, ${X?}) or nesting deeper than one
    yield Piece(rest, rest, "${" not in rest)


def _literal(text: str) -> Piece:
    return Piece(text, text, "${" not in text)


def _value(
    value: str | None, how: str | None, word: str, variables: Mapping[str, str], escape: str
) -> str | None:
    if how is None:
        return value
    present = bool(value) if how.startswith(":") else value is not None
    if how.endswith("-"):
        return value if present else substitute(word, variables, escape)
    return substitute(word, variables, escape) if present else ""
