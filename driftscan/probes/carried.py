"""Files that only a program reads (databases), as bytes over the trip: packed, then in base64."""

import base64
import binascii
import gzip
import zlib
from collections.abc import Iterable, Iterator, Sequence

from driftscan.errors import ParseError

PACKED_LIMIT = 11 << 20
"""Of one packed file: in base64 it still is under the limit of an answer."""
UNPACKED_LIMIT = 128 << 20

LOOP = r"""
for f in "$@"; do
  d=${f%/*}
  if [ -d "$d" ] && ! [ -x "$d" ]; then printf 'denied %s\n' "$d"; continue; fi
  [ -s "$f" ] || continue
  if ! [ -r "$f" ]; then printf 'denied %s\n' "$f"; continue; fi
  printf 'bytes %s\n' "$f"
  gzip -1 -c -- "$f" | head -c @LIMIT@ | base64
done
""".replace("@LIMIT@", str(PACKED_LIMIT))
"""The end of a question: prints the files that are its positional parameters."""


def lines(path: str, data: bytes) -> Iterator[str]:
    """What the question prints of one file, in Python: for machines that are read and not run."""
    yield f"bytes {path}"
    yield from base64.encodebytes(gzip.compress(data, 1, mtime=0)).decode().splitlines()


def files(told: Iterable[str]) -> dict[str, bytes]:
    """The files in an answer by path; lines before the first are passed over.

    Raises ParseError for one that did not come over whole or is larger than the limit.
    """
    parts: dict[str, list[str]] = {}
    here: list[str] | None = None
    for line in told:
        if line.startswith("bytes "):
            here = parts.setdefault(line.removeprefix("bytes "), [])
        elif here is not None:
            here.append(line)
    return {path: _unpacked(path, part) for path, part in parts.items()}


def _unpacked(path: str, part: Sequence[str]) -> bytes:
    try:
        packed = base64.b64decode("".join(part), validate=True)
        unpacker = zlib.decompressobj(wbits=31)
        data = unpacker.decompress(packed, UNPACKED_LIMIT)
    except (binascii.Error, ValueError, zlib.error) as error:
        raise ParseError(f"{path} did not come over whole: {error}") from None
    if len(packed) >= PACKED_LIMIT or unpacker.unconsumed_tail:
        raise ParseError(f"{path} is larger than the limit of {PACKED_LIMIT >> 20} MB packed")
    if not unpacker.eof:
        raise ParseError(f"{path} did not come over whole: {len(data)} bytes did")
    return data
