#!/usr/bin/env bash
# sbom.sh FILE: what the binaries are made of, as CycloneDX JSON. Of the crates in Cargo.lock those that are linked into or
# build the binaries on the target that is built: no development dependencies.
set -euo pipefail
cd "$(dirname "$0")/.."

# cargo-cyclonedx writes beside Cargo.toml, once for each binary; the library is what all of them are made of.
name=.sbom-$$
trap 'rm -f "$name"*.json' EXIT
cargo cyclonedx --quiet --format json --spec-version 1.5 --target x86_64-unknown-linux-gnu --override-filename "$name"
mkdir -p "$(dirname "$1")"
# Its references name this directory, which is nobody's business and would make two SBOMs differ.
sed "s|path+file://$PWD#|path+file:///vhostuser/src#|g" "$name.json" >"$1"
