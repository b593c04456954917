"""What programs, libraries and Java archives that no package owns tell of themselves: nothing runs.

The build-id of an ELF file (elf(5), NOTES) stands in its first bytes; the versions of an archive in
its manifest (JAR File Specification), which is found through the central directory (APPNOTE.TXT,
4.3.12) by ranges of bytes. Digests go from the smallest file on, as long as they are not too much.
"""

import re
import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct, field

from driftscan.errors import ParseError
from driftscan.model import ROOT, Item, Items, Question, Raw, Shell, Want
from driftscan.probes.contract import Learned

KIND = "binaries"
GIVES = (
    "path: build_id, digest (half of the SHA-256), implementation, bundle, specification (versions "
    "of an archive's manifest)"
)

FILES = 64
"""Files of one machine."""
SUMMED = 200 << 20
"""Bytes that are summed in all."""
HEAD = 4096
"""Bytes sent of the start of an ELF file."""
MANIFEST = 16 << 10
"""Bytes sent of a manifest as it is packed; its text may have four times as many."""

# The answer: `file PATH`, then of an ELF file its head, of an archive `manifest` and the manifest's
# entry, as od prints them; `sum SHA256  PATH`; `unsummed` and `closed` with a path.
_BODY = r"""
bytes() { od -A n -v -t x1 -j "$2" -N "$3" "$1"; }
numbers() { od -A n -v -t u1 -j "$2" -N "$3" "$1"; }
# Where the entry of the manifest begins, and how long it is: the last mark of the end of the
# central directory tells where that begins, and it what is in the archive, its manifest early on.
entry() {
  s=$(stat -L -c %s "$1") e=0
  [ "$s" -lt 1046 ] || e=$((s - 1046))
  set -- "$1" $(numbers "$1" $e 1046 | awk -v e="$e" '
    function n4(i) { return b[i] + 256 * (b[i + 1] + 256 * (b[i + 2] + 256 * b[i + 3])) }
    { for (i = 1; i <= NF; i++) b[n++] = $i }
    END {
      for (k = n - 22; k >= 0; k--)
        if (b[k] == 80 && b[k + 1] == 75 && b[k + 2] == 5 && b[k + 3] == 6) break
      if (k < 0) exit
      size = n4(k + 12)
      at = e + k - size
      base = at - n4(k + 16)
      if (at >= 0 && base >= 0) printf "%.0f %.0f %.0f\n", at, size < 16384 ? size : 16384, base
    }')
  [ $# -eq 4 ] || return 1
  numbers "$1" "$2" "$3" | awk -v base="$4" -v most="$s" '
    function n2(i) { return b[i] + 256 * b[i + 1] }
    function n4(i) { return n2(i) + 65536 * n2(i + 2) }
    BEGIN { split("77 69 84 65 45 73 78 70 47 77 65 78 73 70 69 83 84 46 77 70", name, " ") }
    { for (i = 1; i <= NF; i++) b[n++] = $i }
    END {
      for (k = 0; k + 66 <= n && b[k] == 80 && b[k + 1] == 75 && b[k + 2] == 1; k += 46 + m) {
        m = n2(k + 28) + n2(k + 30) + n2(k + 32)
        same = n2(k + 28) == 20
        for (i = 1; same && i <= 20; i++) same = b[k + 45 + i] == name[i]
        at = base + n4(k + 42)
        if (same && at < most) { printf "%.0f %.0f\n", at, n4(k + 20); exit }
      }
    }'
}
all=@PATHS@
set --
for f in $all; do
  [ -f "$f" ] || continue
  if ! [ -r "$f" ]; then printf 'closed %s\n' "$f"; continue; fi
  set -- "$@" "$f"
  printf 'file %s\n' "$f"
  case $f:$(bytes "$f" 0 4) in
    *': 7f 45 4c 46'*) bytes "$f" 0 @HEAD@ ;;
    *.jar:* | *.war:* | *.ear:*)
      e=$(entry "$f")
      [ -n "$e" ] || continue
      n=$((${e#* } + 512))
      [ $n -lt @MANIFEST@ ] || n=@MANIFEST@
      printf 'manifest\n'
      bytes "$f" "${e% *}" $n
      ;;
  esac
done
[ $# -gt 0 ] || return 0
stat -L -c '%s %n' -- "$@" | sort -n | awk '
  { total += $1; print total <= @SUMMED@ ? "sum" : "unsummed", substr($0, index($0, "/")) }' |
  while read -r word f; do
    if [ "$word" = sum ]; then sha256sum -- "$f" | sed 's/^/sum /'; else echo "unsummed $f"; fi
  done
return 0
"""


def questions(wants: Sequence[Want]) -> tuple[Question, ...]:
    """One question about all paths; one whose letters are not plain is left out."""
    body = _BODY.strip().replace("@PATHS@", f"'{' '.join(_fit(wants))}'")
    for mark, value in (("HEAD", HEAD), ("MANIFEST", MANIFEST), ("SUMMED", SUMMED)):
        body = body.replace(f"@{mark}@", str(value))
    return (Shell(name=KIND, body=body),)


def _fit(wants: Sequence[Want]) -> list[str]:
    return sorted({want.name for want in wants if ROOT.fullmatch(want.name)})[:FILES]


class _File(Struct):
    """What was sent of one file."""

    head: bytearray = field(default_factory=bytearray)
    manifest: bytearray = field(default_factory=bytearray)
    digest: str = ""


def parse(raw: Raw, wants: Sequence[Want]) -> Learned:
    """What each file tells of itself; raises ParseError for a line that was not asked for."""
    answer = raw.outputs.get(KIND)
    files, missing = _files(answer.lines if answer else ())
    fit = _fit(wants)
    for name in {want.name for want in wants} - set(fit):
        missing[name] = f"its path is not plain, or more than {FILES} differ"
    items: Items = {}
    for path, file in files.items():
        item: Item = {name: value for name, value in _told(file) if value}
        if item and path in fit:
            items[path] = item
    return Learned(items, {name: why for name, why in missing.items() if name not in items})


def _told(file: _File) -> Iterator[tuple[str, str]]:
    yield "build_id", build_id(bytes(file.head))
    yield "digest", file.digest
    yield from versions(bytes(file.manifest)).items()


_HEX = re.compile(r"(?: +[0-9a-f]{2}){1,32} *", re.ASCII)
_SUM = re.compile(r"sum \\?([0-9a-f]{64})  (/.*)", re.ASCII)
_UNTOLD = {
    "unsummed": f"not summed: all would be more than {SUMMED >> 20} MB",
    "closed": "not readable by this account: try --become",
}


def _files(lines: Iterable[str]) -> tuple[dict[str, _File], dict[str, str]]:
    files: dict[str, _File] = {}
    missing: dict[str, str] = {}
    file, part = _File(), bytearray()
    for line in lines:
        word, _, rest = line.partition(" ")
        if word == "file" and rest.startswith("/"):
            file = files.setdefault(rest, _File())
            part = file.head
        elif line == "manifest" and files:
            part = file.manifest
        elif files and _HEX.fullmatch(line):
            part += bytes.fromhex(line.replace(" ", ""))
        elif found := _SUM.fullmatch(line):
            files.setdefault(found[2], _File()).digest = found[1][:32]
        elif word in _UNTOLD and rest.startswith("/"):
            missing[rest] = _UNTOLD[word]
        else:
            raise ParseError(f"expected a file and its bytes, got {line!r}")
    return files, missing


# --- ELF -----------------------------------------------------------------------------------------

_NOTE, _BUILD_ID = 4, 3


def build_id(head: bytes) -> str:
    """The build-id that the linker wrote, in hexadecimal; empty where there is none in the head.

    Never raises, whatever the bytes are.
    """
    if head[:4] != b"\x7fELF" or len(head) < 64:
        return ""
    order = ">" if head[5] == 2 else "<"
    wide = head[4] == 2
    try:
        start, size, count = _headers(head, order, wide=wide)
        for index in range(min(count, 64)):
            at = start + index * size
            kind, place, length = _segment(head, at, order, wide=wide)
            if kind == _NOTE and (found := _in_notes(head[place : place + length], order)):
                return found
    except (struct.error, OverflowError):
        return ""
    return ""


def _headers(head: bytes, order: str, *, wide: bool) -> tuple[int, int, int]:
    """Where the program headers begin, how long one is, and how many there are."""
    (start,) = struct.unpack_from(f"{order}{'Q' if wide else 'I'}", head, 32 if wide else 28)
    size, count = struct.unpack_from(f"{order}HH", head, 54 if wide else 42)
    return start, size, count


def _segment(head: bytes, at: int, order: str, *, wide: bool) -> tuple[int, int, int]:
    """Type, place and length of one segment."""
    if wide:
        kind, _, place, _, _, length = struct.unpack_from(f"{order}IIQQQQ", head, at)
    else:
        kind, place, _, _, length = struct.unpack_from(f"{order}IIIII", head, at)
    return kind, place, length


def _in_notes(data: bytes, order: str) -> str:
    at = 0
    while at + 12 <= len(data):
        name, length, kind = struct.unpack_from(f"{order}III", data, at)
        at += 12
        text = data[at : at + name]
        at += -(-name // 4) * 4
        body = data[at : at + length]
        at += -(-length // 4) * 4
        if text == b"GNU\0" and kind == _BUILD_ID and 4 <= length <= 64 and len(body) == length:
            return body.hex()
    return ""


# --- archives ------------------------------------------------------------------------------------

_LOCAL = struct.Struct("<4sHHHHHIIIHH")
_FIELDS = {
    b"implementation-version": "implementation",
    b"bundle-version": "bundle",
    b"specification-version": "specification",
}


def versions(entry: bytes) -> dict[str, str]:
    """The versions in a manifest, from its entry in the archive; never raises.

    Only the main section counts, which an empty line ends; a line that begins with a blank goes
    on with the one before.
    """
    found: dict[str, str] = {}
    for line in _manifest(entry).replace(b"\r", b"").replace(b"\n ", b"").split(b"\n"):
        if not line:
            break
        name, colon, value = line.partition(b": ")
        key = _FIELDS.get(name.lower())
        if colon and key and value.strip():
            found.setdefault(key, value.strip()[:200].decode("utf-8", "replace"))
    return found


def _manifest(entry: bytes) -> bytes:
    """The text, stored or deflated; what is cut or no entry gives what is there, or nothing."""
    if len(entry) < _LOCAL.size:
        return b""
    mark, _, flags, method, *_, size, _, name, more = _LOCAL.unpack_from(entry)
    data = entry[_LOCAL.size + name + more :]
    if mark != b"PK\3\4" or flags & 1 or method not in (0, 8):
        return b""
    if method == 0:
        return data[: size or None]
    try:
        return zlib.decompressobj(wbits=-15).decompress(data, 4 * MANIFEST)
    except zlib.error:
        return b""
