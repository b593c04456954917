"""What asking a target showed -> the step that failed, what of the answer is lost, the cures."""

from msgspec import Struct

from driftscan import plausible, privileges
from driftscan.model import Denied, Failed, Partial, Side, Unreached

# The steps to an answer in their order, by the stage that a failure names.
_STEPS = {
    "config": "configuration",
    "keys": "key",
    "via_bastion": "jump host",
    "dns": "name",
    "tcp": "connection",
    "banner": "greeting",
    "kex": "key exchange",
    "host-key": "host key",
    "login": "login",
    "session": "session",
    "exec": "shell",
    "stream": "answer",
    "answer": "answer",
}


class Note(Struct, frozen=True, kw_only=True):
    """Something that is lost, though the target answers: what, why, and its cure if known."""

    what: str
    why: str
    cure: str = ""


class Diagnosis(Struct, frozen=True, kw_only=True):
    """One target: `ok`, `partial` (notes tell what is lost of what is compared) or `failed`.

    `passed` are the steps that were fine, `step` is the one that failed; of `without_root` root
    would be shown all.
    """

    state: str
    passed: list[str] = []
    step: str = ""
    cause: str = ""
    cure: str = ""
    account: str = ""
    sections: int = 0
    seconds: float = 0.0
    notes: list[Note] = []
    without_root: list[str] = []


def refused(cause: str) -> Diagnosis:
    """A target that cannot be asked at all: its file, its engine."""
    return Diagnosis(state="failed", step="target", cause=cause)


def diagnosed(found: Side | Unreached) -> Diagnosis:
    """What one target's result shows."""
    if isinstance(found, Unreached):
        return _failed(found)
    meta = found.fingerprint.meta
    facts = [note for name, s in sorted(found.fingerprint.facts.items()) for note in _lost(name, s)]
    evidence = [
        note for name, s in sorted(found.fingerprint.evidence.items()) for note in _lost(name, s)
    ]
    sections = {**found.fingerprint.facts, **found.fingerprint.evidence}
    return Diagnosis(
        state="partial" if facts else "ok",
        account=meta.privilege,
        sections=len(sections),
        seconds=meta.seconds,
        notes=[*_joined(facts), *_joined(evidence), *_skew(found)],
        without_root=sorted(
            {n.what for n in (*facts, *evidence) if privileges.is_for_root(meta, n.why)}
        ),
    )


def _failed(lost: Unreached) -> Diagnosis:
    steps = list(dict.fromkeys(_STEPS.values()))
    step = _STEPS.get(lost.stage, lost.stage)
    before = steps[: steps.index(step)] if step in steps else []
    return Diagnosis(
        state="failed",
        passed=[name for name in before if name != "jump host"],
        step=step,
        cause=f"{lost.state}: {lost.cause}",
        cure=lost.cure,
        seconds=lost.seconds,
    )


def _lost(name: str, section: object) -> list[Note]:
    match section:
        case Denied(cure=cure):
            return [Note(what=name, why=privileges.DENIED, cure=cure)]
        case Failed(reason=reason):
            return [Note(what=name, why=reason)]
        case Partial(gaps=gaps):
            return [Note(what=name, why=gap) for gap in gaps[:3]]
        case _:
            return []


def _joined(notes: list[Note]) -> list[Note]:
    """One note for all that is lost for the same reason."""
    of: dict[tuple[str, str], list[str]] = {}
    for note in notes:
        of.setdefault((note.why, note.cure), []).append(note.what)
    return [
        Note(what=", ".join(dict.fromkeys(names)), why=why, cure=cure)
        for (why, cure), names in of.items()
    ]


def _skew(found: Side) -> list[Note]:
    why = plausible.skew(found.fingerprint)
    return [Note(what="clock", why=why, cure=plausible.CLOCK_CURE)] if why else []
