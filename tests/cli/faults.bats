#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# What may happen to synfin and round it: a reader that stands still, tables that are full, too little
# of what it needs, processes and namespaces that come and go, SIGKILL, a flood. Needs root.

load common

export SYNFIN SFGEN=${SFGEN:-$BATS_TEST_DIRNAME/../../.output/tests/sfgen}

# fault NAME: what is played and judged in faults_stage.py
fault() { timeout -k 5 150 "$BATS_TEST_DIRNAME/faults_stage.py" "$1"; }

teardown() {
	[ -z "${pid:-}" ] || kill -9 "$pid" 2>/dev/null || true
	lines_are_valid
}

@test "the reader stands still under load: what is shown and what is counted lost is what happened" {
	fault stands_still
}

@test "the table of connections is full: each end is told or counted, what is told is true" {
	fault map_full
}

@test "two synfins at once, then ten: each tells all" {
	fault crowd
}

@test "network namespaces come and go by the hundred: each connection is told, memory is flat" {
	fault namespaces
}

@test "two processes of one id: each has its own connection" {
	fault pid_reuse
}

@test "SIGKILL at any moment, under load: nothing is left in the kernel" {
	fault killed
}

@test "50,000 half-open handshakes, 50,000 SYN cookies: memory is flat, who connects is told" {
	fault flood
}

@test "processes end while it is looked up what they hold" {
	fault vanishing
}

# ends_well_or_says REGEX: of $status, $out and $err
ends_well_or_says() {
	case $status in
	0 | 3) absent -i libbpf "$BATS_TEST_TMPDIR/err" ;;
	1) out='' one_clear_line && [[ $err =~ $1 ]] ;;
	*) false ;;
	esac || { echo "status $status: $err"; return 1; }
}

# limited ULIMIT ARGUMENT...: a synfin that ends by itself, with this limit; -q, so that only errors are said
limited() {
	local limit=$1 ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0 # which takes descriptors, and /proc
	shift
	status=0
	# shellcheck disable=SC2086 # words
	(ulimit $limit && exec "$SYNFIN" -q "$@") >/dev/null 2>"$BATS_TEST_TMPDIR/err" </dev/null 3>&- ||
		status=$?
	err=$(<"$BATS_TEST_TMPDIR/err")
}

@test "too few descriptors, wherever they end: one line with the remedy, no lower tier" {
	local n
	for n in 4 5 6 8 14 30; do
		limited "-n $n" trace -d 50ms
		[ "$status" = 1 ] || { echo "$n: status $status: $err"; return 1; }
		ends_well_or_says "'ulimit -n 1024'"
	done
	for n in 4 5 6 8 10 14; do
		limited "-n $n" stuck
		ends_well_or_says "'ulimit -n 1024'"
		limited "-n $n" listeners --no-bpf
		ends_well_or_says "'ulimit -n 1024'"
	done
}

@test "too little memory, wherever it ends: one line, or it works" {
	local kb
	limited "-v 80000" --version
	[ "$status" = 0 ] || skip "not even its libraries fit, as with ASan"
	for kb in 16000 24000 32000 40000 56000 80000; do
		limited "-v $kb" --version
		[ "$status" = 0 ] || continue # not even its libraries are loaded
		limited "-v $kb" trace -d 50ms
		ends_well_or_says 'emory'
		limited "-v $kb" stuck
		ends_well_or_says 'emory'
	done
}

@test "without tracefs and debugfs it traces as with them" {
	# shellcheck disable=SC2016 # for the other bash
	unshare -m bash -ec 'for place in /sys/kernel/tracing /sys/kernel/debug; do
		mount -t tmpfs none $place
	done
	exec "$@"' - "$SYNFIN" trace -v -d 300ms >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err"
	"$SYNFIN" trace -d 50ms >/dev/null 2>"$BATS_TEST_TMPDIR/with"
	diff <(grep tracing "$BATS_TEST_TMPDIR/err") <(grep tracing "$BATS_TEST_TMPDIR/with")
}

@test "without /proc: one line, status 1" {
	local command ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0
	for command in "trace -d 1" stuck "stuck --no-bpf"; do
		status=0
		# shellcheck disable=SC2086 # words
		unshare -m bash -ec 'mount -t tmpfs none /proc && exec "$@"' - "$SYNFIN" $command \
			>"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" </dev/null || status=$?
		# shellcheck disable=SC2034 # one_clear_line reads it
		out=$(<"$BATS_TEST_TMPDIR/out")
		err=$(<"$BATS_TEST_TMPDIR/err")
		[ "$status" = 1 ] || { echo "$command: status $status: $err"; return 1; }
		one_clear_line
		[[ $err == */proc* ]]
	done
}

# fake_clock CLOCK SECONDS FILE: a library that sets this clock on, once the file is there: $fake
fake_clock() {
	fake=$BATS_TEST_TMPDIR/fake.so
	gcc -shared -fPIC -x c -DCLOCK="$1" -DBY="$2" -DONCE="\"$3\"" -o "$fake" - <<-'EOF'
		#define _GNU_SOURCE
		#include <sys/syscall.h>
		#include <time.h>
		#include <unistd.h>

		int clock_gettime(clockid_t id, struct timespec *ts)
		{
			int r = (int)syscall(SYS_clock_gettime, id, ts);

			if (id == CLOCK && !access(ONCE, F_OK))
				ts->tv_sec += BY;
			return r;
		}
	EOF
}

# start_with_fake ARGUMENT...
start_with_fake() {
	set -m
	ASAN_OPTIONS=${ASAN_OPTIONS:-}:verify_asan_link_order=0 LD_PRELOAD=$fake \
		"$SYNFIN" "$@" >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" </dev/null 3>&- &
	pid=$!
	set +m
	wait_for_text "$BATS_TEST_TMPDIR/err" "^synfin: tracing"
}

# off_by FIRST LAST: the newest line's time is so many seconds from now
off_by() {
	local off
	off=$(tail -n 1 "$BATS_TEST_TMPDIR/out" | python3 -c '
import datetime, json, sys
then = json.load(sys.stdin)["time"]
print(round(datetime.datetime.fromisoformat(then[:26] + "+00:00").timestamp() -
            datetime.datetime.now().timestamp()))')
	echo "off by $off s"
	[ "$off" -ge "$1" ] && [ "$off" -le "$2" ]
}

# knock_once: and waits for its two lines
knock_once() {
	local end=$((SECONDS + 20)) lines
	lines=$(wc -l <"$BATS_TEST_TMPDIR/out")
	knock
	until [ "$(wc -l <"$BATS_TEST_TMPDIR/out")" -ge $((lines + 2)) ]; do
		[ "$SECONDS" -lt "$end" ] || return 1
		sleep 0.05
	done
}

@test "the wall clock is set: the times follow within a second or two" {
	fake_clock CLOCK_REALTIME 3600 "$BATS_TEST_TMPDIR/stepped"
	start_with_fake trace -o json --rport 1
	knock_once
	off_by -20 20
	touch "$BATS_TEST_TMPDIR/stepped"
	local end=$((SECONDS + 10))
	until knock_once && off_by 3580 3620; do
		[ "$SECONDS" -lt "$end" ]
		sleep 0.2
	done
	kill -INT "$pid"
	wait "$pid"
}

@test "-d beyond what the clock holds does not end it" {
	# as on a host that has been up for more than a day
	fake_clock CLOCK_BOOTTIME 100000 /
	start_with_fake trace -C 1 -c nobody-at-all -d 213503d
	# it would have ended after 10 ms; it does not within a second
	status=0
	timeout 1 tail --pid="$pid" -f /dev/null || status=$?
	[ "$status" -eq 124 ]
	kill -INT "$pid"
	wait "$pid"
}

@test "in a time namespace its times are this host's" {
	unshare --time true || skip "no time namespaces here"
	unshare --time --boottime 100000 --monotonic 200000 --fork --kill-child \
		"$SYNFIN" trace -o json --rport 1 -C 2 >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" 3>&- &
	pid=$!
	wait_for_text "$BATS_TEST_TMPDIR/err" "^synfin: tracing"
	knock
	wait "$pid"
	off_by -20 20
}
