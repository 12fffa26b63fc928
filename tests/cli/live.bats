#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Running live: start, stop, pipes, full devices, permissions, what is left behind. Needs root.

load common

# starts synfin in the background and waits until it traces; $pid
start() {
	rm -f "$BATS_TEST_TMPDIR/err" # of the one before
	set -m
	"$SYNFIN" "$@" >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" </dev/null 3>&- &
	pid=$!
	set +m
	wait_for_text "$BATS_TEST_TMPDIR/err" "^synfin: tracing"
}

# what a process holds in the kernel: "prog 12", "map 7", "link 3"; links name their program too
held_by() {
	sed -nE 's/^(prog|map|link)_id:[[:space:]]*([0-9]+)$/\1 \2/p' /proc/"$1"/fdinfo/* 2>/dev/null |
		sort -u
}

# how many of those lines, read from standard input, are still in the kernel
count_in_kernel() {
	local kind id n=0
	while read -r kind id; do
		if PATH=$PATH:/usr/sbin bpftool "$kind" show id "$id" >/dev/null 2>&1; then n=$((n + 1)); fi
	done
	echo "$n"
}

teardown() {
	[ -z "${pid:-}" ] || kill -9 "$pid" 2>/dev/null || true
	lines_are_valid
}

@test "Ctrl-C ends it: status 0, a summary with counts and losses" {
	start trace
	knock
	wait_for_text "$BATS_TEST_TMPDIR/out" refused
	kill -INT "$pid"
	wait "$pid"
	grep -qE '^synfin: [0-9]+ events shown, 0 events lost$' "$BATS_TEST_TMPDIR/err"
}

@test "SIGTERM ends it the same way" {
	start conns
	kill -TERM "$pid"
	wait "$pid"
	grep -q 'connections shown' "$BATS_TEST_TMPDIR/err"
}

@test "-d ends it, -q is silent" {
	synfin trace -q -d 300ms
	[ "$status" -eq 0 ]
	[ -z "$err" ]
}

@test "--netns by path and by number shows that namespace and no other" {
	start trace --netns /proc/self/ns/net
	knock
	wait_for_text "$BATS_TEST_TMPDIR/out" refused
	kill -INT "$pid"
	wait "$pid"
	start trace --netns "$(stat -Lc %i /proc/self/ns/net)"
	knock
	wait_for_text "$BATS_TEST_TMPDIR/out" refused
	kill -INT "$pid"
	wait "$pid"
}

@test "-C ends it after so many lines" {
	start conns -C 2 --no-header --rport 1
	knock 5
	wait "$pid"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/out")" -eq 2 ]
}

@test "-C with JSON: so many events and one line of statistics" {
	start conns -C 2 -o json --rport 1
	knock 5
	wait "$pid"
	[ "$(grep -c '"tcp.failed"' "$BATS_TEST_TMPDIR/out")" -eq 2 ]
	[ "$(grep -c '"synfin.stats"' "$BATS_TEST_TMPDIR/out")" -eq 1 ]
	[ "$(wc -l <"$BATS_TEST_TMPDIR/out")" -eq 3 ]
}

@test "first event within a second of starting" {
	local begin end
	begin=$(date +%s%N)
	"$SYNFIN" trace -q -C 1 --rport 1 >"$BATS_TEST_TMPDIR/out" 3>&- &
	pid=$!
	while kill -0 "$pid" 2>/dev/null; do
		knock
		[ $(($(date +%s%N) - begin)) -lt 20000000000 ]
	done
	wait "$pid"
	end=$(date +%s%N)
	echo "first event after $(((end - begin) / 1000000)) ms"
	[ $((end - begin)) -lt 1000000000 ]
}

@test "nothing is left in the kernel after SIGKILL" {
	start trace
	held_by "$pid" >"$BATS_TEST_TMPDIR/held"
	cat "$BATS_TEST_TMPDIR/held"
	[ "$(count_in_kernel <"$BATS_TEST_TMPDIR/held")" -ge 10 ]
	kill -KILL "$pid"
	wait "$pid" || true
	local end=$((SECONDS + 10))
	until [ "$(count_in_kernel <"$BATS_TEST_TMPDIR/held")" -eq 0 ]; do
		[ "$SECONDS" -lt "$end" ]
		sleep 0.1
	done
}

@test "a closed pipe ends it silently" {
	mkfifo "$BATS_TEST_TMPDIR/pipe"
	"$SYNFIN" trace -o json >"$BATS_TEST_TMPDIR/pipe" 2>"$BATS_TEST_TMPDIR/err" 3>&- &
	pid=$!
	exec 4<"$BATS_TEST_TMPDIR/pipe"
	wait_for_text "$BATS_TEST_TMPDIR/err" "^synfin: tracing"
	exec 4<&-
	# it ends although nothing happens that it could write
	timeout 20 tail --pid="$pid" -f /dev/null
	wait "$pid"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/err")" -eq 1 ]
}

@test "a full device: one line, status 1" {
	status=0
	"$SYNFIN" trace -o json -d 10 >/dev/full 2>"$BATS_TEST_TMPDIR/err" 3>&- &
	pid=$!
	wait_for_text "$BATS_TEST_TMPDIR/err" "^synfin: tracing"
	knock
	wait "$pid" || status=$?
	[ "$status" -eq 1 ]
	[ "$(grep -c 'No space left on device' "$BATS_TEST_TMPDIR/err")" -eq 1 ]
}

@test "without the capabilities: one line with the remedy, status 77" {
	cp "$SYNFIN" "$BATS_TEST_TMPDIR/synfin"
	chmod 755 "$BATS_TEST_TMPDIR" "$BATS_TEST_TMPDIR/synfin"
	for dir in "$BATS_TEST_TMPDIR" "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR/test" "$BATS_FILE_TMPDIR"; do
		chmod a+rx "$dir" 2>/dev/null || true
	done
	status=0
	(cd / && setpriv --reuid=65534 --regid=65534 --clear-groups -- "$BATS_TEST_TMPDIR/synfin" trace) \
		>"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" </dev/null || status=$?
	out=$(<"$BATS_TEST_TMPDIR/out")
	err=$(<"$BATS_TEST_TMPDIR/err")
	[ "$status" -eq 77 ] || { echo "status $status: $err"; return 1; }
	one_clear_line
	[[ $err == *root* && $err == *cap_bpf* && $err == *cap_perfmon* ]]
}

@test "root of a user namespace: one line, status 77, for doctor too" {
	unshare -Ur true || skip "no user namespaces here"
	for command in trace doctor; do
		status=0
		unshare -Ur "$SYNFIN" "$command" >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" \
			</dev/null || status=$?
		out=$(<"$BATS_TEST_TMPDIR/out")
		err=$(<"$BATS_TEST_TMPDIR/err")
		[ "$status" -eq 77 ] || { echo "status $status: $err"; return 1; }
		one_clear_line
		[[ $err == *permission* && $err == *"user namespace"* ]]
	done
}

@test "a kernel without BTF: one line, status 69" {
	status=0
	unshare -m bash -c 'mount -t tmpfs none /sys/kernel/btf && exec "$@"' - "$SYNFIN" trace \
		>"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" </dev/null || status=$?
	out=$(<"$BATS_TEST_TMPDIR/out")
	err=$(<"$BATS_TEST_TMPDIR/err")
	[ "$status" -eq 69 ] || { echo "status $status: $err"; return 1; }
	one_clear_line
	[[ $err == *BTF* ]]
}

# on_btf NAME OTHER ARGS...: synfin where the kernel's types call NAME OTHER, which is as long.
on_btf() {
	python3 - "$1" "$2" "$BATS_TEST_TMPDIR/btf" <<-'EOF'
		import sys
		types = open("/sys/kernel/btf/vmlinux", "rb").read()
		name, other = (b"\0" + word.encode() + b"\0" for word in sys.argv[1:3])
		assert types.count(name) == 1 and len(name) == len(other)
		open(sys.argv[3], "wb").write(types.replace(name, other))
	EOF
	shift 2
	status=0
	# shellcheck disable=SC2016 # it is for the other bash
	unshare -m bash -c 'mount --bind "$1" /sys/kernel/btf/vmlinux && shift && exec "$@"' - \
		"$BATS_TEST_TMPDIR/btf" "$SYNFIN" "$@" \
		>"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" </dev/null || status=$?
	out=$(<"$BATS_TEST_TMPDIR/out")
	err=$(<"$BATS_TEST_TMPDIR/err")
}

@test "a kernel without a tracepoint that is needed: one line, status 69" {
	on_btf btf_trace_tcp_destroy_sock btf_trace_tcp_destroy_sick trace -d 1
	[ "$status" -eq 69 ] || { echo "status $status: $err"; return 1; }
	one_clear_line
	[[ $err == *'lacks the tracepoints'*'tcp:tcp_destroy_sock'*'boot Linux 5.9 or newer'* ]]
}

@test "a kernel whose verifier refuses a program that is needed: one line, status 69" {
	on_btf skc_num skc_nim trace -d 1
	[ "$status" -eq 69 ] || { echo "status $status: $err"; return 1; }
	one_clear_line
	[[ $err == *'verifier refuses the program '*'report it with what -vv prints' ]]
	on_btf skc_num skc_nim trace -d 1 -vv
	[ "$status" -eq 69 ]
	# why, which stands at the end of the verifier's log
	[[ $err == *'hook program '*' refused: '*'CO-RE relocation'*'.skc_num'* ]]
}

@test "a kernel without a hook that is not needed: it traces, doctor says what is lost" {
	on_btf btf_trace_tcp_receive_reset btf_trace_tcp_receive_risit doctor
	[ "$status" -eq 0 ] || { echo "status $status: $out $err"; return 1; }
	[[ $out == *'whether a reset was received'* ]]
}

@test "a reset that no hook told of is no abort: why it closed is not known" {
	on_btf btf_trace_tcp_send_reset btf_trace_tcp_send_risit conns -o json --lport 7391 -d 4 &
	wait_for_text "$BATS_TEST_TMPDIR/err" '^synfin: tracing'
	/usr/bin/python3 - <<-'EOF'
		import socket
		with socket.create_server(("127.0.0.1", 7391)) as listener:
		    for text in b"", b"left unread":
		        client = socket.create_connection(listener.getsockname())
		        client.sendall(text)
		        server = listener.accept()[0]
		        if text:
		            server.recv(1, socket.MSG_PEEK)
		        server.close()
		        client.close()
	EOF
	wait
	/usr/bin/python3 - "$BATS_TEST_TMPDIR/out" <<-'EOF'
		import json, sys
		events = [json.loads(line) for line in open(sys.argv[1])]
		ends = [event for event in events if event["event_name"] == "tcp.close"]
		assert "rst_sent" in events[-1]["hooks_missing"], events[-1]
		found = [(end.get("close_reason"), end.get("rst_sender"), end.get("unread_bytes")) for end in ends]
		assert found == [("fin", None, 0), (None, None, 11)], found
	EOF
}

@test "more connections at the start than there is room: new ones have some" {
	/usr/bin/python3 - "$SYNFIN" >"$BATS_TEST_TMPDIR/log" 2>&1 <<-'EOF' || { cat "$BATS_TEST_TMPDIR/log"; return 1; }
		import json, socket, subprocess, sys
		listener = socket.create_server(("127.0.0.1", 0), backlog=8)
		port = listener.getsockname()[1]
		held = []
		for _ in range(200):
		    held += [socket.create_connection(("127.0.0.1", port)), listener.accept()[0]]
		synfin = subprocess.Popen([sys.argv[1], "conns", "-o", "json", "--max-connections", "128",
		                           "--port", str(port)], stdin=subprocess.DEVNULL,
		                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
		while "tracing" not in synfin.stderr.readline():
		    pass
		for _ in range(10):
		    client = socket.create_connection(("127.0.0.1", port))
		    server = listener.accept()[0]
		    client.close()
		    server.recv(1)
		    server.close()
		synfin.send_signal(2)
		events = [json.loads(line) for line in synfin.communicate()[0].splitlines()]
		ends = [event for event in events if event["event_name"] == "tcp.close"]
		young = [end for end in ends if "begin_unknown" not in end and "preexisting" not in end]
		assert sorted(end["role"] for end in young) == ["client"] * 10 + ["server"] * 10, ends
		assert events[-1]["lost_map"] >= 300, events[-1]
	EOF
}

@test "a policy that refuses to attach: one line that says where to look, status 77" {
	status=0
	python3 - "$SYNFIN" trace -d 1 >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" \
		<<-'EOF' || status=$?
		# seccomp(2): of bpf(2), BPF_RAW_TRACEPOINT_OPEN and BPF_LINK_CREATE are EPERM
		import ctypes, os, platform, struct, sys
		nr = {"x86_64": 321, "aarch64": 280}[platform.machine()]
		code = [(0x20, 0, 0, 0), (0x15, 0, 4, nr), (0x20, 0, 0, 16), (0x15, 1, 0, 17),
		        (0x15, 0, 1, 28), (0x06, 0, 0, 0x00050001), (0x06, 0, 0, 0x7fff0000)]
		text = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in code))
		program = struct.pack("HxxxxxxQ", len(code), ctypes.addressof(text))
		libc = ctypes.CDLL(None, use_errno=True)
		assert not libc.prctl(38, 1, 0, 0, 0) and not libc.prctl(22, 2, program, 0, 0)
		os.execv(sys.argv[1], sys.argv[1:])
	EOF
	out=$(<"$BATS_TEST_TMPDIR/out")
	err=$(<"$BATS_TEST_TMPDIR/err")
	[ "$status" -eq 77 ] || { echo "status $status: $err"; return 1; }
	one_clear_line
	[[ $err == *'Operation not permitted'*'seccomp filter'* ]]
}

@test "begun in the middle of a storm: what ended since is told once, what began since is whole" {
	unshare -n /usr/bin/python3 - "$SYNFIN" "$BATS_TEST_TMPDIR" <<-'EOF'
		import collections, json, multiprocessing, os, signal, socket, subprocess, sys, time
		synfin, folder = sys.argv[1:]
		TRACERS = ("trace", "conns")
		def now():
		    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)
		def wait_for(holds):
		    end = time.monotonic() + 40
		    while not holds():
		        assert time.monotonic() < end
		        time.sleep(0.01)
		def storm(nr_ended, stop, pipe):
		    # Sixteen are open at any time. Of each: the ports, when it began, when its end began.
		    listener = socket.create_server(("127.0.0.1", 0))
		    server_port, held, record = listener.getsockname()[1], collections.deque(), []
		    while held or not stop.value:
		        if not stop.value:
		            begun = now()
		            client = socket.create_connection(("127.0.0.1", server_port))
		            held.append((begun, client, listener.accept()[0]))
		        if len(held) > 16 or stop.value:
		            begun, client, server = held.popleft()
		            port = client.getsockname()[1]
		            client.close()
		            record.append((port, server_port, begun, now()))
		            server.close()
		            nr_ended.value += 1
		            time.sleep(0.001)
		    pipe.send(record)
		def check(name, record, ready):
		    with open(os.path.join(folder, name), encoding="utf-8") as file:
		        lines = [json.loads(line) for line in file]
		    lost = max(line.get("events_lost", 0) for line in lines)
		    told, old, ours = collections.Counter(), set(), {tracer.pid for tracer in tracers}
		    for line in lines:
		        key = line.get("network_local_port"), line.get("network_peer_port")
		        told[(line["event_name"],) + key] += 1
		        if line.get("preexisting") or line.get("begin_unknown"):
		            old.add(key)
		        # what is closed while it looks who has it is not closed by it
		        assert not {line.get("process_pid"), line.get("closer_process_pid")} & ours, line
		        if line["event_name"] == "tcp.close" and key not in old:
		            assert line.get("role") == ("server" if key[0] in servers else "client"), line
		    nr_missing, nr_late, ends = 0, 0, set()
		    for port, server_port, begun, ended in record:
		        for key in (port, server_port), (server_port, port):
		            ends.add(key)
		            nr = told[("tcp.close",) + key]
		            assert nr <= 1, (name, key, nr)
		            nr_missing += not nr and ended > ready
		            nr_late += ended > ready
		            assert begun < ready or key not in old, (name, key)
		            if name == "trace" and begun > ready:
		                nr_missing += told[("tcp.established",) + key] != 1
		    assert nr_missing <= lost, (name, nr_missing, lost)
		    others = [key for key in told if key[0] == "tcp.close" and key[1:] not in ends]
		    assert not others, (name, others)
		    assert nr_late >= 2000 and old, (name, nr_late, old)
		    print(name, len(record), "connections,", nr_late, "ends since it began,", len(old),
		          "older,", nr_missing, "missing,", lost, "said to be lost")

		subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
		inode = str(os.stat("/proc/self/ns/net").st_ino)
		stop = multiprocessing.Value("i", 0)
		counts = [multiprocessing.Value("i", 0) for _ in range(2)]
		pipes = [multiprocessing.Pipe() for _ in counts]
		workers = [multiprocessing.Process(target=storm, args=(count, stop, pipe[1]), daemon=True)
		           for count, pipe in zip(counts, pipes)]
		for worker in workers:
		    worker.start()
		wait_for(lambda: all(count.value > 50 for count in counts))
		tracers = []
		for name in TRACERS:
		    with open(os.path.join(folder, name), "wb") as out, \
		            open(os.path.join(folder, name + ".err"), "wb") as err:
		        tracers.append(subprocess.Popen([synfin, name, "-o", "json", "--netns", inode],
		                                        stdout=out, stderr=err))
		wait_for(lambda: all("tracing with" in open(os.path.join(folder, name + ".err")).read()
		                     for name in TRACERS))
		ready = now()
		before = [count.value for count in counts]
		wait_for(lambda: all(count.value > old + 600 for count, old in zip(counts, before)))
		stop.value = 1
		record = [one for pipe in pipes for one in pipe[0].recv()]
		servers = {one[1] for one in record}
		for tracer in tracers:
		    tracer.send_signal(signal.SIGINT)
		    assert tracer.wait(30) == 0
		for name in TRACERS:
		    check(name, record, ready)
	EOF
}

@test "filters: a pid, a port, an expression keep out what does not match" {
	start trace -o json --no-header port 1 and not role server
	(exec 3<>/dev/tcp/127.0.0.1/2) 2>/dev/null || true
	knock
	wait_for_text "$BATS_TEST_TMPDIR/out" tcp.failed
	kill -INT "$pid"
	wait "$pid"
	absent -q '"network_peer_port":2,' "$BATS_TEST_TMPDIR/out"
	start trace -o json -p 1
	knock
	kill -INT "$pid"
	wait "$pid"
	absent -q tcp.failed "$BATS_TEST_TMPDIR/out"
}

@test "doctor: the hooks, what is lost, and a self-test that is right" {
	synfin doctor
	[ "$status" -eq 0 ] || { echo "$out $err"; return 1; }
	[[ $out == *"Self-test"* && $out != *WRONG* ]]
	[ "$(grep -c '^  right ' "$BATS_TEST_TMPDIR/out")" -ge 8 ]
	[[ $out == *"Sinks of serve:"* ]]
	grep -Eq '^  file +yes$' <<<"$out"
	grep -Eq '^  journald +(yes|no: this synfin was built without libsystemd)$' <<<"$out"
	# make check has installed all their libraries
	grep -Eq '^  prometheus +yes$' <<<"$out"
	grep -Eq '^  otlp +yes$' <<<"$out"
}
