#!/bin/sh
# rpm.sh base|host: an rpm machine as two administrators made it with dnf. `base` also makes the repositories, and is what
# recipes/rpm/Dockerfile starts FROM; `host` goes on from it.
set -eu
export LC_ALL=C HOME=/root TZ=UTC
faketime=/dev/faketime/libfaketimeMT.so.1

# at DAYS UID COMMAND...: that many days ago, by the account that logged in (- for none: cron, a boot script).
at() {
    days=$1 uid=$2
    shift 2
    (
        [ "$uid" = - ] || echo "$uid" > /proc/self/loginuid
        LD_PRELOAD=$faketime FAKETIME=-${days}d DONT_FAKE_MONOTONIC=1 FAKETIME_DONT_FAKE_MONOTONIC=1
        export LD_PRELOAD FAKETIME DONT_FAKE_MONOTONIC FAKETIME_DONT_FAKE_MONOTONIC
        exec "$@"
    )
}

repository() {
    printf '[%s]\nname=Example Linux 9 - %s\nbaseurl=file:///srv/%s\nenabled=%s\ngpgcheck=0\n\n' "$1" "$1" "$1" "$2"
}

base() {
    . /dev/lab/rpms.sh
    mkdir -p /build/root /srv/baseos /srv/updates /srv/local
    : > /build/files
    old
    new
    createrepo_c -q /srv/baseos
    createrepo_c -q /srv/updates
    rm -rf /build /etc/os-release
    mkdir -p /etc/yum.repos.d /etc/rpm
    echo '%_dbpath /var/lib/rpm' > /etc/rpm/macros
    { repository baseos 1; repository updates 1; } > /etc/yum.repos.d/example.repo
    printf '[main]\ngpgcheck=1\ninstallonly_limit=3\nbest=True\nkeepcache=0\n' > /etc/dnf/dnf.conf
    at 60 - dnf -qy --disablerepo=updates install example-release filesystem bash coreutils rpm dnf openssl-libs
    ln -s ../usr/lib/os-release /etc/os-release
    rm -rf /var/cache/dnf /var/log/dnf*
}

host() {
    { repository baseos 1; repository updates 0; } > /etc/yum.repos.d/example.repo
    at 28 1000 dnf -qy install nginx php-fpm
    at 28 - dnf -qy install kernel-core openssh-server chrony
    at 21 1001 dnf -qy install htop cronie
    at 14 1000 dnf -qy --enablerepo=updates --setopt=api_key=hunter2 upgrade kernel-core
    echo 'nginx-core-1:1.20.1-14.el9.*' > /etc/dnf/plugins/versionlock.list
    at 12 1001 dnf -qy --enablerepo=updates upgrade chrony
    at 9 1001 dnf -qy --enablerepo=updates downgrade chrony
    at 8 - dnf -qy reinstall htop
    at 7 1001 dnf -qy remove php-opcache
    at 3 1000 rpm -i /srv/local/noarch/backup-agent-2.1-1.noarch.rpm
    echo 'worker_rlimit_nofile 4096;' >> /etc/nginx/nginx.conf
    rm -rf /srv /var/cache/dnf
}

"$1"
