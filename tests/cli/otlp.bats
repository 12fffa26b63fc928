#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The otlp sink of `synfin serve` against a receiver on OpenTelemetry's own classes: what arrives is
# what the file sink has, byte for byte as the official encoder writes it; whatever the server
# answers, or does not, each line arrives or is counted as dropped. Needs root.

load common
load service

schema=$BATS_TEST_DIRNAME/../../user/dist/schema/synfin.schema.json
server_py=$BATS_TEST_DIRNAME/otlp_server.py

setup_file() {
	if ! OTLP_CLASSES=$("$BATS_TEST_DIRNAME/otlp_classes.sh" 2>"$BATS_FILE_TMPDIR/why"); then
		OTLP_MISSING=$(tail -n 1 "$BATS_FILE_TMPDIR/why")
	fi
	export OTLP_CLASSES OTLP_MISSING
}

setup() {
	cd "$BATS_TEST_TMPDIR" || return 1
	pids=()
	unset http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY
}

teardown() {
	kill_pids
	lines_are_valid
}

# receiver [MODE]: a server of the test's own, on the port it had before, if any; $url
receiver() {
	[ -z "${OTLP_MISSING:-}" ] || skip "$OTLP_MISSING"
	echo "${1:-ok}" >mode
	local again
	again=$(cat port 2>/dev/null || echo 0)
	rm -f port
	PYTHONPATH=$OTLP_CLASSES "$server_py" serve "$again" >server.out 2>&1 3>&- &
	server=$!
	pids+=("$server")
	wait_for_text port '^[0-9]' || { cat server.out; return 1; }
	url=http://127.0.0.1:$(cat port)
}

judge() { PYTHONPATH=$OTLP_CLASSES "$server_py" "$@"; }

# finish: stop, and of the otlp sink $sent and $dropped
finish() {
	stop
	[ ! -s errors ] || { cat errors; return 1; }
	read -r sent dropped < <(last_words 'otlp:.*')
	cat serve.err # is shown where the test fails
}

# stored_has TEXT: waits until it arrived
stored_has() {
	local end=$((SECONDS + 20))
	until grep -qF -- "$1" stored 2>/dev/null; do
		[ "$SECONDS" -lt "$end" ] || { echo "no '$1' arrived"; cat serve.err; return 1; }
		sleep 0.05
	done
}

# Each line of the log arrived or was dropped, nothing else arrived. once: and none twice.
all_accounted() {
	local lines arrived
	lines=$(wc -l <log)
	judge seqs | sort >arrived
	sort -u arrived >unique
	arrived=$(wc -l <unique)
	echo "$lines lines, $arrived arrived ($(wc -l <arrived) with repeats), $sent sent, $dropped dropped"
	[ $((sent + dropped)) = "$lines" ]
	[ "$arrived" = "$sent" ]
	sed -nE 's/.*"seq":([0-9]+),.*/\1/p' log | sort | comm -13 - unique >strange
	[ ! -s strange ]
	[ "${1:-}" != once ] || [ "$(wc -l <arrived)" = "$arrived" ]
	grep -q "^synfin: file:log: $lines lines sent, 0 dropped" serve.err
}

@test "every line arrives once, as a record with the same fields, by OpenTelemetry's names" {
	receiver
	serve --to "otlp:$url/v1/logs" --to file:log --log steps
	port=$(dial 60)
	knock 3
	wait_for_ends log "$port" 120
	finish
	[ "$status" = 0 ]
	[ "$dropped" = 0 ]
	all_accounted once
	judge same "$schema" log
}

@test "what is stuck arrives with its evidence" {
	receiver
	half_closed >half &
	pids+=("$!")
	wait_for_text half '^[0-9]'
	serve --watch --interval 200ms --threshold close_wait=100ms --to "otlp:$url" --to file:log
	wait_for_text log '"tcp.stuck".*"stuck_change":"begun"'
	touch go
	knock # whose names the judge wants to see, too
	wait_for_text log '"stuck_change":"ended"'
	finish
	[ "$dropped" = 0 ]
	all_accounted once
	judge same "$schema" log
}

@test "names that break texts arrive as they are; a URL without a path gets /v1/logs" {
	receiver
	serve --to "otlp:$url" --to file:log
	(
		printf 'a"b\\\e[2J\xc3\xa4' >/proc/self/comm
		exec 3<>/dev/tcp/127.0.0.1/1
	) 2>/dev/null || true
	wait_for_text log '"tcp.failed"'
	finish
	[ "$dropped" = 0 ]
	all_accounted once
	grep -qF '"process.executable.name": "a\"b\\\u001b[2J\u00e4"' stored
}

@test "the server is killed and comes back, twice, under load: nothing is missing" {
	receiver
	serve --to "otlp:$url" --to file:log --queue 64M # room for what a fast host makes meanwhile
	: >load
	(while [ -e load ]; do dial 20 >>ports; sleep 0.05; done) 3>&- &
	pids+=("$!")
	loader=$!
	for _ in 1 2; do
		sleep 1
		kill -9 "$server"
		wait "$server" || true
		wait_for_text serve.err "otlp:.*: Couldn't connect to server; it is tried again"
		receiver
	done
	sleep 1
	rm load
	wait "$loader"
	# it has five seconds to send what waits, which is not what this is about
	stored_has "\"server.port\": $(tail -n 1 ports)"
	wait_for_text serve.err 'otlp:.*: works again'
	wait_for_ends log "$(tail -n 1 ports)" 40
	finish
	[ "$dropped" = 0 ]
	all_accounted
}

@test "away for long: the oldest lines are dropped and counted, the rest arrives" {
	receiver
	kill -9 "$server"
	wait "$server" || true
	# of one port only: what else this host does must not fill the small queues
	port=$(dial 0)
	serve --to "otlp:$url" --to file:log --queue 64K --port "$port"
	for n in 1 2 3 4 5 6 7 8 9 10 11 12; do
		dial 15 "$port"
		wait_for_ends log "$port" $((30 * n))
	done
	receiver
	stored_has "\"server.port\": $port"
	finish
	[ "$dropped" -gt 100 ]
	all_accounted once
	# the youngest came through
	judge seqs | grep -qx "$(wc -l <log)"
}

@test "503 with Retry-After: not asked again before; 429, 502, 504 are tried again, too" {
	receiver '503 3'
	serve --to "otlp:$url" --to file:log
	port=$(dial 5)
	wait_for_text asked 503
	wait_for_text serve.err 'otlp:.*: HTTP 503: no thanks; it is tried again'
	for mode in 429 502 504 ok; do
		echo "$mode" >mode
		wait_for_text asked " $mode"
	done
	stored_has "\"server.port\": $port"
	wait_for_ends log "$port" 10
	finish
	[ "$dropped" = 0 ]
	all_accounted once
	cat asked
	# the first was told to wait for 3 s, the others wait twice as long each time
	awk '{ gap = $1 - before; before = $1 }
		NR == 2 && (gap < 3 || gap > 4.5) { print "not heeded: " gap; exit 1 }
		NR > 2 && gap < 0.1 && !works { print "at once: " gap; exit 1 }
		$2 == "ok" { works = 1 } # what comes then is no try
		END { if (NR < 5) exit 1 }' asked
}

@test "a Retry-After that outlasts SIGTERM: it ends at once, what waits is counted" {
	receiver '503 60'
	serve --to "otlp:$url" --to file:log
	port=$(dial 5)
	wait_for_ends log "$port" 10
	wait_for_text asked 503
	started=$SECONDS
	finish
	[ "$status" = 0 ]
	[ $((SECONDS - started)) -le 2 ]
	[ "$sent" = 0 ]
	[ "$dropped" = "$(wc -l <log)" ]
	[ "$(wc -l <asked)" = 1 ]
}

@test "400 and what else is no matter of time: not tried again, counted as dropped" {
	receiver 400
	serve --to "otlp:$url" --to file:log
	port=$(dial 5)
	wait_for_ends log "$port" 10
	wait_for_text serve.err 'otlp:.*: HTTP 400: no thanks; what was refused is dropped'
	tries=$(wc -l <asked)
	sleep 1 # it would have been tried again, more than once
	[ "$(grep -c . asked)" -le $((tries + 1)) ]
	echo 404 >mode
	dial 1 >dialled
	wait_for_ends log "$(cat dialled)" 2
	wait_for_text serve.err 'otlp:.*: HTTP 404'
	echo ok >mode
	other=$(dial 5)
	wait_for_ends log "$other" 10
	stored_has "\"server.port\": $other"
	wait_for_text serve.err 'otlp:.*: works again'
	finish
	[ "$dropped" -ge 12 ]
	all_accounted once
	absent -q "\"server.port\": $port," stored
	# it is in the statistics, too
	tail -n 1 log | grep -Eq '"sink":"otlp:[^}]*"lines_dropped":[0-9]{2}'
}

@test "partial success: what the server refused is dropped and counted, nothing comes twice" {
	receiver 'partial 2'
	serve --to "otlp:$url" --to file:log
	for _ in 1 2 3; do
		port=$(dial 10)
		wait_for_ends log "$port" 20
	done
	wait_for_text serve.err 'did not take some of the log records: too old?\[2J; what was refused'
	finish
	[ "$dropped" -ge 2 ]
	all_accounted once
	# two of each request, or the one there was
	[ "$dropped" -le $((2 * $(wc -l <asked))) ]
	[ "$dropped" -gt $((2 * $(wc -l <asked) - 3)) ]
}

@test "a warning is told and nothing dropped; a 200 that is no OTLP refuses nothing" {
	receiver warn
	serve --to "otlp:$url" --to file:log
	port=$(dial 5)
	stored_has "\"server.port\": $port"
	wait_for_text serve.err 'otlp:.*: the server took all, and says: slow down$'
	echo html >mode
	port=$(dial 5)
	stored_has "\"server.port\": $port"
	wait_for_ends log "$port" 10
	finish
	[ "$dropped" = 0 ]
	all_accounted once
}

@test "a server that never answers: the file goes on; several such sinks end within 5 s of SIGTERM" {
	receiver hang
	serve --to "otlp:$url" --to "otlp:$url" --to "otlp:$url" --to "otlp:$url" --to "otlp:$url" \
		--to file:log
	port=$(dial 50)
	wait_for_ends log "$port" 100
	wait_for_text asked hang
	other=$(dial 50)
	wait_for_ends log "$other" 100
	started=$SECONDS
	status=0
	kill -TERM "$pid"
	wait "$pid" || status=$?
	[ "$status" = 0 ]
	[ $((SECONDS - started)) -le 6 ] # 5 s, and the second in which it was asked
	[ "$(grep -c '^synfin: otlp:.*: 0 lines sent, ' serve.err)" = 5 ]
	grep -q "^synfin: otlp:.*: 0 lines sent, $(wc -l <log) dropped" serve.err
}

@test "SIGHUP: a connection of its own again; nothing is missing" {
	receiver
	serve --to "otlp:$url" --to file:log
	port=$(dial 5)
	stored_has "\"server.port\": $port"
	connections=$(ss -Htn state established "dport = :${url##*:}" | awk '{ print $3 }')
	[ -n "$connections" ]
	kill -HUP "$pid"
	port=$(dial 5)
	stored_has "\"server.port\": $port"
	wait_for_ends log "$port" 10
	[ "$(ss -Htn state established "dport = :${url##*:}" | awk '{ print $3 }')" != "$connections" ]
	finish
	[ "$dropped" = 0 ]
	all_accounted once
}

@test "wrong URLs: one clear line, status 2" {
	local wrong
	for wrong in '' 'http://' 'x' '127.0.0.1:4318' 'ftp://h:1/' 'file:///etc/passwd' \
		'http://h:port/' 'http://h:70000/' 'http://user@h:1/' 'http://user:secret@h:1/' \
		'http://h:1/#x' 'http://h h/' 'HTTP//h' $'http://h\e[2J/'; do
		synfin serve --to "otlp:$wrong"
		[ "$status" = 2 ] || { echo "$wrong: status $status"; return 1; }
		one_clear_line
		[[ $err == *'want otlp:http[s]://HOST:PORT[/v1/logs], no user or password'* ]] ||
			{ echo "$wrong: $err"; return 1; }
	done
	synfin serve --to otlp
	[ "$status" = 2 ]
	one_clear_line
}

@test "doctor says that it is in, and what is missing where libcurl is not" {
	synfin doctor
	grep -Eq '^  otlp +yes$' <<<"$out"
	local libraries
	libraries=$(ldconfig -p | sed -nE 's/.*libcurl(-gnutls)?\.so\.4 .*=> //p')
	[ -n "$libraries" ]
	cat >inside <<-'END'
		mount --make-rprivate /
		for library; do mount --bind /dev/null "$(realpath "$library")"; done
		"$SYNFIN" doctor >doctor
		"$SYNFIN" serve --to otlp:http://127.0.0.1:1 2>err
		echo $? >status
	END
	# shellcheck disable=SC2086 # a path per line
	SYNFIN=$SYNFIN unshare -m bash inside $libraries
	grep -Eq '^  otlp +no: libcurl.so.4 cannot be loaded' doctor
	grep -Eq '^  file +yes$' doctor
	[ "$(cat status)" = 2 ]
	[ "$(wc -l <err)" = 1 ]
	grep -q 'libcurl.so.4 cannot be loaded (package libcurl4' err
}

@test "a program that is linked statically says that it cannot, and does not try" {
	SYNFIN=${SYNFIN_STATIC:-$BATS_TEST_DIRNAME/../../.output/synfin-static}
	[ -x "$SYNFIN" ] || skip "make static was not run"
	synfin serve --to otlp:http://127.0.0.1:1 -d 1ms
	[ "$status" = 2 ]
	one_clear_line
	[[ $err == *'linked statically'* ]]
}
