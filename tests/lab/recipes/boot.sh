#!/bin/sh
# boot.sh ADDRESS PORT: what an init does on a lab host: cron, php-fpm, rc.local and, in the foreground, sshd
set -eu
mkdir -p /run/sshd /run/php /run/lock
chmod 755 /run/sshd
cron
for fpm in /usr/sbin/php-fpm[0-9]*; do
    [ -x "$fpm" ] || continue
    words=$(cat "/etc/systemd/system/php${fpm##*/php-fpm}-fpm.service.d/"*.conf 2>/dev/null | sed -n 's/^Environment=//p')
    # shellcheck disable=SC2086 # several assignments
    env $words "$fpm" --daemonize
done
[ ! -x /etc/rc.local ] || /etc/rc.local
exec /usr/sbin/sshd -D -o "ListenAddress=$1" -o "Port=$2"
