#!/bin/sh
# switch.sh ro|rw:HOST_DIR:CONTAINER_DIR COMMAND...: the container of the switch's pod, in its own mount namespace. It has of
# the node's vhost-user directories what the device plugin's resource for it mounts, as it was when the container started.
set -eu
/opt/mounts.sh "$1"
shift
exec "$@"
