#!/usr/bin/env bash
# Fuzzes each target for some seconds, on stable Rust with its unstable flags unlocked.
set -euo pipefail
seconds=${1:?seconds}
export RUSTC_BOOTSTRAP=1
for target in domain inputs; do
	dict=$([ "$target" = domain ] && echo xml || echo json)
	mkdir -p "fuzz/corpus/$target"
	cargo fuzz run "$target" "fuzz/corpus/$target" "fuzz/seeds/$target" -- \
		-max_total_time="$seconds" -max_len=16384 -timeout=10 -dict="fuzz/$dict.dict"
done
