# How `odd` was made: a debootstrap of trixie in which dpkg itself made each unusual state.
# Captured with: python -m tests.probes.capture odd dpkg --oracle dpkg "$(cat oracle)" -- chroot ROOT /bin/sh -s
# where oracle is: dpkg-query -W -f='${Package}\t${Architecture}\t${Version}\t${source:Package}\t${source:Version}\t${Status}\t${db-fsys:Last-Modified}\n'
# truncated, emptied, removed, unreadable, closed: its status file cut at 40,000 bytes, emptied,
# removed, with mode 600 and its folder with mode 700 (the last two asked as nobody).
export DEBIAN_FRONTEND=noninteractive
dpkg --add-architecture i386
apt-mark hold bash
make() { # name, script, body
  mkdir -p /tmp/p/$1/DEBIAN; printf 'Package: %s\nVersion: 1.0-1+b2\nArchitecture: all\nMaintainer: a <a@b.c>\nSource: %s-src (1.0-1)\nDescription: x\n' $1 $1 > /tmp/p/$1/DEBIAN/control
  shift
  while [ $# -gt 0 ]; do printf "$2" > /tmp/p/$name/DEBIAN/$1; [ $1 = triggers ] || chmod 755 /tmp/p/$name/DEBIAN/$1; shift 2; done
  dpkg-deb -b /tmp/p/$name /tmp/p/$name.deb >/dev/null
}
name=odd-half-configured; make $name postinst '#!/bin/sh\nexit 1\n'; dpkg -i /tmp/p/$name.deb >/dev/null 2>&1
name=odd-unpacked; make $name; dpkg --unpack /tmp/p/$name.deb >/dev/null 2>&1
name=odd-half-installed; make $name preinst '#!/bin/sh\nexit 1\n' postrm '#!/bin/sh\nexit 1\n'; dpkg -i /tmp/p/$name.deb >/dev/null 2>&1
name=odd-triggered; make $name triggers 'interest odd-trigger\n' postinst '#!/bin/sh\nexit 0\n'; dpkg -i /tmp/p/$name.deb >/dev/null 2>&1
name=odd-awaiting; make $name triggers 'activate odd-trigger\n' ; dpkg --no-triggers -i /tmp/p/$name.deb >/dev/null 2>&1
cd /tmp && apt-get download nano && dpkg -i nano_*.deb && dpkg -r nano
for a in amd64 i386; do mkdir -p /tmp/f$a/DEBIAN /tmp/f$a/usr/share/odd-$a; printf 'Package: odd-foreign\nVersion: 2:3.0~rc1-1\nArchitecture: %s\nMulti-Arch: same\nMaintainer: a <a@b.c>\nDescription: x\n' $a > /tmp/f$a/DEBIAN/control; dpkg-deb -b /tmp/f$a /tmp/f$a.deb; dpkg -i /tmp/f$a.deb; done
