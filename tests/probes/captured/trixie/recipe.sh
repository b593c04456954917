# How `trixie` was made: a debootstrap whose sources name a mirror on loopback that has neither the
# host name nor the paths of Debian's; trixie-without-lists is the same after `rm -rf lists/*`.
# apt-sources.oracle
apt-get indextargets --format '$(ORIGIN)/$(CODENAME)/$(COMPONENT) $(REPO_URI)' 'Created-By: Packages'

# os.oracle
. /etc/os-release
echo "id=$ID"; echo "version_id=${VERSION_ID:-}"; echo "codename=${VERSION_CODENAME:-}"; echo "pretty=${PRETTY_NAME:-}"
echo "point=$(cat /etc/debian_version 2>/dev/null)"
echo "architecture=$(uname -m)"; echo "kernel=$(uname -r)"; echo "kernel_version=$(uname -v)"
v=$(ldd --version 2>&1)
case $v in *musl*) echo libc=musl; echo "libc_version=$(echo "$v" | sed -n 's/^Version //p')" ;; *) echo libc=glibc; echo "libc_version=$(echo "$v" | sed -n '1s/.* //p')" ;; esac

# /etc/apt/sources.list.d/debian.sources
#   # Modernized
#   Types: deb deb-src
#   Check-Valid-Until: no
#   URIs: http://127.0.0.1:18999/corp/apt/
#   Suites: stable stable-updates
#   # a comment inside
#   Components: main contrib non-free-firmware
#   Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
#   
#   Types: deb
#   URIs: http://127.0.0.1:18999/corp/apt-security
#   Suites: trixie-security
#   Components: main
#   Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
#   
#   Enabled: no
#   Types: deb
#   URIs: http://127.0.0.1:18999/corp/apt
#   Suites: trixie-backports
#   Components: main

# /etc/apt/sources.list.d/old.list
#   # deb http://127.0.0.1/never trixie main
#   deb [ arch=amd64 signed-by=/usr/share/keyrings/debian-archive-keyring.gpg ] http://127.0.0.1:18999/corp/apt trixie-backports main # why not
#   deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://127.0.0.1:18999/corp/apt trixie-backports main

# /etc/apt/preferences.d/10-backports
#   Explanation: nothing from backports
#   Explanation: unless asked for
#   Package: *
#   Pin: release n=trixie-backports
#   Pin-Priority: 50
#   
#   # two at once
#   Package: bash dash
#   Pin: version 5.2*
#   Pin-Priority: 1001

# /etc/apt/preferences.d/20-curl.pref
#   Package: curl
#   Pin: origin "127.0.0.1"
#   Pin-Priority: -1
