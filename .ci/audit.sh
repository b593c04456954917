#!/bin/sh
# What is known about the locked dependencies (pip-audit); exceptions end on their day.
set -eu
cd "$(dirname "$0")/.."
venv=${XDG_CACHE_HOME:-$HOME/.cache}/driftscan-audit
[ -x "$venv/bin/pip-audit" ] || {
  python3 -m venv "$venv"
  "$venv/bin/pip" install -qq --disable-pip-version-check --require-hashes -r .ci/audit.lock
}
# A mirror that has packages may know nothing of their faults; pip-audit would blame the first package.
"$venv/bin/python" -c 'import urllib.request as web; web.urlopen("https://pypi.org/pypi/pip-audit/2.9.0/json", timeout=30)' \
  2> /dev/null || {
  echo "nothing was audited: pypi.org does not tell from here what is known about packages" >&2
  exit 1
}
today=$(date -u +%Y-%m-%d)
set --
while read -r id until reason; do
  case $id in '' | '#'*) continue ;; esac
  if [ "$(printf '%s\n%s\n' "$today" "$until" | LC_ALL=C sort | head -n 1)" != "$today" ]; then
    echo "the exception for $id ended on $until ($reason): upgrade, or set a new day" >&2
    exit 1
  fi
  set -- "$@" --ignore-vuln "$id"
done < .ci/audit-exceptions.txt
exec "$venv/bin/pip-audit" --strict --disable-pip --require-hashes -r requirements.lock "$@"
