#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# `synfin serve` and its sinks, each against its real counterpart: a file and logrotate, rsyslogd on
# a local socket and over TCP, systemd-journald. Each event that was sent arrives once, or is
# counted as dropped. Needs root.

load common
load service

schema=$BATS_TEST_DIRNAME/../../user/dist/schema/synfin.schema.json
check_lines=$BATS_TEST_DIRNAME/../unit/check_lines.py

setup() {
	cd "$BATS_TEST_TMPDIR" || return 1
	pids=()
}

teardown() {
	kill_pids
	umount "$BATS_TEST_TMPDIR/small" 2>/dev/null || true
	lines_are_valid
}

# Of the last statistics line: what it says of the sink, as "SENT DROPPED"
counts() { # FILE SINK
	/usr/bin/python3 - "$@" <<-'EOF'
		import json, sys
		last = [json.loads(line) for line in open(sys.argv[1]) if '"synfin.stats"' in line][-1]
		for sink in last["sinks"]:
		    if sink["sink"] == sys.argv[2]:
		        print(sink["lines_sent"], sink["lines_dropped"])
	EOF
}

# rsyslog CONFIGURATION: a daemon of the test's own
rsyslog() {
	printf '%s\n' "$1" >rsyslog.conf
	rsyslogd -n -f "$PWD/rsyslog.conf" -i "$PWD/rsyslog.pid" >rsyslog.out 2>&1 3>&- &
	rsyslog=$!
	pids+=("$rsyslog")
}

wait_for_socket() {
	local end=$((SECONDS + 20))
	until [ -S "$1" ]; do
		[ "$SECONDS" -lt "$end" ] || { cat rsyslog.out; return 1; }
		sleep 0.05
	done
}

# Writes what comes on log.sock to stored: severity, program and line.
rsyslog_unix() {
	rsyslog 'module(load="imuxsock" SysSock.Use="off")
input(type="imuxsock" Socket="'"$PWD"'/log.sock" CreatePath="on" RateLimit.Interval="0")
template(name="t" type="string" string="%syslogseverity% %programname%[%procid%] %msg:2:$%\n")
global(maxMessageSize="16k")
action(type="omfile" file="'"$PWD"'/stored" template="t")'
	wait_for_socket log.sock
}

@test "a file: every line is valid, both ends, none missing, none twice; statistics; 0640" {
	serve --to file:log
	port=$(dial 100)
	wait_for_ends log "$port" 200
	stop
	[ "$status" = 0 ]
	[ "$(ends log "$port")" = 200 ]
	"$check_lines" "$schema" <log
	[ "$(stat -c %a log)" = 640 ]
	# its seq has no gap: nothing is missing
	/usr/bin/python3 -c '
import json
seqs = [json.loads(line)["seq"] for line in open("log")]
assert seqs == list(range(1, len(seqs) + 1)), seqs[:20]'
	tail -n 1 log | grep -q '"event_name":"synfin.stats"'
	grep -q "^synfin: file:log: $(wc -l <log) lines sent, 0 dropped" serve.err
	grep -F "\"server_port\":$port," log | head -n 1 | grep -q '"peer_process_pid":'
}

@test "-r: the sinks have the lines of a recording" {
	start_named record conns -w recording --rport 1
	(exec 3<>/dev/tcp/127.0.0.1/1) 2>/dev/null || true
	(exec 3<>/dev/tcp/127.0.0.1/1) 2>/dev/null || true
	kill -INT "$pid"
	wait "$pid"
	rsyslog_unix
	synfin serve -r recording --to file:log --to "syslog:unix:$PWD/log.sock"
	[ "$status" = 0 ] || { echo "$err"; return 1; }
	wait_for_lines stored "$(wc -l <log)"
	sed 's/^[^{]*//' stored | diff - log
	[ "$(grep -c '"event_name":"tcp.failed"' log)" = 2 ]
	diff <(grep tcp.failed log) <("$SYNFIN" conns -r recording -o json 2>/dev/null | grep tcp.failed)
	"$check_lines" "$schema" <log
}

# until Prometheus is told so; the socket is "metrics"
wait_for_row() {
	local end=$((SECONDS + 20))
	until curl -s --unix-socket metrics http://localhost/metrics | grep -qx "$1"; do
		[ "$SECONDS" -lt "$end" ] || { echo "no row: $1"; return 1; }
		sleep 0.1
	done
}

@test "--watch: what gets stuck and what is over, once each, whatever is logged else" {
	half_closed >half &
	pids+=("$!")
	wait_for_text half '^[0-9]'
	read -r port holder <half
	rsyslog_unix
	serve --watch --interval 200ms --threshold close_wait=100ms,fin_wait2=1h --log failures \
		--to file:log --to "syslog:unix:$PWD/log.sock" --to prometheus:unix:metrics "lport $port"
	wait_for_text log '"tcp.stuck"'
	sleep 1 # several looks: told once
	wait_for_row 'synfin_stuck{rule="close_wait",blame="local_app"} 2'
	touch go
	wait_for_text log '"stuck_change":"ended"'
	wait_for_row 'synfin_stuck{rule="close_wait",blame="local_app"} 1'
	wait_for_row 'synfin_stuck{rule="unacked",blame="network"} 0'
	stop
	[ "$status" = 0 ]
	"$check_lines" "$schema" <log
	/usr/bin/python3 - "$port" "$holder" <<-'EOF'
		import json, sys
		port, holder = map(int, sys.argv[1:])
		lines = [json.loads(line) for line in open("log")]
		stuck = [line for line in lines if line["event_name"] == "tcp.stuck"]
		got = [(line["stuck_change"], line["connection_id"]) for line in stuck]
		begun = {id for change, id in got if change == "begun"}
		ended = {id for change, id in got if change == "ended"}
		assert len(got) == 3 and len(begun) == 2 and len(ended) == 1 and ended < begun, got
		for line in stuck:
		    assert line["stuck_rule"] == "close_wait", line
		    assert (line["process_pid"], line["server_port"]) == (holder, port), line
		seqs = [line["seq"] for line in lines]
		assert seqs == list(range(1, len(seqs) + 1)), seqs
	EOF
	wait_for_lines stored "$(wc -l <log)"
	sed 's/^[^{]*//' stored | diff - log
	[ "$(grep -c '^4 .*"tcp.stuck"' stored)" = 3 ]
}

@test "--watch: thousands that get stuck at once are told one and all, and events meanwhile, too" {
	/usr/bin/python3 -u - >many 3>&- <<-'EOF' &
		import resource, socket, time
		limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
		resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
		listener = socket.create_server(("127.0.0.1", 0), backlog=512)
		held = []
		for _ in range(3000):
		    near = socket.create_connection(listener.getsockname())
		    held.append(listener.accept()[0])
		    near.close()
		print(listener.getsockname()[1])
		time.sleep(100)
	EOF
	pids+=("$!")
	wait_for_text many '^[0-9]'
	serve --watch --interval 200ms --threshold close_wait=100ms,fin_wait2=1h --queue 64M \
		--to file:log
	port=$(dial 300)
	wait_for_ends log "$port" 600
	sleep 1
	stop
	[ "$status" = 0 ]
	"$check_lines" "$schema" <log
	/usr/bin/python3 - "$(cat many)" <<-'EOF'
		import json, sys
		lines = [json.loads(line) for line in open("log")]
		told = [line["connection_id"] for line in lines if line["event_name"] == "tcp.stuck" and
		        line["server_port"] == int(sys.argv[1])]
		assert len(told) == len(set(told)) == 3000, (len(told), len(set(told)))
		assert lines[-1]["events_lost"] == 0, lines[-1]
	EOF
}

@test "--watch in the configuration; not with a recording; only the thread that looks keeps capabilities" {
	printf 'to = file:log\nwatch = yes\ninterval = 100ms\n' >conf
	serve --config conf
	kept=0
	for task in "/proc/$pid/task"/*; do
		caps=$((0x$(sed -n 's/^CapPrm:\t//p' "$task/status")))
		((caps & 1 << 21)) && kept=$((kept + 1)) # CAP_SYS_ADMIN
		((caps & 1 << 0)) && { echo "CAP_CHOWN: $task"; return 1; }
	done
	[ "$kept" = 1 ]
	kill -HUP "$pid"
	wait_for_text serve.err 'the configuration was read again'
	stop
	[ "$status" = 0 ]
	synfin serve --watch -r conf --to file:log
	[ "$status" = 2 ]
	one_clear_line
	grep -q -- '--watch or -r' err
}

@test "--watch: a look that fails is told once, tracing goes on, and so does looking" {
	# No descriptor is left for it, until there is. It is numbers that the limit is about: what it
	# was born with may have high ones, and leave gaps.
	serve --watch --interval 100ms --to file:log
	wait_for_ends log "$(dial 1)" 2
	prlimit --pid "$pid" --nofile=3:
	wait_for_text serve.err 'cannot look for what is stuck: Too many open files'
	sleep 0.5
	port=$(dial 10)
	wait_for_ends log "$port" 20
	[ "$(grep -c 'cannot look' serve.err)" = 1 ]
	prlimit --pid "$pid" --nofile=1024:
	wait_for_text serve.err 'can be looked for again'
	stop
	[ "$status" = 0 ]
}

@test "no permission to trace: one clear line, status 77" {
	cp "$SYNFIN" "$BATS_TEST_TMPDIR/synfin"
	for dir in "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR/test" "$BATS_FILE_TMPDIR" "$BATS_TEST_TMPDIR"; do
		chmod a+rx "$dir" 2>/dev/null || true
	done
	[ "$(id -u)" != 0 ] || as=(setpriv --reuid=65534 --regid=65534 --clear-groups --)
	status=0
	(cd / && "${as[@]}" "$BATS_TEST_TMPDIR/synfin" serve --to syslog:tcp:127.0.0.1:1) >out 2>err || status=$?
	[ "$status" = 77 ]
	[ "$(wc -l <err)" = 1 ]
	grep -q '^synfin: no permission to trace' err
}

@test "statistics say how late it reads, and how well the clock is kept" {
	serve --to file:log
	dial 3 >/dev/null
	kill -STOP "$pid"
	port=$(dial 20)
	sleep 1
	kill -CONT "$pid"
	wait_for_ends log "$port" 40
	stop
	[ "$status" = 0 ]
	"$check_lines" "$schema" <log
	/usr/bin/python3 - <<-'EOF'
		import ctypes, json
		stats = [line for line in map(json.loads, open("log")) if line["event_name"] == "synfin.stats"]
		lag_us = max(line["lag_us"] for line in stats)
		assert 1_000_000 <= lag_us < 60_000_000, lag_us
		# struct timex, in words: 0 modes, 3 maxerror, 5 status
		timex = (ctypes.c_long * 64)()
		error = ctypes.CDLL(None).adjtimex(timex) == 5 or bool(timex[5] & 0x40)
		assert stats[-1]["clock_synchronized"] == (not error), (stats[-1], timex[:8])
		assert ("clock_error_us" in stats[-1]) == (not error)
		# it grows by 500 ppm at most while nobody corrects it
		assert error or abs(stats[-1]["clock_error_us"] - timex[3]) < 10_000_000
	EOF
}

@test "--log: steps, failures only, and a sample that both ends agree on" {
	serve --to file:log --log steps
	dial 3 >/dev/null
	sleep 0.5
	stop
	grep -q '"tcp.established"' log
	"$check_lines" "$schema" <log
	serve --to file:failures --log failures
	port=$(dial 3)
	knock 2
	wait_for_text failures '"tcp.failed"'
	stop
	[ "$(grep -c '"tcp.failed"' failures)" -ge 2 ]
	[ "$(ends failures "$port")" = 0 ]
	serve --to file:sample --sample 4
	port=$(dial 400)
	knock 5
	wait_for_text sample '"tcp.failed"'
	sleep 1.5
	stop
	n=$(ends sample "$port")
	echo "$n of 800"
	[ "$n" -gt 100 ] && [ "$n" -lt 320 ]
	# whole pairs: both ends of a connection, or neither
	grep -F "\"server_port\":$port," sample | grep -o '"wire_id":"[0-9a-f]*"' | sort | uniq -c |
		awk '$1 != 2 { print; bad = 1 } END { exit bad }'
	[ "$(grep -c '"tcp.failed"' sample)" -ge 5 ]
}

# rotate: logrotate with the file that is installed. In a place of its own there is /var/log/synfin,
# its user, and a systemctl that says that the service runs and sends its signal.
rotate() {
	mkdir -p bin
	cat >bin/systemctl <<-EOF
		#!/bin/sh
		case \$* in
		"--quiet is-active synfin.service") ;;
		"kill -s HUP synfin.service") kill -HUP $pid ;;
		*) exit 1 ;;
		esac
	EOF
	chmod +x bin/systemctl
	{ grep -v ^synfin: /etc/passwd; echo synfin:x:64123:64123::/:/bin/false; } >passwd
	{ grep -v ^synfin: /etc/group; echo synfin:x:64123:; } >group
	install -m 644 "$BATS_TEST_DIRNAME/../../user/dist/synfin.logrotate" rotate.conf
	chown -R 64123:64123 var/synfin
	# shellcheck disable=SC2016 # it is for the other bash
	PATH=$PWD/bin:$PATH unshare -m bash -ec 'mount --make-rprivate /
		mount --bind passwd /etc/passwd
		mount --bind group /etc/group
		mount --bind var /var/log
		exec logrotate -f -s "$PWD/state" "$PWD/rotate.conf"'
}

# wait_for_both FILE PORT NUMBER: until it has opened the new one, it writes to the old one
wait_for_both() {
	local end=$((SECONDS + 20))
	until [ -e "$1" ] && [ "$(($(ends "$1" "$2") + $(ends "$1.1" "$2")))" = "$3" ]; do
		[ "$SECONDS" -lt "$end" ] || { wc -l "$1"*; return 1; }
		sleep 0.1
	done
}

@test "logrotate moves the file away while it is written: nothing is lost" {
	mkdir -p var/synfin
	log=$PWD/var/synfin/synfin.jsonl
	serve --to "file:$log"
	port=$(dial 50)
	wait_for_ends "$log" "$port" 100
	rotate
	other=$(dial 50)
	wait_for_both "$log" "$other" 100
	[ "$(ends "$log.1" "$port")" = 100 ]
	[ -s "$log" ]
	# the second time, the one before is compressed
	rotate
	third=$(dial 5)
	wait_for_both "$log" "$third" 10
	stop
	zcat "$log.2.gz" | cat - "$log.1" "$log" >all
	"$check_lines" "$schema" <all
	/usr/bin/python3 -c '
import json
seqs = [json.loads(line)["seq"] for line in open("all")]
assert seqs == list(range(1, len(seqs) + 1)), seqs[:20]'
}

@test "SIGHUP again and again while lines are written: none is lost, none is there twice" {
	serve --to file:log
	dial 4000 >dialed &
	dialing=$!
	for i in 1 2 3 4 5 6 7 8; do
		wait_for_text log '^{'
		mv log "log.$i"
		kill -HUP "$pid"
		sleep 0.1
	done
	wait "$dialing"
	port=$(cat dialed)
	for _ in $(seq 100); do
		cat log.? log >all
		[ "$(ends all "$port")" -lt 8000 ] || break
		sleep 0.1
	done
	stop
	[ "$status" = 0 ]
	cat log.? log >all
	[ "$(ends all "$port")" = 8000 ]
	"$check_lines" "$schema" <all
	/usr/bin/python3 -c '
import json
seqs = [json.loads(line)["seq"] for line in open("all")]
assert seqs == list(range(1, len(seqs) + 1)), len(seqs)'
}

@test "SIGHUP takes a sink away that does not answer: the ring is read all the same" {
	deaf
	printf 'to = file:log\nto = syslog:tcp:127.0.0.1:%d\n' "$deaf_port" >conf
	serve --config conf
	port=$(dial 2000)
	wait_for_ends log "$port" 4000
	echo 'to = file:log' >conf
	kill -HUP "$pid"
	wait_for_text serve.err 'was read again'
	port=$(dial 100)
	wait_for_ends log "$port" 200
	wait_for_text serve.err '^synfin: syslog:tcp:.* lines sent, [0-9]* dropped'
	stop
	[ "$status" = 0 ]
	/usr/bin/python3 -c '
import json
stats = [line for line in map(json.loads, open("log")) if line["event_name"] == "synfin.stats"]
assert max(line["lag_us"] for line in stats) < 700_000, stats'
}

@test "it rotates by itself: files of that size at most, whole lines, the oldest goes" {
	serve --to file:log,rotate=64K,keep=2
	for _ in 1 2 3 4 5 6; do
		dial 60 >/dev/null
		sleep 0.3
	done
	stop
	[ -e log ] && [ -e log.1 ] && [ -e log.2 ] && [ ! -e log.3 ]
	for file in log log.1 log.2; do
		[ "$(stat -c %s "$file")" -le 65536 ]
		"$check_lines" "$schema" <"$file"
	done
}

@test "a file that cannot be rotated: told, tried again, counted; it ends all the same" {
	mkdir log.1
	serve --to file:log,rotate=4K,keep=1 --to file:all --queue 64K
	port=$(dial 100)
	wait_for_ends all "$port" 200 || true # the queue may be too small for so many at once
	wait_for_text serve.err 'file:log,rotate=4K,keep=1: log: Is a directory'
	stop
	[ "$status" = 0 ]
	"$check_lines" "$schema" <log
	[ "$(stat -c %s log)" -le 4096 ]
	read -r sent dropped < <(sed -nE 's/^synfin: file:log,rotate=4K,keep=1: ([0-9]+) lines sent, ([0-9]+) dropped$/\1 \2/p' serve.err)
	[ "$sent" = "$(wc -l <log)" ]
	[ "$dropped" -ge 100 ]
}

@test "events that the ring had no room for leave a gap in seq, and are counted" {
	serve --to file:log --buffer 64K
	kill -STOP "$pid"
	dial 300 >/dev/null
	kill -CONT "$pid"
	port=$(dial 1)
	wait_for_ends log "$port" 2
	stop
	/usr/bin/python3 -c '
import json
lines = [json.loads(line) for line in open("log")]
lost = lines[-1]["lost_ring"]
assert lost > 0
assert lines[-1]["seq"] - len(lines) == lost, (lines[-1]["seq"], len(lines), lost)'
}

@test "a disk that fills: the others go on, what had no room is counted, lines stay whole" {
	mkdir small
	mount -t tmpfs -o size=64k tmpfs small
	serve --to file:small/log --to file:log --queue 2M
	for _ in 1 2 3 4 5; do
		port=$(dial 300)
		wait_for_ends log "$port" 600
	done
	wait_for_text serve.err 'small/log: .*No space left'
	mount -o remount,size=16m small
	wait_for_text serve.err 'file:small/log: works again'
	other=$(dial 5)
	wait_for_ends small/log "$other" 10
	stop
	"$check_lines" "$schema" <small/log
	# the last words: the last statistics line is on its way itself, and finds others waiting
	read -r sent dropped < <(last_words file:small/log)
	[ "$dropped" -gt 0 ]
	# all that was sent is there, and what is not there was dropped
	read -r all none < <(last_words file:log)
	[ "$none" = 0 ]
	[ "$all" = $((sent + dropped)) ]
	[ "$(wc -l <log)" = $(($(wc -l <small/log) + dropped)) ]
}

@test "what is no plain file is refused, tried again, and costs the other nothing" {
	ln -s /tmp/elsewhere-$$ link
	mkfifo pipe
	serve --to file:link --to file:pipe --to file:log
	port=$(dial 3)
	wait_for_ends log "$port" 6
	wait_for_text serve.err 'link: a symbolic link'
	wait_for_text serve.err 'pipe: not a file'
	stop
	[ "$status" = 0 ]
	[ ! -e /tmp/elsewhere-$$ ]
}

@test "syslog: rsyslogd on a local socket takes each line, with its severity" {
	rsyslog_unix
	serve --to "syslog:unix:$PWD/log.sock" --to file:log
	port=$(dial 50)
	knock 3
	wait_for_ends stored "$port" 100
	wait_for_text stored '^4 .*"tcp.failed"'
	stop
	wait_for_lines stored "$(wc -l <log)"
	grep -F "\"server_port\":$port," stored | head -n 1 | grep -q "^6 synfin\[$pid\] {"
	# the same lines, in their order
	sed 's/^[^{]*//' stored | diff - log
}

@test "syslog: RFC 5424 over TCP; the daemon is killed and comes back: nothing is missing" {
	conf='module(load="imtcp" MaxSessions="20")
input(type="imtcp" port="0" address="127.0.0.1" listenPortFileName="'"$PWD"'/port")
template(name="t" type="string" string="%syslogseverity% %hostname% %app-name% %msgid% %msg%\n")
global(maxMessageSize="16k")
action(type="omfile" file="'"$PWD"'/stored" template="t" asyncWriting="off" flushInterval="1")'
	rsyslog "$conf"
	wait_for_text port '^[0-9]'
	tcp_port=$(cat port)
	serve --to "syslog:tcp:127.0.0.1:$tcp_port" --to file:log
	port=$(dial 30)
	wait_for_ends stored "$port" 60
	dial 2000 >dialed &
	dialing=$!
	sleep 0.2
	kill -9 "$rsyslog"
	wait "$rsyslog" || true
	rm -f rsyslog.pid
	wait "$dialing"
	other=$(cat dialed)
	wait_for_ends log "$other" 4000
	wait_for_text serve.err 'syslog:tcp:.*: Connection re'
	rsyslog "${conf/port=\"0\"/port=\"$tcp_port\"}"
	wait_for_text stored "\"seq\":$(wc -l <log),"
	stop
	wait_for_text stored "\"seq\":$(wc -l <log),"
	grep -F "\"server_port\":$port," stored | head -n 1 |
		grep -Eq "^6 [^ ]+ synfin tcp.close \{"
	# at least once: some may be there twice, none may be missing
	sed 's/^[^{]*//' stored | sort -u >got
	sort -u log | comm -13 got - >missing
	[ ! -s missing ]
}

@test "journald: each line is an entry with fields, a message and a priority" {
	cat >inside <<-'EOF'
		set -eu
		mount --make-rprivate /
		mount -t tmpfs t /run
		mount -t tmpfs t /etc/systemd
		mkdir -p /run/systemd/journal /run/log /etc/systemd/journald.conf.d
		printf '[Journal]\nStorage=volatile\nReadKMsg=no\nAudit=no\nRateLimitBurst=0\n' \
			>/etc/systemd/journald.conf.d/test.conf
		/lib/systemd/systemd-journald >journald.out 2>&1 &
		journald=$!
		until [ -S /run/systemd/journal/socket ]; do sleep 0.05; done
		"$SYNFIN" serve --to journald --to file:log >serve.out 2>serve.err &
		synfin=$!
		until grep -q '^synfin: tracing' serve.err; do sleep 0.05; done
		echo ready >ready
		until [ -e go ]; do sleep 0.05; done
		kill -TERM $synfin
		wait $synfin
		journalctl --sync
		journalctl -o json SYSLOG_IDENTIFIER=synfin >journal
		journalctl -o cat SYNFIN_EVENT_NAME=tcp.failed >failed
		kill $journald
	EOF
	SYNFIN=$SYNFIN unshare -m bash inside 3>&- >inside.out 2>&1 &
	pids+=("$!")
	inside=$!
	wait_for_text ready ready || { cat inside.out serve.err journald.out; return 1; }
	port=$(dial 20)
	knock 2
	wait_for_ends log "$port" 40
	touch go
	wait "$inside" || { cat inside.out; return 1; }
	/usr/bin/python3 - <<-'EOF'
		import json
		def load(name):
		    return [json.loads(line) for line in open(name)]
		log, journal = load("log"), load("journal")
		assert len(log) == len(journal), (len(log), len(journal))
		for line, entry in zip(log, sorted(journal, key=lambda e: int(e["SYNFIN_SEQ"]))):
		    for key, value in line.items():
		        have = entry["SYNFIN_" + key.upper()]
		        if isinstance(value, bool):
		            value = str(value).lower()
		        elif isinstance(value, (dict, list)):
		            value = json.dumps(value, separators=(",", ":"))
		        assert have == str(value), (key, have, value)
		    warns = line["event_name"] == "tcp.failed" or line.get("close_reason", "fin") != "fin"
		    assert entry["PRIORITY"] == ("4" if warns else "6"), entry
		    assert len(entry["MESSAGE_ID"]) == 32
		    assert entry["MESSAGE"].startswith(line["event_name"])
		assert len({entry["MESSAGE_ID"] for entry in journal}) == len(
		    {line["event_name"] for line in log})
	EOF
	grep -q '^tcp.failed client 127.0.0.1 port .*: refused, error econnrefused$' failed
}

@test "a configuration file; SIGHUP reads it again: a sink more, another goes; a wrong one changes nothing" {
	printf '%s\n' '# of the test' 'to = file:one' 'log = failures' 'quiet=no' >conf
	serve --config conf
	knock 1
	wait_for_text one '"tcp.failed"'
	printf 'to = file:two\nto = file:three\nlog = conns\n' >conf
	kill -HUP "$pid"
	wait_for_text serve.err 'was read again'
	port=$(dial 5)
	wait_for_ends two "$port" 10
	wait_for_ends three "$port" 10
	[ "$(ends one "$port")" = 0 ]
	printf 'to = file:two\nto = file:three\nlog = steps\n' >conf
	kill -HUP "$pid"
	wait_for_text serve.err "'log' stays as it was"
	printf 'to = file:two\nlgo = conns\n' >conf
	kill -HUP "$pid"
	wait_for_text serve.err "conf:2: no such key: 'lgo'.*all stays as it was"
	port=$(dial 5)
	wait_for_ends three "$port" 10
	stop
	[ "$status" = 0 ]
}

@test "what is wrong with it is told in one line: file, line, key; status 2" {
	local text want
	while IFS='|' read -r text want; do
		printf '\n%b\n' "$text" >conf
		synfin serve --config conf
		[ "$status" = 2 ]
		one_clear_line
		[[ $err == "synfin: conf:2: "*$want* ]] || { echo "$err, not: $want"; return 1; }
	done <<-'EOF'
		port = x|--port
		port 80|want KEY = VALUE
		config = other|no such key: 'config'
		to = nowhere|want one of file:PATH
		to = file:|want file:PATH
		to = syslog:tcp:host:1|want syslog
		quiet = perhaps|'quiet' wants yes or no
		duration =|no value
		\033[2Jx = y|no such key: '?[2Jx'
	EOF
	synfin serve --config /dev/null
	[ "$status" = 2 ]
	one_clear_line
	synfin serve --config "$PWD"
	[ "$status" = 2 ]
	one_clear_line
	synfin serve
	[ "$status" = 2 ]
	[[ $err == *'--to file:PATH'* ]]
	synfin serve --to file:x -o json
	[ "$status" = 2 ]
	one_clear_line
}

@test "SIGTERM drains: a sink that does not answer holds it up for 5 s at most" {
	deaf
	serve --to "syslog:tcp:127.0.0.1:$deaf_port" --to file:log
	port=$(dial 20)
	wait_for_ends log "$port" 40
	started=$SECONDS
	stop
	[ "$status" = 0 ]
	[ $((SECONDS - started)) -le 6 ] # 5 s, and the second in which it was asked
	[ "$(ends log "$port")" = 40 ]
}
