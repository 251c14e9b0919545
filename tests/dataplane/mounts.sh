#!/bin/sh
# mounts.sh [ro|rw:HOST_DIR:CONTAINER_DIR...]: gives a container, in whose mount namespace this runs, the mounts that a
# device plugin has asked for, as a container runtime does: private, and only these.
set -eu
mount -t tmpfs -o mode=755 tmpfs /mnt
number=0
for device in "$@"; do
  paths=${device#*:}
  mkdir "/mnt/$number"
  mount --rbind "${paths%%:*}" "/mnt/$number"
  [ "${device%%:*}" = rw ] || mount -o remount,bind,ro "/mnt/$number"
  number=$((number + 1))
done

# A container's file system is its image's: nothing of the node's socket root is in it, not even hidden.
umount --lazy /run/vhostuser
mount -t tmpfs -o mode=755 tmpfs /run/vhostuser
number=0
for device in "$@"; do
  container=${device##*:}
  mkdir -p "$container"
  mount --move "/mnt/$number" "$container"
  rmdir "/mnt/$number"
  number=$((number + 1))
done
