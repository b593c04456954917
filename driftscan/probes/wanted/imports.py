"""What a machine's own programs and libraries import: those that no package will rebuild.

Looked for where applications stand. Of each ELF file (elf(5)) only the dynamic section and the
tables that it names are sent; `elf.py` reads them.
"""

import re
from collections.abc import Iterable, Sequence

from msgspec import Struct, field

from driftscan.errors import ParseError
from driftscan.model import Item, Question, Raw, Shell, Want
from driftscan.probes.contract import Learned
from driftscan.probes.wanted import elf

KIND = "imports"
GIVES = (
    "`own`: needed (path to the sonames it needs), symbols (path to the symbols it imports), "
    "unread (paths that could not be read)"
)

FILES = 60
"""ELF files read of one machine."""

CANDIDATES = 400
"""Files looked at whether they are ELF."""

TABLES = 192 << 10
"""Bytes sent of the tables of one file."""

TOTAL = 1 << 20
"""Bytes sent of the tables of all files."""

# The answer: `file PATH`, then `tables START` and `dynamic`, each with bytes as od prints them, or
# `static` or `unread`; `closed DIRECTORY`; `unwalked` where a directory below it was closed or the
# time was up; `more` where there are more files than are read. The first PT_LOAD (type 1) tells
# what to take off an address; PT_DYNAMIC is type 2; each header is seven words.
_BODY = f"""
set --
for d in /opt /srv /usr/local; do
  [ -d "$d" ] || continue
  if ! [ -r "$d" ] || ! [ -x "$d" ]; then printf 'closed %s\\n' "$d"; continue; fi
  set -- "$@" "$d"
done
[ $# -gt 0 ] || return 0
files=$(timeout -s KILL 10 find -H "$@" -xdev -maxdepth 9 '(' -name node_modules \\
    -o -name .git -o -name '*jdk*' -o -name '*jre*' -o -name jvm ')' -prune \\
  -o -type f '(' -perm -0100 -o -name '*.so' -o -name '*.so.[0-9]*' ')' -print) ||
  printf 'unwalked\\n'
files=$(printf '%s\\n' "$files" | sort | head -n {CANDIDATES + 1})
bytes() {{ od -A n -v -t x1 -j "$2" -N "$3" "$1"; }}
numbers() {{ od -A n -v -t u8 -j "$2" -N "$3" "$1"; }}
tables() {{
  set -- "$1" $(od -A n -v -t u2 -j 54 -N 4 "$1") $(numbers "$1" 32 8)
  [ $# -eq 4 ] && [ "$2" = 56 ] && [ "$3" -lt 64 ] || return 1
  set -- "$1" $(numbers "$1" "$4" $(($3 * 56)) | awk -v all=$(($3 * 7)) '
    {{ for (i = 1; i <= NF; i++) w[n++] = $i }}
    END {{
      for (k = 0; k + 6 < n; k += 7) {{
        t = w[k] % 4294967296
        if (t == 1 && base == "") base = w[k + 2] - w[k + 1]
        if (t == 2) {{ at = w[k + 1]; size = w[k + 4] }}
      }}
      if (n == all && size < 16384) printf "%d %d %d\\n", base, at, size
    }}')
  [ $# -eq 4 ] || return 1
  if [ "$4" -eq 0 ]; then printf 'static\\n'; return 0; fi
  set -- "$@" $(numbers "$1" "$3" "$4" | awk '
    {{ for (i = 1; i <= NF; i++) w[n++] = $i }}
    END {{
      for (k = 0; k + 1 < n && w[k] != 0; k += 2) {{
        if (w[k] == 5) names = w[k + 1]
        if (w[k] == 6) symbols = w[k + 1]
        if (w[k] == 10) size = w[k + 1]
      }}
      length_ = names - symbols + size
      if (symbols > 0 && names > symbols && length_ < {TABLES})
        printf "%d %d\\n", symbols, length_ + (names - symbols) / 12 + 4096
    }}')
  [ $# -eq 6 ] && [ "$5" -ge "$2" ] || return 1
  total=$((total + $6))
  [ $total -lt {TOTAL} ] || return 1
  printf 'tables %s\\n' "$5"
  bytes "$1" $(($5 - $2)) "$6"
  printf 'dynamic\\n'
  bytes "$1" "$3" "$4"
}}
# ELF of 64 bits, little-endian, a program or a library with a dynamic section.
read_() {{
  case $(od -A n -v -t x1 -N 18 "$1") in
    ' 7f 45 4c 46 02 01 '*' 02 00' | ' 7f 45 4c 46 02 01 '*' 03 00') ;;
    ' 7f 45 4c 46 '*' 01 00') return 0 ;;
    ' 7f 45 4c 46 '*) printf 'file %s\\nunread\\n' "$1"; return 0 ;;
    *) return 0 ;;
  esac
  n=$((n + 1))
  if [ $n -gt {FILES} ]; then printf 'more\\n'; return 1; fi
  printf 'file %s\\n' "$1"
  tables "$1" || printf 'unread\\n'
  return 0
}}
set -f
IFS=$NL
n=0 m=0 total=0
for f in $files; do
  m=$((m + 1))
  if [ $m -gt {CANDIDATES} ]; then printf 'more\\n'; break; fi
  case $f in /*) ;; *) continue ;; esac
  if ! [ -r "$f" ]; then printf 'file %s\\nunread\\n' "$f"; continue; fi
  IFS=' '$NL
  read_ "$f" || break
  IFS=$NL
done
return 0
"""


def questions(wants: Sequence[Want]) -> tuple[Question, ...]:
    """One question, whoever wants it."""
    del wants
    return (Shell(name=KIND, body=_BODY.strip()),)


class _File(Struct):
    """What was sent of one file."""

    start: int = 0
    tables: bytearray = field(default_factory=bytearray)
    dynamic: bytearray = field(default_factory=bytearray)
    static: bool = False
    unread: bool = False


def parse(raw: Raw, wants: Sequence[Want]) -> Learned:
    """By file the sonames and symbols that it imports; those that cannot be read are named."""
    answer = raw.outputs[KIND]
    files, gaps = _files(answer.lines)
    needed: dict[str, str] = {}
    symbols: dict[str, str] = {}
    unread: list[str] = []
    for path, file in files.items():
        found = elf.imports(bytes(file.dynamic), bytes(file.tables), file.start)
        if file.unread or not (file.static or (file.dynamic and found.whole)):
            unread.append(path)
            continue
        needed[path] = " ".join(found.needed)
        symbols[path] = " ".join(sorted(set(found.symbols)))
    item: Item = {"needed": needed, "symbols": symbols, "unread": sorted(unread)}
    return Learned({want.name: item for want in wants}, {}, tuple(dict.fromkeys(gaps)))


_HEX = re.compile(r"(?: +[0-9a-f]{2}){1,32} *", re.ASCII)
_TABLES = re.compile(r"tables [0-9]{1,19}", re.ASCII)


_UNWALKED = "not all of /opt, /srv and /usr/local could be looked through"
_MORE = f"there are more programs and libraries than the {FILES} that are read"


def _files(lines: Iterable[str]) -> tuple[dict[str, _File], list[str]]:
    """What was sent of each file, and what was not looked at."""
    files: dict[str, _File] = {}
    gaps: list[str] = []
    file, part = _File(), bytearray()
    for line in lines:
        word, _, rest = line.partition(" ")
        if word == "file" and rest.startswith("/"):
            file, part = files.setdefault(rest, _File()), bytearray()
        elif word == "closed" and rest.startswith("/"):
            gaps.append(f"{rest} is closed to this account")
        elif line in ("more", "unwalked"):
            gaps.append(_MORE if line == "more" else _UNWALKED)
        elif files and (told := _part(file, line)) is not None:
            part = told
        elif files and _HEX.fullmatch(line):
            part += bytes.fromhex(line.replace(" ", ""))
        else:
            raise ParseError(f"expected a file and its tables, got {line!r}")
    return files, gaps


def _part(file: _File, line: str) -> bytearray | None:
    """Where the bytes after this line belong; None if it is no such line."""
    if _TABLES.fullmatch(line):
        file.start = int(line.partition(" ")[2])
        return file.tables
    match line:
        case "dynamic":
            return file.dynamic
        case "static":
            file.static = True
        case "unread":
            file.unread = True
        case _:
            return None
    return bytearray()
