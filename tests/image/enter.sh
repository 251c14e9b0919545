#!/bin/sh
# enter.sh ROOT HOOKS PODINFO: runs the sidecar from its image's root as the pod does that KubeVirt renders: uid 107, no
# capabilities, no new privileges, a read-only root, and two volumes.
set -eu
root=$1

mount --make-rprivate /
mount --bind "$root" "$root"
# What a runtime does for mount points that an image lacks.
mkdir -p "$root/proc" "$root/var/run/kubevirt-hooks" "$root/etc/podinfo"
mount -t proc -o nosuid,nodev,noexec proc "$root/proc"
mount --bind "$2" "$root/var/run/kubevirt-hooks"
mount --bind "$3" "$root/etc/podinfo"
mount -o remount,bind,ro "$root/etc/podinfo"
mount -o remount,bind,ro "$root"

capsh=$(command -v capsh)
exec env -i CONTAINER_NAME=hook-sidecar-0 \
  "$capsh" --chroot="$root" --drop=all --groups= --gid=107 --uid=107 --no-new-privs --shell=/network-vhostuser-binding --
