#!/usr/bin/env bash
# sbom.sh FILE: what the three programs are made of, as CycloneDX JSON. Of the crates in Cargo.lock those that are linked into
# or build the programs on the target that is built: no development dependencies.
set -euo pipefail
cd "$(dirname "$0")/.."

# cargo-cyclonedx writes beside each package's Cargo.toml; three of the packages are programs.
name=.sbom-$$
trap 'find . -path ./target -prune -o -name "$name*.json" -exec rm -f {} +' EXIT
cargo cyclonedx --quiet --format json --spec-version 1.5 --target x86_64-unknown-linux-gnu --override-filename "$name"
mkdir -p "$(dirname "$1")"

# The sidecar's, to which the other two programs and what they are made of are added. A package's place is told from the
# repository's root.
jq --slurp '
  def placed(folder): if .purl then .purl |= sub("file://\\.(?<rest>$|#)"; "file://\(folder)\(.rest)") else . end;
  .[1].metadata.component |= placed("crates/device-plugin") | .[2].metadata.component |= placed("crates/cni")
  | .[1:] |= map(.metadata.component.components = [])
  | . as $all | $all[0]
  | .components = ([$all[].components[], $all[1:][].metadata.component] | unique_by(."bom-ref"))
  | .dependencies = ([$all[].dependencies[]] | group_by(.ref)
      | map({ref: .[0].ref} + ([.[].dependsOn // [] | .[]] | unique | if . == [] then {} else {dependsOn: .} end)))
  | .components |= map(if .purl then .purl |= sub("file://\\.\\./"; "file://crates/") else . end)
' "$name.json" "crates/device-plugin/$name.json" "crates/cni/$name.json" |
	# Its references name this directory, which is nobody's business and would make two SBOMs differ.
	sed "s|path+file://$PWD|path+file:///vhostuser/src|g" >"$1"
