#!/bin/sh
# Fuzz every parser of others' bytes with atheris, in an environment of its own: SECONDS for each.
set -eu
cd "$(dirname "$0")/.."
venv=${XDG_CACHE_HOME:-$HOME/.cache}/driftscan-fuzz
wanted=$(cat requirements.lock .ci/fuzz.lock | sha256sum)
if [ "$(cat "$venv/.ready" 2> /dev/null)" != "$wanted" ]; then
  python3 -m venv "$venv"
  "$venv/bin/pip" install -qq --disable-pip-version-check --require-hashes -r requirements.lock -r .ci/fuzz.lock
  printf '%s\n' "$wanted" > "$venv/.ready"
fi
exec "$venv/bin/python" -m tests.fuzz --seconds "${1:-60}"
