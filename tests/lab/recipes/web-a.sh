#!/bin/sh
# web-a.sh: a web server set up by hand some weeks ago, over two days, without the security repository
# shellcheck source=/dev/null
. /dev/lab/lib.sh
begin

at 0 13:38:51
by root apt-get install -y openssh-server sudo python3 curl ca-certificates cron procps logrotate
accounts
at 0 14:02:13
by deploy apt-get install -y imagemagick ghostscript
at 1 09:17:40
by deploy apt-get install -y php-fpm php-imagick
at 1 16:31:05
by deploy apt-get install -y openjdk-17-jre-headless
environment 'JAVA_HOME=/usr/lib/jvm/java-17-openjdk-amd64'

finish
