#!/bin/sh
# enter.sh ROOT LOGS DRIVER SIDECAR DEVICE_PLUGIN CNI_PLUGIN GOLDEN [ARGUMENT...]: makes "the node" and runs the driver in it.
# Already in new mount, network and PID namespaces. The installed folder is only the lower layer, /run is new and empty, so
# whatever a run writes, mounts or starts is gone when the driver, PID 1 in here, is gone.
set -eu
root=$1 logs=$2 driver=$3 sidecar=$4 device_plugin=$5 cni_plugin=$6 golden=$7
shift 7

mount -t tmpfs tmpfs /mnt
mkdir /mnt/upper /mnt/work /mnt/root
# Its name is how the processes in here are told from others.
mount -t overlay vhostuser-dataplane -o "lowerdir=$root,upperdir=/mnt/upper,workdir=/mnt/work" /mnt/root
cd /mnt/root
mount -t proc proc proc
mount -t sysfs sys sys
mount --rbind /dev dev
mount -t tmpfs -o mode=755 tmpfs run
# As on a node of a cluster: mounts that one of its pods makes here with "Bidirectional" are the node's.
mount --make-shared run
mount -t tmpfs -o mode=1777 tmpfs tmp

mkdir -p opt/logs opt/golden opt/cni/bin etc/podinfo etc/vhostuser var/lib/kubelet old-root
mount --bind "$logs" opt/logs
[ ! -d "$golden" ] || mount --bind "$golden" opt/golden
cp "$driver" opt/driver
cp "$sidecar" opt/network-vhostuser-binding
cp "$device_plugin" opt/vhostuser-device-plugin
cp "$cni_plugin" opt/cni/bin/vhostuser
for script in application compute mounts sidecar switch testpmd; do cp "$(dirname "$0")/$script.sh" opt/; done
# libvirt needs a record of the user it runs as.
echo 'qemu:x:107:107::/:/usr/sbin/nologin' >> etc/passwd
echo 'qemu:x:107:' >> etc/group

pivot_root . old-root
cd /
umount -l /old-root
ip link set lo up
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
exec /opt/driver --inside "$@"
