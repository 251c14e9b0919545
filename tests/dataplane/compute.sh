#!/bin/sh
# compute.sh POD_DIR [ro|rw:HOST_DIR:CONTAINER_DIR...]: the compute container. PID 1 of its own mount, network and PID
# namespaces. It sees the whole hook volume, and of the node's vhost-user directories only those that this pod was given.
set -eu
pod=$1
shift
/opt/mounts.sh "$@"

mkdir -p /run/kubevirt-hooks /run/kubevirt-plugin /run/kubevirt-private
[ ! -d "$pod/hooks" ] || mount --bind "$pod/hooks" /run/kubevirt-hooks
[ ! -d "$pod/plugin-sockets" ] || mount --bind "$pod/plugin-sockets" /run/kubevirt-plugin
mount --bind "$pod/private" /run/kubevirt-private
# virt-launcher's image has no ovs-vsctl; where libvirt finds one it asks it about every vhost-user NIC.
touch /mnt/not-executable
mount --bind /mnt/not-executable "$(command -v ovs-vsctl)"
mkdir "$pod/huge"
mount -t hugetlbfs -o pagesize=2M,uid=107,gid=107,mode=770 none "$pod/huge"

ip link set lo up
# Not exec: this shell stays to reap the QEMUs that libvirt leaves behind, as virt-launcher's monitor does.
setpriv --reuid 107 --regid 107 --clear-groups --inh-caps=-all --bounding-set=-all --no-new-privs \
  env -i PATH="$PATH" LANG=C HOME="$pod" XDG_RUNTIME_DIR="$pod/run" XDG_CONFIG_HOME="$pod/config" XDG_CACHE_HOME="$pod/cache" \
  libvirtd -f "$pod/config/libvirt/libvirtd.conf" &
wait
