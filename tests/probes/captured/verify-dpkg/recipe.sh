# What the machine `verify-dpkg` (of web-b) has that its packages do not: see `changed.oracle`, what `dpkg -V` says there.
set -e
echo x >>/usr/bin/gzip
rm /usr/lib/x86_64-linux-gnu/libexpat.so.1.8.10 /usr/share/zoneinfo/Europe/Paris
rm -rf /usr/share/doc/gzip
dpkg-divert --local --rename --divert /usr/bin/wget.real --add /usr/bin/wget
printf 'path-exclude=/usr/share/zoneinfo/*\npath-include=/usr/share/zoneinfo/Europe/*\n' >/etc/dpkg/dpkg.cfg.d/few
rm /usr/share/zoneinfo/Asia/Tokyo
chmod 700 /usr/share/zoneinfo/Africa
mkdir -p /opt/big
for n in 1 2; do head -c 2000000 /dev/zero | tr '\000' $n >/opt/big/tool$n; done
truncate -s 150M /opt/big/huge1 /opt/big/huge2
chmod 755 /opt/big/*
chmod 700 /opt/big/tool2
