#!/bin/sh
# arch.sh ROOT WORK BUSYBOX: an Arch-like root made by a real pacman of small packages, over some days:
# an upgrade, a downgrade, a removal, one dependency, one that is ignored, one from a file.
set -eu
ROOT=$1 WORK=$2 BUSYBOX=$3
export LC_ALL=C
umask 022
mkdir -p "$ROOT/var/lib/pacman" "$ROOT/var/log" "$ROOT/etc" "$WORK/empty" "$WORK/busybox/usr/bin"

# package NAME VERSION FILES [FIELD VALUE]...: NAME-VERSION.pkg.tar.gz, as makepkg makes it
package() {
  name=$1 version=$2 files=$3 info=$WORK/.PKGINFO
  shift 3
  printf '%s = %s\n' pkgname "$name" pkgver "$version" pkgdesc "a package of the lab" \
    url https://example.org builddate 1770000000 packager 'Lab <lab@example.org>' size 0 \
    arch x86_64 license MIT > "$info"
  case " $* " in *' pkgbase '*) ;; *) printf 'pkgbase = %s\n' "$name" >> "$info" ;; esac
  while [ $# -gt 0 ]; do printf '%s = %s\n' "$1" "$2" >> "$info"; shift 2; done
  cp "$info" "$files/.PKGINFO"
  (cd "$files" && find . -mindepth 1 -maxdepth 1 -printf '%P\n' | sort |
    tar --owner=0 --group=0 -czf "$WORK/$name-$version-x86_64.pkg.tar.gz" -T -)
}

# run ZONE DATE WORD...: pacman in the root, its clock put back afterwards in what it wrote
run() {
  zone=$1 day=$2
  shift 2
  (cd "$WORK" && TZ=$zone pacman --noconfirm --root "$ROOT" --dbpath "$ROOT/var/lib/pacman" \
    --config "$WORK/build.conf" --logfile "$ROOT/var/log/pacman.log" \
    --cachedir "$WORK/cache" --hookdir "$WORK/empty" --gpgdir "$WORK/gpg" "$@")
  sed -i "s/^\[$(TZ=$zone date +%Y-%m-%d)T/[${day}T/; s/pacman --noconfirm .* --gpgdir [^ ]*/pacman/" \
    "$ROOT/var/log/pacman.log"
  sed -i "s/^$(date +%s | cut -c1-6)[0-9]\{4\}\$/$(date -u -d "$day 18:30" +%s)/" \
    "$ROOT"/var/lib/pacman/local/*/desc
}

cat > "$ROOT/etc/pacman.conf" <<'CONF'
# the lab's
[options]
Architecture = auto
SigLevel = Never
IgnorePkg = relay *-git
IgnoreGroup = kernels

[core]
Include = /etc/pacman.d/mirrorlist
[extra]
Include = /etc/pacman.d/mirrorlist
[corp]
SigLevel = Optional TrustAll
Server = https://repo.example.org/$repo/$arch
Usage = Sync Search
CONF
mkdir -p "$ROOT/etc/pacman.d"
cat > "$ROOT/etc/pacman.d/mirrorlist" <<'LIST'
# Server = https://old.example.org/$repo/os/$arch
Server = https://geo.mirror.pkgbuild.com/$repo/os/$arch
LIST
printf 'NAME="Arch Linux"\nID=arch\nBUILD_ID=rolling\n' > "$ROOT/etc/os-release"

# not the root's own: its mirror list would be looked for here
printf '[options]\nArchitecture = auto\nSigLevel = Never\nLocalFileSigLevel = Never\n' > "$WORK/build.conf"

cp "$BUSYBOX" "$WORK/busybox/usr/bin/busybox"
for tool in $("$BUSYBOX" --list); do
  [ "$tool" = busybox ] || ln -s busybox "$WORK/busybox/usr/bin/$tool"
done
# pacman itself, with the libraries that it needs, so that `pacman -Q` answers inside
PACMAN=$WORK/pacman
for file in $(ldd "$(command -v pacman)" | grep -o '/[^ ]*'); do
  mkdir -p "$PACMAN/$(dirname "$(realpath "$file")")" "$PACMAN/usr/lib"
  cp "$(realpath "$file")" "$PACMAN/usr/lib/$(basename "$file")"
done
mkdir -p "$PACMAN/lib64" "$PACMAN/usr/bin"
find "$PACMAN" -mindepth 1 -maxdepth 1 ! -name usr ! -name lib64 -exec rm -r '{}' +
mv "$PACMAN"/usr/lib/ld-linux* "$PACMAN/lib64/"
cp "$(command -v pacman)" "$PACMAN/usr/bin/"
mkdir -p "$WORK/base/tmp" "$WORK/base/root" "$WORK/base/proc" "$WORK/base/dev" "$WORK/base/sys"
ln -s usr/bin "$WORK/base/bin"

package filesystem 2026.10.01-1 "$WORK/base"
package busybox 1.35.0-4 "$WORK/busybox" depend filesystem provides sh provides coreutils=9
package pacman 6.0.2-3 "$PACMAN" depend filesystem
package libgreet 1.0-1 "$WORK/empty" pkgbase greet provides libgreet.so=1-64
package greet 1.0-1 "$WORK/empty" depend 'libgreet>=1.0' depend libgreet.so=1-64 depend sh \
  optdepend 'motd: greetings of the day' pkgbase greet
package greet 1:0.9-2 "$WORK/empty" depend libgreet pkgbase greet
package libgreet 1.1-1 "$WORK/empty" pkgbase greet provides libgreet.so=1-64
package relay 4.2-1 "$WORK/empty" group nets
package relay 4.1-7 "$WORK/empty" group nets
package linux-lab 6.18.1-1 "$WORK/empty" group kernels
package legacy 0.9-1 "$WORK/empty"
package tool-git r12.abcdef0-1 "$WORK/empty"

cd "$WORK"
pkg() { printf '%s-x86_64.pkg.tar.gz' "$1"; }
run UTC 2026-10-01 -U "$(pkg filesystem-2026.10.01-1)" "$(pkg busybox-1.35.0-4)" "$(pkg pacman-6.0.2-3)"
run Europe/Berlin 2026-10-20 -U --asdeps "$(pkg libgreet-1.0-1)"
run Europe/Berlin 2026-10-20 -U "$(pkg greet-1.0-1)" "$(pkg relay-4.2-1)" "$(pkg linux-lab-6.18.1-1)" "$(pkg legacy-0.9-1)"
run America/New_York 2026-11-05 -U "$(pkg libgreet-1.1-1)" "$(pkg greet-1:0.9-2)"
run UTC 2026-11-10 -U "$(pkg relay-4.1-7)"
run UTC 2026-11-11 -R legacy
run UTC 2026-11-12 -U "$(pkg tool-git-r12.abcdef0-1)"
run UTC 2026-11-12 -U "$(pkg tool-git-r12.abcdef0-1)"
run UTC 2026-11-13 -D --asexplicit libgreet
run UTC 2026-11-13 -D --asdeps libgreet
