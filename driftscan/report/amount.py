"""How much of everything the text tells: from what fits a screen well to all there is."""

from collections.abc import Sequence

from msgspec import Struct

LINES = 59
_ANY = 1_000_000


class Amount(Struct, frozen=True, kw_only=True):
    """How many of each kind are told in full; of the rest their number, and that `--all` has it.

    `findings` and `causes` of a level, `proofs` of a cause, `names` in a list, `reasons` of an
    answer, `words` in a command, `steps` of a remedy, `sections` that are equal, `rules` of what is
    expected; `records` of the lesser causes.
    """

    findings: int
    causes: int
    proofs: int
    names: int
    reasons: int
    gaps: int
    words: int
    steps: int
    sections: int = 6
    rules: bool = True
    records: bool = True
    all: bool = False


ALL = Amount(
    findings=_ANY,
    causes=_ANY,
    proofs=_ANY,
    names=_ANY,
    reasons=_ANY,
    gaps=_ANY,
    words=_ANY,
    steps=_ANY,
    all=True,
)


def _least(causes: int, steps: int, *, more: bool = True, records: bool = True) -> Amount:
    return Amount(
        findings=1,
        causes=causes,
        proofs=3 if more else 1,
        names=3 if more else 1,
        reasons=1 if more else 0,
        gaps=1,
        words=6,
        steps=steps,
        sections=3,
        rules=False,
        records=records,
    )


SIZES: Sequence[Amount] = (
    Amount(findings=4, causes=16, proofs=4, names=8, reasons=2, gaps=4, words=_ANY, steps=_ANY),
    Amount(findings=4, causes=16, proofs=4, names=6, reasons=2, gaps=4, words=9, steps=_ANY),
    Amount(findings=3, causes=16, proofs=4, names=5, reasons=1, gaps=3, words=9, steps=12),
    Amount(findings=2, causes=16, proofs=4, names=4, reasons=1, gaps=2, words=9, steps=6),
    Amount(findings=1, causes=16, proofs=4, names=6, reasons=1, gaps=2, words=9, steps=6),
    *(_least(16, steps) for steps in (6, 4, 3)),
    _least(16, 3, more=False),
    *(_least(16, steps, records=False) for steps in (4, 3)),
    *(_least(causes, 3, more=False, records=False) for causes in (16, 10, 8, 6, 5, 4, 3, 2, 1)),
    *(_least(causes, 1, more=False, records=False) for causes in (2, 1, 0)),
)


def some(names: Sequence[str], most: int) -> str:
    """`a, b, c +4`."""
    more = f" +{len(names) - most}" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def plural(count: int) -> str:
    """The `s` of several."""
    return "" if count == 1 else "s"
