#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# synfin ladder: real connections on loopback, drawn. All but the usage errors need root.

load common

setup() {
	export LC_ALL=C
	out=$BATS_TEST_TMPDIR/out
	err=$BATS_TEST_TMPDIR/err
}

teardown() {
	[ -z "${pid:-}" ] || kill -9 "$pid" 2>/dev/null || true
	if [ -n "${server:-}" ]; then
		kill -9 "$server" 2>/dev/null || true
		wait "$server" 2>/dev/null || true
	fi
	for name in ${namespaces:-}; do
		ip netns del "$name" || true
	done
	lines_are_valid
}

# starts synfin in the background and waits until it traces; $pid
start() {
	rm -f "$err"
	set -m
	"$SYNFIN" "$@" >"$out" 2>"$err" </dev/null 3>&- &
	pid=$!
	set +m
	wait_for_text "$err" "^synfin: tracing"
}

stop() {
	kill -INT "$pid"
	wait "$pid"
}

# A process called ladder-server that listens, at the port PORT if it is given, accepts one
# connection, takes what comes until the other end closes, holds its own end for so many seconds
# and closes it; $server, $port. serve [SECONDS [PORT]]
serve() {
	python3 - "${1:-0}" "${2:-0}" >"$BATS_TEST_TMPDIR/port" 3>&- <<-'EOF' &
		import socket, sys, time
		open("/proc/self/comm", "w").write("ladder-server")
		listener = socket.create_server(("127.0.0.1", int(sys.argv[2])))
		print("port", listener.getsockname()[1], flush=True)
		end, _ = listener.accept()
		while end.recv(4096):
		    pass
		time.sleep(float(sys.argv[1]))
	EOF
	server=$!
	wait_for_text "$BATS_TEST_TMPDIR/port" port
	port=$(sed -n 's/^port //p' "$BATS_TEST_TMPDIR/port")
}

# a port that nobody has
free_port() {
	python3 -c 'import socket
with socket.create_server(("127.0.0.1", 0)) as listener: print(listener.getsockname()[1])'
}

# A process called ladder-client that connects, sends 5 bytes and closes; $client
call() {
	python3 - "$port" 3>&- <<-'EOF' &
		import socket, sys
		open("/proc/self/comm", "w").write("ladder-client")
		end = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
		end.sendall(b"hello")
	EOF
	client=$!
	wait "$client"
}

# the rungs of one drawing: from the heading to the outcome
rungs() {
	sed -n '/ \*client /,/^ended:/p' "$out" | sed '1d;$d'
}

# how many lines of standard input match
count() {
	grep -cE -- "$1" || true
}

@test "a connection on this host: one drawing with both processes and all rungs" {
	serve
	start ladder -C 1 port "$port"
	call
	wait "$pid"
	cat "$out"
	[ "$(count '^ended:' <"$out")" -eq 1 ]
	grep -qE "^$client/ladder-client 127\.0\.0\.1:[0-9]+ -> 127\.0\.0\.1:$port $server/ladder-server$" \
		"$out"
	grep -qE ' \*client +\*server$' "$out"
	rungs >"$BATS_TEST_TMPDIR/rungs"
	[ "$(count " connect\(\) \* $client/ladder-client " <"$BATS_TEST_TMPDIR/rungs")" -eq 1 ]
	[ "$(count ' \+- SYN \.+>\?' <"$BATS_TEST_TMPDIR/rungs")" -eq 1 ]
	[ "$(count ' SYN\+ACK ' <"$BATS_TEST_TMPDIR/rungs")" -eq 1 ]
	[ "$(count ' ESTABLISHED \|<- ' <"$BATS_TEST_TMPDIR/rungs")" -eq 1 ]
	[ "$(count ' ACK ->\| ESTABLISHED$' <"$BATS_TEST_TMPDIR/rungs")" -eq 1 ]
	[ "$(count " $server/ladder[-a-z]*~? \* accept\(\)$" <"$BATS_TEST_TMPDIR/rungs")" -eq 1 ]
	[ "$(count '\+- FIN -+\.' <"$BATS_TEST_TMPDIR/rungs")" -eq 1 ]
	# the client's socket may have gone before this one arrives: then its arrival is not seen
	[ "$(count '(\.-+|\?<\.+) FIN -\+( |$)' <"$BATS_TEST_TMPDIR/rungs")" -eq 1 ]
	[ "$(count '(<- ACK )|( ACK ->)' <"$BATS_TEST_TMPDIR/rungs")" -eq 3 ]
	[ "$(count 'closed|TIME-WAIT' <"$BATS_TEST_TMPDIR/rungs")" -eq 2 ]
	absent -q 'not seen' "$BATS_TEST_TMPDIR/rungs"
	grep -qE '^ended: FIN, client closed first, half-close [^ ]+, life [^ ]+$' "$out"
	grep -qE '^client: handshake [^ ]+, sent 5 bytes, received 0, ' "$out"
	grep -qE '^server: handshake [^ ]+, accept wait [^ ]+, sent 0 bytes, received 5,' "$out"
}

@test "its times do not go back, its lines fit 80 columns" {
	serve
	start ladder -C 1 port "$port"
	call
	wait "$pid"
	cat "$out"
	rungs | cut -c1-10 | tr -d '~ ' | sort -c -n
	[ "$(rungs | head -n 1 | cut -c1-10)" = "  0.000000" ]
	absent -qE '^.{81,}' "$out"
}

@test "an end whose other end goes on is drawn alone, the other one when it closes" {
	serve 2.5
	start ladder -C 2 port "$port"
	call
	wait_for_text "$out" '^ended:'
	grep -qE ' \*client +server$' "$out"
	kill -0 "$server"
	wait "$pid"
	cat "$out"
	grep -qE ' client +\*server$' "$out"
	[ "$(count '^ended: FIN, client closed first' <"$out")" -eq 2 ]
}

@test "its life is no shorter than its half-close, also if the closer's socket went before" {
	serve 0.6
	start ladder -C 1 port "$port"
	call
	wait "$pid"
	cat "$out"
	grep -qE '^ended: FIN, client closed first, half-close ([6-9][0-9]{2}ms|[1-9]\.[0-9]+s), life ~?([6-9][0-9]{2}ms|[1-9]\.[0-9]+s)$' "$out"
}

@test "a listener that began after synfin: its socket(), bind() and listen() come first" {
	local steps
	port=$(free_port)
	start ladder -C 1 port "$port"
	serve 0 "$port"
	call
	wait "$pid"
	cat "$out"
	steps=$(rungs | sed -nE 's/.* \* ([a-z]+)\(\)$/\1/p' | head -n 4 | paste -sd ' ')
	[ "$steps" = "socket bind listen accept" ]
	# the client's are its own
	[ "$(count ' socket\(\) \* ' < <(rungs))" -eq 1 ]
	[ "$(rungs | grep -nE ' \* listen\(\)$' | cut -d: -f1)" -lt \
		"$(rungs | grep -nE ' connect\(\) \* ' | cut -d: -f1)" ]
}

@test "TIME-WAIT of an end that waited for the other FIN" {
	serve
	start ladder -C 1 port "$port"
	python3 - "$port" 3>&- <<-'EOF'
		import socket, sys
		end = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
		end.shutdown(socket.SHUT_WR)
		while end.recv(4096):
		    pass
	EOF
	wait "$pid"
	cat "$out"
	[ "$(count ' TIME-WAIT \|<- ' < <(rungs))" -eq 1 ]
	absent -q 'TIME-WAIT end' "$out"
	grep -qE '^ended: FIN, client closed first' "$out"
}

@test "two namespaces, NAT between them, a SYN sent again, data read late: one drawing" {
	local a=lad-a-$$ b=lad-b-$$ first
	namespaces="$a $b"
	ip netns add "$a"
	ip netns add "$b"
	ip link add lad0 netns "$a" type veth peer name lad1 netns "$b"
	ip -n "$a" addr add 10.76.0.1/24 dev lad0
	ip -n "$b" addr add 10.76.0.2/24 dev lad1
	ip -n "$a" link set lad0 up
	ip -n "$b" link set lad1 up
	ip netns exec "$b" nft -f - <<-'EOF'
		table ip t {
			chain nat { type nat hook prerouting priority -100; tcp dport 80 redirect to :8080; }
			chain in { type filter hook input priority 0; tcp dport 8080 counter drop; }
		}
	EOF
	start ladder -C 1 port 80 or port 8080
	ip netns exec "$b" python3 - >"$BATS_TEST_TMPDIR/log" 3>&- <<-'EOF' &
		import socket, time
		listener = socket.create_server(("0.0.0.0", 8080))
		print("listens", flush=True)
		end, _ = listener.accept()
		time.sleep(0.4)
		end.recv(4096)
	EOF
	server=$!
	wait_for_text "$BATS_TEST_TMPDIR/log" listens
	ip netns exec "$a" python3 - 3>&- <<-'EOF' &
		import socket
		socket.create_connection(("10.76.0.2", 80)).sendall(b"hello")
	EOF
	client=$!
	for _ in $(seq 200); do # its first SYN comes to nothing
		! ip netns exec "$b" nft list chain ip t in | grep -q 'packets [1-9]' || break
		sleep 0.05
	done
	ip netns exec "$b" nft flush chain ip t in
	wait "$client" "$pid"
	cat "$out"
	grep -qE "^$client/python3 10\.76\.0\.1:[0-9]+ -> 10\.76\.0\.2:8080 $server/python3$" "$out"
	grep -q "client's peer 10\.76\.0\.2:80$" "$out"
	[ "$(count '[1-9] resent' <"$out")" -eq 1 ]
	grep -qE '^client: .*SYN retransmits [1-9]' "$out"
	# what a program reads has been there: the FIN that came behind it was not faster
	first=$(rungs | grep -nE '(-> ?\|)|( \* recv\(\)$)|send\(\) \*' | sed -E 's/.*(send|recv)\(\).*/\1/; s/.*-.*/segment/' |
		uniq | paste -sd ' ')
	[[ $first == *'send segment recv'* ]]
	[ "$(count 'data' <"$out")" -eq 0 ]
}

@test "what still waits is drawn at the end" {
	serve 60
	start ladder port "$port"
	call
	# its FIN is acknowledged: FIN_WAIT_2, the server's end stays open
	wait_for_text /proc/net/tcp ":$(printf '%04X' "$port") 05 "
	stop
	cat "$out"
	[ "$(count '^ended: FIN, client closed first' <"$out")" -eq 1 ]
	grep -q '^synfin: 1 connections shown, 0 events lost$' "$err"
}

@test "a refused connection: SYN, RST, errno; -C counts drawings" {
	start ladder -C 2 --rport 1
	knock 5
	wait "$pid"
	cat "$out"
	[ "$(count '^ended: refused \(econnrefused\), life ' <"$out")" -eq 2 ]
	[ "$(count ' \+- SYN \.+>\?:' <"$out")" -eq 2 ]
	[ "$(count ' \|<- RST \.+\?:' <"$out")" -eq 2 ]
	[ "$(count ' econnrefused \|' <"$out")" -eq 2 ]
}

@test "lines of UTF-8 where the locale has it, colours only if asked" {
	LC_ALL=C.UTF-8 start ladder -C 1 --rport 1
	knock
	wait "$pid"
	grep -q '│◀─ RST ╌' "$out"
	absent -q $'\e' "$out"
	start ladder -C 1 --rport 1 --color always
	knock
	wait "$pid"
	grep -q $'\e\\[31m<- RST ' "$out"
	[ -z "$(LC_ALL=C tr -d '\n\033 -~' <"$out")" ]
}

@test "a hostile process name reaches the terminal as question marks" {
	start ladder -C 1 --rport 1
	bash -c "printf 'a\e[2J\rb' >/proc/self/comm; exec 3<>/dev/tcp/127.0.0.1/1" 2>/dev/null || true
	wait "$pid"
	absent -q $'\e' "$out"
	grep -qF '/a?[2J?b 127.0.0.1:' "$out"
}

@test "it only draws: other formats are refused, -o table is taken" {
	for format in json csv wide; do
		synfin ladder -o "$format"
		[ "$status" -eq 2 ] || { echo "$format: status $status"; return 1; }
		one_clear_line
		[[ $err == *ladder*table* ]]
	done
	synfin ladder -o table prot 80
	[ "$status" -eq 2 ]
	one_clear_line
	[[ $err == *prot* ]]
}

@test "the help and the hint after a mistyped command name it" {
	synfin --help
	[[ $out == *$'\n  ladder '* ]]
	synfin laddr
	[ "$status" -eq 2 ]
	one_clear_line
	[[ $err == *"(commands: trace, conns, ladder, "* ]]
}
