#!/bin/sh
# The ImageMagick story on real servers; where no engine can be had, the recorded one.
set -eu
cd "$(dirname "$0")/../.."

run() {
  printf '\n$ %s\n\n' "$*"
  status=0
  "$@" || status=$?
  # 1 is what the story is about: drift.
  if [ "$status" -gt 1 ]; then exit "$status"; fi
}

# Only a machine without an engine gets the recorded story: a lab that fails is a failure.
if [ "${DRIFTSCAN_LAB:-}" = off ] || ! python -m tests.lab engine; then
  printf '\nWithout an engine, the same story from recorded answers, over real SSH:\n'
  exec driftscan demo
fi
python -m tests.lab up web-a web-b
# shellcheck source=/dev/null
. tests/lab/.run/env.sh
DRIFTSCAN_INVENTORY=tests/lab/.run/inventory.yml
export DRIFTSCAN_INVENTORY

printf '\nTwo servers do the same job. web-a was set up some weeks ago, web-b today.\n'
run driftscan compare web-a web-b
printf '\nThe record of how it should be is a Dockerfile. Its image is built (a minute or two, once)\n'
printf 'and asked the same questions.\n'
run driftscan baseline build inventories/demo/web --quiet --cached --network host \
  --build-arg "BASE=$DRIFTSCAN_LAB_BASE" --build-arg "http_proxy=$DRIFTSCAN_LAB_PROXY"
run driftscan check web-a
run driftscan check web-b
printf '\nThe servers go on running: DRIFTSCAN_INVENTORY=%s; make lab-down stops them.\n' \
  "$DRIFTSCAN_INVENTORY"
