#!/bin/sh
# How `furnished` came to be: a throw-away container of the lab's web-b after these commands,
# run there as root. `furnished-nobody` is the same as seen by the account nobody.
set -eu

# tuning: one name in two places, one setting in three files, both ways to write a name
mkdir -p /etc/sysctl.d /usr/local/lib/sysctl.d /etc/systemd/system.conf.d /etc/security/limits.d
printf 'vm.swappiness = 10\nnet/ipv4/conf/eth0.1/rp_filter=2\n-net.ipv4.ip_forward=1\n' > /etc/sysctl.d/50-app.conf
printf 'vm.swappiness=99\nvm.max_map_count=1\n' > /usr/local/lib/sysctl.d/50-app.conf
printf '# comment\n; other\nfs.nr_open =  2000000 \nkernel.sem=1  2\t3 4\nnot a setting\n' > /etc/sysctl.d/90-more.conf
printf 'vm.swappiness = 15\r\n' >> /etc/sysctl.conf
printf '* soft nofile 4096\n@www - nproc 200 # all of them\n' >> /etc/security/limits.conf
printf '*\tsoft\tnofile\t65536\nbroken line\n' > /etc/security/limits.d/app.conf
printf '[Manager]\n#DefaultLimitCORE=0\nDefaultLimitNOFILE=1024:524288\n' > /etc/systemd/system.conf.d/10.conf
cat > /etc/fstab <<'X'
UUID=0aa1 / ext4 errors=remount-ro,noatime 0 1
nas:/export/my\040data /srv/my\040data nfs4 ro,soft 0 0
/swapfile none swap sw 0 0

# comment
X

# accounts
useradd -m -s /bin/bash -G sudo,www-data ann
useradd -r -s /usr/sbin/nologin appd
printf 'ann:not-a-real-one\n' | chpasswd
passwd -l appd > /dev/null
printf 'Defaults env_keep += "PROXY"\nann ALL=(ALL) NOPASSWD: /usr/bin/systemctl restart \\\n  app\n%%www-data ALL=(root) /usr/bin/id\n' > /etc/sudoers.d/app
chmod 440 /etc/sudoers.d/app
printf 'PermitRootLogin no\nPasswordAuthentication no\nMatch User ann\n  X11Forwarding no\n' > /etc/ssh/sshd_config.d/10-app.conf
mkdir -p /home/ann/.ssh
ssh-keygen -q -t ed25519 -N '' -C ann@example -f /tmp/key
{ printf '# of ann\n'; cat /tmp/key.pub; printf 'command="/bin/backup --all",no-pty '; cat /tmp/key.pub; } > /home/ann/.ssh/authorized_keys
cp /home/ann/.ssh/authorized_keys /tmp/authorized_keys
chmod 600 /home/ann/.ssh/authorized_keys
rm /tmp/key

# services and what runs by the clock
u=/etc/systemd/system
printf '[Unit]\nDescription=app\n[Service]\nExecStart=/opt/app/bin/app --token=not-a-real-one\nUser=appd\n[Install]\nWantedBy=multi-user.target\n' > $u/app.service
printf '[Timer]\nOnCalendar=daily\n[Install]\nWantedBy=timers.target\n' > $u/app.timer
ln -s ../app.service $u/multi-user.target.wants/app.service
ln -s /etc/systemd/system/app.timer $u/timers.target.wants/app.timer
ln -s /dev/null $u/cron.service
ln -s /usr/lib/systemd/system/ssh.service $u/web.service
mkdir -p $u/php8.2-fpm.service.d $u/ssh.socket.d
printf '[Service]\nLimitNOFILE=9999\n' > $u/php8.2-fpm.service.d/override.conf
rm -f $u/timers.target.wants/fstrim.timer
rm -f /etc/rc2.d/S01exim4
printf 'MAILTO=ops\nPATH=/usr/bin:/bin\n*/5 * * * * www-data /opt/app/bin/job --password not-a-real-one\n@reboot root touch /run/x\n' > /etc/cron.d/app
printf '#!/bin/sh\necho\n' > /etc/cron.daily/app
chmod 755 /etc/cron.daily/app
printf '# of ann\n30 4 * * 1 $HOME/clean\n' > /var/spool/cron/crontabs/ann
chmod 600 /var/spool/cron/crontabs/ann

# names, time, locale, certificates
printf 'search example.net\noptions timeout:1 rotate\n' >> /etc/resolv.conf
printf '10.1.2.3 db.internal db # by hand\n' >> /etc/hosts
ln -sf /usr/share/zoneinfo/Europe/Vienna /etc/localtime
echo Europe/Vienna > /etc/timezone
printf 'LANG=de_AT.UTF-8\nLC_MESSAGES="C"\n' > /etc/default/locale
mkdir -p /etc/systemd/timesyncd.conf.d
printf '[Time]\nNTP=ntp1.example.net ntp2.example.net\n' > /etc/systemd/timesyncd.conf.d/site.conf
mkdir -p /usr/local/share/ca-certificates
cp "$(ls /usr/share/ca-certificates/mozilla/*.crt | head -n 1)" /usr/local/share/ca-certificates/site.crt
sed -i '0,/^mozilla/s/^mozilla/!mozilla/' /etc/ca-certificates.conf
update-ca-certificates > /dev/null 2>&1

# configuration that nobody packaged, and some that somebody edited
mkdir -p /etc/app/conf.d
printf 'listen = 8080\npassword = not-a-real-one\n' > /etc/app/app.conf
printf 'key\n' > /etc/app/private.key
ln -s ../app.conf /etc/app/conf.d/link.conf
chmod 600 /etc/app/private.key
chown appd /etc/app/app.conf
printf '\n# edited\n' >> /etc/nanorc 2> /dev/null || :
printf '\n# edited\n' >> /etc/logrotate.conf

# software that no package owns
mkdir -p /opt/app/bin /opt/app/lib /srv/jars
cp /usr/bin/true /opt/app/bin/app
cp /usr/lib/x86_64-linux-gnu/libz.so.1.2.13 /opt/app/lib/libz.so.1
cp /usr/bin/id /usr/local/bin/tool-1.4.2
printf '#!/bin/sh\necho\n' > /usr/local/bin/script
chmod 755 /usr/local/bin/script /usr/local/bin/tool-1.4.2 /opt/app/bin/app
printf 'not a jar' > /srv/jars/app-2.1.0.jar
cp /usr/bin/env /usr/bin/stray

# and then, for `libraries`: /usr/sbin/sshd -p 2222; python3 -m http.server --bind 127.0.0.1 8099;
# a perl with UDP sockets at 514 and 45000
