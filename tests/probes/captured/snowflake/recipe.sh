#!/bin/sh
# recipe.sh PROXY: turn a throw-away container of the lab's web-a into the machine captured here.
#
#   docker run -d --name snowflake --network host --entrypoint sleep driftscan-lab/web-a infinity
#   docker exec -i snowflake sh -s "$DRIFTSCAN_LAB_PROXY" <recipe.sh
#   docker exec -i snowflake sh -s again <recipe.sh
#
# Captured as root (snowflake) and, after `chmod 600` as at the end, as ops (unprivileged).
set -eux
if [ "$1" = again ]; then
  chmod 600 /var/log/apt/history.log /var/log/dpkg.log.1 /var/log/dpkg.log.2.gz
  chmod 700 /var/lib/apt
  chmod 600 /etc/systemd/system/app.service /etc/profile.d/app.sh
  chmod 700 /opt/node /srv/tools
  exit
fi
export DEBIAN_FRONTEND=noninteractive
apt="apt-get -q -o Acquire::http::Proxy=$1"

# --- logs: two rotations, every kind of transaction, one that fails, damage at the end of one
$apt update
rotate() { logrotate -f /etc/logrotate.d/apt; logrotate -f /etc/logrotate.d/dpkg; }
rotate
SUDO_UID=1000 $apt install -y --reinstall ghostscript
$apt remove -y php-imagick
$apt purge -y cron
rotate
echo 'deb http://security.debian.org/debian-security bookworm-security main' \
  >/etc/apt/sources.list.d/security.list
$apt update
SUDO_UID=1001 $apt install -y --only-upgrade libpng16-16
old=$(apt-cache policy libpng16-16 | awk '/^ .*bookworm\/main/ { print v } { v = $1 == "***" ? $2 : $1 }')
$apt install -y --allow-downgrades "libpng16-16=$old"
dpkg --add-architecture i386
mkdir -p /tmp/tool/DEBIAN
printf 'Package: tool\nVersion: 1:2.0-1\nArchitecture: i386\nMaintainer: x <x@example>\nDescription: x\n' \
  >/tmp/tool/DEBIAN/control
dpkg-deb -b /tmp/tool /tmp/tool.deb
$apt install -y /tmp/tool.deb
rm -rf /tmp/tool /tmp/tool.deb
printf '#!/bin/sh\nexit 3\n' >/var/lib/dpkg/info/imagemagick-6.q16.prerm
chmod 755 /var/lib/dpkg/info/imagemagick-6.q16.prerm
$apt remove -y imagemagick-6.q16 || true
printf 'Start-Date: 2026-11-30  10:00:00\nCommandline: apt-get install -y lib' >>/var/log/apt/history.log

# --- runtimes: copies that no package owns
node=/opt/node/bin
mkdir -p $node /opt/app/bin /opt/app/lib /usr/local/go/bin /opt/jdk-17/bin /srv/tools/bin
cp /usr/bin/php8.2 /usr/local/bin/php
cp /usr/bin/perl /opt/app/bin/perl
cp /usr/bin/python3.11 /srv/tools/bin/python3.11
ln -s python3.11 /srv/tools/bin/python3
printf '#!/bin/sh\nexec /usr/bin/perl "$@"\n' >/opt/app/bin/ruby
cp /usr/bin/true $node/node
cp /usr/bin/true /usr/local/go/bin/go
printf 'go1.22.5\ntime 2024-06-27T20:11:12Z\n' >/usr/local/go/VERSION
cp /usr/lib/jvm/java-17-openjdk-amd64/bin/java /opt/jdk-17/bin/java
cp /usr/lib/jvm/java-17-openjdk-amd64/release /opt/jdk-17/release
ln -s /usr/bin/true /usr/local/bin/gcc
chmod 755 /opt/app/bin/* /usr/local/bin/php
chgrp staff /opt/app/bin
chmod 2775 /opt/app/bin
update-alternatives --install /usr/bin/java java /opt/jdk-17/bin/java 1
update-alternatives --set java /opt/jdk-17/bin/java
update-alternatives --set pager /bin/more || update-alternatives --set editor /bin/nano || true

# --- variables
cat >/etc/environment <<'EOF'
# a comment
PATH="/srv/tools/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
export LANG=C.UTF-8
  HTTP_PROXY=http://user:hunter2@proxy.example:3128/   
APP_HASH=ab#cd
APP_QUOTED="two words" # and a comment
APP_SINGLE='it''s'
APP_OPEN="open
APP_TOKEN=t0psecret
APP-NAME=refused
APP_GONE=1
APP_GONE
APP_EMPTY=
EOF
cat >/etc/profile.d/app.sh <<'EOF'
APP_HOME=/srv/app; export APP_HOME
export APP_LIB="$APP_HOME/lib" APP_MODE='a b'
APP_LOCAL=not-exported
if [ -d /srv/app ]; then export APP_IF=1; fi
[ -n "$SSH_TTY" ] && export APP_AND=1
export APP_NOW=$(date)
helper() {
  export APP_FUNCTION=1
}
cat <<END >/dev/null
export APP_HERE=1
END
export PATH=$PATH:/opt/app/bin
export DB_PASSWORD=hunter2 # a secret
APP_TWICE=1
export APP_TWICE
APP_TWICE=2
unset APP_MODE
EOF

unit() { mkdir -p "${1%/*}"; cat >"$1"; }
etc=/etc/systemd/system
unit $etc/app.service <<'EOF'
[Service]
ExecStart=/bin/true
Environment=A=1 "B=two words" 'C=it is' D="in\tside" E=%%n
Environment="PATH=/opt/node/bin:/usr/bin:/bin" \
  F=continued
# a comment
Environment=API_TOKEN=t0psecret
EnvironmentFile=-/etc/default/app
Environment=1BAD=x G=
UnsetEnvironment=A C=other B
EOF
unit $etc/app.service.d/20-late.conf <<'EOF'
[Service]
Environment=D=late
EOF
unit /usr/lib/systemd/system/app.service.d/20-late.conf <<'EOF'
[Service]
Environment=HIDDEN=by-etc
EOF
unit /usr/lib/systemd/system/app.service.d/10-early.conf <<'EOF'
[Service]
Environment=D=early H=early
EOF
unit $etc/reset.service <<'EOF'
[Service]
ExecStart=/bin/true
Environment=A=1
Environment=
Environment=B=2
EOF
unit /usr/lib/systemd/system/shadowed.service <<'EOF'
[Service]
ExecStart=/bin/true
Environment=FROM=package
EOF
unit $etc/shadowed.service <<'EOF'
[Service]
ExecStart=/bin/true
EOF
unit /srv/units/linked.service <<'EOF'
[Service]
ExecStart=/bin/true
Environment=LINKED=1
EOF
ln -s /srv/units/linked.service $etc/linked.service
ln -s app.service $etc/alias.service
ln -s /dev/null $etc/e2scrub_all.service
for name in app reset shadowed linked; do
  ln -s "$etc/$name.service" "$etc/multi-user.target.wants/$name.service"
done
