# What the machine `verify-apk` (of the lab's alpine) has that its packages do not.
set -e
echo '# changed' >>/usr/share/udhcpc/default.script
rm /etc/logrotate.d/acpid
