#!/bin/sh
# application.sh VARIABLE=VALUE [ro|rw:HOST_DIR:CONTAINER_DIR...]: the container of a pod that is no VM. In its own mount
# and PID namespaces and the pod's network namespace, with the mounts and the variable that the device plugin asked for.
set -eu
variable=$1
shift
/opt/mounts.sh "$@"
exec setpriv --reuid 107 --regid 107 --clear-groups --inh-caps=-all --bounding-set=-all --no-new-privs \
  env -i PATH="$PATH" "$variable" /opt/testpmd.sh
