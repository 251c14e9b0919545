#!/bin/sh
# node.sh ROOT BINARIES SCRIPT: runs a script on "a node" that has OVS and this project's programs. It already runs in its
# own mount and PID namespaces; the root folder is not changed, except /run and /tmp, which are new.
set -eu
root=$1 binaries=$2 script=$3

mount --bind "$root" "$root"
cd "$root"
mount -t proc proc proc
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=1777 tmpfs tmp
mkdir -p run/openvswitch tmp/bin
cp "$binaries"/network-vhostuser-binding "$binaries"/vhostuser-device-plugin "$binaries"/vhostuser tmp/bin/
exec env -i PATH=/tmp/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp chroot . bash -euc "$script"
