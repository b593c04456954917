# What the machine `owned-rpm` (of the lab's rpm) has: a package of files that were there without one.
set -e
mkdir -p /tmp/b/SPECS
cd /tmp/b
cat >SPECS/owned.spec <<'SPEC'
Name: owned
Version: 1
Release: 1
Summary: owns what is there
License: none
%description
x
%install
for f in /usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2 /usr/lib/x86_64-linux-gnu/libc.so.6 /usr/lib/x86_64-linux-gnu/libz.so.1* /usr/bin/sleep; do
  mkdir -p %{buildroot}$(dirname $f)
  cp -a $f %{buildroot}$f
done
%files
/usr/lib/x86_64-linux-gnu/*
/usr/bin/sleep
SPEC
rpmbuild -bb --define '_topdir /tmp/b' --define 'debug_package %{nil}' --define '__os_install_post %{nil}' \
  --define '_build_id_links none' --nodeps SPECS/owned.spec
rpm -i --justdb --nodeps --nosignature --nodigest "$(find /tmp/b/RPMS -name '*.rpm')"
rm -rf /tmp/b
