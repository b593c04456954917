#!/bin/sh
# Make the virtual environment named by the argument, from hashes; add what Debian leaves out.
set -eu
venv=$1

debian_root() { [ "$(id -u)" = 0 ] && [ -e /etc/debian_version ]; }

if ! python3 -m venv "$venv" > /dev/null 2>&1; then
  debian_root || { echo "python3 cannot make virtual environments here: install python3-venv" >&2; exit 1; }
  apt-get update -qq
  apt-get install -y -qq python3-venv > /dev/null
  python3 -m venv "$venv"
fi
if ! command -v shellcheck > /dev/null && debian_root; then
  apt-get update -qq
  apt-get install -y -qq shellcheck > /dev/null
fi
"$venv/bin/pip" install -qq --disable-pip-version-check --require-hashes -r requirements.lock
"$venv/bin/pip" install -qq --disable-pip-version-check --no-deps --no-build-isolation -e .
