#!/bin/sh
# An Alpine server as it came to be: a package pinned, one from edge, one from a file, one removed.
set -eux
sh /dev/lab/apks.sh old
# what was done before today, since apk has no clock but the machine's
weeks_ago() {
  then=$(date -u -d "@$(($(date +%s) - 28 * 86400))" +%Y-%m-%d)
  sed -i "s/ at $(date -u +%Y-%m-%d) / at $then /" /var/log/apk.log
}
printf '%s\n' 'v3 /srv/apks/v3.23/lab' 'v3 @edge /srv/apks/edge/lab' > /etc/apk/repositories
apk add --allow-untrusted greet greet-doc relay legacy
apk add --allow-untrusted libgreet=1.0-r0 '!mailx'
apk add --allow-untrusted motd@edge
apk add --allow-untrusted --virtual .build-deps toolchain
apk add --allow-untrusted /srv/local/localtool-0.1-r0.apk
apk del --allow-untrusted legacy
weeks_ago
# The repository moves on, and only one package is brought up to date.
sh /dev/lab/apks.sh new
apk add --allow-untrusted --upgrade relay
