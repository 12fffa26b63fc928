#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# `synfin top` in a real terminal, tmux's: what the screen shows, what keys do, and that the
# terminal is given back whatever ends it. Needs root.

load common

setup() {
	nr_terminals=0
	unset TMUX
	traffic
}

teardown() {
	[ -z "${tmux:-}" ] || $tmux kill-server 2>/dev/null || true
	kill "$traffic_pid" 2>/dev/null || true
	lines_are_valid
}

# Three connections to one port, over one of which bytes go all the time, and one to another port;
# a file "open" asks for one more to that, a file "close" to close it. Sets $port, $other and
# $traffic_pid.
traffic() {
	/usr/bin/python3 - "$BATS_TEST_TMPDIR" >"$BATS_TEST_TMPDIR/ports" 3>&- <<-'EOF' &
		import os, socket, sys, time
		listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
		ports = [listener.getsockname()[1] for listener in listeners]
		ends = []
		for port, listener in zip([ports[0]] * 3 + ports[1:], [listeners[0]] * 3 + listeners[1:]):
		    ends.append((socket.create_connection(("127.0.0.1", port)), listener.accept()[0]))
		print(*ports, flush=True)
		end = time.monotonic() + 120
		while time.monotonic() < end:
		    ends[1][0].sendall(b"x" * 5000)
		    ends[1][1].recv(5000)
		    if not ends[4:] and os.path.exists(sys.argv[1] + "/open"):
		        os.unlink(sys.argv[1] + "/open")
		        ends.append((socket.create_connection(("127.0.0.1", ports[1])),
		                     listeners[1].accept()[0]))
		    if ends[4:] and os.path.exists(sys.argv[1] + "/close"):
		        for one in ends[-1]:
		            one.close()
		    time.sleep(0.02)
	EOF
	traffic_pid=$!
	wait_for_text "$BATS_TEST_TMPDIR/ports" ' '
	read -r port other <"$BATS_TEST_TMPDIR/ports"
}

# a terminal of its own for whoever asks next
new_terminal() {
	[ -z "${tmux:-}" ] || $tmux kill-server 2>/dev/null || true
	nr_terminals=$((nr_terminals + 1))
	tmux="tmux -L synfin-$BATS_SUITE_TEST_NUMBER-$$-$nr_terminals -f /dev/null"
}

# top WIDTH HEIGHT ARGUMENTS...: starts it; its exit status is printed when it has ended
top() {
	new_terminal
	# tmux's server keeps what it inherits: bats would wait for its descriptor
	$tmux new-session -d -x "$1" -y "$2" 3>&- "env LC_ALL=C.UTF-8 $SYNFIN top ${*:3} \
		2>$BATS_TEST_TMPDIR/err; status=\$?; echo \$status >$BATS_TEST_TMPDIR/status; \
		stty -a >$BATS_TEST_TMPDIR/stty; echo status=\$status; cat"
}

screen() { $tmux capture-pane -p "$@"; }
press() { $tmux send-keys "$@"; }

# waits until the screen has the text, 20 s at most
wait_screen() {
	local end=$((SECONDS + 20))
	until screen | grep -q -- "$1"; do
		[ "$SECONDS" -lt "$end" ] || { echo "no '$1' on:"; screen; return 1; }
		sleep 0.05
	done
}

# the row below the heading
first_row() { screen | sed -n 5p; }

wait_first_row() {
	local end=$((SECONDS + 20))
	until first_row | grep -q -- "$1"; do
		[ "$SECONDS" -lt "$end" ] || { echo "no '$1' in row 1 of:"; screen; return 1; }
		sleep 0.05
	done
}

# the shell's screen and cursor are back, and what is typed is seen and can be edited
is_given_back() {
	[ "$($tmux display -p '#{alternate_on} #{cursor_flag}')" = '0 1' ]
	wait_for_text "$BATS_TEST_TMPDIR/stty" ' icanon'
	grep -q ' echo ' "$BATS_TEST_TMPDIR/stty"
}

@test "top: a row per connection, both ends in it, the busiest first; sums, states, its own end" {
	top 80 24 port "$port" or port "$other"
	wait_screen 'host: [0-9]* ends closed/s, [0-9]* failed/s'
	wait_first_row "127.0.0.1:$port .*[0-9]K\$"
	first_row | grep -Eq '^python3>p.*~127\.0\.0\.1:[0-9]+ +~127\.0\.0\.1:'"$port"' .* ESTAB '
	screen | sed -n 1p | grep -q '^synfin top - .*, every 1.00s - by traffic'
	screen | sed -n 2p | grep -q '^4 connections, 0 stuck'
	screen | sed -n 3p | grep -Eq '^LISTEN [0-9]+ +.*ESTAB [0-9]+'
	screen | sed -n 4p | grep -Eq 'CLIENT +SERVER +HANDSHK +AGE +STATE +BYTES/s'
	[ "$(screen | sed 1,4d | grep -c ' ESTAB ')" = 4 ] # each once
	[ "$(screen | sed -n 24p | cut -c 1-7)" = ' q quit' ]
	press q
	wait_screen 'status=0'
	is_given_back
	[ ! -s "$BATS_TEST_TMPDIR/err" ]
}

@test "top: keys sort, reverse, pick, filter; a wrong filter can be mended" {
	top 100 24 port "$port" or port "$other"
	wait_first_row "127.0.0.1:$port"
	press r
	wait_screen 'by traffic reversed'
	press a
	wait_screen 'by age'
	press h
	wait_screen 'by handshake'
	press p
	wait_screen 'by process'
	press / "port x" Enter
	wait_screen "at character 6: .* wants a number"
	press BSpace "$other" Enter
	wait_screen '^1 connection, 0 stuck'
	first_row | grep -q "127.0.0.1:$other"
	screen | sed -n 1p | grep -q -- "- port $other\$"
	press / C-u BSpace BSpace BSpace BSpace BSpace BSpace BSpace BSpace BSpace BSpace BSpace Enter
	wait_screen '^4 connections'
	press '?'
	wait_screen 'hold still, go on'
	press q
	wait_screen '^4 connections'
	press q
	wait_screen 'status=0'
}

@test "top: opens one: its ladder, live, and how it ends" {
	top 80 30 port "$other"
	wait_screen '^1 connection,'
	touch "$BATS_TEST_TMPDIR/open"
	wait_screen '^2 connections,'
	press h # the one whose handshake was seen
	press Enter
	wait_screen 'now: client ESTAB, server ESTAB, age '
	screen | grep -q 'connect() ● [0-9]*/python3'
	screen | grep -q 'accept()'
	touch "$BATS_TEST_TMPDIR/close"
	# where TIME_WAIT can be followed, it is open until that is over
	wait_screen 'ended: FIN\|now: .*TIME-WAIT'
	press Escape
	wait_screen 'connection'
	press q
	wait_screen 'status=0'
}

@test "top: held still, it does not move until it goes on" {
	top 80 24
	wait_screen 'connections'
	press Space
	wait_screen 'PAUSED'
	sleep 0.3
	screen >"$BATS_TEST_TMPDIR/one"
	sleep 1.5
	screen | diff "$BATS_TEST_TMPDIR/one" -
	press Space
	wait_screen 'by traffic$'
	sleep 1.5
	! screen | diff "$BATS_TEST_TMPDIR/one" - >/dev/null || false
}

@test "top: what is stuck is red, and says why when it is opened" {
	/usr/bin/python3 - >"$BATS_TEST_TMPDIR/stuck" 3>&- <<-'EOF' &
		import socket, time
		listener = socket.create_server(("127.0.0.1", 0))
		client = socket.create_connection(listener.getsockname())
		server, _ = listener.accept()
		client.setblocking(False)
		try:
		    while True:
		        client.send(b"x" * 65536)
		except BlockingIOError:
		    print(listener.getsockname()[1], "", flush=True)
		time.sleep(60)
	EOF
	stuck_pid=$!
	wait_for_text "$BATS_TEST_TMPDIR/stuck" ' '
	top 100 30 --color always --threshold zero_window=1s --threshold unread=1s \
		port "$(cut -d ' ' -f 1 "$BATS_TEST_TMPDIR/stuck")"
	wait_screen '^1 connection, 1 stuck'
	screen -e | sed -n 5p | grep -q $'\033\[[0-9;]*31[;m]'
	press Enter
	wait_screen 'does not read'
	wait_screen '^  do   '
	kill "$stuck_pid"
}

@test "top: any size of the terminal" {
	top 80 24
	wait_screen 'connections'
	for size in '200 50' '80 5' '80 1' '20 3' '1 1' '40 10' '132 43'; do
		$tmux resize-window -x "${size% *}" -y "${size#* }"
		press Enter
		sleep 0.2
		press Escape
		sleep 0.2
	done
	wait_screen 'BYTES/s'
	screen | sed -n 4p | grep -q 'SRTT' # wider: more columns
	press q
	wait_screen 'status=0'
}

@test "top: the terminal is given back by Ctrl-C, SIGTERM, a crash, two signals at once" {
	local how pid
	for how in INT TERM SEGV ABRT HUP USR1 SYS; do
		rm -f "$BATS_TEST_TMPDIR/stty"
		top 80 24
		wait_screen 'connections'
		[ "$($tmux display -p '#{alternate_on}')" = 1 ]
		if [ "$how" = INT ]; then
			press C-c
		else
			pid=$(pgrep -P "$($tmux display -p '#{pane_pid}')" -x synfin)
			kill -"$how" "$pid"
		fi
		wait_screen 'status='
		is_given_back
		case $how in
		INT | TERM) screen | grep -q 'status=0' ;;
		*) screen | grep -q "status=$((128 + $(kill -l "$how")))" ;;
		esac
		$tmux kill-server
	done
	# stopped, it cannot act on the first one: the second finds it not done yet
	rm -f "$BATS_TEST_TMPDIR/stty"
	top 80 24
	wait_screen 'connections'
	pid=$(pgrep -P "$($tmux display -p '#{pane_pid}')" -x synfin)
	kill -STOP "$pid"
	kill -TERM "$pid"
	kill -INT "$pid"
	kill -CONT "$pid"
	wait_screen 'status=[01]'
	is_given_back
}

@test "top: a terminal that was stopped keeps it from nothing: -d and SIGTERM end it" {
	local pid
	top 80 24 -d 3
	wait_screen 'connections'
	press C-s
	wait_for_text "$BATS_TEST_TMPDIR/stty" ' icanon' || { press C-q; return 1; }
	press C-q
	[ "$(cat "$BATS_TEST_TMPDIR/status")" = 0 ]
	rm "$BATS_TEST_TMPDIR/stty"
	top 80 24
	wait_screen 'connections'
	press C-s
	sleep 1.5
	pid=$(pgrep -P "$($tmux display -p '#{pane_pid}')" -x synfin)
	kill -TERM "$pid"
	wait_for_text "$BATS_TEST_TMPDIR/stty" ' icanon'
	press C-q
}

@test "top: Ctrl-Z does not stop it; a filter typed while it is held still is heeded" {
	top 80 24
	wait_screen 'connections'
	press C-z
	press Space
	wait_screen 'PAUSED'
	press / "port $other" Enter
	wait_screen '^1 connection, 0 stuck'
	press q
	wait_screen 'status=0'
}

@test "top: two ends that nobody knows the roles of are one row" {
	/usr/bin/python3 - >"$BATS_TEST_TMPDIR/lone" 3>&- <<-'EOF' &
		import socket, time
		listener = socket.create_server(("127.0.0.1", 0))
		client = socket.create_connection(listener.getsockname())
		server, _ = listener.accept()
		listener.close()
		print(client.getpeername()[1], "", flush=True)
		time.sleep(60)
	EOF
	lone=$!
	wait_for_text "$BATS_TEST_TMPDIR/lone" ' '
	top 80 24 port "$(cut -d ' ' -f 1 "$BATS_TEST_TMPDIR/lone")"
	wait_screen '^1 connection, 0 stuck'
	kill "$lone"
}

@test "top: -d and -C end it" {
	top 80 24 -d 1.5
	wait_screen 'status=0'
	is_given_back
	$tmux kill-server
	top 80 24 -C 1
	wait_screen 'status=0'
}

@test "top: without BPF it shows what sock_diag tells" {
	top 80 24 --no-bpf port "$port"
	wait_screen '^3 connections, 0 stuck$'
	first_row | grep -q "ESTAB"
	press Enter
	wait_screen 'now: '
}

@test "top: no terminal, an unknown one, and what it does not do: one clear line" {
	synfin top
	[ "$status" = 2 ]
	one_clear_line
	[[ $err == *'needs a terminal'* ]]
	synfin top -o json
	[ "$status" = 2 ]
	one_clear_line
	synfin top -w "$BATS_TEST_TMPDIR/x"
	[ "$status" = 2 ]
	one_clear_line
	synfin top port x
	[ "$status" = 2 ]
	one_clear_line
	new_terminal
	$tmux new-session -d 3>&- "env TERM=no-such-terminal $SYNFIN top 2>$BATS_TEST_TMPDIR/err; \
		echo status=\$?; cat"
	wait_screen 'status=2'
	grep -q '^synfin: the terminal type (TERM) is not known here' "$BATS_TEST_TMPDIR/err"
}
