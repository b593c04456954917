"""A POSIX sh script taken apart: each simple command with its redirections, and its function."""

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field

_RESERVED = {"if", "then", "else", "elif", "fi", "do", "done", "while", "until", "!", "{", "}"}
_OPERATOR = re.compile(r"[0-9]*(?:<<-?|<&|>&|>>|<>|>\||<|>)|;;|&&|\|\||[;&|()\n]")
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=.*", re.DOTALL)
_QUOTED = re.compile(r"'([^']*)'|\"((?:[^\"\\]|\\.)*)\"|\\(.)", re.DOTALL)
_ENDS = {";", "&", "|", "&&", "||", ";;", "(", ")", "\n"}


@dataclass
class Command:
    """One simple command: its words without their quotes, `>` and `<` with where they go."""

    words: list[str] = field(default_factory=list)
    raw: list[str] = field(default_factory=list)
    redirections: list[tuple[str, str]] = field(default_factory=list)
    function: str = ""


def commands(script: str) -> list[Command]:
    """Every simple command of a script, those in `$(...)`, `"$(...)"` and functions among them."""
    return _Script(script).commands()


class _Script:
    def __init__(self, text: str, function: str = "") -> None:
        self._text = text
        self._at = 0
        self._functions = [(function, -1)]  # those that we are in, each with the depth it began at
        self._depth = 0
        self._cases: list[str] = []  # "pattern" or "body" for each `case` we are in
        self._command = Command(function=function)
        self._found: list[Command] = []

    def commands(self) -> list[Command]:
        """Those of substitutions stand before the command that they are a part of."""
        for kind, word in self._tokens():
            if self._cases and self._cases[-1] == "pattern":
                self._pattern(word)
            elif kind == "redirection":
                self._command.redirections.append((word, ""))
            elif kind == "operator":
                self._operator(word)
            elif self._command.redirections and not self._command.redirections[-1][1]:
                operator, _ = self._command.redirections.pop()
                self._command.redirections.append((operator, _unquoted(word)))
            elif self._command.words or not self._reserved(word):
                self._argument(word)
        self._end()
        return self._found

    def _end(self) -> None:
        if self._command.words or self._command.redirections:
            self._found.append(self._command)
        self._command = Command(function=self._functions[-1][0])

    def _pattern(self, word: str) -> None:
        """In the patterns of a `case` a `)` closes nothing."""
        if word == ")":
            self._cases[-1] = "body"
        elif word == "esac":
            self._cases.pop()

    def _operator(self, word: str) -> None:
        if word == "(" and self._command.words:
            self._functions.append((self._command.words.pop(), self._depth))
            self._command.raw.pop()
        self._end()
        if word == ";;" and self._cases:
            self._cases[-1] = "pattern"

    def _reserved(self, word: str) -> bool:
        """Whether a command's name is still to come after this word."""
        if word == "esac":
            self._cases.pop()
            return True
        self._depth += {"{": 1, "}": -1}.get(word, 0)
        if word == "}" and self._depth == self._functions[-1][1]:
            self._functions.pop()
        return word in _RESERVED or _ASSIGNMENT.fullmatch(word) is not None

    def _argument(self, word: str) -> None:
        if self._command.words[:1] == ["case"] and word == "in":
            self._end()
            self._cases.append("pattern")
        else:
            self._command.words.append(_unquoted(word))
            self._command.raw.append(word)

    def _tokens(self) -> Iterator[tuple[str, str]]:
        while self._at < len(self._text):
            operator = _OPERATOR.match(self._text, self._at)
            here = self._text[self._at]
            if here in " \t" or self._text.startswith("\\\n", self._at):
                self._at += 1 if here in " \t" else 2
            elif here == "#":
                end = self._text.find("\n", self._at)
                self._at = end if end >= 0 else len(self._text)
            elif operator:
                self._at = operator.end()
                word = operator.group()
                yield ("redirection" if word not in _ENDS else "operator"), word
            else:
                yield "word", self._word()

    def _word(self) -> str:
        start = self._at
        while self._at < len(self._text):
            if self._text[self._at] in " \t" or (
                _OPERATOR.match(self._text, self._at) and not self._text[self._at].isdigit()
            ):
                break
            self._step(in_quotes=False)
        return self._text[start : self._at]

    def _step(self, *, in_quotes: bool) -> None:
        """Over one character, or over one whole quotation, escape or expansion."""
        text, at = self._text, self._at
        if text[at] == "`":
            raise ValueError(f"a backtick: {text[at : at + 40]!r}")
        if text[at] == "'" and not in_quotes:
            self._at = text.index("'", at + 1) + 1
        elif text[at] == "\\":
            self._at += 2
        elif text[at] == '"':
            self._until('"', 1)
        elif text.startswith("${", at):
            self._until("}", 2)
        elif text.startswith("$((", at):
            self._at = text.index("))", at) + 2
        elif text.startswith("$(", at):
            self._substitution()
        else:
            self._at += 1

    def _until(self, end: str, skip: int) -> None:
        self._at += skip
        while self._text[self._at] != end:
            self._step(in_quotes=True)
        self._at += 1

    def _substitution(self) -> None:
        """To the `)` that closes a `$(`: the first at which what stands between is whole."""
        start = self._at + 2
        end = start
        while True:
            end = self._text.index(")", end)
            inner = _Script(self._text[start:end], self._functions[-1][0])
            if _balanced(self._text[start:end]):
                self._found += inner.commands()
                self._at = end + 1
                return
            end += 1


def _balanced(text: str) -> bool:
    """Whether the shell would take it as a whole list of commands."""
    return subprocess.run(["sh", "-n"], input=text.encode(), capture_output=True).returncode == 0


def _unquoted(word: str) -> str:
    return _QUOTED.sub(lambda found: "".join(part or "" for part in found.groups()), word)
