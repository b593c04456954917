#!/bin/sh
# fill-later.sh SOURCE PACKAGE...: in a throw-away web-a, downloads what hosts made from it will ask for
set -eu
export DEBIAN_FRONTEND=noninteractive LC_ALL=C
rm -f /etc/apt/apt.conf.d/docker-clean
curl -fsS -o /dev/null "$1"
shift

echo 'deb http://deb.debian.org/debian bookworm-backports main' > /etc/apt/sources.list.d/backports.list
apt-get update -q
for package in "$@"; do
    apt-get install -q -y --download-only "$package/bookworm-backports"
done
rm /etc/apt/sources.list.d/backports.list

sed -i 's/bookworm/trixie/' /etc/apt/sources.list
apt-get update -q
apt-get dist-upgrade -q -y --download-only
# what an interrupted or later step may choose instead
apt-get upgrade -q -y --download-only
