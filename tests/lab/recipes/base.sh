#!/bin/sh
# base.sh: turns a fresh bookworm into the lab's base image: main only, no logs, no lists, as official images are (docs stay)
set -eu
umask 022
rm -f /etc/apt/sources.list.d/*
echo 'deb http://deb.debian.org/debian bookworm main' > /etc/apt/sources.list
chmod 644 /etc/apt/trusted.gpg.d/driftscan-lab.gpg
chown 0:0 /etc/apt/trusted.gpg.d/driftscan-lab.gpg

# no service starts because its package is installed (a lab host shares the machine's network); stopping is allowed
printf '%s\n' '#!/bin/sh' 'case " $* " in *" stop "*) exit 0 ;; esac' 'exit 101' > /usr/sbin/policy-rc.d
chmod 755 /usr/sbin/policy-rc.d
echo 'force-unsafe-io' > /etc/dpkg/dpkg.cfg.d/docker-apt-speedup
cat > /etc/apt/apt.conf.d/docker-clean <<'CLEAN'
DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/archives/partial/*.deb || true"; };
CLEAN

find /var/log -type f -exec rm -f {} +
rm -rf /var/lib/apt/lists/* /var/cache/apt/archives/*.deb /var/cache/apt/*.bin /var/cache/ldconfig/aux-cache
rm -rf /tmp/* /var/tmp/*
: > /etc/machine-id
