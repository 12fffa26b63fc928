# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# What the command-line tests share: where the program is, how to run it with
# standard output and standard error apart, and traffic on loopback.

SYNFIN=${SYNFIN:-$BATS_TEST_DIRNAME/../../.output/synfin}

# Runs synfin with a deadline; leaves $status, $out and $err.
synfin() {
	status=0
	timeout -k 5 30 "$SYNFIN" "$@" >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" </dev/null ||
		status=$?
	out=$(<"$BATS_TEST_TMPDIR/out")
	err=$(<"$BATS_TEST_TMPDIR/err")
}

# One line on standard error, beginning with the program's name; nothing on standard output.
one_clear_line() {
	[ -z "$out" ] || { echo "unexpected output: $out"; return 1; }
	[ "$(wc -l <"$BATS_TEST_TMPDIR/err")" -eq 1 ] || { echo "not one line: $err"; return 1; }
	[[ $err == synfin:\ * ]] || { echo "no prefix: $err"; return 1; }
	[[ $err != *libbpf* ]] || { echo "libbpf's own line: $err"; return 1; }
}

# waits until the file holds the text, 20 s at most
wait_for_text() {
	local end=$((SECONDS + 20))
	until grep -q -- "$2" "$1" 2>/dev/null; do
		[ "$SECONDS" -lt "$end" ] || { echo "no '$2' in $1:"; cat "$1"; return 1; }
		sleep 0.05
	done
}

# One refused connection: each is one connect and one failed event. /dev/tcp is bash's own.
knock() {
	local i
	for ((i = 0; i < ${1:-1}; i++)); do
		(exec 3<>/dev/tcp/127.0.0.1/1) 2>/dev/null || true
	done
}

# absent GREP-ARGUMENTS: what grep must not find
absent() {
	if grep "$@"; then return 1; fi
}

# what a test left running: pids=() in its setup
kill_pids() {
	local pid
	for pid in "${pids[@]}"; do
		kill -9 "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
}

# start_named NAME ARGUMENT...: synfin in the background, NAME.out and NAME.err; waits until it traces
start_named() {
	local name=$1
	shift
	rm -f "$name.err" # of the one before
	set -m
	"$SYNFIN" "$@" >"$name.out" 2>"$name.err" </dev/null 3>&- &
	pid=$!
	set +m
	pids+=("$pid")
	wait_for_text "$name.err" "^synfin: tracing"
}

# Every line of JSON that the test left behind is one that the schema takes. Last in each teardown.
lines_are_valid() {
	! grep -rlqsD skip '^{"schema_version":' "$BATS_TEST_TMPDIR" ||
		"$BATS_TEST_DIRNAME/lines_left.py" "$BATS_TEST_TMPDIR"
}

# For those that have none of their own.
teardown() {
	lines_are_valid
}
