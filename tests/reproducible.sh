#!/usr/bin/env bash
# Builds the binaries here, and of the same sources in a directory of another name and length, and compares their bytes.
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
copy=$work/another-directory/with/a/longer/name
mkdir -p "$copy"
git -c safe.directory="*" ls-files -z --cached --others --exclude-standard | tar --null -T - -c | tar -x -C "$copy"
CARGO_TARGET_DIR=$work/build make --no-print-directory -C "$copy" build

make --no-print-directory build
for binary in network-vhostuser-binding vhostuser-device-plugin vhostuser; do
	cmp "dist/$binary" "$copy/dist/$binary"
done
(cd dist && sha256sum network-vhostuser-binding vhostuser-device-plugin vhostuser)
echo "the same bytes from two directories"
