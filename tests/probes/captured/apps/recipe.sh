# What the machine `apps` has more than web-b: an application at /data/shop, reached through a link too.
set -e
mkdir -p /data/shop/bin /data/shop/lib /data/shop/conf/private /data/shop/node_modules/left-pad /data/shop/log \
  /data/shop/venv/lib/python3.11/site-packages/requests-2.32.3.dist-info /data/shop/closed /data/packaged /srv
printf '#!/bin/sh\necho shop\n' >/data/shop/bin/shop
chmod 755 /data/shop/bin/shop
cp /bin/true /data/shop/lib/libshop.so.1
printf 'PK\005\006%018d' 0 | tr 0 '\000' >/data/shop/lib/cart-1.2.3.jar
printf '{"name": "left-pad", "version": "1.3.0"}\n' >/data/shop/node_modules/left-pad/package.json
printf 'pip\n' >/data/shop/venv/lib/python3.11/site-packages/requests-2.32.3.dist-info/INSTALLER
printf 'port: 8080\npassword: hunter2\n' >/data/shop/conf/shop.yml
printf 'DB=secret\n' >/data/shop/conf/.env
printf 'key\n' >/data/shop/conf/private/x
printf 'line\n' >/data/shop/log/today
printf 'x\n' >/data/shop/closed/x
chmod 700 /data/shop/closed
ln -s shop.yml /data/shop/conf/current.yml
ln -s /data/shop /srv/shop
printf 'setting\n' >/data/packaged/app.conf
printf '/data/packaged/app.conf\n' >>/var/lib/dpkg/info/cron.list
chown -R www-data:www-data /data/shop/conf
touch -d 2026-11-01T12:00:00Z /data/shop/conf/shop.yml
