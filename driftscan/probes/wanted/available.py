"""Which versions of a package the machine could install, by the package lists it has fetched."""

import re
from collections.abc import Sequence

from driftscan.errors import ParseError
from driftscan.model import Items, Question, Raw, Shell, Want
from driftscan.probes.contract import Learned
from driftscan.probes.wanted import names

KIND = "available"
GIVES = "package: versions, fetched (time of the newest list, seconds since 1970)"

# The answer: `T seconds` for each list read, `N arch` for the native architecture,
# `V package arch version`, and `! why path` for a list that was not read.
_BODY = """
[ -r /var/lib/dpkg/arch ] && sed -n '1s/^/N /p' /var/lib/dpkg/arch
wanted() {
  awk -v names=" $1 " '
    /^Package: / { p = $2; v = ""; a = "" }
    /^Architecture: / { a = $2 }
    /^Version: / { v = $2 }
    /^$/ { if (p != "" && index(names, " " p " ")) print "V " p, a, v; p = "" }
    END { if (p != "" && index(names, " " p " ")) print "V " p, a, v }'
}
for f in /var/lib/apt/lists/*_Packages /var/lib/apt/lists/*_Packages.*; do
  [ -f "$f" ] || continue
  if ! [ -r "$f" ]; then printf '! denied %s\\n' "$f"; continue; fi
  case $f in
    *_Packages) cat -- "$f" | wanted "$all" ;;
    *_Packages.gz) gzip -dc -- "$f" | wanted "$all" ;;
    *) printf '! packed %s\\n' "$f"; continue ;;
  esac
  stat -c 'T %Y' -- "$f"
done | head -c 4194304
"""


def questions(wants: Sequence[Want]) -> tuple[Question, ...]:
    """Only the wanted stanzas of the lists are sent."""
    fit = sorted({want.name.partition(":")[0] for want in wants if names.is_key(want.name)})
    all_ = names.quoted(fit).replace("'", "")
    return (Shell(name=KIND, body=f"all='{all_}'\n{_BODY.strip()}"),)


_LINE = re.compile(r"T ([0-9]{1,12})|N ([a-z0-9-]+)|V (\S+) (\S*) (\S*)|! (denied|packed) (/.*)")


def parse(raw: Raw, wants: Sequence[Want]) -> Learned:
    """The versions of each wanted package; without any list nothing is known."""
    native, fetched = "", 0
    unread: list[str] = []
    versions: dict[str, dict[str, set[str]]] = {}
    for line in raw.outputs[KIND].lines:
        match = _LINE.fullmatch(line)
        if match is None:
            raise ParseError(f"available: unexpected {line!r}")
        time, arch, package, its_arch, version, why, path = match.groups()
        if time:
            fetched = max(fetched, int(time))
        elif arch:
            native = arch
        elif package:
            versions.setdefault(package, {}).setdefault(its_arch, set()).add(version)
        else:
            unread.append(f"{path}: {'is compressed' if why == 'packed' else why}")
    if not fetched:
        reason = "; ".join(unread[:1]) or "it has no package lists (apt-get update makes them)"
        return Learned({}, dict.fromkeys((want.name for want in wants), reason))
    found: Items = {
        want.name: {"versions": _of(versions, want.name, native), "fetched": fetched}
        for want in wants
        if names.is_key(want.name)
    }
    return Learned(found, names.unfit(wants), tuple(unread[:3]))


def _of(versions: dict[str, dict[str, set[str]]], key: str, native: str) -> list[str]:
    """Those of the package's own architecture, as far as it is known."""
    package, _, architecture = key.partition(":")
    own = architecture or native
    by_arch = versions.get(package, {})
    found = (v for arch, some in by_arch.items() if not own or arch in (own, "all") for v in some)
    return sorted(set(found))
