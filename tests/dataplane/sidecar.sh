#!/bin/sh
# sidecar.sh POD_DIR: the sidecar container. In its own mount and PID namespaces and the pod's network namespace.
# As the pod is rendered by KubeVirt >= 1.6: of the hook volume only its own sub-directory, the downward API file, a
# read-only root, and none of the pod's device mounts.
set -eu
pod=$1

umount --lazy /run/vhostuser
mount --bind "$pod/podinfo" /etc/podinfo
mount -o remount,bind,ro /etc/podinfo
mount --bind "$pod/hooks/hook-sidecar-0" /mnt
mount -t tmpfs -o mode=755 tmpfs /run
mkdir /run/kubevirt-hooks
mount --move /mnt /run/kubevirt-hooks
mount -o remount,ro /run
mount -o remount,bind,ro /tmp
mount -o remount,bind,ro /

exec env -i PATH="$PATH" CONTAINER_NAME=hook-sidecar-0 NETWORK_BINDING_PLUGIN_NAME=vhostuser \
  XDG_CACHE_HOME=/var/run/kubevirt-private XDG_CONFIG_HOME=/var/run/kubevirt-private XDG_RUNTIME_DIR=/var/run \
  setpriv --reuid 107 --regid 107 --clear-groups --inh-caps=-all --bounding-set=-all --no-new-privs \
  /opt/network-vhostuser-binding
