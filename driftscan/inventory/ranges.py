"""`web[01:20]`, `db-[a:c]`, `n[1:9:2]`: many names in one, as Ansible writes them."""

import re
from itertools import islice
from string import ascii_letters

MAX_NAMES = 100_000
"""So many names one range may stand for: a slip of a digit must not fill the memory."""

_RANGE = re.compile(r"\[([^\[\]]*:[^\[\]]*)\]")


def has_range(text: str) -> bool:
    """Whether a name holds a range in brackets."""
    return _RANGE.search(text) is not None


def expanded(text: str) -> list[str]:
    """All the names that it stands for, in order; itself if it holds no range.

    Zeros in front of the first number give the width. Raises ValueError with one clause.
    """
    found = list(islice(_names(text), MAX_NAMES + 1))
    if len(found) > MAX_NAMES:
        raise ValueError(f"{text!r} stands for more than {MAX_NAMES} names")
    return found


def _names(text: str) -> "list[str]":
    match = _RANGE.search(text)
    if match is None:
        return [text]
    heads = [text[: match.start()] + word for word in _words(match[1], text)]
    tails = _names(text[match.end() :])
    if len(heads) * len(tails) > MAX_NAMES:
        raise ValueError(f"{text!r} stands for more than {MAX_NAMES} names")
    return [head + tail for head in heads for tail in tails]


def _words(bounds: str, text: str) -> list[str]:
    parts = bounds.split(":")
    if len(parts) > 3 or not parts[1]:
        raise ValueError(f"{text!r} has a range that is not [FIRST:LAST] or [FIRST:LAST:STEP]")
    first, last, step = parts[0] or "0", parts[1], parts[2] if len(parts) == 3 else "1"
    if not (step.isascii() and step.isdecimal() and int(step[:9])):
        raise ValueError(f"{text!r} has a range with the step {step!r}")
    if first in ascii_letters and last in ascii_letters and len(first) == len(last) == 1:
        start, end = ascii_letters.index(first), ascii_letters.index(last)
        words = list(ascii_letters[start : end + 1 : int(step[:9])])
    else:
        words = _numbers(first, last, int(step[:9]), text)
    if not words:
        raise ValueError(f"{text!r} has a range that ends before it begins")
    return words


def _numbers(first: str, last: str, step: int, text: str) -> list[str]:
    both = first + last
    if not (both.isascii() and both.isdecimal() and len(first) < 10 and len(last) < 10):
        raise ValueError(f"{text!r} has a range of neither numbers nor letters")
    width = len(first) if len(first) > 1 and first.startswith("0") else 0
    if width and len(last) != width:
        raise ValueError(f"{text!r} has a range whose ends are of unlike length")
    count = (int(last) - int(first)) // step + 1
    if count > MAX_NAMES:
        raise ValueError(f"{text!r} stands for more than {MAX_NAMES} names")
    return [str(n).zfill(width) for n in range(int(first), int(last) + 1, step)]
