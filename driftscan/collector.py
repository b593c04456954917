"""The script as a program that is installed on a host; its answer -> that of the script.

A collector is sent no program: one line of data, `driftscan NONCE SECONDS`. It answers in the
script's frame, and tells what it is: the digest of its own file, and of each probe's questions.

    NONCE BEGIN 1 collector SHA256
    NONCE S probe DIGEST

What it asks otherwise than this version of driftscan is unknown, never empty.
"""

import hashlib
import re
from collections.abc import Iterable, Sequence

from driftscan import framing, script
from driftscan.model import Scope
from driftscan.probes.contract import Asks

PATH = "/usr/local/libexec/driftscan-collect"

_ABOUT = """#!/bin/sh
# driftscan's collector: it only reads, and prints what it read. Install it as root:root 0755; then
# command= of an authorized key, or a rule of sudo with this file's digest, allows it and no more.
"""
_ORDER = r"""# `driftscan NONCE SECONDS` on standard input: data, which is compared and never run.
order=$(head -c 64)
N=${order#driftscan } seconds=${order##* }
N=${N%% *}
case ${#N}:$N in 32:*[!0123456789abcdef]*) N= ;; 32:*) ;; *) N= ;; esac
case $seconds in 0* | *[!0123456789]* | ??????*) seconds= ;; esac
if [ -z "$N" ] || [ -z "$seconds" ] || [ "$order" != "driftscan $N $seconds" ]; then
  printf 'driftscan-collect: expected one line: driftscan NONCE SECONDS\n' >&2
  return 64
fi
exec </dev/null
own=$( { sha256sum <"$0"; } 2>/dev/null)
own=${own%% *}"""


def _update(scope: Scope) -> str:
    roots = "".join(f" --app {root}" for root in scope.apps)
    roots += " --verify" if scope.verify else ""
    return f"install what `driftscan script --collector{roots}` prints"


def text(probes: Iterable[Asks]) -> str:
    """The program, to the byte the same for the same questions."""
    probes = list(probes)
    return _template(probes, {name: f" {digest}" for name, digest in digests(probes).items()})


def digest(probes: Iterable[Asks]) -> str:
    """The SHA-256 of the program."""
    return hashlib.sha256(text(probes).encode()).hexdigest()


def digests(probes: Iterable[Asks]) -> dict[str, str]:
    """What tells one probe's questions from any others: of a collector with no other probe."""
    return {probe.NAME: _short(_template([probe], {})) for probe in probes}


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _template(probes: Iterable[Asks], marks: dict[str, str]) -> str:
    begin = f'say "{framing.BEGIN} collector ${{own:-unknown}}"'
    body = script.template(probes, marks)
    for old, new in (
        (f"N={script.NONCE}", _ORDER),
        (script.DEADLINE, '"$seconds"'),
        (f'say "{framing.BEGIN}"', begin),
        (f"\n{script.START}\n", "\nmain\n"),
    ):
        if body.count(old) != 1:
            raise ValueError(f"not once in the script: {old!r}")
        body = body.replace(old, new)
    return _ABOUT + body


_OWN = re.compile(rb" collector ([0-9a-f]{64}|unknown)\n")
_SECTION = re.compile(rb"\AS ([a-z0-9-]+) ([0-9a-f]{16})(?=\n|\Z)")


def answer(
    output: bytes,
    nonce: str,
    probes: Sequence[Asks],
    scope: Scope = Scope(),  # noqa: B008 - frozen
) -> tuple[bytes, dict[str, str]]:
    """The answer without what a collector adds and asks otherwise; and of which probes, and why.

    A collector looks below the roots that it was made with: another scope it asks otherwise. What
    is no collector's answer stays as it is. Raises framing.Malformed `collector_changed` where its
    questions are ours and its file is not.
    """
    mark = nonce.encode()
    begin = mark + f" {framing.BEGIN}".encode()
    noise, found, rest = output.partition(begin)
    own = _OWN.match(rest)
    if not found or own is None:
        return output, {}
    ours, theirs, taken = digests(probes), dict[str, str](), True
    between = b"\n" + mark + b" "
    first, *pieces = (b"\n" + rest[own.end() :]).split(between)
    whole = [first]
    for piece in pieces:
        section = _SECTION.match(piece)
        if section is not None:
            name, told = section[1].decode(), section[2].decode()
            theirs[name] = told
            taken = ours.get(name) == told
        if taken or piece.rstrip(b"\n") == b"END":
            whole.append(_SECTION.sub(rb"S \1", piece))
    file = own[1].decode()
    if file != "unknown" and theirs == ours and file != digest(probes):
        raise framing.Malformed(
            "collector_changed",
            f"the collector's file was changed (sha256 {file}): {_update(scope)}",
        )
    return noise + begin + between.join(whole), _strange(file, theirs, ours, _update(scope))


def _strange(file: str, theirs: dict[str, str], ours: dict[str, str], cure: str) -> dict[str, str]:
    strange = {}
    for name in (name for name, told in ours.items() if theirs.get(name) != told):
        how = "asks this otherwise" if name in theirs else "does not ask this"
        strange[name] = f"the installed collector ({file[:12]}) {how}: {cure}"
    return strange
