"""Shell profiles: which variables they set, for whom; read as text, no shell code is run."""

import re
from collections.abc import Iterable, Iterator

from msgspec import Struct


class Step(Struct, frozen=True):
    """`NAME=value` as written, quotes taken off; exported without a value is `export NAME`,
    neither is `unset NAME`.

    `when` tells for whom it holds: everyone, root, others; or unknown, where that depends on
    another condition or the value on the output of a command.
    """

    name: str
    value: str | None
    exported: bool
    when: str
    line: int


class _Block(Struct):
    """An open `if`, loop or function: for whom it runs; `asked` until its `then`."""

    word: str
    when: str = "unknown"
    asked: bool = True


_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,255}")
_ASSIGNS = re.compile(r"([A-Za-z_][A-Za-z0-9_]{0,255})=(.*)", re.DOTALL)
_HERE = re.compile(r"<<-?[ \t]{0,8}[\\'\"]?([A-Za-z_][A-Za-z0-9_]{0,63})")
_UID = re.compile(r"\$\(id -u\)|`id -u`|\$\{(?:EUID|UID)\}|\$(?:EUID|UID)\b")
_COMMAND = re.compile(r"\$\([^()]*\)|`[^`]*`")
_PIECE = re.compile(
    r"(?P<blank>[ \t\n]+)|(?P<comment>#.*)|(?P<end>;;|;|&&|\|\||[&|()])"
    r"|(?P<word>(?:[^ \t\n;&|()'\"\\]|\\.|'[^']*'|\"(?:[^\"\\]|\\.)*\")+)|(?P<open>.)",
    re.DOTALL,
)
_QUOTED = re.compile(r"\\(.)|'([^']*)'|\"((?:[^\"\\]|\\.)*)\"", re.DOTALL)
_IN_QUOTES = re.compile(r"\\([\"\\`])")
_FROM_COMMAND = "\x00"  # no line of a host holds it
_LONGEST = 50, 64 << 10  # lines and characters of one quoted text

_OPENS = {"for", "while", "until", "case", "select", "function"}
_CLOSES = {"fi": {"if"}, "done": _OPENS - {"case", "function"}, "esac": {"case"}}
_CLOSES |= {"}": {"{", "function"}, ")": {"("}}
_OTHERWISE = {"root": "others", "others": "root"}
_IS_ROOT = {"-eq": "root", "=": "root", "==": "root", "-ne": "others", "!=": "others"}


def steps(lines: Iterable[str]) -> Iterator[Step]:
    """The assignments of a script, in order; whatever else it does is passed over."""
    blocks: list[_Block] = []
    chained = False
    for number, text in _whole(lines):
        for words, end in _commands(text):
            rest = _enter(words, blocks)
            sure = not chained and end != "|"
            yield from _assigned(rest, _when(blocks) if sure else "unknown", number)
            chained = end in ("&&", "||") or (chained and end == "|")


def _when(blocks: list[_Block]) -> str:
    if not blocks:
        return "everyone"
    return blocks[0].when if len(blocks) == 1 and not blocks[0].asked else "unknown"


# --- lines, words, commands --------------------------------------------------------------------


def _whole(lines: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Lines joined where a backslash or an open quote goes on; texts for commands left out."""
    ends: list[str] = []
    held: list[str] = []
    start = 0
    for number, line in enumerate(lines, 1):
        if ends:
            if line.strip("\t ") == ends[0]:
                ends.pop(0)
            continue
        start = start if held else number
        held.append(line)
        text = "\n".join(held)
        short = len(held) < _LONGEST[0] and len(text) < _LONGEST[1]
        if short and (_odd_backslashes(text) or _is_open(text)):
            continue
        held = []
        ends = _HERE.findall(text)
        yield start, text.replace("\\\n", "")


def _odd_backslashes(text: str) -> bool:
    return (len(text) - len(text.rstrip("\\"))) % 2 == 1


def _is_open(text: str) -> bool:
    return any(piece.lastgroup == "open" for piece in _PIECE.finditer(text))


def _commands(text: str) -> Iterator[tuple[list[str], str]]:
    """The words of each simple command, quotes still on, and what ends it."""
    text = _UID.sub("${EUID}", text)
    for _ in range(4):
        text = _COMMAND.sub(_FROM_COMMAND, text)
    text = text.replace("$(", _FROM_COMMAND)
    words: list[str] = []
    for piece in _PIECE.finditer(text):
        if piece.lastgroup == "word":
            words.append(piece.group())
        elif piece.lastgroup == "end":
            yield words, piece.group()
            words = []
            if piece.group() in ("(", ")"):
                yield [piece.group()], ";"
        elif piece.lastgroup == "open":
            return
    if words:
        yield words, ";"


# --- blocks ------------------------------------------------------------------------------------


def _enter(words: list[str], blocks: list[_Block]) -> list[str]:
    """Open and close blocks by the command's leading words; what is left may be assignments."""
    while words:
        word = words[0]
        if word in _CLOSES:
            _close(word, blocks)
            return []
        if word == "if" or word in _OPENS:
            blocks.append(_Block(word, _condition(words) if word == "if" else "unknown"))
            return []
        if word not in ("then", "do", "else", "elif", "{", "(", "!"):
            break
        _turn(word, blocks)
        words = words[1:]
    if words and blocks and blocks[-1].asked:
        blocks[-1].when = "unknown"  # a second command in the condition
    return words


def _turn(word: str, blocks: list[_Block]) -> None:
    top = blocks[-1] if blocks else None
    if word in ("{", "("):
        blocks.append(_Block(word, asked=False))
    elif top and word in ("then", "do"):
        top.asked = False
    elif top and word == "else":
        top.when = _OTHERWISE.get(top.when, "unknown")
    elif top and word == "elif":
        top.when, top.asked = "unknown", True


def _close(word: str, blocks: list[_Block]) -> None:
    for index in range(len(blocks) - 1, -1, -1):
        if blocks[index].word in _CLOSES[word]:
            del blocks[index:]
            return


def _condition(words: list[str]) -> str:
    """`if [ "$(id -u)" -eq 0 ]` and its kin; anything else is unknown."""
    match [_plain(word) for word in words[1:]]:
        case ["[" | "[[", "${EUID}", test, "0", "]" | "]]"]:
            return _IS_ROOT.get(test, "unknown")
        case _:
            return "unknown"


# --- assignments -------------------------------------------------------------------------------


def _assigned(words: list[str], when: str, line: int) -> Iterator[Step]:
    names, exported = _names(words)
    for word in names:
        match = _ASSIGNS.fullmatch(word)
        if match:
            value = _plain(match[2])
            known = _FROM_COMMAND not in value
            yield Step(match[1], value, exported, when if known else "unknown", line)
        elif _NAME.fullmatch(word):
            yield Step(word, None, exported, when, line)


def _names(words: list[str]) -> tuple[list[str], bool]:
    """The words that assign, export or unset; none when the command does something else."""
    match words:
        case ["export", *names] | ["declare" | "typeset", "-x", *names]:
            return names, True
        case ["unset", *names]:
            return [name for name in names if _NAME.fullmatch(name)], False
        case _:
            return (words if all(map(_ASSIGNS.fullmatch, words)) else []), False


def _plain(word: str) -> str:
    """A word as written, without its quotes; what it refers to stays as it is."""
    return _QUOTED.sub(_unquoted, word)


def _unquoted(match: re.Match[str]) -> str:
    escaped, single, double = match.groups()
    return escaped or single or _IN_QUOTES.sub(r"\1", double or "")
