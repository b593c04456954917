#!/bin/sh
# host.sh: the same web server on Debian 11, set up and upgraded today (no file of recipes/: its packages are not of the frozen archive)
# shellcheck source=/dev/null
. /dev/lab/lib.sh
cat > /etc/apt/sources.list <<'SOURCES'
deb http://deb.debian.org/debian bullseye main
deb http://deb.debian.org/debian bullseye-updates main
deb http://security.debian.org/debian-security bullseye-security main
SOURCES
printf '%s\n' '#!/bin/sh' 'case " $* " in *" stop "*) exit 0 ;; esac' 'exit 101' > /usr/sbin/policy-rc.d
chmod 755 /usr/sbin/policy-rc.d
echo 'force-unsafe-io' > /etc/dpkg/dpkg.cfg.d/docker-apt-speedup
: > /etc/machine-id
begin

by root apt-get dist-upgrade -y
by root apt-get install -y --no-install-recommends openssh-server sudo python3 curl ca-certificates cron procps logrotate
accounts
by deploy apt-get install -y --no-install-recommends imagemagick ghostscript php-fpm php-imagick

finish
rm -rf /var/lib/apt/lists/*
