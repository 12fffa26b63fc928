#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Connections older than synfin: told as such, in every network namespace, and no others.

load common

ns=sfolder-$$

setup() {
	ip netns add "$ns"
	ip -n "$ns" link set lo up
}

teardown() {
	[ -z "${pid:-}" ] || kill -9 "$pid" 2>/dev/null || true
	[ -z "${holder:-}" ] || kill -9 "$holder" 2>/dev/null || true
	ip netns del "$ns"
	lines_are_valid
}

# Opens a connection, says so, and waits for a line on its standard input: then it closes that
# one, and opens and closes another, from a port it prints.
hold='
import socket, sys
listener = socket.create_server(("", 7070))
gone = socket.create_server(("127.0.0.1", 7071))
def pair(listener, port):
    client = socket.create_connection(("127.0.0.1", port))
    return client, listener.accept()[0]
old, lone = pair(listener, 7070), pair(gone, 7071)
gone.close()
for client, server in old, lone:
    client.sendall(b"abc")
    server.recv(3)
    server.sendall(b"abcd")
    client.recv(4)
print(old[0].getsockname()[1], flush=True)
sys.stdin.readline()
for end in old + lone: end.close()
new = pair(listener, 7070)
print(new[0].getsockname()[1], flush=True)
for end in new: end.close()
'

# Two processes, sf-holder and sf-other, have a connection each to a third. Prints a line each,
# PID PORT, and its own PID; then, at a line on its standard input, resets both, the first one last.
reset='
import os, socket, struct, sys
def hold(name):
    told, tell = os.pipe()
    pid = os.fork()
    if pid:
        return pid, int(os.read(told, 5))
    listener.close()
    with open("/proc/self/comm", "w") as comm: comm.write(name)
    client = socket.create_connection(("127.0.0.1", 7072))
    os.setuid(4321)
    os.close(life[1])
    os.write(tell, b"%d" % client.getsockname()[1])
    os.read(life[0], 1) # returns when the parent is gone
    os._exit(0)
listener, life = socket.create_server(("127.0.0.1", 7072)), os.pipe()
held = [hold(name) for name in ("sf-holder", "sf-other")]
ends = dict(listener.accept()[::-1] for _ in held)
for pid, port in held: print(pid, port)
print(os.getpid(), flush=True)
sys.stdin.readline()
for _, port in held[::-1]:
    end = ends["127.0.0.1", port]
    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    end.close()
sys.stdin.readline()
'

lines_of() { # EVENT PORT: the lines of the end with this port
	grep -F "\"event_name\":\"$1\"" "$BATS_TEST_TMPDIR/out" | grep -F "\"network_local_port\":$2,"
}

@test "a connection that was open before, in another namespace, is told to be older" {
	mkfifo "$BATS_TEST_TMPDIR/go"
	ip netns exec "$ns" python3 -c "$hold" <"$BATS_TEST_TMPDIR/go" >"$BATS_TEST_TMPDIR/ports" 3>&- &
	holder=$!
	exec 4>"$BATS_TEST_TMPDIR/go"
	wait_for_text "$BATS_TEST_TMPDIR/ports" '^[0-9]'
	"$SYNFIN" trace -o json --netns "$ns" >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" \
		</dev/null 3>&- 4>&- &
	pid=$!
	wait_for_text "$BATS_TEST_TMPDIR/err" '^synfin: tracing'
	echo >&4
	exec 4>&-
	wait "$holder"
	holder=
	mapfile -t ports <"$BATS_TEST_TMPDIR/ports"
	[ "${#ports[@]}" -eq 2 ]
	wait_for_text "$BATS_TEST_TMPDIR/out" "tcp.close.*\"network_local_port\":${ports[1]},"
	kill -TERM "$pid"
	wait "$pid"
	pid=
	lines_of tcp.close "${ports[0]}" | grep -F '"preexisting":true'
	# whose call it was: concluded from what listens, and marked so
	lines_of tcp.close "${ports[0]}" | grep -F '"role":"client","role_source":"listener"' |
		grep -F '"local_port_ephemeral":true' | grep -F '"bytes_sent":3,"bytes_received":4,'
	lines_of tcp.close 7070 | grep -F "\"network_peer_port\":${ports[0]}," |
		grep -F '"role":"server","role_source":"listener"' |
		grep -F '"bytes_sent":4,"bytes_received":3,'
	# the listener is gone: of the client the port range tells
	grep -F '"network_peer_port":7071,' "$BATS_TEST_TMPDIR/out" | grep -F '"tcp.close"' |
		grep -F '"role":"client","role_source":"port_range"'
	# of the server nothing does, nor whether our SYN is among the bytes acknowledged
	lines_of tcp.close 7071 >"$BATS_TEST_TMPDIR/lone"
	grep -qF '"preexisting":true' "$BATS_TEST_TMPDIR/lone"
	absent '"role"' "$BATS_TEST_TMPDIR/lone"
	absent bytes_sent "$BATS_TEST_TMPDIR/lone"
	# the one that began before our eyes has all its steps and no doubt
	lines_of tcp.established "${ports[1]}"
	lines_of tcp.close "${ports[1]}" >"$BATS_TEST_TMPDIR/young"
	absent preexisting "$BATS_TEST_TMPDIR/young"
	absent begin_unknown "$BATS_TEST_TMPDIR/out"
	grep -q '"events_lost":0' "$BATS_TEST_TMPDIR/out"
}

@test "a namespace that only a thread is in: what is older is found, and told as such" {
	mkfifo "$BATS_TEST_TMPDIR/go"
	python3 - >"$BATS_TEST_TMPDIR/port" 3>&- <<-EOF &
		import ctypes, os, socket, threading
		def run():
		    assert not ctypes.CDLL(None).unshare(0x40000000) # CLONE_NEWNET
		    os.system("ip link set lo up")
		    listener = socket.create_server(("127.0.0.1", 7073))
		    near = socket.create_connection(("127.0.0.1", 7073))
		    far = listener.accept()[0]
		    print(near.getsockname()[1], flush=True)
		    open("$BATS_TEST_TMPDIR/go").read()
		    near.close()
		    far.close()
		thread = threading.Thread(target=run)
		thread.start()
		thread.join()
	EOF
	holder=$!
	wait_for_text "$BATS_TEST_TMPDIR/port" '^[0-9]'
	synfin listeners port 7073
	grep -qE "127.0.0.1:7073 .* $holder/python3" <<<"$out"
	absent 'not all network namespaces' "$BATS_TEST_TMPDIR/err" # nor where init has threads
	"$SYNFIN" conns -o json port 7073 >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" \
		</dev/null 3>&- &
	pid=$!
	wait_for_text "$BATS_TEST_TMPDIR/err" '^synfin: tracing'
	: >"$BATS_TEST_TMPDIR/go"
	wait "$holder"
	local port
	port=$(cat "$BATS_TEST_TMPDIR/port")
	wait_for_text "$BATS_TEST_TMPDIR/out" "tcp.close.*\"network_local_port\":7073,"
	kill -TERM "$pid"
	wait "$pid"
	pid=
	lines_of tcp.close "$port" | grep -F '"preexisting":true' | grep -F "\"process_pid\":$holder,"
	holder=
	absent begin_unknown "$BATS_TEST_TMPDIR/out"
	grep -q '"events_lost":0' "$BATS_TEST_TMPDIR/out"
}

@test "a connection that was open before tells whose it is: also to a filter, also when it is reset" {
	local filter shown pid_1 port_1 pid_2 port_2 server pids=()
	cd "$BATS_TEST_TMPDIR"
	mkfifo go
	ip netns exec "$ns" python3 -c "$reset" <go >held 2>held.err 3>&- &
	holder=$!
	exec 4>go
	wait_for_text held '^[0-9]*$'
	{ read -r pid_1 port_1; read -r pid_2 port_2; read -r server; } <held
	for filter in "" "-p $pid_1" "-c sf-other" "-p $server"; do
		# shellcheck disable=SC2086 # an option and its value
		"$SYNFIN" conns -o json --netns "$ns" $filter >"out${filter// /}" 2>"err${filter// /}" \
			</dev/null 3>&- 4>&- &
		pids+=("$!")
	done
	for filter in "" "-p$pid_1" "-csf-other" "-p$server"; do
		wait_for_text "err$filter" '^synfin: tracing'
	done
	echo >&4
	wait_for_text out "tcp.close.*\"network_local_port\":$port_1,"
	wait_for_text "out-p$pid_1" "tcp.close.*\"network_local_port\":$port_1,"
	echo >&4
	exec 4>&-
	wait "$holder"
	holder=
	kill -INT "${pids[@]}"
	for pid in "${pids[@]}"; do wait "$pid"; done
	pid=

	shown="\"process_pid\":$pid_1,\"process_executable_name\":\"sf-holder\""
	shown+=',"process_owner_uid":4321,"process_source":"fd_scan"'
	for filter in "" "-p$pid_1"; do
		grep -F "\"network_local_port\":$port_1," "out$filter" >line
		[ "$(wc -l <line)" = 1 ]
		grep -F '"event_name":"tcp.close"' line | grep -F "$shown" |
			grep -F '"close_reason":"reset"' | grep -F '"preexisting":true' |
			grep -F '"rst_sender":"peer"'
		absent closer_process line
	done
	grep -F "\"network_local_port\":$port_2," out | grep -F "\"process_pid\":$pid_2,"
	# the ends of the third: who closes is its owner, whoever was found to have it, too
	[ "$(grep -F '"network_local_port":7072,' out | grep -F "\"process_pid\":$server," |
		grep -F '"process_source":"close"' | grep -cF "\"closer_process_pid\":$server,")" = 2 ]
	# with a filter: its own and no others, and none is lost
	[ "$(grep -c tcp.close "out-p$pid_1")" = 1 ]
	[ "$(grep -c tcp.close "out-csf-other")" = 1 ]
	grep -F tcp.close out-csf-other | grep -F "\"network_local_port\":$port_2,"
	[ "$(grep -c tcp.close "out-p$server")" = 2 ]
	absent -v '"network_local_port":7072,\|synfin.stats' "out-p$server"
	[ "$(cat out* | grep -c '"events_lost":0,')" = 4 ]
}

@test "of processes that /proc hides, what is older is neither called young nor counted as lost" {
	local caps=-all,+bpf,+perfmon,+sys_admin hidden pids pid_of
	cp "$SYNFIN" "$BATS_TEST_TMPDIR/synfin"
	chmod a+rx "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR/test" "$BATS_TEST_TMPDIR" 2>/dev/null || true
	mkfifo "$BATS_TEST_TMPDIR/go"
	# shellcheck disable=SC2016 # for the other bash
	unshare -n bash -c 'ip link set lo up && exec python3 -c "$0"' "$hold" <"$BATS_TEST_TMPDIR/go" \
		>"$BATS_TEST_TMPDIR/ports" 3>&- &
	holder=$!
	exec 4>"$BATS_TEST_TMPDIR/go"
	wait_for_text "$BATS_TEST_TMPDIR/ports" '^[0-9]'
	# a container's /proc; one with hidepid=invisible
	unshare -pf --kill-child --mount-proc "$SYNFIN" trace -o json --port 7070 \
		>"$BATS_TEST_TMPDIR/out.container" 2>"$BATS_TEST_TMPDIR/err.container" </dev/null 3>&- 4>&- &
	pids=("$!")
	unshare -mf --kill-child bash -ec 'mount -t proc -o hidepid=invisible proc /proc && exec "$@"' - \
		setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=$caps --ambient-caps=$caps \
		--bounding-set=$caps "$BATS_TEST_TMPDIR/synfin" trace -o json --port 7070 \
		>"$BATS_TEST_TMPDIR/out.hidepid" 2>"$BATS_TEST_TMPDIR/err.hidepid" </dev/null 3>&- 4>&- &
	pids+=("$!")
	for hidden in container hidepid; do
		wait_for_text "$BATS_TEST_TMPDIR/err.$hidden" '^synfin: tracing'
	done
	echo >&4
	exec 4>&-
	wait "$holder"
	holder=
	mapfile -t ports <"$BATS_TEST_TMPDIR/ports"
	for hidden in container hidepid; do
		wait_for_text "$BATS_TEST_TMPDIR/out.$hidden" "tcp.close.*\"network_local_port\":${ports[1]},"
	done
	for pid_of in "${pids[@]}"; do
		kill -INT "$(cat "/proc/$pid_of/task/$pid_of/children")"
		wait "$pid_of"
	done
	for hidden in container hidepid; do
		cp "$BATS_TEST_TMPDIR/out.$hidden" "$BATS_TEST_TMPDIR/out"
		lines_of tcp.close "${ports[0]}" | grep -F '"begin_unknown":true'
		lines_of tcp.close "${ports[1]}" >"$BATS_TEST_TMPDIR/young"
		absent begin_unknown "$BATS_TEST_TMPDIR/young"
		absent preexisting "$BATS_TEST_TMPDIR/out"
		grep -q '"event_name":"synfin.stats".*"lost_nested":0,' "$BATS_TEST_TMPDIR/out"
	done
}
