# shellcheck shell=sh
# lib.sh: words for recipes, so that they read as what an administrator did on a real host; sourced by each recipe
set -eu
umask 022
export DEBIAN_FRONTEND=noninteractive LC_ALL=C
past=''

# again: a host made from another one; its days go on from that one's first
again() {
    LAB_DAY=$(date -u -d "$(sed -n 's/^Start-Date: \([0-9-]*\) .*/\1/p' /var/log/apt/history.log | head -n 1)" +%s)
}

# begin: a real host keeps its downloaded packages and knows what the archive has
begin() {
    rm -f /etc/apt/apt.conf.d/docker-clean
    apt-get update -q
    [ -z "${LAB_DAY:-}" ] || get_faketime
}

# get_faketime: the library that shifts the clock, in /run, which no image keeps
get_faketime() {
    mkdir /run/faketime
    (cd /run/faketime && apt-get download -q libfaketime && dpkg-deb -x libfaketime_*.deb .)
    faketime=$(find /run/faketime -name libfaketimeMT.so.1)
}

# at DAY HH:MM:SS: what follows happened on that day (0 is the first, $LAB_DAY its midnight in seconds)
at() {
    clock=$(date -u -d "1970-01-01 $2" +%s)
    past=$(($(date +%s) - LAB_DAY - $1 * 86400 - clock))
    if [ "$(by root date +%s)" -gt "$((LAB_DAY + $1 * 86400 + clock + 60))" ]; then
        echo 'the clock cannot be shifted here: libfaketime is not loaded' >&2
        exit 1
    fi
}

# by ACCOUNT COMMAND...: run as root for that account, as sudo would, at the time that `at` set
by() {
    account=$1
    shift
    if [ "$account" != root ]; then
        set -- env "SUDO_USER=$account" "SUDO_UID=$(id -u "$account")" "SUDO_GID=$(id -g "$account")" "$@"
    fi
    if [ -n "$past" ]; then
        set -- env "LD_PRELOAD=$faketime" "FAKETIME=-$past" NO_FAKE_STAT=1 DONT_FAKE_MONOTONIC=1 FAKETIME_DONT_FAKE_MONOTONIC=1 "$@"
    fi
    "$@" </dev/null
}

# dated PATH...: files that were made by the last step carry its time, which the shifted clock does not reach
dated() {
    find "$@" -exec touch -h -d "@$(($(date +%s) - past))" {} +
}

# accounts: deploy may become root, ops may not; both log in with the lab's key only (put there when the host starts)
accounts() {
    useradd --create-home --shell /bin/bash --uid 1000 deploy
    useradd --create-home --shell /bin/bash --uid 1001 ops
    echo 'deploy ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/deploy
    chmod 440 /etc/sudoers.d/deploy
    printf '%s\n' 'PasswordAuthentication no' 'KbdInteractiveAuthentication no' 'PermitRootLogin no' > /etc/ssh/sshd_config.d/lab.conf
}

# environment LINE...: what every login and service of the host gets
environment() {
    printf '%s\n' "$@" > /etc/environment
}

# settle: packages carry the time their log tells, as the shifted clock does not reach the times of files;
# the base system was there an hour before the first operation
settle() {
    first=$(date -u -d "$(awk 'NR == 1 {print $1 " " $2}' /var/log/dpkg.log) 1 hour ago" '+%F %T')
    last=$(awk 'END {print $1 " " $2}' /var/log/dpkg.log)
    find /var/lib/dpkg/info -name '*.list' -exec touch -d "$first" {} +
    awk '$3 == "install" || $3 == "upgrade" {print $1 "T" $2, $4}' /var/log/dpkg.log | while read -r when package; do
        for list in "/var/lib/dpkg/info/$package.list" "/var/lib/dpkg/info/${package%:*}.list"; do
            [ ! -e "$list" ] || touch -d "$when" "$list"
        done
    done
    touch -d "$last" /var/log/apt/*.log /var/log/dpkg.log /var/log/alternatives.log /var/lib/apt/extended_states \
        /var/lib/dpkg/status /etc/apt/sources.list /etc/environment
}

# finish: nothing of the making stays
finish() {
    [ -z "$past" ] || settle
    apt-get clean
    rm -rf /tmp/* /var/tmp/*
}
