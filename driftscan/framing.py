"""The framed answer of the script -> raw sections.

The answer is lines. Each payload line has one space before it, so no content can look like a
control line; control lines begin with a nonce that only this script knows:

    NONCE BEGIN 1
    NONCE S probe            a probe's answers begin
    NONCE F path             a file of it; its payload follows
    NONCE C name             any other answer of it; its payload follows
    (empty line)
    NONCE . status           a payload ends: the exit status of reading it
    NONCE ! reason path      something that is there and was not read
    NONCE ! lacks tool       a tool that this section needs is not there
    NONCE END
"""

import re
from collections.abc import Iterable, Sequence

from driftscan import sanitize
from driftscan.model import FILE_LIMIT, FORMAT, OUTPUT_LIMIT, Files, Payload, Raw
from driftscan.probes.contract import Asks

BEGIN = f"BEGIN {FORMAT}"
MAX_LINES = 300_000


class Malformed(Exception):  # noqa: N818
    """An answer that is not what the script prints; `state` says which way it is wrong."""

    def __init__(self, state: str, message: str) -> None:
        super().__init__(message)
        self.state = state


def unframe(output: bytes, nonce: str, probes: Iterable[Asks]) -> dict[str, Raw]:
    """The raw answers by probe name.

    Raises Malformed: `no_collector` when the script never began, `incomplete` when it never
    ended, `malformed` for anything the script cannot have printed.
    """
    mark, probes = nonce.encode(), list(probes)
    begin = mark + f" {BEGIN}\n".encode()
    _noise, found, rest = output.partition(begin)
    if not found:
        raise Malformed("no_collector", f"no answer but {sanitize.safe_bytes(output)!r}")
    pieces = (b"\n" + rest).split(b"\n" + mark + b" ")
    if pieces[-1].rstrip(b"\n") != b"END":
        raise Malformed("incomplete", "the answer ends before its end mark")
    if pieces[0].strip(b"\n"):
        raise Malformed("malformed", f"between sections: {sanitize.safe_bytes(pieces[0])!r}")
    raws = _sections(pieces[1:-1], [probe.NAME for probe in probes])
    for probe in probes:
        names = [ask.name for ask in probe.ASK if not isinstance(ask, Files)]
        lost = [name for name in names if name not in raws[probe.NAME].outputs]
        if lost:
            raise Malformed("malformed", f"{probe.NAME} was not answered: {', '.join(lost)}")
    return raws


class _Section:
    def __init__(self) -> None:
        self.files: dict[str, Payload] = {}
        self.outputs: dict[str, Payload] = {}
        self.gaps: dict[str, str] = {}

    def add(self, kind: bytes, name: str, payload: Payload) -> None:
        answers = self.files if kind == b"F" else self.outputs
        if name in answers:
            raise Malformed("malformed", f"answered twice: {name!r}")
        answers[name] = payload


def _sections(pieces: Sequence[bytes], names: Sequence[str]) -> dict[str, Raw]:
    sections: dict[str, _Section] = {}
    current: _Section | None = None
    index = 0
    while index < len(pieces):
        kind, _, rest = pieces[index].partition(b" ")
        index += 1
        if kind == b"S":
            name = _one_line(rest).decode("ascii", "replace")
            if name in sections or name not in names:
                raise Malformed("malformed", f"unexpected section {sanitize.safe(name)!r}")
            current = sections[name] = _Section()
        elif current is None:
            raise Malformed("malformed", f"outside a section: {sanitize.safe_bytes(kind)!r}")
        elif kind == b"!":
            reason, _, path = _one_line(rest).partition(b" ")
            current.gaps[sanitize.safe_bytes(path, 4096)] = sanitize.safe_bytes(reason)
        elif kind in (b"F", b"C") and index < len(pieces):
            head, _, body = rest.partition(b"\n")
            limit = FILE_LIMIT if kind == b"F" else OUTPUT_LIMIT
            payload = _payload(body, pieces[index], limit)
            current.add(kind, sanitize.safe_bytes(head, 4096), payload)
            index += 1
        else:
            raise Malformed("malformed", f"unknown mark {sanitize.safe_bytes(kind)!r}")
    missing = [name for name in names if name not in sections]
    if missing:
        raise Malformed("malformed", f"sections are missing: {', '.join(missing)}")
    return {name: Raw(s.files, s.outputs, s.gaps) for name, s in sections.items()}


_CLOSE = re.compile(rb"\. (\d{1,3})\n?")


def _payload(body: bytes, close: bytes, limit: int) -> Payload:
    end = _CLOSE.fullmatch(close)
    if end is None:
        raise Malformed("malformed", f"expected the end of a payload, got {close[:80]!r}")
    most = 2 * limit  # of the prefixed text: a line of one byte has one more
    text = b"\n" + body[:most].removesuffix(b"\n") if body else b""
    if text.count(b"\n") != text.count(b"\n "):
        raise Malformed("malformed", "a payload line without its prefix")
    data = text.replace(b"\n ", b"\n")[1:] + b"\n" * body.endswith(b"\n")
    kept, more = _bounded(data[:limit])
    return Payload(tuple(sanitize.lines(kept)), int(end.group(1)), more or len(data) >= limit)


def _bounded(data: bytes) -> tuple[bytes, bool]:
    """The first MAX_LINES lines, and whether there are more: each costs more than its bytes."""
    if data.count(b"\n") <= MAX_LINES:
        return data, False
    return b"\n".join(data.split(b"\n", MAX_LINES)[:MAX_LINES]) + b"\n", True


def _one_line(rest: bytes) -> bytes:
    """The rest of a control line that no payload follows; an empty line may stand after it."""
    line = rest.rstrip(b"\n")
    if b"\n" in line:
        raise Malformed("malformed", f"between answers: {sanitize.safe_bytes(rest)!r}")
    return line
