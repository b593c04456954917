#!/bin/sh
# booted.sh: web-b with services of its own, for a machine whose first process is systemd
set -eu
u=/etc/systemd/system
printf '[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n' > $u/app.service
printf '[Service]\nType=oneshot\nExecStart=/bin/false\n[Install]\nWantedBy=multi-user.target\n' > $u/broken.service
printf '[Timer]\nOnCalendar=daily\n[Install]\nWantedBy=timers.target\n' > $u/app.timer
mkdir -p $u/app.service.d
printf '[Service]\nLimitNOFILE=9999\n' > $u/app.service.d/limits.conf
systemctl --root=/ enable app.service broken.service app.timer
systemctl --root=/ mask exim4.service
systemctl --root=/ disable fstrim.timer
