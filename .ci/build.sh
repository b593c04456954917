#!/bin/sh
# build.sh DIR: wheel and sdist, built twice to the same bytes, and driftscan.cdx.json of what a user installs.
set -eu
cd "$(dirname "$0")/.."
dist=$1
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH
make -s env
again=$(mktemp -d)
trap 'rm -rf "$again"' EXIT
rm -rf "$dist"
for folder in "$dist" "$again"; do
  .venv/bin/uv build -q --no-build-isolation --python .venv/bin/python --out-dir "$folder"
done
rm -f "$dist/.gitignore" "$again/.gitignore"
(cd "$dist" && sha256sum -- *) > "$again.sums"
(cd "$again" && sha256sum -c --quiet -) < "$again.sums"
cat "$again.sums"
rm -f "$again.sums"
python3 -m venv "$again/venv"
.venv/bin/uv pip compile -q --python-version 3.11 --universal --generate-hashes --no-emit-index-url --no-header \
  --no-annotate -c requirements.lock pyproject.toml -o "$again/runtime.lock"
"$again/venv/bin/pip" install -qq --disable-pip-version-check --require-hashes -r "$again/runtime.lock"
"$again/venv/bin/pip" install -qq --disable-pip-version-check --no-deps "$dist"/*.whl
"$again/venv/bin/python" .ci/bill.py > driftscan.cdx.json
