#!/bin/sh
# recipe.sh ROOT DEB...: records packages as the builders of distroless images do, a file a package
set -eu
place=$1/var/lib/dpkg/status.d
shift
mkdir -p "$place"
for deb in "$@"; do
  name=$(dpkg-deb -f "$deb" Package)
  dpkg-deb -f "$deb" > "$place/$name"
  dpkg-deb --ctrl-tarfile "$deb" | tar -xO ./md5sums > "$place/$name.md5sums"
done
