#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Options and operands: what is right is taken, what is wrong gives one clear line and status 2.

load common

@test "--help: every command and every option, within 80 columns, status 0" {
	synfin --help
	[ "$status" -eq 0 ]
	[ -z "$err" ]
	for word in trace conns doctor --output --pid --comm --port --host --role --netns --duration \
		--count --quiet --version FILTER "Exit status"; do
		[[ $out == *"$word"* ]] || { echo "missing: $word"; return 1; }
	done
	absent -nE '^.{81,}' "$BATS_TEST_TMPDIR/out"
}

@test "--version: one line, status 0" {
	synfin --version
	[ "$status" -eq 0 ]
	[[ $out =~ ^synfin\ [0-9]+\.[0-9]+\.[0-9]+$ ]]
}

@test "an unknown option is named" {
	synfin --no-such-option
	[ "$status" -eq 2 ]
	one_clear_line
	[[ $err == *--no-such-option* ]]
}

@test "an option without its value" {
	synfin --port
	[ "$status" -eq 2 ]
	one_clear_line
	[[ $err == *port* ]]
}

@test "numbers out of range or not numbers" {
	for bad in "--port 0" "--port 65536" "--port http" "--pid 0" "--pid -5" "-C 0" "-C x" "-d 0" \
		"-d fast" "--buffer 1" "--max-connections 1" "--lport 99999" "--min-age 5y"; do
		# shellcheck disable=SC2086 # two words
		synfin $bad
		[ "$status" -eq 2 ] || { echo "$bad: status $status"; return 1; }
		one_clear_line
	done
}

@test "an unknown format lists the known ones" {
	synfin -o xml
	[ "$status" -eq 2 ]
	one_clear_line
	[[ $err == *table* && $err == *json* && $err == *csv* ]]
}

@test "bad filter options say what would be right" {
	synfin --role caller
	[ "$status" -eq 2 ]
	one_clear_line
	[[ $err == *client* ]]
	synfin --host 10.0.0.1/8
	[ "$status" -eq 2 ]
	one_clear_line
	[[ $err == *10.0.0.0/8* ]]
	synfin --state dreaming
	[ "$status" -eq 2 ]
	one_clear_line
	synfin --netns no-such-namespace
	[ "$status" -eq 2 ]
	one_clear_line
	synfin --comm a-name-that-is-too-long
	[ "$status" -eq 2 ]
	one_clear_line
	synfin -4 -6
	[ "$status" -eq 2 ]
	one_clear_line
}

@test "--netns takes only what is a network namespace" {
	mkfifo "$BATS_TEST_TMPDIR/fifo" # opened, it would wait for ever
	for bad in /etc/passwd /dev/null / "$BATS_TEST_TMPDIR/fifo" /proc/self/ns/uts "" .. \
		/no/such/file 0 4294967296 -1; do
		synfin --netns "$bad" -d 100ms
		[ "$status" -eq 2 ] || { echo "'$bad': status $status"; return 1; }
		one_clear_line
		[[ $err == *--netns* ]]
	done
}

@test "a filter option given twice is refused, another one: the last counts" {
	for bad in "-p 5 -p 6" "--port 1 --port=2" "-c a --comm b" "--host 10.0.0.1 --host ::1" \
		"--min-age 1s --min-age 2s"; do
		# shellcheck disable=SC2086 # words
		synfin $bad -d 100ms
		[ "$status" -eq 2 ] || { echo "$bad: status $status"; return 1; }
		one_clear_line
		[[ $err == *twice* ]]
	done
	synfin -T utc -T nothing -T local
	[ "$status" -eq 2 ]
	synfin -4 -4 -o json -o csv -T utc -T local --version
	[ "$status" -eq 0 ]
}

@test "an empty value is shown as one" {
	for option in -o -d -C --port --buffer; do
		synfin "$option" ""
		[ "$status" -eq 2 ]
		one_clear_line
		[[ $err == *"$option ''"* ]]
	done
	for option in --role --state --host --comm; do
		synfin "$option" ""
		[ "$status" -eq 2 ]
		one_clear_line
	done
}

@test "a bad filter expression is pointed at" {
	for bad in "port" "port 80 and" "( port 80" "port 80 )" "prot 80" "port 80 host 1.2.3.4" \
		"handshake > soon" "not" "pid x" "host 300.1.1.1"; do
		# shellcheck disable=SC2086 # words, as a user types them
		synfin trace $bad
		[ "$status" -eq 2 ] || { echo "$bad: status $status"; return 1; }
		one_clear_line
	done
}

@test "a mistyped command: the line names the commands" {
	synfin tarce
	[ "$status" -eq 2 ]
	one_clear_line
	[[ $err == *trace* && $err == *conns* && $err == *doctor* && $err == *--help* ]]
}

@test "doctor takes no operand" {
	synfin doctor port 80
	[ "$status" -eq 2 ]
	one_clear_line
}

@test "doctor refuses options that it does not heed" {
	for bad in "-o json" "-d 5" "-C 5" "-p 5" "-4" "--min-age 1s"; do
		# shellcheck disable=SC2086 # words
		synfin doctor $bad
		[ "$status" -eq 2 ] || { echo "$bad: status $status"; return 1; }
		one_clear_line
	done
}

@test "a hostile option value cannot drive the terminal" {
	synfin -o $'\e[31mred'
	[ "$status" -eq 2 ]
	absent -q $'\e' "$BATS_TEST_TMPDIR/err"
	synfin trace $'port\e[2J'
	[ "$status" -eq 2 ]
	absent -q $'\e' "$BATS_TEST_TMPDIR/err"
	synfin doctor $'\e[2J'
	[ "$status" -eq 2 ]
	absent -q $'\e' "$BATS_TEST_TMPDIR/err"
}

@test "help into a full device is a failure, not a success" {
	status=0
	"$SYNFIN" --help >/dev/full 2>"$BATS_TEST_TMPDIR/err" || status=$?
	[ "$status" -eq 1 ]
	grep -q "No space left" "$BATS_TEST_TMPDIR/err"
}
