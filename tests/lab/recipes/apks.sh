#!/bin/sh
# A repository of small packages as it was at first (`old`) and as it is today (`new`).
set -eu
EMPTY=/tmp/empty
mkdir -p "$EMPTY"

# package DIRECTORY NAME VERSION ORIGIN SECONDS [FIELD:VALUE...]
package() {
  directory=$1 file=$1/$2-$3.apk
  set -- "$2" "$3" "$4" "$5" "$@"
  name=$1 version=$2 origin=$3 built=$4
  shift 9
  mkdir -p "$directory"
  for field in "$@"; do
    shift
    set -- "$@" --info "$field"
  done
  apk mkpkg --files "$EMPTY" --output "$file" --info "name:$name" --info "version:$version" \
    --info "origin:$origin" --info "build-time:$built" --info arch:x86_64 --info license:MIT \
    --info "description:a package of the lab" "$@"
}

index() { (cd "$1" && apk mkndx --allow-untrusted --output Packages.adb ./*.apk); }

MAIN=/srv/apks/v3.23/lab/x86_64 EDGE=/srv/apks/edge/lab/x86_64 LOCAL=/srv/local
case $1 in
  old)
    package $MAIN libgreet 1.0-r0 greet 1770000000 'provides:so:libgreet.so.1=1.0'
    package $MAIN greet 1.0-r0 greet 1770000000 'depends:so:libgreet.so.1' 'provides:cmd:greet=1.0'
    package $MAIN greet-doc 1.0-r0 greet 1770000000
    package $MAIN legacy 0.9-r1 legacy 1760000000 depends:greet
    package $MAIN toolchain 9.1-r3 toolchain 1765000000
    package $MAIN relay 4.2-r0 relay 1766000000 'depends:libgreet<2'
    package $EDGE motd 3.0_rc1-r0 motd 1771000000
    package $LOCAL localtool 0.1-r0 localtool 1772000000 depends:greet
    index $EDGE
    ;;
  new)
    package $MAIN libgreet 1.1-r0 greet 1780000000 'provides:so:libgreet.so.1=1.1'
    package $MAIN greet 1.1-r0 greet 1780000000 'depends:so:libgreet.so.1' 'provides:cmd:greet=1.1'
    package $MAIN greet-doc 1.1-r0 greet 1780000000
    package $MAIN relay 4.2-r1 relay 1781000000 'depends:libgreet<2'
    ;;
esac
index $MAIN
