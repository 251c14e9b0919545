#!/usr/bin/env bash
# Builds both images with buildah, in a storage of this run's own, and has tests/image/driver.rs look at what came out.
# Needs root, because images are mounted. No registry is asked: both are made from nothing.
set -euo pipefail
cd "$(dirname "$0")/../.."

work=$(mktemp -d)
# vfs needs neither overlays nor device mapper; the images are some megabytes.
export BUILDAH_ISOLATION=chroot
buildah="buildah --storage-driver vfs --root $work/storage --runroot $work/run"
settings=(REGISTRY=localhost CONTAINER_TOOL="$buildah")
trap '$buildah umount --all >/dev/null; $buildah rm --all >/dev/null; rm -rf "$work"' EXIT

make --no-print-directory image "${settings[@]}"
make --no-print-directory -s image-names "${settings[@]}" | while read -r name image; do
	container=$($buildah from --pull-never "$image")
	$buildah inspect --type image "$image" >"$work/$name.json"
	ln -s "$($buildah mount "$container")" "$work/$name"
done
IMAGES=$work cargo test --locked --workspace --test image -- --nocapture
