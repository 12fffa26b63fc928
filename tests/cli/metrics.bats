#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# `synfin serve --to prometheus:...` against its real counterparts: promtool, a Prometheus that
# scrapes it, the parser of the OpenMetrics project; and against scrapers that misbehave. What it
# counts happens in a network namespace of the test's own: nothing else does there. Needs root.

load common
load service

setup() {
	cd "$BATS_TEST_TMPDIR" || return 1
	pids=()
	netns=sfm$BATS_TEST_NUMBER-$$
	ip netns add "$netns"
	ip -n "$netns" link set lo up
	port=$(free_port)
}

teardown() {
	kill_pids
	ip netns del "$netns" || true
	lines_are_valid
}

free_port() {
	/usr/bin/python3 -c 'import socket; print(socket.create_server(("127.0.0.1", 0)).getsockname()[1])'
}

# make FIN REFUSED RESET: so many connections, in the namespace; each of FIN and RESET has two ends
make_connections() {
	ip netns exec "$netns" /usr/bin/python3 - "$@" <<-'EOF'
		import socket, struct, sys
		fin, refused, reset = map(int, sys.argv[1:])
		listener = socket.create_server(("127.0.0.1", 0), backlog=64)
		for i in range(fin + reset):
		    near = socket.create_connection(listener.getsockname())
		    far = listener.accept()[0]
		    if i >= fin:
		        near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
		    near.close()
		    try:
		        far.recv(1)
		    except ConnectionResetError:
		        pass
		    far.close()
		for _ in range(refused):
		    try:
		        socket.create_connection(("127.0.0.1", 1))
		    except ConnectionRefusedError:
		        pass
	EOF
}

# page [CURL-ARGUMENT...]: into the file page
page() {
	curl -sS --fail -m 10 -o page "$@" "http://127.0.0.1:$port/metrics"
}

# value SERIES: its value in the file page
value() {
	awk -v series="$1" '$1 == series { print $2 }' page
}

# wait_for_value SERIES VALUE [CURL-ARGUMENT...]
wait_for_value() {
	local end=$((SECONDS + 20))
	until page "${@:3}" && [ "$(value "$1")" = "$2" ]; do
		[ "$SECONDS" -lt "$end" ] || { echo "not $2:"; cat page serve.err; return 1; }
		sleep 0.1
	done
}

ended() { # ROLE REASON
	printf 'synfin_connections_ended_total{role="%s",reason="%s"}' "$1" "$2"
}

@test "both formats: promtool and the OpenMetrics parser have nothing to say; all is counted" {
	serve --watch --netns "$netns" --to "prometheus:$port" --to file:log
	make_connections 12 5 3
	wait_for_value "$(ended client refused)" 5
	promtool check metrics <page >lint 2>&1 || { cat lint; return 1; }
	[ ! -s lint ] || { cat lint; return 1; }
	[ "$(value "$(ended client fin)")" = 12 ]
	[ "$(value "$(ended server fin)")" = 12 ]
	[ "$(value "$(ended client reset)")" = 3 ]
	[ "$(value "$(ended server reset)")" = 3 ]
	[ "$(value 'synfin_handshake_seconds_count{role="client"}')" = 15 ]
	[ "$(value 'synfin_handshake_seconds_count{role="server"}')" = 15 ]
	[ "$(value 'synfin_accept_wait_seconds_count')" = 15 ]
	[ "$(value 'synfin_resets_total{role="server",sender="peer",state="established"}')" = 3 ]
	[ "$(value 'synfin_resets_total{role="client",sender="local",state="established"}')" = 3 ]
	wait_for_value 'synfin_stuck{rule="close_wait",blame="local_app"}' 0 # at the first second
	wait_for_value 'synfin_lines_dropped_total{sink="file"}' 0
	# the man page names all of them, and no others; a clock that nobody keeps has no error to tell
	grep -q '^synfin_clock_synchronized 1' page && : >none || echo '# TYPE synfin_clock_error_seconds' >none
	diff <(awk '/^# TYPE / { print $3 }' page none | sort) <(sed -n 's/^\.It Cm \(synfin_[a-z_]*\)$/\1/p' \
		"$BATS_TEST_DIRNAME/../../user/dist/synfin.8" | sort)
	[ "$(grep -vc '^#\|^synfin_stuck' page)" -lt 200 ]
	[ "$(grep -c '^synfin_stuck' page)" -lt 60 ]
	wait_for_text log '"tcp.close"'
	stop
	[ "$status" = 0 ]
	# the same as the lines of JSON say
	[ "$(grep -c '"tcp.close"' log)" = 30 ]
	[ "$(grep -c '"tcp.failed"' log)" = 5 ]
}

@test "the Accept header chooses; OpenMetrics has exemplars that name a connection of the log" {
	serve --netns "$netns" --to "prometheus:$port" --to file:log
	make_connections 4 1 0
	wait_for_value "$(ended client refused)" 1
	page -D head
	grep -qi '^content-type: text/plain; version=0.0.4; charset=utf-8' head
	absent -q 'connection_id' page
	page -D head -H 'Accept: application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1'
	grep -qi '^content-type: application/openmetrics-text; version=1.0.0; charset=utf-8' head
	stop
	/usr/bin/python3 - <<-'EOF'
		import json
		from prometheus_client.openmetrics.parser import text_string_to_metric_families
		logged = {}
		for line in map(json.loads, open("log")):
		    logged[line.get("connection_id")] = line
		families = {f.name: f for f in text_string_to_metric_families(open("page").read())}
		assert families["synfin_handshake_seconds"].unit == "seconds", families
		assert families["synfin_connections_ended"].type == "counter"
		found = 0
		for sample in families["synfin_handshake_seconds"].samples:
		    if sample.exemplar:
		        line = logged[sample.exemplar.labels["connection_id"]]
		        assert line["role"] == sample.labels["role"], (line, sample)
		        assert int(sample.exemplar.value * 1e6 + 1e-3) == line["handshake_us"], (line, sample)
		        assert sample.exemplar.value <= float(sample.labels["le"])
		        found += 1
		assert found >= 2, found
		refused = [s for s in families["synfin_connections_ended"].samples
		           if s.labels["reason"] == "refused" and s.value][0]
		line = logged[refused.exemplar.labels["connection_id"]]
		assert line["close_reason"] == "refused", line
	EOF
}


@test "a Prometheus that scrapes it has the numbers that were made, and the exemplars; labels are few" {
	prometheus_port=$(free_port)
	printf '%s\n' 'global: {scrape_interval: 1s}' 'scrape_configs:' '- job_name: synfin' \
		"  static_configs: [{targets: ['127.0.0.1:$port']}]" >prometheus.yml
	prometheus --config.file=prometheus.yml --storage.tsdb.path="$PWD/tsdb" \
		--web.listen-address="127.0.0.1:$prometheus_port" --enable-feature=exemplar-storage \
		>prometheus.out 2>&1 3>&- &
	pids+=("$!")
	# neither what is logged nor the sample changes what is counted
	serve --netns "$netns" --to "prometheus:$port" --to file:log --log failures --sample 1000
	make_connections 40 7 6
	/usr/bin/python3 - "$prometheus_port" <<-'EOF' || { tail prometheus.out serve.err; return 1; }
		import json, re, sys, time, urllib.parse, urllib.request
		def ask(path, **query):
		    url = "http://127.0.0.1:%s/api/v1/%s?%s" % (
		        sys.argv[1], path, urllib.parse.urlencode(query, doseq=True))
		    return json.load(urllib.request.urlopen(url, timeout=10))["data"]
		def counts(query, *labels):
		    return {tuple(row["metric"][label] for label in labels): float(row["value"][1])
		            for row in ask("query", query=query)["result"]}
		want = {("client", "fin"): 40, ("server", "fin"): 40, ("client", "refused"): 7,
		        ("client", "reset"): 6, ("server", "reset"): 6}
		end = time.monotonic() + 40
		have = None
		while have != want:
		    assert time.monotonic() < end, have
		    time.sleep(0.3)
		    try:
		        have = counts("synfin_connections_ended_total > 0", "role", "reason")
		    except OSError as error:
		        have = error
		assert counts("synfin_handshake_seconds_count", "role") == {
		    ("client",): 46, ("server",): 46}
		assert counts("synfin_accept_wait_seconds_count") == {(): 46}
		assert 0 < counts("histogram_quantile(0.5, synfin_handshake_seconds_bucket)", "role")[
		    ("client",)] < 1
		assert set(counts("synfin_events_lost_total", "cause")) == {
		    ("ring",), ("map",), ("nested",)}
		now = time.time()
		exemplars = ask("query_exemplars", query="synfin_handshake_seconds_bucket",
		                start=now - 600, end=now + 600)
		ids = {e["labels"]["connection_id"] for row in exemplars for e in row["exemplars"]}
		assert ids and all(re.fullmatch("[0-9a-f]{16}", i) for i in ids), ids
		# nothing of an address, a port or a process; values from small sets
		series = ask("series", **{"match[]": '{__name__=~"synfin_.*"}'})
		names = {name for row in series for name in row} - {"__name__", "instance", "job"}
		assert names <= {"role", "reason", "state", "sender", "le", "cause", "sink"}, names
		for name in names - {"le"}:
		    values = {row[name] for row in series if name in row}
		    assert len(values) <= 12 and not any(v.isdigit() for v in values), (name, values)
		assert len(series) < 200, len(series)
	EOF
	stop
	[ "$status" = 0 ]
	absent -q '"close_reason":"fin"' log
}

@test "what was lost is told by its cause, and what sinks dropped by their kind" {
	mkdir full
	serve --netns "$netns" --to "prometheus:$port" --to file:log --to file:full --buffer 64K \
		--queue 64K
	kill -STOP "$pid"
	make_connections 300 0 0
	kill -CONT "$pid"
	make_connections 1 0 0
	sleep 1.5 # the counters are looked at once a second
	page
	stop
	/usr/bin/python3 - <<-'EOF'
		import json
		page = dict(line.rsplit(" ", 1) for line in open("page") if line[0] != "#")
		last = [json.loads(line) for line in open("log")][-1]
		assert last["lost_ring"] > 0
		assert int(page['synfin_events_lost_total{cause="ring"}']) == last["lost_ring"], page
		assert int(page["synfin_events_sent_total"]) == last["events_sent"]
		dropped = sum(sink["lines_dropped"] for sink in last["sinks"])
		assert dropped > 0
		assert int(page['synfin_lines_dropped_total{sink="file"}']) <= dropped
		assert {sink["sink"] for sink in last["sinks"]} == {"file:log", "file:full"}, last
	EOF
}

@test "scrapers that stop reading, stand still or trickle hold up nothing, and are cut off" {
	serve --netns "$netns" --to "prometheus:$port" --to file:log
	page # it listens
	/usr/bin/python3 - "$port" >deaf 3>&- <<-'EOF' &
		import socket, sys, time
		def dial(text):
		    s = socket.socket()
		    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
		    s.connect(("127.0.0.1", int(sys.argv[1])))
		    s.send(text)
		    return s
		ask = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"
		begun = time.monotonic()
		trickling = dial(b"GET /metrics HTTP/1.1\r\n")
		held = [dial(ask) for _ in range(3)] + [dial(b"") for _ in range(10)]
		print("held", flush=True)
		try:
		    while time.monotonic() < begun + 30:
		        trickling.send(b"X")
		        time.sleep(0.5)
		    print("never cut", flush=True)
		except OSError:
		    print("cut after %d s" % (time.monotonic() - begun), flush=True)
		time.sleep(60)
	EOF
	pids+=("$!")
	wait_for_text deaf held
	make_connections 100 0 0
	# what traces and the other sink do not notice
	started=$SECONDS
	wait_for_lines log 200
	[ $((SECONDS - started)) -le 3 ]
	wait_for_text deaf 'cut after 1[0-9] s'
	# those that stood still are gone as well: there is room for one that behaves
	page -m 20 --retry 3
	[ "$(value "$(ended client fin)")" = 100 ]
	started=$SECONDS
	stop
	[ "$status" = 0 ]
	[ $((SECONDS - started)) -le 3 ]
}

# listens_at TEXT: the only address that has the port
listens_at() {
	[ "$(ss -Hltn "sport = :$port" | awk '{ print $4 }')" = "$1:$port" ]
}

code() {
	curl -sS -m 10 -o body -w '%{http_code}' "$@"
}

@test "it listens on loopback unless another address is given; what is no scrape gets 404, 405, 431" {
	serve --netns "$netns" --to "prometheus:$port"
	page
	listens_at 127.0.0.1
	[ "$(code "http://127.0.0.1:$port/")" = 404 ]
	grep -q '/metrics' body
	[ "$(code "http://127.0.0.1:$port/metrics?x=1")" = 200 ]
	[ "$(code -X POST -d x=1 "http://127.0.0.1:$port/metrics")" = 405 ]
	[ "$(code -X DELETE "http://127.0.0.1:$port/metrics")" = 405 ]
	[ "$(code -I "http://127.0.0.1:$port/metrics")" = 200 ]
	[ "$(code -H "X: $(printf '%20000s' x)" "http://127.0.0.1:$port/metrics")" = 431 ]
	stop
	serve --netns "$netns" --to "prometheus:0.0.0.0:$port"
	page
	listens_at 0.0.0.0
	stop
	serve --netns "$netns" --to "prometheus:[::1]:$port"
	curl -sS --fail -m 10 -o page "http://[::1]:$port/metrics"
	listens_at '[::1]'
	stop
	[ "$status" = 0 ]
}

@test "a port in use: told once, tried again until it is free; the other sink goes on" {
	/usr/bin/python3 -c '
import socket, sys, time
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
time.sleep(100)' "$port" 3>&- &
	holder=$!
	pids+=("$holder")
	until ss -Hltn "sport = :$port" | grep -q .; do sleep 0.05; done
	serve --netns "$netns" --to "prometheus:$port" --to file:log
	wait_for_text serve.err "prometheus:$port: cannot listen: Address already in use; it is tried again$"
	make_connections 3 0 0
	wait_for_lines log 6
	kill "$holder"
	wait_for_text serve.err "prometheus:$port: works again"
	wait_for_value "$(ended client fin)" 3 # counted while nobody could ask
	stop
	[ "$(grep -c 'cannot listen' serve.err)" = 1 ]
}

@test "a unix socket: 0660, one that is stale is replaced, one in use is not; SIGHUP; gone at the end" {
	local at=(--unix-socket "$PWD/socket")
	/usr/bin/python3 -c '
import socket
socket.socket(socket.AF_UNIX).bind("socket")'
	[ -S socket ]
	printf '%s\n' 'to = prometheus:unix:socket' "netns = $netns" >conf
	umask 007
	serve --config conf
	umask 022
	wait_for_value "$(ended client fin)" 0 "${at[@]}"
	[ "$(stat -c %a socket)" = 660 ]
	make_connections 2 0 0
	wait_for_value "$(ended client fin)" 2 "${at[@]}"
	# another one may not take it away
	mv serve.err first.err
	first=$pid
	serve --netns "$netns" --to prometheus:unix:socket
	wait_for_text serve.err 'cannot listen: Address already in use'
	stop
	page "${at[@]}"
	# a file that is no socket stays
	mv first.err serve.err
	pid=$first
	rm socket
	kill -HUP "$pid"
	wait_for_text serve.err 'was read again'
	end=$((SECONDS + 10))
	until [ -S socket ]; do
		[ "$SECONDS" -lt "$end" ]
		sleep 0.1
	done
	wait_for_value "$(ended client fin)" 2 "${at[@]}" # the counts go on
	stop
	[ "$status" = 0 ]
	[ ! -e socket ]
	echo precious >socket
	serve --netns "$netns" --to prometheus:unix:socket
	wait_for_text serve.err 'cannot listen: Address already in use'
	stop
	[ "$(cat socket)" = precious ]
}

@test "wrong addresses are told in one line, status 2" {
	local wrong
	for wrong in prometheus prometheus: prometheus:0 prometheus:65536 prometheus:http \
		prometheus:host:80 prometheus:1.2.3:80 prometheus:127.0.0.1 prometheus:127.0.0.1: \
		prometheus::1:80 'prometheus:[::1]' prometheus:tcp:127.0.0.1:80 prometheus:unix: \
		"prometheus:unix:$(printf '%0200d' 0)" prometheus:-1 'prometheus:80 '; do
		synfin serve --to "$wrong"
		[ "$status" = 2 ] || { echo "$wrong: $status"; return 1; }
		one_clear_line
		[[ $err == *'want prometheus:PORT (of 127.0.0.1), prometheus:ADDRESS:PORT or prometheus:unix:PATH'* ]] ||
			{ echo "$wrong: $err"; return 1; }
	done
}
