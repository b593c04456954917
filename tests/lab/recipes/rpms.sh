# rpms.sh: the packages of "Example Linux": rpm builds them from specs of a few lines, each with a changelog.
# Two repositories in /srv: `old` has what there was weeks ago, `new` the updates since; sourced by rpm.sh.
# shellcheck shell=sh

# spec NAME VERSION RELEASE DATE TEXT [TAGS]: build it; TEXT is the newest changelog entry, TAGS go into the header,
# and so do files that a later `file` call has put below /build/root.
spec() {
    name=$1 version=$2 release=$3 date=$4 text=$5 tags=${6-}
    {
        printf 'Name: %s\nVersion: %s\nRelease: %s\nSummary: %s\nLicense: MIT\n' "$name" "$version" "$release" "$name"
        printf 'Vendor: Example Project\nPackager: builds@example.org\n%s\n' "$tags"
        printf '%%description\n%s of Example Linux.\n' "$name"
        printf '%%install\nmkdir -p %%{buildroot}\ncp -a /build/root/. %%{buildroot}/\n'
        if [ -s /build/files ]; then printf '%%files -f /build/files\n'; else echo '%files'; fi
        printf '%%changelog\n* %s Builds <builds@example.org> - %s-%s\n- %s\n' "$date" "$version" "$release" "$text"
        printf '\n* Mon Jan 06 2025 Builds <builds@example.org> - %s-0\n- First of its line\n' "$version"
    } > "/build/$name.spec"
    rpmbuild -bb --quiet --target "${arch:-noarch}" --define "_rpmdir $repo" --define '_topdir /build/top' \
        --define '_build_id_links none' --define 'source_date_epoch_from_changelog 1' \
        --define 'use_source_date_epoch_as_buildtime 1' --define '__os_install_post %{nil}' \
        --define '_buildhost builds.example.org' "/build/$name.spec"
    rm -rf /build/root /build/files
    mkdir -p /build/root
    : > /build/files
}

# file PATH TEXT [DIRECTIVE]: a file of the next spec.
file() {
    mkdir -p "/build/root${1%/*}"
    printf '%s\n' "$2" > "/build/root$1"
    printf '%s%s\n' "${3:+$3 }" "$1" >> /build/files
}

# What there was when the host was set up.
old() {
    repo=/srv/baseos
    file /usr/lib/os-release 'NAME="Example Linux"
ID=example
ID_LIKE="rhel fedora"
VERSION_ID="9.4"
PRETTY_NAME="Example Linux 9.4"'
    spec example-release 9.4 1.el9 'Mon Mar 03 2025' 'Release 9.4'
    spec filesystem 3.16 2.el9 'Mon Mar 03 2025' 'Directories'
    arch=x86_64
    spec glibc 2.34 100.el9 'Mon Mar 03 2025' 'Rebuilt' 'Requires: filesystem
Provides: libc.so.6()(64bit)'
    spec bash 5.1.8 9.el9 'Mon Mar 03 2025' 'Rebuilt' 'Requires: libc.so.6()(64bit)
Provides: /bin/sh'
    spec coreutils 8.32 34.el9 'Mon Mar 03 2025' 'Rebuilt' 'Requires: libc.so.6()(64bit)'
    spec rpm 4.16.1.3 29.el9 'Mon Mar 03 2025' 'Rebuilt' 'Requires: bash'
    spec dnf 4.14.0 9.el9 'Mon Mar 03 2025' 'Rebuilt' 'Requires: rpm'
    spec openssl-libs 3.0.7 24.el9 'Mon Mar 03 2025' 'Fix CVE-2023-5678' 'Epoch: 1
Requires: libc.so.6()(64bit)
Provides: libssl.so.3()(64bit)'
    webserver 14.el9 'Mon Mar 03 2025' 'Rebuilt against openssl 3.0'
    spec php-common 8.0.30 1.el9 'Mon Mar 03 2025' 'New version' 'Requires: libc.so.6()(64bit)'
    spec php-fpm 8.0.30 1.el9 'Mon Mar 03 2025' 'New version' 'Requires: php-common
Recommends: php-opcache'
    spec php-opcache 8.0.30 1.el9 'Mon Mar 03 2025' 'New version' 'Requires: php-common'
    kernel 427.13.1.el9_4 'Mon Mar 03 2025'
    spec openssh-server 8.7p1 38.el9 'Mon Mar 03 2025' 'Rebuilt' 'Requires: libssl.so.3()(64bit)'
    spec chrony 4.5 1.el9 'Mon Mar 03 2025' 'New version' 'Requires: libc.so.6()(64bit)'
    file /etc/cron.d/0hourly '01 * * * * root run-parts /etc/cron.hourly' '%config(noreplace)'
    spec cronie 1.5.7 11.el9 'Mon Mar 03 2025' 'Rebuilt' 'Requires: libc.so.6()(64bit)'
    spec htop 3.3.0 1.el9 'Mon Mar 03 2025' 'New version' 'Requires: libc.so.6()(64bit)'
    arch=noarch
}

# What has come since.
new() {
    repo=/srv/updates arch=x86_64
    spec openssl-libs 3.0.7 27.el9 'Mon Jun 02 2025' 'Fix CVE-2024-5535: SSL_select_next_proto buffer overread' 'Epoch: 1
Requires: libc.so.6()(64bit)
Provides: libssl.so.3()(64bit)'
    webserver 16.el9 'Mon Jun 02 2025' 'Fix regression of 1.20.1-14: upstream connections were closed early'
    kernel 427.42.1.el9_4 'Mon Jun 02 2025'
    spec chrony 4.5 3.el9 'Mon Jun 02 2025' 'Rebuilt' 'Requires: libc.so.6()(64bit)'
    repo=/srv/local arch=noarch
    spec backup-agent 2.1 1 'Mon Jun 02 2025' 'First release' 'Requires: bash'
}

webserver() {
    file /etc/nginx/nginx.conf "# nginx
worker_processes auto;" '%config(noreplace)'
    spec nginx-core 1.20.1 "$1" "$2" "$3" 'Epoch: 1
Requires: libssl.so.3()(64bit)'
    spec nginx 1.20.1 "$1" "$2" "$3" "Epoch: 1
Requires: nginx-core = 1:1.20.1-$1
Provides: webserver"
}

kernel() {
    spec kernel-core 5.14.0 "$1" "$2" 'Rebuilt' 'Provides: installonlypkg(kernel)'
}
