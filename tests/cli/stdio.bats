#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# What standard input, output and error may be: closed, full, stopped, narrow. Needs root.

load common

# stalled [FLAG...] [SIGNAL...] -- ARGUMENTS: leaves $status, $took_ms, $lines and $err
stalled() {
	local how=()
	while [ "$1" != -- ]; do
		how+=("$1")
		shift
	done
	"$BATS_TEST_DIRNAME/stalled.py" "${how[@]}" -- "$SYNFIN" "${@:2}" \
		>"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" 3>&-
	read -r status took_ms lines <"$BATS_TEST_TMPDIR/out"
	err=$(<"$BATS_TEST_TMPDIR/err")
	echo "status $status after $took_ms ms, $lines lines in the pipe; $err"
}

# synfin_to FILE|&- ARGUMENTS: with standard output there; leaves $status, $out (empty) and $err
synfin_to() {
	status=0
	eval '"$SYNFIN" "${@:2}" >'"$1"' 2>"$BATS_TEST_TMPDIR/err"' || status=$?
	out=""
	err=$(<"$BATS_TEST_TMPDIR/err")
}

# what was shown is what the pipe held, what was not is counted and told; $1: how many lines of
# the pipe are no events, $2: how many at least were not written
counts_are_true() {
	[ "$(sed -nE 's/^synfin: ([0-9]+) events shown.*/\1/p' <<<"$err")" -eq $((lines - $1)) ]
	[[ $err =~ standard\ output\ was\ not\ read:\ ([0-9]+)\ events\ could\ not\ be\ written ]]
	[ "${BASH_REMATCH[1]}" -ge "$2" ]
}

@test "a pipe that nobody reads: one SIGINT ends it, what was not written is told" {
	stalled SIGINT -- trace -o json --rport 1
	[ "$status" -eq 1 ]
	[ "$took_ms" -lt 5000 ] # 0.5 s of patience, the rest is a slow machine's
	counts_are_true 0 100
}

@test "a pipe that nobody reads: SIGTERM the same, with tables" {
	stalled SIGTERM -- trace --rport 1
	[ "$status" -eq 1 ]
	[ "$took_ms" -lt 5000 ]
	counts_are_true 1 100
}

@test "a pipe that nobody reads: -d ends it" {
	stalled -- trace -o json --rport 1 -d 3
	[ "$status" -eq 1 ]
	counts_are_true 0 1
}

@test "a pipe that nobody reads: -q still says what is missing" {
	stalled -- trace -o json --rport 1 -d 3 -q
	[ "$status" -eq 1 ]
	[ "$(wc -l <"$BATS_TEST_TMPDIR/err")" -eq 1 ]
	[[ $err == *"could not be written" ]]
}

@test "a pipe that nobody reads: the second signal ends it at once" {
	stalled SIGINT SIGTERM -- trace -o json --rport 1
	[ "$status" -eq 1 ]
	[[ $err != *shown* ]]
}

@test "a pipe that nobody reads is standard error too: SIGINT ends it" {
	stalled --both SIGINT -- trace -o json --rport 1
	[ "$status" -eq 1 ]
	[ "$took_ms" -lt 5000 ]
}

@test "a pipe that nobody reads: of a recording, what is in it is told, and can be read" {
	stalled "--keep=$BATS_TEST_TMPDIR/recording" SIGINT -- trace -w - --rport 1
	[ "$status" -eq 1 ]
	[ "$took_ms" -lt 5000 ]
	[[ $err =~ it\ was\ not\ read\;\ ([0-9]+)\ of\ ([0-9]+)\ events\ are\ in\ it ]]
	in_it=${BASH_REMATCH[1]} all=${BASH_REMATCH[2]}
	[ "$in_it" -gt 0 ]
	[ "$in_it" -lt "$all" ]
	synfin trace -r "$BATS_TEST_TMPDIR/recording" -o json # cut off: that is told, too
	[ "$(grep -c '"event_name":"tcp' <<<"$out")" -eq "$in_it" ]
}

@test "a pipe that nobody reads: what the ring has no room for is counted as lost" {
	stalled SIGINT -- trace -o json --rport 1 --buffer 64K -d 20
	[ "$status" -eq 1 ]
	counts_are_true 0 100
	# 100 connections are 200 records of more than 500 bytes
	[[ $err =~ ([0-9]+)\ events\ lost ]]
	[ "${BASH_REMATCH[1]}" -gt 0 ]
}

@test "a terminal stopped by Ctrl-S: -d ends it" {
	TERM=xterm stalled --terminal -- trace -d 1500ms
	[ "$took_ms" -ge 1500 ]
}

@test "a slow reader gets everything" {
	"$SYNFIN" trace -o json --rport 1 -C 600 2>"$BATS_TEST_TMPDIR/err" 3>&- |
		python3 -c 'if True:
			import sys, time
			for line in sys.stdin.buffer:
				sys.stdout.buffer.write(line)
				time.sleep(0.001)' >"$BATS_TEST_TMPDIR/out" 3>&- &
	pid=$!
	wait_for_text "$BATS_TEST_TMPDIR/err" "^synfin: tracing"
	knock 300
	wait "$pid"
	cat "$BATS_TEST_TMPDIR/err"
	[ "$(grep -c '"tcp' "$BATS_TEST_TMPDIR/out")" -eq 600 ]
	grep -q '^synfin: 600 events shown' "$BATS_TEST_TMPDIR/err"
}

@test "a slow reader and more events than it takes: -d ends it all the same" {
	# a storm that ends by itself only after 40 s, of some 10000 connections a second; the reader
	# takes 1000 lines; the ring holds more than the output buffer, so it is never found empty
	python3 -c 'if True:
		import socket, time
		end = time.monotonic() + 40
		while time.monotonic() < end:
			with socket.socket() as sock:
				sock.connect_ex(("127.0.0.1", 1))' 3>&- &
	local storm=$! begin=$SECONDS
	timeout 60 "$SYNFIN" trace -o json --buffer 256K -d 2 2>"$BATS_TEST_TMPDIR/err" 3>&- |
		python3 -c 'if True:
			import sys, time
			for line in sys.stdin.buffer:
				time.sleep(0.001)' 3>&-
	local took=$((SECONDS - begin))
	kill "$storm"
	echo "$took s"
	cat "$BATS_TEST_TMPDIR/err"
	[ "$took" -lt 30 ]
	grep -qE '^synfin: [0-9]+ events shown, [1-9][0-9]* events lost' "$BATS_TEST_TMPDIR/err"
}

@test "standard output closed: one line, status 1, for every command" {
	for args in "trace -d 1" "--help" "doctor"; do
		# shellcheck disable=SC2086 # words
		synfin_to '&-' $args
		[ "$status" -eq 1 ]
		one_clear_line
		[[ $err == *"standard output is closed"* ]]
	done
	status=0
	"$SYNFIN" trace -d 1 <&- >&- 2>&- || status=$?
	[ "$status" -eq 1 ]
}

@test "standard error or input closed: nothing of ours gets its number" {
	for fd in 0 2; do
		if [ "$fd" = 0 ]; then
			"$SYNFIN" trace -o json -d 10 <&- >"$BATS_TEST_TMPDIR/out" 2>/dev/null 3>&- &
		else
			"$SYNFIN" trace -o json -d 10 </dev/null >"$BATS_TEST_TMPDIR/out" 2>&- 3>&- &
		fi
		pid=$!
		local end=$((SECONDS + 20))
		until grep -q tcp.failed "$BATS_TEST_TMPDIR/out"; do
			[ "$SECONDS" -lt "$end" ]
			knock
		done
		[ "$(readlink "/proc/$pid/fd/$fd")" = /dev/null ]
		kill -INT "$pid" # a background job of a script ignores it unless it is handled
		wait "$pid"
	done
}

# pty_of_20 ENVIRONMENT -- ARGUMENTS: standard error is a terminal of 20 columns; what it got
pty_of_20() {
	python3 - "$SYNFIN" "$@" 3>&- <<-'EOF'
		import fcntl, os, pty, struct, subprocess, sys, termios
		master, slave = pty.openpty()
		fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 20, 0, 0))
		cut = sys.argv.index("--")
		env = dict(os.environ, **dict(arg.split("=", 1) for arg in sys.argv[2:cut]))
		subprocess.run([sys.argv[1]] + sys.argv[cut + 1:], stdin=subprocess.DEVNULL,
		               stdout=subprocess.DEVNULL, stderr=slave, env=env, timeout=60)
		os.close(slave)
		got = b""
		try:
		    while chunk := os.read(master, 65536):
		        got += chunk
		except OSError:
		    pass # the last slave is closed
		sys.stdout.buffer.write(got)
	EOF
}

@test "the status line is cut to the width of its terminal" {
	pty_of_20 TERM=xterm -- trace -d 1500ms -c nobody-at-all >"$BATS_TEST_TMPDIR/got"
	cat -v "$BATS_TEST_TMPDIR/got"
	grep -q $'\e''\[K0 events, 0/s, ' "$BATS_TEST_TMPDIR/got"
	# each status begins with an erased line; none may fill more than 19 columns
	tr '\r' '\n' <"$BATS_TEST_TMPDIR/got" | sed -n $'/synfin: /d; s/^\e\\[K//p' \
		>"$BATS_TEST_TMPDIR/status"
	[ "$(wc -L <"$BATS_TEST_TMPDIR/status")" -le 19 ]
}

@test "a terminal that cannot erase gets no status line" {
	for term in TERM=dumb TERM=; do
		pty_of_20 "$term" -- trace -d 1500ms -c nobody-at-all >"$BATS_TEST_TMPDIR/got"
		absent -q $'\e' "$BATS_TEST_TMPDIR/got"
		grep -q '^synfin: 0 events shown' "$BATS_TEST_TMPDIR/got"
	done
}

@test "a terminal that changes its width gets a heading for the new columns" {
	TERM=xterm python3 - "$SYNFIN" >"$BATS_TEST_TMPDIR/got" 3>&- <<-'EOF'
		import fcntl, os, pty, select, signal, struct, subprocess, sys, termios
		master, slave = pty.openpty()
		def resize(columns):
		    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
		def read_heading():
		    got = b""
		    while b"SERVER" not in got or not got.endswith(b"\n"):
		        if not select.select([master], [], [], 20)[0]:
		            sys.exit("no heading")
		        got += os.read(master, 1)
		    sys.stdout.buffer.write(got)
		resize(80)
		child = subprocess.Popen([sys.argv[1], "trace", "-q", "--color=never", "--lport", "9"], stdin=subprocess.DEVNULL, stdout=slave)
		read_heading()
		for columns in 80, 60:
		    resize(columns)
		    child.send_signal(signal.SIGWINCH)
		read_heading()
		child.send_signal(signal.SIGINT)
		child.wait(20)
	EOF
	cat -v "$BATS_TEST_TMPDIR/got"
	sed -n 1p "$BATS_TEST_TMPDIR/got" | grep -q 'PID/COMM.*CLIENT.*TOOK'
	[ "$(sed -n 2p "$BATS_TEST_TMPDIR/got" | tr -d '\r\n' | wc -L)" -le 60 ]
	[ "$(wc -l <"$BATS_TEST_TMPDIR/got")" -eq 2 ]
}

@test "COLUMNS is heeded if it is a width, else it is 80" {
	local heading # others' connections may stand below it
	COLUMNS=132 synfin trace -q -d 100ms
	heading=${out%%$'\n'*}
	[ "${#heading}" -gt 80 ]
	for bad in "" 0 -5 abc 99999999999999999999 132x; do
		COLUMNS=$bad synfin trace -q -d 100ms
		[ "$status" -eq 0 ]
		heading=${out%%$'\n'*}
		[ "${#heading}" -gt 60 ]
		[ "${#heading}" -le 80 ]
	done
}

@test "doctor into a pipe that is closed: silent, status 0" {
	mkfifo "$BATS_TEST_TMPDIR/pipe"
	"$SYNFIN" doctor >"$BATS_TEST_TMPDIR/pipe" 2>"$BATS_TEST_TMPDIR/err" 3>&- &
	pid=$!
	exec 4<"$BATS_TEST_TMPDIR/pipe"
	exec 4<&-
	wait "$pid"
	[ ! -s "$BATS_TEST_TMPDIR/err" ]
}

@test "doctor into a full device: one line, status 1, no self-test for nobody" {
	synfin_to /dev/full doctor
	[ "$status" -eq 1 ]
	one_clear_line
	[[ $err == *"No space left on device"* ]]
}
