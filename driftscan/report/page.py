"""A page of text: labels in the margin, wrapped lines, commands that can be copied whole."""

import re
import textwrap

_COLOR = {"BREAKS": "31;1", "IN USE": "33;1", "INSTALLED": "1"}
INDENT = 12
_WORD = re.compile(r"""(?:[^\s'"\\]|\\.|'[^']*'|"(?:\\.|[^"\\])*"|['"\\])+""")


class Page:
    """Lines of at most `width` columns, continued under their own text."""

    def __init__(self, width: int, color: bool) -> None:
        self._width = max(width, 40)
        self._color = color
        self._lines: list[str] = []

    def __len__(self) -> int:
        return len(self._lines)

    def another(self) -> "Page":
        """An empty page of the same look."""
        return Page(self._width, self._color)

    def add(self, other: "Page") -> None:
        """All lines of another page, behind these."""
        self._lines += other._lines

    def raw(self, text: str) -> None:
        """One line that is not wrapped."""
        self._lines.append(text)

    def line(self, text: str = "") -> None:
        """A paragraph without margin; without text an empty line, never two of them."""
        if text or (self._lines and self._lines[-1]):
            self.item("", text, indent=0)

    def item(self, label: str, text: str, *, indent: int = INDENT, name: str = "") -> None:
        """A label in the margin, its text wrapped beside it, an id at the end of the text."""
        text = f"{text}  [{name}]" if name else text
        lines = textwrap.wrap(
            text,
            self._width - indent,
            break_long_words=False,
            break_on_hyphens=False,
        ) or [""]
        for number, part in enumerate(lines):
            margin = label if number == 0 else ""
            padded = margin.ljust(indent)
            if self._color and margin in _COLOR:
                padded = f"\x1b[{_COLOR[margin]}m{margin}\x1b[0m" + " " * (indent - len(margin))
            self._lines.append((padded + part).rstrip())

    def command(self, text: str, why: str = "") -> None:
        """A command, continued with backslashes so that it can be copied whole.

        The reason stands behind a short one, above a long one.
        """
        if text.startswith("#"):
            self._wrapped("  # ", text.removeprefix("#").strip() + (f": {why}" if why else ""))
            return
        lines = self._continued(text)
        beside = f"{lines[0]}    # {why}"
        if why and len(lines) == 1 and len(beside) <= self._width:
            lines = [beside]
        elif why:
            self._wrapped("  # ", why)
        self._lines += lines

    def _continued(self, text: str) -> list[str]:
        """Broken between words of the shell only: never inside quotes."""
        lines: list[str] = []
        line = " "
        for word in _WORD.findall(text):
            if len(line) + len(word) + 3 > self._width and line.strip():
                lines.append(f"{line} \\")
                line = "   "
            line += f" {word}"
        return [*lines, line]

    def _wrapped(self, margin: str, text: str) -> None:
        width = self._width - len(margin)
        parts = textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)
        self._lines += [margin + part for part in parts]

    def text(self) -> str:
        """The whole page, with one newline at its end."""
        return "\n".join(self._lines).rstrip("\n") + "\n"
