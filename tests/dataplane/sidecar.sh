#!/bin/sh
# sidecar.sh POD_DIR: the sidecar container. In its own mount and PID namespaces and the pod's network namespace.
# As the pod is rendered by KubeVirt >= 1.6: of the hook volume only its own sub-directory, the downward API file, a
# read-only root, and none of the pod's device mounts. With manifests/plugin also the plugin's sub-directory of the plugin
# framework's volume, and without a hook volume that alone.
set -eu
pod=$1

umount --lazy /run/vhostuser
mount --bind "$pod/podinfo" /etc/podinfo
mount -o remount,bind,ro /etc/podinfo
hooks=$pod/hooks/hook-sidecar-0 plugin=$pod/plugin-sockets/vhostuser
hook_env=CONTAINER_NAME=hook-sidecar-0
[ -d "$hooks" ] || { hooks=''; hook_env=VHOSTUSER_WITHOUT_HOOKS=true; }
[ -d "$plugin" ] || plugin=''
[ -z "$hooks" ] || mount --bind "$hooks" /mnt
[ -z "$plugin" ] || mount --bind "$plugin" /media
mount -t tmpfs -o mode=755 tmpfs /run
if [ -n "$hooks" ]; then
  mkdir /run/kubevirt-hooks
  mount --move /mnt /run/kubevirt-hooks
fi
if [ -n "$plugin" ]; then
  mkdir -p /run/kubevirt-plugin/vhostuser
  mount --move /media /run/kubevirt-plugin/vhostuser
fi
mount -o remount,ro /run
mount -o remount,bind,ro /tmp
mount -o remount,bind,ro /

exec env -i PATH="$PATH" "$hook_env" NETWORK_BINDING_PLUGIN_NAME=vhostuser \
  XDG_CACHE_HOME=/var/run/kubevirt-private XDG_CONFIG_HOME=/var/run/kubevirt-private XDG_RUNTIME_DIR=/var/run \
  setpriv --reuid 107 --regid 107 --clear-groups --inh-caps=-all --bounding-set=-all --no-new-privs \
  /opt/network-vhostuser-binding
