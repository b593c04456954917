#!/bin/sh
# recipe.sh DEBS WHEELS: what was done to a throw-away copy of the lab's web-a; handmade-ops is it
# asked as ops. DEBS: python3-pip, -requests, -pil and what they need; WHEELS: requests, pillow.
# Oracles: `dpkg -V`, and Python's own importlib.metadata.
set -eu
dpkg -i --force-depends "$1"/*.deb
python3 -m pip install --break-system-packages --no-deps --no-index "$2"/*.whl
cp /usr/bin/convert-im6.q16 /usr/local/bin/convert
ln -s /usr/bin/perl /usr/local/bin/perl
mkdir -p /srv/app/lib /usr/local/src/ImageMagick-6
cp /usr/lib/x86_64-linux-gnu/libpng16.so.16 /srv/app/lib/
echo 'memory_limit = 1G' >>/etc/php/8.2/fpm/php.ini
echo '# x' >>/etc/ImageMagick-6/policy.xml
cp /etc/ImageMagick-6/policy.xml /etc/ImageMagick-6/policy.xml.dpkg-dist
rm /etc/cron.d/e2scrub_all /etc/logrotate.d/apt
update-alternatives --set pager /bin/more
mkdir -p /usr/local/lib/ImageMagick-6.9.11/config-Q16
sed 's/\(DELEGATES" value="\)[^"]*/\1jpeg ps video/' \
  /usr/lib/x86_64-linux-gnu/ImageMagick-6.9.11/config-Q16/configure.xml \
  >/usr/local/lib/ImageMagick-6.9.11/config-Q16/configure.xml
# classes: a class file of Java 17, twice in its directory and in an archive, and archives of the JDK
mkdir -p /srv/app/classes /opt/jdk-11/lib
cp App.class /srv/app/classes/App.class
cp App.class '/srv/app/classes/B b.class'
(cd /srv/app && python3 -m zipfile -c app.jar classes/App.class)
cp /usr/lib/jvm/java-17-openjdk-amd64/lib/jrt-fs.jar /srv/app/lib/x.jar
cp /usr/lib/jvm/java-17-openjdk-amd64/lib/jrt-fs.jar /opt/jdk-11/lib/
