"""Changelogs out of package files, where documentation is not installed: fetched and thrown away.

For a container that has a network and is removed afterwards; never asked of a host.
"""

from collections.abc import Sequence

from driftscan.model import Question, Shell, Want
from driftscan.probes.wanted import changelogs

TRIES = 3
"""Packages of one source that are fetched: documentation may be a link to another package's."""

# Whatever apt writes is in /tmp, so that the image itself stays closed. The smallest packages of
# each source come first.
_BODY = f"""
d=/tmp/driftscan
mkdir -p "$d/lists/partial" "$d/cache/archives/partial" "$d/files" && cd "$d/files" || exit 1
run() {{
  program=$1
  shift
  "$program" -q -o Dir::State::Lists="$d/lists" -o Dir::Cache="$d/cache" \\
    -o APT::Sandbox::User=root -o Acquire::Languages=none -o Acquire::Retries=1 "$@"
}}
why() {{
  said=$(sed -n 's/^[EW]: //p' "$1" | head -n 1 | tr -s ' ')
  printf '! %s: %s\\n' "$2" "${{said:-it says nothing}}"
}}
run apt-get update >"$d/updated" 2>&1
# PACKAGE FILE: unpacked once, which is what takes time.
read_of() {{
  rm -rf -- "$d/out" && mkdir "$d/out"
  dpkg-deb --fsys-tarfile "$2" 2>/dev/null |
    tar -x --no-same-owner -C "$d/out" "./usr/share/doc/$1" 2>/dev/null
  docs=$d/out/usr/share/doc/$1
  [ -d "$docs" ] && ! [ -h "$docs" ] || return 1
  for f in "$docs/changelog.Debian.gz" "$docs/changelog.gz"; do
    [ -f "$f" ] || continue
    printf '@ %s\no %s\n' "$1" "$2"
    told + {changelogs.LIMIT} "$f"
    if [ -f "$docs/NEWS.Debian.gz" ]; then
      told n {changelogs.NEWS_LIMIT} "$docs/NEWS.Debian.gz"
    fi
    return 0
  done
  return 1
}}
smallest() {{
  run apt-cache show --no-all-versions "$@" 2>/dev/null |
    awk '/^Package: / {{ p = $2 }} /^Size: / {{ print $2, p }}' | sort -n | head -n {TRIES}
}}
wanted() {{
  printf '= %s\\n' "$1"
  shift
  if [ -z "$(ls "$d/lists" | grep Packages)" ]; then
    why "$d/updated" 'the archive does not answer'
    return
  fi
  smallest "$@" >"$d/order"
  if ! [ -s "$d/order" ]; then printf '! the archive has none of its packages\\n'; return; fi
  while read -r size p; do
    if run apt-get download "$p" </dev/null >"$d/fetched" 2>&1; then
      for f in "$p"_*.deb; do
        if [ -f "$f" ] && read_of "$p" "$f"; then rm -f -- *.deb; return; fi
      done
    fi
    rm -f -- *.deb
  done <"$d/order"
  why "$d/fetched" 'none of its packages could be fetched with a changelog'
}}
"""


def questions(wants: Sequence[Want]) -> tuple[Question, ...]:
    """The changelogs of these sources; answered in the form of `changelogs`, and parsed there."""
    body = "\n".join([changelogs.TOLD.strip(), _BODY.strip(), *changelogs.calls(wants), ":"])
    return (Shell(name=changelogs.KIND, body=body),)
