# What the machine `verify-dpkg` (of web-b) has that its packages do not: see `changed.oracle`, what `dpkg -V` says there.
set -e
echo x >>/usr/bin/gzip
rm /usr/lib/x86_64-linux-gnu/libexpat.so.1.8.10 /usr/share/zoneinfo/Europe/Paris
rm -rf /usr/share/doc/gzip
dpkg-divert --local --rename --divert /usr/bin/wget.real --add /usr/bin/wget
printf 'path-exclude=/usr/share/zoneinfo/*\npath-include=/usr/share/zoneinfo/Europe/*\n' >/etc/dpkg/dpkg.cfg.d/few
rm /usr/share/zoneinfo/Asia/Tokyo
chmod 700 /usr/share/zoneinfo/Africa
