#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Runs the tests, stage after stage, whatever happens to the stage before, and
# adds up what the runners themselves printed (tests/tap.awk). Called by `make
# check`. Logs are in .output/check/STAGE.log; the last line is the sum:
#
#     N passed, N failed, N skipped         exit 1 if anything failed
#
#     run.sh [STAGE...]     default: lint build unit cli golden fuzz net soak vm (golden, fuzz, soak if they are
#                           there)
#
# A runner is any program that prints TAP on standard output. It finds in its
# environment: SYNFIN, SYNFIN_STATIC, SYNFIN_SANITIZED and SFGEN (programs, absolute paths).
# CHECK_TIMEOUT is the longest time for one runner, default 45m.
# SANITIZE=1: SYNFIN is the one with ASan and UBSan; vm, whose programs are static, is left out.
set -uo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
out=${O:-.output}
logs=$out/check
jobs=$(nproc 2>/dev/null || echo 1)
make=("${MAKE_COMMAND:-make}" --no-print-directory -j"$jobs" "O=$out")
SYNFIN=$(realpath -m "$out/synfin")
SYNFIN_STATIC=$(realpath -m "$out/synfin-static")
SYNFIN_SANITIZED=$(realpath -m "$out/asan/synfin")
SFGEN=$(realpath -m "$out/tests/sfgen")
if [ "${SANITIZE:-0}" = 1 ]; then
	SYNFIN=$SYNFIN_SANITIZED
fi
# No status of synfin's own may stand for a finding.
export ASAN_OPTIONS=${ASAN_OPTIONS:-exitcode=66} UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}
export SYNFIN SYNFIN_STATIC SYNFIN_SANITIZED SFGEN LC_ALL=C.UTF-8
# The system's own python3 has what deps.sh installs; a version manager's takes 0.3 s more each time.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin:$PATH
# The caller's make, and a bats that tests us, stay out of what we run.
unset MAKEFLAGS MFLAGS MAKELEVEL STAGES "${!BATS_@}"

passed=0 failed=0 skipped=0
runner_group= # process group of the runner under way

count() {
	passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + $3))
}

# Adds one failure that no runner could report.
fail() {
	printf 'not ok - %s: %s\n' "$stage" "$1" | tee -a "$logs/$stage.log"
	printf 'fail %s: %s\n' "$stage" "$1" >>"$logs/events"
	count 0 1 0
}

# Ends what a runner left running, and on an interrupt the runner itself.
end_runner() {
	[ -z "$runner_group" ] || kill -TERM -- "-$runner_group" 2>/dev/null
	runner_group=
}
trap 'end_runner; printf "%s\n" "interrupted"; exit 130' INT TERM HUP

# run NAME COMMAND...: one runner. It gets a process group of its own, so that it can be ended
# with all its children, and files, not pipes: a child it forgets cannot hold us up.
run() {
	local name=$1 tap=$logs/$stage.tap err=$logs/$stage.err status watch sums line
	shift
	printf '# %s\n' "$name" | tee -a "$logs/$stage.log"
	: >"$tap"
	: >"$err"
	set -m # or the runner would ignore SIGINT
	timeout -k 10 "${CHECK_TIMEOUT:-45m}" "$@" >"$tap" 2>"$err" </dev/null &
	runner_group=$!
	set +m
	tail -q -n +1 -s 0.2 --pid="$runner_group" -f "$tap" "$err" 2>/dev/null &
	watch=$!
	wait "$runner_group"
	status=$?
	end_runner
	wait "$watch"
	cat "$tap" "$err" >>"$logs/$stage.log"
	sums=
	while read -r line; do
		case $line in
		'count '*) sums=${line#count } ;;
		*) printf '%s\n' "$line" >>"$logs/events" ;;
		esac
	done < <(awk -v runner="$stage, $name" -v status="$status" -f tests/tap.awk "$tap")
	rm -f "$tap" "$err"
	if [[ $sums =~ ^[0-9]+\ [0-9]+\ [0-9]+$ ]]; then
		# shellcheck disable=SC2086 # three numbers
		count $sums
	else
		fail "$name could not be counted"
	fi
}

# build TARGET...: what a stage needs; its failure is a failure, not a reason to stop.
build() {
	if ! "${make[@]}" -k "$@" >"$logs/$stage.make" 2>&1 </dev/null; then
		cat "$logs/$stage.make"
		fail "make $* failed"
	fi
	cat "$logs/$stage.make" >>"$logs/$stage.log"
	rm -f "$logs/$stage.make"
}

# bats_in FOLDER: its .bats files; none there is a failure.
bats_in() {
	local files=("tests/$1"/*.bats)
	if [ -e "${files[0]}" ]; then
		run "tests/$1" bats --formatter tap "${files[@]}"
	else
		fail "no tests/$1/*.bats"
	fi
}

# script PATH: a runner of our own.
script() {
	if [ -x "$1" ]; then
		run "$1" "$1"
	else
		fail "no $1 to run"
	fi
}

stage_lint() { script tests/lint.sh; }
stage_build() { bats_in build; }

stage_unit() {
	local source test
	build unit WERROR=1
	for source in tests/unit/test_*.c; do
		if [ ! -e "$source" ]; then
			fail "no tests/unit/test_*.c"
			continue
		fi
		test=$out/asan/${source%.c}
		if [ -x "$test" ] && [ "$test" -nt "$source" ]; then
			CMOCKA_MESSAGE_OUTPUT=TAP run "$(basename "$test")" "$test"
		else
			fail "$source was not built"
		fi
	done
}

# With the flags of unit, or all would be compiled again.
build_sanitized() { build sanitized WERROR=1; }

# What SYNFIN is made by, with other targets.
build_program() {
	build all "$@"
	[ "${SANITIZE:-0}" != 1 ] || build_sanitized
}

stage_cli() {
	build all static sfgen bench-parts
	build_sanitized # for a test of its own
	bats_in cli
}

stage_golden() {
	build_program
	bats_in golden
}

stage_fuzz() {
	build fuzzers
	script tests/fuzz/run.sh
}

stage_net() {
	build_program sfgen
	script tests/net/run.sh
}

# Three minutes of what is left on for months; by hand: soak.py --seconds 3600.
stage_soak() {
	build_program sfgen bench-parts
	run tests/bench/soak.py tests/bench/soak.py --build "$out" --seconds "${SOAK_SECONDS:-180}"
}

stage_vm() {
	build all static sfgen
	script tests/vm/matrix.sh
}

# ---- all of it ----

if [ $# = 0 ]; then
	set -- lint build unit cli
	! compgen -G 'tests/golden/*.bats' >/dev/null || set -- "$@" golden
	[ ! -e tests/fuzz/run.sh ] || set -- "$@" fuzz
	set -- "$@" net
	[ ! -e tests/bench/soak.py ] || set -- "$@" soak
	[ "${SANITIZE:-0}" = 1 ] || set -- "$@" vm
fi
rm -rf "$logs/summary" "$logs/events"
mkdir -p "$logs" || exit 1
: >"$logs/events"
lines=()
for stage; do
	before=("$passed" "$failed" "$skipped")
	started=$SECONDS
	printf '\n==== %s ====\n' "$stage"
	rm -f "$logs/$stage".{log,tap,err,make}
	if [ "$(type -t "stage_$stage")" = function ]; then
		"stage_$stage"
	else
		fail "no such stage; there are lint build unit cli golden fuzz net soak vm"
	fi
	if [ $((passed + failed + skipped)) = $((before[0] + before[1] + before[2])) ]; then
		fail "no test ran"
	fi
	lines+=("$(printf '%-7s %5d passed, %3d failed, %3d skipped   %4d s   %s' "$stage" \
		$((passed - before[0])) $((failed - before[1])) $((skipped - before[2])) \
		$((SECONDS - started)) "$logs/$stage.log")")
done

printf '\n==== sum ====\n'
sed -n 's/^skip /skipped: /p' "$logs/events"
sed -n 's/^fail /failed: /p' "$logs/events"
printf '%s\n' "${lines[@]}"
printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped" | tee "$logs/summary"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
