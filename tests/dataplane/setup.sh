#!/bin/bash
# setup.sh [switch]: installs what the dataplane tests run on: a Debian root folder with libvirt, QEMU and OVS-DPDK, and in it
# a guest kernel and initramfs; with `switch`, what runs without guests: OVS-DPDK only. Nothing but debootstrap is installed
# on the machine itself and no service is started. Run as root; what is there already is left alone.
#
#   DATAPLANE_STACK  Debian release the folder is made of: trixie (default) or bookworm
#   DATAPLANE_DIR    where the folders are kept (default /var/tmp/vhostuser-dataplane)
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
stack=${DATAPLANE_STACK:-trixie}
dir=${DATAPLANE_DIR:-/var/tmp/vhostuser-dataplane}
root=$dir/$stack
# Raise it when the lists below change: a folder made by an older version of this script is then completed.
version=5

case $stack in
  trixie)   dpdk=25 ;;
  bookworm) dpdk=23 ;;
  *) echo "DATAPLANE_STACK=$stack: trixie or bookworm" >&2; exit 2 ;;
esac
# OVS allocates packet buffers through DPDK's ring mempool, which is only a "recommends" of the package: without it every
# vhost-user port silently stays out of the datapath. The drivers: an uplink without hardware, and a DPDK pod's NIC.
drivers="librte-mempool-ring$dpdk librte-net-null$dpdk librte-net-virtio$dpdk"
switch_packages="openvswitch-switch-dpdk $drivers strace iproute2 iputils-ping ethtool procps util-linux"
guest_packages="qemu-system-x86 ipxe-qemu seabios libvirt-daemon libvirt-daemon-driver-qemu libvirt-clients
  libxml2-utils prometheus busybox-static kmod cpio xz-utils zstd"

[ "$(id -u)" = 0 ] || { echo "setup.sh must run as root: debootstrap makes device nodes and owners" >&2; exit 1; }
is_complete() { [ "$(cat "$root/.$1" 2>/dev/null)" = "$version" ]; }

if is_complete complete; then
  echo "$version" > "$root/.switch-complete"
  "$here/initramfs.sh" "$root"
  exit 0
fi
if [ "${1:-}" = switch ] && is_complete switch-complete; then exit 0; fi

# The mirror this machine itself uses, whatever the form of its apt sources.
mirror() { apt-get indextargets --format '$(REPO_URI)' 'Identifier: Packages' 'Label: Debian' | head -n1; }

# Runs a command in the folder with what dpkg's scripts need, in a mount namespace that takes its mounts away with it.
in_root() {
  unshare --mount --propagation private bash -euc '
    mount -t proc proc "$1/proc"; mount --rbind /dev "$1/dev"
    exec chroot "$@"' _ "$root" env DEBIAN_FRONTEND=noninteractive "$@"
}

export DEBIAN_FRONTEND=noninteractive
mkdir -p "$dir"
log=$dir/$stack-setup.log
# shellcheck disable=SC2154
trap 'status=$?; [ $status = 0 ] || { tail -n 20 "$log"; echo "setup.sh failed; all of it: $log"; } >&3' EXIT
exec 3>&1 >"$log" 2>&1

apt-get update
apt-get install -y --no-install-recommends debootstrap debian-archive-keyring
mirror=$(mirror)
[ -n "$mirror" ] || { echo "apt on this machine names no Debian mirror"; exit 1; }
if [ ! -e "$root/.debootstrapped" ]; then
  rm -rf "$root"
  debootstrap --variant=minbase --include=ca-certificates "$stack" "$root" "$mirror"
  touch "$root/.debootstrapped"
fi
# The folder fetches packages by the way the machine does: proxies, name resolution.
cp -a /etc/apt/apt.conf.d/. "$root/etc/apt/apt.conf.d/"
cp /etc/resolv.conf /etc/hosts "$root/etc/"
printf '#!/bin/sh\nexit 101\n' > "$root/usr/sbin/policy-rc.d"
chmod +x "$root/usr/sbin/policy-rc.d"
in_root apt-get update
# shellcheck disable=SC2086
in_root apt-get install -y --no-install-recommends $switch_packages

# Of the CNI project's plugins just the one that gives addresses.
in_root bash -euc '
  cd /tmp; apt-get download -o APT::Sandbox::User=root containernetworking-plugins
  dpkg -x containernetworking-plugins_*.deb plugins; mkdir -p /usr/lib/cni; mv plugins/usr/lib/cni/host-local /usr/lib/cni/
  rm -rf plugins containernetworking-plugins_*.deb'
echo "$version" > "$root/.switch-complete"
if [ "${1:-}" = switch ]; then exit 0; fi

# shellcheck disable=SC2086
in_root apt-get install -y --no-install-recommends $guest_packages

# testpmd without what it is packed with for developers, which is half of Debian's DPDK.
in_root bash -euc '
  libraries=$(apt-cache depends dpdk-dev | awk "/ Depends: lib(rte|bpf|bsd|elf|fdt|ibverbs|jansson|numa|pcap)/{print \$2}")
  apt-get install -y --no-install-recommends $libraries
  cd /tmp; apt-get download -o APT::Sandbox::User=root dpdk-dev
  dpkg -x dpdk-dev_*.deb dpdk-dev; mv dpdk-dev/usr/bin/dpdk-testpmd /usr/local/bin/; rm -rf dpdk-dev*'

# The guest's kernel is unpacked, not installed: no initramfs, no boot loader hooks.
if ! ls "$root"/guest/boot/vmlinuz-* >/dev/null 2>&1; then
  mkdir -p "$root/guest"
  in_root bash -euc 'cd /guest
    image=$(apt-cache depends linux-image-cloud-amd64 | awk "/Depends:/{print \$2; exit}")
    apt-get download -o APT::Sandbox::User=root "$image"; dpkg -x "$image"_*.deb .; rm -f "$image"_*.deb'
fi
echo "$version" > "$root/.complete"
"$here/initramfs.sh" "$root"
echo "dataplane stack $stack: $root" >&3
