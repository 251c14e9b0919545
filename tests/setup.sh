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
	DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends "${missing[@]}"
}

# A cargo tool at the version this project is tested with.
tool() {
	local name=$1 version=$2
	command -v "$name" >/dev/null && "$name" --version 2>/dev/null | grep -qF "$version" && return 0
	cargo install --locked --version "$version" "$name"
}

case ${1:?unit, deny or fuzz} in
unit) packages util-linux iproute2 ;;
deny) tool cargo-deny 0.20.2 ;;
fuzz)
	packages g++
	tool cargo-fuzz 0.13.2
	;;
*)
	echo "setup.sh: nothing is known of '$1'" >&2
	exit 2
	;;
esac
