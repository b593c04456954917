#!/bin/sh
# web-t.sh: web-a, to stay on its PHP without the package that names the newest, then upgraded to the next release
# shellcheck source=/dev/null
. /dev/lab/lib.sh
again
begin

at 18 11:20:16
by deploy apt-mark manual php8.2-fpm
by deploy apt-get remove -y php-fpm
sed -i 's/bookworm/trixie/' /etc/apt/sources.list
apt-get update -q
at 20 16:29:31
by deploy apt-get dist-upgrade -y -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold

finish
