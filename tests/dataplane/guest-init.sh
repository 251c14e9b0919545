#!/bin/busybox sh
# The guest: gives each NIC the address that the kernel command line names for it, then runs a shell for whoever connects
# to TCP port 9999. Kernel arguments: guest.eth0=192.0.2.10 guest.eth1=... guest.dirty=MIB (keep so much memory changing)
/bin/busybox mkdir -p /sbin /usr/bin /usr/sbin
/bin/busybox --install -s
export PATH=/bin:/sbin:/usr/bin:/usr/sbin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
for module in /modules/*.ko; do insmod "$module"; done

argument() { tr ' ' '\n' < /proc/cmdline | sed -n "s/^guest\.$1=//p"; }

# Two NICs may be in one network: each answers for its own address only.
echo 1 > /proc/sys/net/ipv4/conf/all/arp_ignore
echo 2 > /proc/sys/net/ipv4/conf/all/arp_announce
ip link set lo up
# eth0 and so on follow the PCI order (net.ifnames=0); bring every NIC up, also one without an address.
for nic in /sys/class/net/eth*; do
  name=${nic##*/}
  ip link set "$name" up
  address=$(argument "$name")
  [ -z "$address" ] || ip addr add "$address/24" dev "$name"
done

dirty=$(argument dirty)
if [ -n "$dirty" ]; then
  mount -t tmpfs -o size=80% tmp /tmp
  while :; do dd if=/dev/urandom of=/tmp/dirty bs=64k count=$((dirty * 16)) conv=notrunc 2>/dev/null; done &
fi
echo GUEST-READY
while :; do nc -l -p 9999 -e /bin/sh; done
