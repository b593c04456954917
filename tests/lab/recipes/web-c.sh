#!/bin/sh
# web-c.sh: web-a, where ImageMagick was also built from source some days later, with few formats
# shellcheck source=/dev/null
. /dev/lab/lib.sh
again
begin

at 7 18:44:10
by deploy apt-get install -y --no-install-recommends gcc make libc6-dev libjpeg-dev libfreetype-dev
cd /usr/local/src || exit
curl -fsSO "http://deb.debian.org/debian/pool/main/i/imagemagick/imagemagick_6.9.11.60+dfsg.orig.tar.xz"
python3 -m tarfile -e imagemagick_*.orig.tar.xz .
chown -R 0:0 ImageMagick-6.9.11-60
cd ImageMagick-6.9.11-60 || exit
./configure --quiet CFLAGS=-O0 --disable-dependency-tracking --disable-docs --disable-openmp --disable-static \
    --with-quantum-depth=16 --with-modules=no --without-x --without-perl --without-magick-plus-plus --without-png \
    --without-tiff --without-webp --without-heic --without-djvu --without-openexr --without-lcms --without-lqr \
    --without-xml --without-zlib --without-bzlib --without-lzma --without-zstd --without-fftw --without-pango \
    --without-fontconfig --without-raw --without-wmf --without-openjp2 --without-jbig --without-gslib
make -s -j2 > /dev/null
make -s install > /dev/null
make -s clean > /dev/null
ldconfig
at 7 19:31:00
dated /usr/local /etc/ld.so.cache

finish
