"""The lines of many small text files in one answer: a file each costs the host three processes.

file /etc/hosts
 127.0.0.1 localhost
closed /etc/sudoers.d
"""

import re
from collections.abc import Iterable

from msgspec import Struct, field

from driftscan.errors import ParseError
from driftscan.model import Payload, Raw, Shell
from driftscan.probes import reading
from driftscan.probes.twins import texts

LIMIT = 2 << 20

# Comments stay behind, for they are most of what such files hold; their lines keep their numbers.
# `#include`, `#clear` and `#1000` mean something, and a comment may go on in the next line.
_BODY = r"""
set --
for f in @GLOBS@; do
  [ -f "$f" ] || continue
  case $f in *"$NL"*) continue ;; esac
  if [ -r "$f" ]; then set -- "$@" "$f"; else printf 'closed %s\n' "$f"; fi
done
@CLOSED@
[ $# -eq 0 ] || awk 'FNR == 1 { print "file " FILENAME }
  /^[ \t]*#/ && !/^[ \t]*#(include|clear|[0-9])/ && !/\\$/ { print " "; next }
  { print " " $0 }' "$@" | head -c @LIMIT@
return 0
"""


_CLOSED = r"""
for f in @PLACES@; do
  if [ -d "$f" ] && ! { [ -r "$f" ] && [ -x "$f" ]; }; then printf 'closed %s\n' "$f"; fi
done
"""


class Texts(Struct):
    """Files by path, in the order of the question; what may not be read; other lines."""

    files: dict[str, list[str]] = field(default_factory=dict)
    closed: list[str] = field(default_factory=list)
    more: list[str] = field(default_factory=list)
    cut: bool = False

    def lines(self, path: str) -> list[str]:
        """The lines of one file, those written on Windows too; none if it is not there."""
        return [reading.without_return(line) for line in self.files.get(path, [])]

    def named(self, pattern: str) -> dict[str, list[str]]:
        """The files whose path matches the regular expression whole, sorted."""
        form = re.compile(pattern)
        return {path: self.lines(path) for path in sorted(self.files) if form.fullmatch(path)}

    def gaps(self, *names: str) -> list[str]:
        """What hides some of what is asked for, of those whose path holds a name."""
        found = [f"{path}: denied" for path in self.closed if any(name in path for name in names)]
        return [*found, "larger than the limit, the rest was not read"] if self.cut else found


def question(name: str, globs: tuple[str, ...], places: tuple[str, ...] = ()) -> Shell:
    """The files that match the globs; `places` are directories whose closure would hide some."""
    closed = _CLOSED.strip().replace("@PLACES@", " ".join(places)) if places else ":"
    body = _BODY.replace("@GLOBS@", " ".join(globs)).replace("@CLOSED@", closed)
    return Shell(name, body.replace("@LIMIT@", str(LIMIT)), texts.reader(globs, places))


_HEAD = re.compile(r"(file|closed) (/.*)")


def read(raw: Raw, name: str, other: re.Pattern[str] | None = None) -> Texts:
    """The answer to a question; raises ParseError for a line that it cannot have printed."""
    payload = raw.outputs.get(name, Payload(()))
    found = Texts(cut=sum(len(line) + 1 for line in payload.lines) >= LIMIT)
    place: list[str] | None = None
    for line in payload.lines:
        head = _HEAD.fullmatch(line)
        if head and head[1] == "file":
            place = found.files.setdefault(head[2], [])
        elif head:
            found.closed.append(head[2])
        elif line.startswith(" ") and place is not None:
            place.append(line[1:])
        elif other is not None and other.fullmatch(line):
            found.more.append(line)
        else:
            raise ParseError(f"expected 'file /path' or a line of it, got {line!r}")
    return found


def sorted_by_name(files: Iterable[str]) -> list[str]:
    """Paths by file name, then by path: the order in which drop-ins are read."""
    return sorted(files, key=lambda path: (path.rpartition("/")[2], path))
