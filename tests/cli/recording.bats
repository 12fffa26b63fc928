#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# -w and -r: what may be written to and read, real connections recorded, recordings that are cut
# off. What is shown of a recording is held to the byte in tests/golden and tests/unit. Needs root.

load common

golden=$BATS_TEST_DIRNAME/../golden/v1/recording

setup() {
	cd "$BATS_TEST_TMPDIR" || return 1
	pids=()
}

teardown() {
	kill_pids
	umount "$BATS_TEST_TMPDIR/small" 2>/dev/null || true
	lines_are_valid
}

# stop [PID]: as Ctrl-C does; $status
stop() {
	status=0
	kill -INT "${1:-$pid}" 2>/dev/null || true
	wait "${1:-$pid}" || status=$?
}

# dial N: so many connections of a process to itself, each closed by both; prints the port
dial() {
	python3 - "$1" <<-'EOF2'
		import socket, sys
		listener = socket.create_server(("127.0.0.1", 0))
		for _ in range(int(sys.argv[1])):
		    near = socket.create_connection(listener.getsockname())
		    far = listener.accept()[0]
		    near.sendall(b"x" * 100)
		    near.close()
		    while far.recv(4096):
		        pass
		    far.close()
		print(listener.getsockname()[1])
	EOF2
}

# knock_fast N: so many refused connections
knock_fast() {
	python3 - "$1" <<-'EOF2'
		import socket, sys
		for _ in range(int(sys.argv[1])):
		    with socket.socket() as end:
		        end.connect_ex(("127.0.0.1", 1))
	EOF2
}

# wait_for_size FILE BYTES: until it has more than that, 20 s at most
wait_for_size() {
	local end=$((SECONDS + 20))
	until [ "$(stat -c %s "$1" 2>/dev/null || echo 0)" -gt "$2" ]; do
		[ "$SECONDS" -lt "$end" ] || { echo "$1 stays at $(stat -c %s "$1")"; return 1; }
		sleep 0.05
	done
}

# the head alone: a recording with no block in it
head_bytes() {
	od -An -t u4 -j 16 -N 4 "$golden" | tr -d ' '
}

@test "options that only tracing heeds are refused with -r, formats with -w" {
	for bad in "-r x -d 1" "-r x --hooks full" "-r x --buffer 16M" "-r x --max-connections 65536" \
		"-w x -o json" "conns -w x -o csv" "doctor -w x" "doctor -r x" "-w" "-r"; do
		# shellcheck disable=SC2086 # words
		synfin $bad
		[ "$status" -eq 2 ] || { echo "$bad: status $status"; return 1; }
		one_clear_line
	done
	[ ! -e x ]
}

@test "-w follows no symbolic link and writes to nothing but files and pipes" {
	echo precious >file
	ln -s file link
	ln -s nowhere dangling
	for bad in link dangling /dev/null; do
		synfin -w "$bad"
		[ "$status" -eq 2 ] || { echo "$bad: status $status"; return 1; }
		one_clear_line
		[[ $err == *"$bad"* ]]
	done
	[ "$(cat file)" = precious ]
	[ ! -e nowhere ]
	for bad in . no/such/folder; do
		synfin -w "$bad"
		[ "$status" -eq 1 ] || { echo "$bad: status $status"; return 1; }
		one_clear_line
	done
}

@test "-r of what is no recording: one line, status 1, nothing shown" {
	: >empty
	head -c 100000 /dev/urandom >random
	for bad in empty random nothing . "$SYNFIN"; do
		synfin -r "$bad" -o json
		[ "$status" -eq 1 ] || { echo "$bad: status $status"; return 1; }
		one_clear_line
		[[ $err == *"$bad"* ]]
	done
	synfin -r "$golden" -w "$golden"
	[ "$status" -eq 2 ]
	one_clear_line
}

@test "a wrong byte: what is before it is shown, its place is told" {
	cp "$golden" bad
	printf '\377' | dd of=bad bs=1 seek=$(($(stat -c %s bad) - 200)) conv=notrunc status=none
	synfin -r bad -q -o json
	[ "$status" -eq 1 ]
	[ "$(wc -l <"$BATS_TEST_TMPDIR/err")" -eq 1 ]
	[[ $err =~ ^synfin:\ bad\ is\ damaged\ in\ the\ block\ at\ byte\ ([0-9]+): ]]
	[ "${BASH_REMATCH[1]}" -lt $(($(stat -c %s bad) - 200)) ]
	[ "$(grep -c '"event_name":"tcp' <<<"$out")" -gt 10 ]
}

@test "recorded and traced at once: the same events with the same facts" {
	start_named record trace -w file
	recorder=$pid
	start_named json trace -o json
	port=$(dial 20)
	wait_for_size file "$(head_bytes)"
	stop
	stop "$recorder"
	[ "$status" -eq 0 ]
	[ ! -s record.out ]
	grep -qE '^synfin: [0-9]+ events recorded in file, 0 events lost$' record.err
	[ "$(stat -c %a file)" = 640 ]
	synfin -r file -o json
	[ "$status" -eq 0 ]
	/usr/bin/python3 - "$port" json.out out <<-'EOF2'
		import json, sys
		port = int(sys.argv[1])
		# Each program has its own clock at a hook and numbers connections itself.
		own = {"seq", "connection_id", "listener_connection_id"}
		def facts(name):
		    lines = [json.loads(line) for line in open(name)]
		    ours = [line for line in lines if port in
		            (line.get("network_local_port"), line.get("network_peer_port"))]
		    return sorted(json.dumps({key: value for key, value in line.items() if key not in own
		                              and "time" not in key and not key.endswith("_us")
		                              and not isinstance(value, dict)}, sort_keys=True)
		                  for line in ours), {key for line in ours for key in line}
		traced, recorded = facts(sys.argv[2]), facts(sys.argv[3])
		assert len(traced[0]) >= 20 * 6, len(traced[0])
		assert traced == recorded
	EOF2
	# every line has its number, and every format as many lines
	synfin -r file -q -o csv --no-header
	[ "$(wc -l <out)" -eq "$(grep -c '"tcp' <("$SYNFIN" -r file -q -o json))" ]
}

@test "a pipe: recorded to standard output, read from standard input" {
	start_named json conns -o json -C 10 --rport 1
	set -m
	"$SYNFIN" conns -C 10 --rport 1 -w - 2>w.err 3>&- | "$SYNFIN" -r - conns -o csv >r.out 2>r.err 3>&- &
	pids+=("$!")
	piped=$!
	set +m
	wait_for_text w.err "^synfin: tracing"
	knock_fast 10
	wait "$piped"
	wait "$pid"
	[ "$(wc -l <r.out)" -eq 11 ]
	grep -q '10 events recorded in standard output' w.err
	grep -q '10 connections shown' r.err
}

@test "read while it is written: what it holds so far, status 0; no second writer" {
	start_named record trace -w file port 1
	knock_fast 3
	wait_for_size file "$(head_bytes)"
	synfin -r file --no-header
	[ "$status" -eq 0 ] || { echo "$err"; return 1; }
	[ "$(wc -l <out)" -ge 1 ]
	[[ $err == *"still being written"* ]]
	size=$(stat -c %s file)
	synfin -w file
	[ "$status" -eq 1 ]
	one_clear_line
	[[ $err == *"being written already"* ]]
	[ "$(stat -c %s file)" -ge "$size" ]
	stop
	synfin -r file --no-header
	[ "$status" -eq 0 ]
	[ "$(wc -l <out)" -eq 6 ]
	[[ $err != *"still being written"* ]]
}

@test "SIGKILL leaves a recording that is whole up to its last block" {
	start_named record trace -w file port 1
	knock_fast 3
	wait_for_size file "$(head_bytes)"
	kill -KILL "$pid"
	wait "$pid" || true
	synfin -r file -q --no-header
	[ "$status" -eq 1 ]
	[ "$(wc -l <out)" -ge 1 ]
	[ "$(wc -l <"$BATS_TEST_TMPDIR/err")" -eq 1 ]
	[[ $err == *"stops at byte $(stat -c %s file) without its end"* ]]
}

@test "a full disk: one line, status 1, and what was written can be read" {
	mkdir small
	mount -t tmpfs -o size=16k none small
	start_named record trace --rport 1 -w small/file
	local end=$((SECONDS + 30))
	while kill -0 "$pid" 2>/dev/null; do
		[ "$SECONDS" -lt "$end" ]
		knock_fast 300
	done
	status=0
	wait "$pid" || status=$?
	cat record.err
	[ "$status" -eq 1 ]
	[ "$(grep -c 'cannot write to small/file: No space left on device' record.err)" -eq 1 ]
	whole=$(sed -nE 's/.*; ([0-9]+) of [0-9]+ events are in it$/\1/p' record.err)
	[ "$whole" -gt 0 ]
	synfin -r small/file --no-header
	[ "$status" -eq 1 ]
	[ "$(wc -l <out)" -eq "$whole" ]
	[[ $err == *"stops at byte $(stat -c %s small/file) without its end"* ]]
}

@test "a full device behind -w -: one line, status 1" {
	status=0
	"$SYNFIN" trace -w - -d 10 >/dev/full 2>e </dev/null || status=$?
	[ "$status" -eq 1 ]
	[ "$(wc -l <e)" -eq 1 ]
	grep -q 'No space left on device' e
}

@test "-r into a pipe that is closed ends silently" {
	python3 - "$SYNFIN" -r "$golden" ladder 2>e <<-'EOF'
		import os, subprocess, sys
		reader, writer = os.pipe()
		os.close(reader)
		sys.exit(subprocess.run(sys.argv[1:], stdout=writer).returncode)
	EOF
	[ "$(grep -vc '^synfin: reading' e)" -eq 0 ]
}

@test "-r filters, counts and writes again" {
	synfin -r "$golden" -q -o json conns failed
	[ "$(grep -c tcp.failed <<<"$out")" -eq 3 ]
	[ "$(sed -n 's/.*"seq":\([0-9]*\).*/\1/p' <<<"$out" | head -n 3 | tr '\n' ' ')" = "1 2 3 " ]
	synfin -r "$golden" -C 4 --no-header
	[ "$(wc -l <out)" -eq 4 ]
	synfin -r "$golden" -w few failed
	[ "$status" -eq 0 ]
	[ -z "$out" ]
	synfin -r few -q --no-header
	[ "$(wc -l <out)" -eq 3 ]
}
