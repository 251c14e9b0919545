#!/usr/bin/env bash
# loaded.sh: the tests while every core is busy with something else, as on a node or a shared CI machine. A test that compares
# a measured time, or looks too soon, fails here.
#
#   UNIT_RUNS, DATAPLANE_RUNS  how often (default 10 and 2)
#   LOADED_DIR                 where the output of each run is kept (default target/loaded)
set -uo pipefail
cd "$(dirname "$0")/.."
dir=${LOADED_DIR:-target/loaded}
mkdir -p "$dir"

# What must be compiled is compiled before: it is the tests that are to share the cores.
make --no-print-directory programs && cargo test --locked --workspace --no-run || exit

burners=()
trap 'kill "${burners[@]}" 2>/dev/null' EXIT
for _ in $(seq "$(nproc)"); do
	nice -n 0 sh -c 'while :; do :; done' &
	burners+=($!)
done

failed=0
run() {
	local target=$1 count=$2 number log started result
	for number in $(seq "$count"); do
		log=$dir/$target-$number.log started=$SECONDS result=passed
		make --no-print-directory "$target" >"$log" 2>&1 || { result="FAILED: $log" && failed=$((failed + 1)); }
		summary+=("$(printf '%-10s %2d  %5d s  %s' "$target" "$number" $((SECONDS - started)) "$result")")
		echo "${summary[-1]}"
	done
}
summary=()
run unit "${UNIT_RUNS:-10}"
run cni-on-ovs "${DATAPLANE_RUNS:-2}"
run dataplane "${DATAPLANE_RUNS:-2}"

echo "under load ($(nproc) loops on as many cores):"
printf '%s\n' "${summary[@]}"
echo "$failed failed"
[ "$failed" = 0 ]
