#!/bin/sh
# web-t.sh: web-a, some days ago upgraded to the next release
# shellcheck source=/dev/null
. /dev/lab/lib.sh
again
begin
sed -i 's/bookworm/trixie/' /etc/apt/sources.list
apt-get update -q

at 20 16:29:31
by deploy apt-get dist-upgrade -y -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold

finish
