#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Runs the harness of recordings for FUZZ_SECONDS (default 60), the others, which are a hundred
# times as fast, for a third of it beside it, from their corpora with libFuzzer, ASan and UBSan;
# where clang has no libFuzzer, over the corpora alone. Prints TAP.
# Called by `make fuzz`, and by tests/run.sh. What makes one fail stays in
# .output/fuzz/ as crash-*: put it into the corpus with the fix.
set -uo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")" || exit 1
out=$(cd ../.. && realpath -m "${O:-.output}")
seconds=${FUZZ_SECONDS:-60}
names=(recording filter options config)

# The recording's corpus is made from the golden one, whose layout it must have.
seed() {
	local corpus=$1 name=$2 bytes
	mkdir -p "$corpus"
	if [ "$name" != recording ]; then
		cp corpus/"$name"/* "$corpus"/
		return
	fi
	cp ../golden/v*/recording "$corpus"/
	for bytes in 0 8 40 800 900 1500 2000; do
		head -c "$bytes" ../golden/v1/recording >"$corpus/cut-$bytes"
	done
}

# What the harness said goes to its log; the last line that counts into the test's name.
fuzz() {
	local name=$1 work=$out/fuzz/$1 status=0 time=$(((seconds + 2) / 3))
	[ "$name" != recording ] || time=$seconds
	rm -rf "$work"
	seed "$work" "$name"
	if [ -x "$out/fuzz/fuzz_$name" ]; then
		(cd "$out/fuzz" && ./fuzz_"$name" -max_total_time="$time" -max_len=16384 \
			-timeout=10 -rss_limit_mb=1024 -print_final_stats=1 "$work") \
			>"$work.log" 2>&1 || status=$?
		said="$(sed -n 's/^stat::number_of_executed_units: *//p' "$work.log") inputs"
	else
		"$out/asan/tests/fuzz/fuzz_$name" "$work"/* >"$work.log" 2>&1 || status=$?
		said="$(tail -n 1 "$work.log"), the corpus alone: no libFuzzer here"
	fi
	return "$status"
}

# Says what came of it, last of all, in NAME.said.
fuzz_and_say() {
	local status=0
	fuzz "$1" || status=$?
	printf '%d %s\n' "$status" "$said" >"$out/fuzz/$1.said"
}

printf '1..%d\n' ${#names[@]}
number=0 failed=0
mkdir -p "$out/fuzz"
rm -f "$out"/fuzz/*.said
fuzz_and_say recording &
for name in "${names[@]:1}"; do fuzz_and_say "$name"; done
wait
for name in "${names[@]}"; do
	number=$((number + 1))
	read -r status said <"$out/fuzz/$name.said"
	if [ "$status" = 0 ]; then
		printf 'ok %d - %s: %s\n' "$number" "$name" "$said"
	else
		failed=1
		printf 'not ok %d - %s\n' "$number" "$name"
		# what was wrong and where, and the input
		{
			grep -m 1 -A 12 'ERROR: \|runtime error: ' "$out/fuzz/$name.log"
			tail -n 12 "$out/fuzz/$name.log"
		} | sed 's/^/# /'
	fi
done
[ "$failed" = 0 ]
