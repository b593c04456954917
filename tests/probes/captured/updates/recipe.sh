#!/bin/sh
# recipe.sh PROXY: turn a throw-away container of the lab's web-a into the machine captured here.
#
#   docker run -d --name updates --network host --entrypoint sleep driftscan-lab/web-a infinity
#   (apt-get download unattended-upgrades python3-apt python3-distro-info distro-info-data \
#     python-apt-common lsb-release python3-dbus xz-utils libdbus-glib-1-2 libglib2.0-0) && docker cp . updates:/tmp/debs
#   docker exec -i updates sh -s "$DRIFTSCAN_LAB_PROXY" <recipe.sh
set -eux
export DEBIAN_FRONTEND=noninteractive
apt="apt-get -q -o Acquire::http::Proxy=$1"
echo 'deb http://security.debian.org/debian-security bookworm-security main' \
  >/etc/apt/sources.list.d/security.list
$apt update
dpkg -i /tmp/debs/*.deb
cat >/etc/apt/apt.conf.d/20auto-upgrades <<'CONF'
APT::Periodic::Update-Package-Lists "1";
APT::Periodic::Unattended-Upgrade "0"; // "switched off after the incident"
CONF
cat >/etc/apt/apt.conf.d/60local <<'CONF'
/* what breaks
   us */
Unattended-Upgrade { Package-Blacklist { "php.*"; "libpng16-16"; }; };
apt::install-recommends "false";
#clear Unattended-Upgrade::Remove-Unused-Dependencies;
Acquire::http::Proxy "http://user:secret@127.0.0.1:1/";
CONF
mkdir -p /var/lib/apt/periodic
touch -d 2026-10-20T06:00:00Z /var/lib/apt/periodic/upgrade-stamp /var/lib/apt/periodic/update-stamp
echo "Acquire::http::Proxy \"$1\";" >/etc/apt/apt.conf
unattended-upgrade -v --dry-run || true
unattended-upgrade -v || true
rm /etc/apt/apt.conf
