# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# What tests of `synfin serve` share: running it in the background, connections
# for it to tell of, and waiting until a file of lines tells them. The caller's
# setup makes pids=(), which its teardown kills.

# serve ARGUMENT...: in the background, serve.err; waits until it traces
serve() {
	rm -f serve.err # of the one before
	set -m
	"$SYNFIN" serve "$@" >serve.out 2>serve.err </dev/null 3>&- &
	pid=$!
	set +m
	pids+=("$pid")
	wait_for_text serve.err '^synfin: tracing'
}

# stop: as a service manager does; $status
stop() {
	status=0
	kill -TERM "$pid"
	wait "$pid" || status=$?
}

# What the service says of the sink when it ends, as "SENT DROPPED"
last_words() { # SINK, a regular expression
	sed -nE "s|^synfin: $1: ([0-9]+) lines sent, ([0-9]+) dropped$|\\1 \\2|p" serve.err
}

# dial N [PORT]: so many connections to a port of this process; prints the port
dial() {
	/usr/bin/python3 - "$1" "${2:-0}" <<-'EOF'
		import socket, sys
		listener = socket.create_server(("127.0.0.1", int(sys.argv[2])), backlog=64)
		for _ in range(int(sys.argv[1])):
		    near = socket.create_connection(listener.getsockname())
		    far = listener.accept()[0]
		    near.close()
		    far.close()
		print(listener.getsockname()[1])
	EOF
}

# ends FILE PORT: how many lines tell the end of one with this port at its server
ends() {
	grep -F '"event_name":"tcp.close"' "$1" | grep -cF "\"server_port\":$2," || true
}

# wait_for_ends FILE PORT NUMBER
wait_for_ends() {
	local end=$((SECONDS + 30))
	until [ "$(ends "$1" "$2")" -ge "$3" ]; do
		[ "$SECONDS" -lt "$end" ] || {
			echo "$(ends "$1" "$2") of $3 ends in $1"
			cat serve.err
			return 1
		}
		sleep 0.1
	done
}

# wait_for_lines FILE NUMBER
wait_for_lines() {
	local end=$((SECONDS + 20))
	until [ "$(wc -l <"$1")" -ge "$2" ]; do
		[ "$SECONDS" -lt "$end" ] || { wc -l "$1"; return 1; }
		sleep 0.05
	done
}

# Two connections of one process whose peers have closed: it closes the first at "go", and a third
# that is well. Prints "PORT PID", then says when it has closed.
half_closed() {
	/usr/bin/python3 -u - 3>&- <<-'EOF'
		import os, socket, time
		listener = socket.create_server(("127.0.0.1", 0))
		near = [socket.create_connection(listener.getsockname()) for _ in range(3)]
		far = [listener.accept()[0] for _ in range(3)]
		near[0].close()
		near[1].close()
		print(listener.getsockname()[1], os.getpid())
		while not os.path.exists("go"):
		    near[2].sendall(b"x")
		    far[2].recv(1)
		    time.sleep(0.02)
		far[0].close()
		print("closed")
		time.sleep(60)
	EOF
}

# deaf: listens at $deaf_port, and nobody accepts or reads
deaf() {
	/usr/bin/python3 -c '
import socket, time
listener = socket.create_server(("127.0.0.1", 0), backlog=1)
print(listener.getsockname()[1], "", flush=True)
time.sleep(100)' >deaf 3>&- &
	pids+=("$!")
	wait_for_text deaf ' '
	read -r deaf_port _ <deaf
}
