#!/bin/sh
# fill.sh: in a throw-away container, has apt download what the package lists on standard input bring (a list a line)
set -eu
export DEBIAN_FRONTEND=noninteractive LC_ALL=C
rm -f /etc/apt/apt.conf.d/docker-clean
lists=$(cat)

fetch() {
    echo "$lists" | while read -r list; do
        # shellcheck disable=SC2086 # a list is several words
        apt-get install -q -y --download-only $list </dev/null
    done
    # all at once may be resolved in another way than one after the other
    # shellcheck disable=SC2086
    apt-get install -q -y --download-only $lists
}

apt-get update -q
fetch
echo 'deb http://security.debian.org/debian-security bookworm-security main' > /etc/apt/sources.list.d/security.list
apt-get update -q
apt-get dist-upgrade -q -y --download-only
fetch
