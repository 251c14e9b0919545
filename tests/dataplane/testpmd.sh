#!/bin/sh
# testpmd.sh: a DPDK application that answers pings. It knows of its NIC what any application does: the variable
# VHOSTUSER_<RESOURCE> that the device plugin has set, and the file that the CNI plugin has written beside the socket.
set -eu
socket=$(env | sed -n 's/^VHOSTUSER_[A-Z0-9_]*=//p')
directory=${socket%/*}
field() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p" "$directory/vhostuser.json"; }

[ "$directory/$(field vhostname)" = "$socket" ] || { echo "vhostuser.json and the variable disagree on the socket"; exit 1; }
nic=net_virtio_user0,path=$socket,mac=$(field vhostmac)
case $(field mode) in
  server) nic=$nic,server=1 ;;
  client) ;;
  *) echo "vhostuser.json has no mode"; exit 1 ;;
esac
# Its memory is shared with the switch, in one piece because the protocol allows for eight. The statistics keep it from
# waiting for the Enter key.
exec /usr/local/bin/dpdk-testpmd --lcores '0@(0-1),1@(0-1)' -m 64 --in-memory --single-file-segments --no-pci --no-telemetry \
  --vdev "$nic" -- --forward-mode=icmpecho --total-num-mbufs=2048 --no-mlockall --stats-period=5
