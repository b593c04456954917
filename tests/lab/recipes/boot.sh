#!/bin/sh
# boot.sh ADDRESS PORT: what an init does on a lab host: cron, php-fpm and, in the foreground, sshd
set -eu
mkdir -p /run/sshd /run/php /run/lock
chmod 755 /run/sshd
cron
for fpm in /usr/sbin/php-fpm[0-9]*; do
    [ ! -x "$fpm" ] || "$fpm" --daemonize
done
exec /usr/sbin/sshd -D -o "ListenAddress=$1" -o "Port=$2"
