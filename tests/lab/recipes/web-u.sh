#!/bin/sh
# web-u.sh: web-a, where only ImageMagick was upgraded from the security repository, while php-fpm ran
# shellcheck source=/dev/null
. /dev/lab/lib.sh
echo 'deb http://security.debian.org/debian-security bookworm-security main' > /etc/apt/sources.list.d/security.list
begin
finish
by root apt-get install -y --only-upgrade --download-only libmagickcore-6.q16-6

# a library is only replaced under a process where there is one: when the host has started
cat > /etc/rc.local <<'LOCAL'
#!/bin/sh
export DEBIAN_FRONTEND=noninteractive LC_ALL=C SUDO_USER=ops SUDO_UID=1001 SUDO_GID=1001
apt-get install -y --only-upgrade libmagickcore-6.q16-6 </dev/null >/dev/null
apt-get clean
rm /etc/rc.local
LOCAL
chmod 755 /etc/rc.local
