#!/bin/sh
# enter.sh ROOT LOGS DRIVER SIDECAR GOLDEN [ARGUMENT...]: makes "the node" and runs the driver in it.
# Already in new mount, network and PID namespaces. The installed folder is only the lower layer, /run is new and empty, so
# whatever a run writes, mounts or starts is gone when the driver, PID 1 in here, is gone.
set -eu
root=$1 logs=$2 driver=$3 sidecar=$4 golden=$5
shift 5

mount -t tmpfs tmpfs /mnt
mkdir /mnt/upper /mnt/work /mnt/root
mount -t overlay overlay -o "lowerdir=$root,upperdir=/mnt/upper,workdir=/mnt/work" /mnt/root
cd /mnt/root
mount -t proc proc proc
mount -t sysfs sys sys
mount --rbind /dev dev
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=1777 tmpfs tmp

mkdir -p opt/logs opt/golden etc/podinfo old-root
mount --bind "$logs" opt/logs
[ ! -d "$golden" ] || mount --bind "$golden" opt/golden
cp "$driver" opt/driver
cp "$sidecar" opt/network-vhostuser-binding
cp "$(dirname "$0")/compute.sh" "$(dirname "$0")/sidecar.sh" opt/
# libvirt needs a record of the user it runs as.
echo 'qemu:x:107:107::/:/usr/sbin/nologin' >> etc/passwd
echo 'qemu:x:107:' >> etc/group

pivot_root . old-root
cd /
umount -l /old-root
ip link set lo up
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
exec /opt/driver --inside "$@"
