#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The kernel matrix: tests/net, driven in a guest of each stock kernel, in each tier of hooks, and
# judged here on the host. Prints TAP, numbered through. One guest runs at a time, beside the judge
# of the one before: two together take 1.5 times the processor time (their emulated processors wait
# for each other while one stands), and synfin is skipped more often.
#
#     matrix.sh [KERNEL...]     default: all. TIERS="full kprobe" for some tiers only
#
# Finds in its environment: SYNFIN, SYNFIN_STATIC, SFGEN (programs). What guests wrote is kept in
# .output/check/vm/KERNEL/TIER when a check failed.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=lib.sh disable=SC1091
. tests/vm/lib.sh

out=${O:-.output}
export SYNFIN=${SYNFIN:-$PWD/$out/synfin} SYNFIN_STATIC=${SYNFIN_STATIC:-$PWD/$out/synfin-static}
export SFGEN=${SFGEN:-$PWD/$out/tests/sfgen}
read -ra tiers <<<"${TIERS:-full kprobe tracepoints}"
kernels=("$@")
[ $# -gt 0 ] || kernels=("${VM_KERNELS[@]}")
results=$out/check/vm

# drive KERNEL: the guest's part; leaves $results/KERNEL/{TIER/,log,status}
drive() {
	local dir=$results/$1 status=0 try

	# 125: QEMU, or a kernel that panicked while booting in it, not what is tested; once more
	for try in 1 2; do
		[ "$try" = 1 ] || [ "$status" = 125 ] || break
		status=0
		drive_once "$1" "$dir" || status=$?
	done
	echo "$status" >"$dir/status"
}

# judge_tiers KERNEL: the judge's part; leaves $results/KERNEL/TIER.{verdict,rc}
judge_tiers() {
	local tier

	for tier in "${tiers[@]}"; do
		judge_tier "$tier" "$results/$1"
	done
}

# judge_tier TIER DIR: leaves DIR/TIER.verdict and .rc
judge_tier() {
	local rc=0

	SLOW=1 python3 tests/net/check.py "$2/$1" "$1" "$(cat "$2/uname" 2>/dev/null)" \
		>"$2/$1.verdict" 2>&1 || rc=$?
	echo "$rc" >"$2/$1.rc"
}

drive_once() {
	local dir=$2

	rm -rf "$dir"
	mkdir -p "$dir"
	tests/vm/run "$1" --timeout 1500 --out "$dir" --module tun \
		--bin "$SYNFIN" --file "$SYNFIN_STATIC:/usr/bin/synfin-static" --file "$SFGEN:/usr/bin/sfgen" \
		--file tests/net/drive.sh:/usr/bin/drive.sh \
		--file tests/vm/guest.sh:/usr/bin/guest.sh \
		--file tests/vm/stuck.sh:/usr/bin/stuck.sh \
		--file "$python:/usr/bin/python3" --file "$results/python.zip:/usr/lib/python.zip" \
		--file tests/net/scenes.py:/usr/lib/scenes.py \
		--file tests/net/phantom.py:/usr/lib/phantom.py \
		--file tests/net/scene.py:/usr/lib/scene.py \
		--file tests/net/time_wait.py:/usr/lib/time_wait.py \
		--file tests/net/hotplug.py:/usr/lib/hotplug.py \
		--file tests/net/half_open.py:/usr/lib/half_open.py \
		--file tests/net/skipped.py:/usr/lib/skipped.py \
		--file tests/net/wire.py:/usr/lib/wire.py --bin tcpdump \
		-- bash /usr/bin/guest.sh "${tiers[@]}" >"$dir/log" 2>&1 </dev/null
}

number=0

# tap PREFIX: passes TAP lines on with numbers of ours; says how many, and if any failed
tap() {
	local line
	while IFS= read -r line; do
		if [[ $line =~ ^(ok|not\ ok)\ [0-9]+\ -\ (.*)$ ]]; then
			number=$((number + 1))
			printf '%s %d - %s: %s\n' "${BASH_REMATCH[1]}" "$number" "$1" "${BASH_REMATCH[2]}"
		elif [[ $line == "Bail out!"* || $line == \#* ]]; then
			printf '# %s\n' "$line"
		fi
	done
}

# judged_there PREFIX TAP: what the guest has judged itself; it must have come to its end
judged_there() {
	tap "$1" <"$2"
	if ! grep -q '^1\.\.' "$2"; then
		number=$((number + 1))
		printf 'not ok %d - %s: %s came to its end\n' "$number" "$1" "${2##*/}"
		sed 's/^/# /' "$2" | tail -n 10
		return 1
	fi
	! grep -q '^not ok' "$2"
}

# judge_lines KERNEL WHAT FILE: "ok ..." and "not ok ..." that the guest wrote of WHAT
judge_lines() {
	local failed=0 line

	while IFS= read -r line; do
		case $line in
		'ok '*) ;;
		'not ok '*) failed=1 ;;
		*)
			printf '# %s\n' "$line"
			continue
			;;
		esac
		number=$((number + 1))
		printf '%s %d - %s %s: %s\n' "${line%%ok *}ok" "$number" "$1" "$2" "${line#*ok }"
	done <"$3"
	if ! grep -q 'ok ' "$3"; then
		number=$((number + 1))
		printf 'not ok %d - %s %s: it ran\n' "$number" "$1" "$2"
		failed=1
	fi
	return "$failed"
}

# judge KERNEL: prints what was found
judge() {
	local kernel=$1 dir=$results/$1 tier what failed=0 verdict rc

	number=$((number + 1))
	if [ "$(cat "$dir/status")" = 0 ]; then
		printf 'ok %d - %s: the guest ran to its end\n' "$number" "$kernel"
	else
		printf 'not ok %d - %s: the guest ended with status %s\n' "$number" "$kernel" \
			"$(cat "$dir/status")"
		sed 's/^/# /' "$dir/log" | tail -n 20
		failed=1
	fi
	for tier in "${tiers[@]}"; do
		verdict=$dir/$tier.verdict
		rc=$(cat "$dir/$tier.rc")
		tap "$kernel $tier" <"$verdict"
		judged_there "$kernel $tier" "$dir/$tier/scenes.tap" || failed=1
		[ "$tier" != full ] || judged_there "$kernel $tier" "$dir/$tier/wire.tap" || failed=1
		# whatever stopped the judge is a failure of its own
		if [ "$rc" -gt 1 ] || ! grep -q '^1\.\.' "$verdict" || { [ "$rc" = 1 ] && ! grep -q '^not ok' "$verdict"; }; then
			number=$((number + 1))
			printf 'not ok %d - %s %s: the judge came to an end\n' "$number" "$kernel" "$tier"
			sed 's/^/# /' "$verdict" | tail -n 10
		fi
		[ "$rc" = 0 ] || failed=1
	done
	for what in doctor stuck half_open skipped hotplug time_wait; do
		judge_lines "$kernel" "$what" "$dir/$what" || failed=1
	done
	[ "$failed" = 1 ] || rm -rf "$dir"
	return "$failed"
}

tests/vm/kernels.sh "${kernels[@]}" >/dev/null
mkdir -p "$results"
# Debian's own, where there is one: with most of the C modules built in
python=$(readlink -f /usr/bin/python3 || command -v python3)
"$python" tests/vm/pyzip.py "$results/python.zip" \
	tests/net/scenes.py tests/net/wire.py tests/net/time_wait.py tests/net/hotplug.py \
	tests/net/half_open.py tests/net/skipped.py
for kernel in "${kernels[@]}"; do
	drive "$kernel"
	judge_tiers "$kernel" &
done
wait
for kernel in "${kernels[@]}"; do
	judge "$kernel" || true
done
echo "1..$number"
