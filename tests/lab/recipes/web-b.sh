#!/bin/sh
# web-b.sh: the same web server set up today, with the security repository and fully upgraded
# shellcheck source=/dev/null
. /dev/lab/lib.sh
echo 'deb http://security.debian.org/debian-security bookworm-security main' > /etc/apt/sources.list.d/security.list
begin

by root apt-get dist-upgrade -y
by root apt-get install -y openssh-server sudo python3 curl ca-certificates cron procps logrotate
accounts
by deploy apt-get install -y imagemagick ghostscript
by deploy apt-get install -y php-fpm php-imagick
by deploy apt-get install -y openjdk-17-jre-headless
environment 'JAVA_HOME=/usr/lib/jvm/java-17-openjdk-amd64' 'MAGICK_MEMORY_LIMIT=256MiB'

finish
