#!/usr/bin/env bash
# Builds both images with buildah, in a storage of this run's own, and has tests/image/driver.rs look at what came out.
# Needs root, because images are mounted. No registry is asked: both are made from nothing.
set -euo pipefail
cd "$(dirname "$0")/../.."

work=$(mktemp -d)
# vfs needs neither overlays nor device mapper; the images are some megabytes.
export STORAGE_DRIVER=vfs BUILDAH_ISOLATION=chroot
export REGISTRY=localhost CONTAINER_TOOL="buildah --root $work/storage --runroot $work/run"
trap '$CONTAINER_TOOL umount --all >/dev/null; $CONTAINER_TOOL rm --all >/dev/null; rm -rf "$work"' EXIT

make --no-print-directory image
make --no-print-directory -s image-names | while read -r name image; do
	container=$($CONTAINER_TOOL from --pull-never "$image")
	$CONTAINER_TOOL inspect --type image "$image" >"$work/$name.json"
	ln -s "$($CONTAINER_TOOL mount "$container")" "$work/$name"
done
IMAGES=$work cargo test --locked --test image
