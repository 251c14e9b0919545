#!/usr/bin/env bash
# Installs what a group of tests needs and is not there yet: Debian packages and cargo tools.
set -euo pipefail

# Debian packages, only those that are missing.
packages() {
	local missing=()
	for package in "$@"; do
		dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q ' installed$' || missing+=("$package")
	done
	((${#missing[@]})) || return 0
	apt-get update -q
	# What the machine has is not given up for it, such as another container runtime.
	DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends --no-remove "${missing[@]}"
}

# A cargo tool at the version this project is tested with.
tool() {
	local name=$1 version=$2
	command -v "$name" >/dev/null && "$name" --version 2>/dev/null | grep -qF "$version" && return 0
	cargo install --locked --version "$version" "$name"
}

# Programs of Debian 13, the first Debian that has all of them, unpacked into a folder: nothing of theirs is started, another
# kubectl or docker stays what it is, and they need nothing but a C library that Debian 12 has.
unpacked_of_trixie() {
	local dir=${TOOLS_DIR:-/var/tmp/vhostuser-tools} mirror missing=()
	for package in "$@"; do
		[ -e "$dir/$package.unpacked" ] || missing+=("$package")
	done
	((${#missing[@]})) || return 0
	packages debian-archive-keyring
	# What this machine itself uses; nothing is known of it before its first update.
	mirror() { apt-get indextargets --format '$(REPO_URI)' 'Identifier: Packages' 'Label: Debian' | head -n1; }
	mirror=$(mirror)
	[ -n "$mirror" ] || { apt-get update -q && mirror=$(mirror); }
	mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial"
	# Its programs come first in PATH.
	[ -O "$dir" ] || { echo "setup.sh: $dir belongs to another user" >&2; exit 1; }
	echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] ${mirror:?no Debian mirror} trixie main" >"$dir/sources.list"
	local apt=(-q -o "Dir::Etc::SourceList=$dir/sources.list" -o Dir::Etc::SourceParts=/dev/null
		-o "Dir::State::Lists=$dir/lists" -o "Dir::Cache=$dir/cache" -o APT::Sandbox::User=root)
	apt-get "${apt[@]}" update
	for package in "${missing[@]}"; do
		# With the release's name, or apt would look for the version that is installed.
		(cd "$dir" && apt-get "${apt[@]}" download "$package/trixie" && dpkg -x "$package"_*.deb . && rm "$package"_*.deb)
		touch "$dir/$package.unpacked"
	done
}

case ${1:?unit, count, deny, fuzz, image, manifests, documented, reproducible or sbom} in
unit) packages util-linux iproute2 make ;;
count) packages valgrind ;;
deny) tool cargo-deny 0.20.2 ;;
image) packages buildah libcap2-bin util-linux ;;
manifests) unpacked_of_trixie kubectl ;;
documented)
	packages buildah podman util-linux
	command -v runc >/dev/null || packages runc
	unpacked_of_trixie kubectl docker-registry docker.io docker-cli containerd
	;;
reproducible) packages git ;;
sbom)
	command -v jq >/dev/null || packages jq
	tool cargo-cyclonedx 0.5.9
	;;
fuzz)
	packages g++
	tool cargo-fuzz 0.13.2
	;;
*)
	echo "setup.sh: nothing is known of '$1'" >&2
	exit 2
	;;
esac
