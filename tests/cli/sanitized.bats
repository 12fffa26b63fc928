#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# A short run of each command with ASan and UBSan, and of two under valgrind; `make check SANITIZE=1`
# runs all tests so. Needs root.

load common

SYNFIN=${SYNFIN_SANITIZED:-$BATS_TEST_DIRNAME/../../.output/asan/synfin}
SFGEN=${SFGEN:-$BATS_TEST_DIRNAME/../../.output/tests/sfgen}

setup() {
	cd "$BATS_TEST_TMPDIR" || return 1
	pids=()
}

teardown() {
	kill_pids
	lines_are_valid
}

@test "ASan and UBSan have nothing to say of any command" {
	nm "$SYNFIN" | grep -q __asan_init
	start_named trace trace -o wide --first-byte
	start_named conns conns -o json
	start_named recording trace -w recording
	start_named ladder ladder
	start_named serve serve --to file:log,rotate=4K --to prometheus:unix:metrics --to syslog:unix:none \
		--to otlp:http://127.0.0.1:1 --log steps
	for scenario in pairs reset halfclose names refused; do
		"$SFGEN" "$scenario" --count 20 --truth truth
	done
	wait_for_text log.1 tcp.close
	curl -sf --unix-socket metrics http://localhost/metrics >page
	for command in stuck "stuck --no-bpf -o json" "listeners -o wide" "listeners -d 200ms" ports doctor; do
		# shellcheck disable=SC2086 # words
		synfin $command
		[[ $status = [03] ]] || { echo "$command: status $status: $err"; return 1; }
	done
	kill -INT "${pids[@]}"
	for pid in "${pids[@]}"; do
		wait "$pid" || { echo "status $?"; cat ./*.err; return 1; }
	done
	for command in "trace -o json" "conns -o csv" "conns -o wide -T delta" ladder; do
		# shellcheck disable=SC2086 # words
		synfin -r recording $command
		[ "$status" = 0 ] || { echo "$command: status $status: $err"; return 1; }
		[ -n "$out" ]
	done
	absent -E 'Sanitizer|runtime error' ./*.err
}

@test "valgrind has nothing to say of a replay, nor of a look without BPF" {
	# Not of BPF: which attributes of bpf() count it does not know.
	local recording=$BATS_TEST_DIRNAME/../golden/v1/recording command
	local plain=${SYNFIN_STATIC:-$BATS_TEST_DIRNAME/../../.output/synfin-static}
	for command in "-r $recording -o wide" "-r $recording conns -o json" "-r $recording ladder" \
		"-r $recording -w copy" "stuck --no-bpf"; do
		status=0
		# shellcheck disable=SC2086 # words
		valgrind -q --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite,indirect \
			"${plain%-static}" -q $command >out 2>err || status=$?
		[[ $status = [03] ]] || { echo "$command: status $status"; cat err; return 1; }
	done
	[ -s copy ]
}
