#!/bin/sh
# What the tests on real servers need beside the engine: on Debian and Ubuntu, as root, install it.
set -eu
missing=
for pair in sshd:openssh-server ssh:openssh-client strace:strace busybox:busybox zsh:zsh rpm:rpm \
    tcsh:tcsh fish:fish ksh:ksh; do
  PATH="$PATH:/usr/sbin:/sbin" command -v "${pair%%:*}" > /dev/null || missing="$missing ${pair#*:}"
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ] || ! [ -e /etc/debian_version ]; then
  echo "not installed here:$missing; the tests that need them say so" >&2
  exit 0
fi
echo "installing for the tests:$missing" >&2
# The tests start their own sshd on loopback; the package must not start one on every address.
policy=/usr/sbin/policy-rc.d
if ! [ -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' > "$policy"
  chmod 755 "$policy"
  trap 'rm -f "$policy"' EXIT
fi
apt-get update -qq
# shellcheck disable=SC2086 # a list of words
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing > /dev/null
