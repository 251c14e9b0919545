#!/usr/bin/env bash
# Builds the binaries of this tree twice, in directories and with target directories of other names and lengths, and
# compares their bytes.
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
sums=()
for copy in one another-directory/with/a/longer/name; do
	mkdir -p "$work/$copy"
	git ls-files -z --cached --others --exclude-standard | tar --null -T - -c | tar -x -C "$work/$copy"
	CARGO_TARGET_DIR=$work/$copy/build make --no-print-directory -C "$work/$copy" build
	sums+=("$(cd "$work/$copy/dist" && sha256sum -- *)")
	# The disk need not hold both.
	rm -rf "$work/$copy"
done
echo "${sums[0]}"
[ "${sums[0]}" = "${sums[1]}" ] || { echo "not the same: ${sums[1]}" >&2; exit 1; }
echo "the same bytes from two directories"
