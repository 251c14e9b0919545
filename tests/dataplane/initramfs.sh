#!/bin/bash
# initramfs.sh ROOT: packs the guest's initramfs (busybox, ethtool, virtio-net modules, guest-init.sh) as ROOT/guest/initramfs.gz,
# again whenever one of its two sources has changed.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$1
out=$root/guest/initramfs.gz
if [ "$out" -nt "$here/guest-init.sh" ] && [ "$out" -nt "$here/initramfs.sh" ]; then exit 0; fi

tree=$(mktemp -d "$root/guest/tree.XXXX")
trap 'rm -rf "$tree"' EXIT
mkdir -p "$tree"/{bin,modules,proc,sys,dev,tmp}
cp "$root/bin/busybox" "$tree/bin/"
cp "$here/guest-init.sh" "$tree/init"
chmod 755 "$tree/init"

# In the order in which they must be loaded; which of them exist differs between kernels.
n=10
for module in failover net_failover virtio virtio_ring virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci virtio_net; do
  file=$(find "$root/guest" -path '*/lib/modules/*' -name "$module.ko*" -print -quit)
  n=$((n + 1))
  case $file in
    *.xz)  xz -dc "$file" > "$tree/modules/$n-$module.ko" ;;
    *.zst) chroot "$root" zstd -qdc "${file#"$root"}" > "$tree/modules/$n-$module.ko" ;;
    *.ko)  cp "$file" "$tree/modules/$n-$module.ko" ;;
  esac
done

ethtool=$(chroot "$root" sh -c 'command -v ethtool')
cp "$root$ethtool" "$tree/bin/ethtool"
chroot "$root" ldd "$ethtool" | grep -o '/[^ ]*' | while read -r library; do
  mkdir -p "$tree$(dirname "$library")"
  cp -L "$root$library" "$tree$library"
done
chroot "$root" sh -c "cd ${tree#"$root"} && find . | cpio -o -H newc --quiet" | gzip -1 > "$out.new"
mv "$out.new" "$out"
