#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# drive.sh SYNFIN OUTDIR TIER: real connections in network namespaces of its
# own, watched by SYNFIN. Leaves in OUTDIR: truth.jsonl (what the generator
# did), trace.jsonl, conns.jsonl, table.txt (what SYNFIN said), scenes.tap (what
# scenes.py beside it found), *.err, status. For the rest it judges nothing:
# check.py does, elsewhere. Needs bash, ip, ss, busybox and python3; SFGEN is the
# generator (default: sfgen beside SYNFIN), SCENES is scenes.py (default: beside
# this), TABLE=no leaves out table.txt. Exits 0 if all ran to their end.
# Whatever it waits for has a deadline, and nothing waits by time.
set -euo pipefail
export LC_ALL=C

if [ $# -ne 3 ]; then
	echo "usage: drive.sh SYNFIN OUTDIR full|kprobe|tracepoints" >&2
	exit 2
fi
synfin=$1
out=$2
tier=$3
sfgen=${SFGEN:-$(dirname "$synfin")/tests/sfgen}
scenes=${SCENES:-$(dirname "${BASH_SOURCE[0]}")/scenes.py}
for program in "$synfin" "$sfgen"; do
	if [ ! -x "$program" ]; then
		echo "drive.sh: no program $program" >&2
		exit 2
	fi
done
deadline_s=${DEADLINE:-60}
# lo-4 always has its 1,000 connections; a slow guest has fewer of the other kinds
many=${MANY:-1000}
some=${SOME:-200}
pre=sfnet-$$
jobs_pids=()
relay_pid=
scenes_pid=
tracers=(trace conns table)
tracer_pids=()

status() { printf '%s=%s\n' "$1" "$2" >>"$out/status"; }

fail() {
	echo "drive.sh: $*" >&2
	status failed "$*"
}

cleanup() {
	local pid
	for pid in $relay_pid $scenes_pid "${tracer_pids[@]}" "${jobs_pids[@]}"; do
		kill -9 "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true # says nothing of its end
	done
	for ns in l a b t p s c; do
		ip netns del "$pre-$ns" 2>/dev/null || true
	done
	rm -f "$out/blocked.go" # a fifo: whoever reads all files here would wait for ever
}

# wait_for WHAT COMMAND...: polls until the command succeeds
wait_for() {
	local what=$1 end=$((SECONDS + deadline_s))
	shift
	until "$@"; do
		if [ "$SECONDS" -ge "$end" ]; then
			fail "waited $deadline_s s for $what"
			return 1
		fi
		sleep 0.1
	done
}

has_line() { grep -q "$2" "$1" 2>/dev/null; }
is_gone() { ! kill -0 "$1" 2>/dev/null; }

# has_close FILE PORT: a connection of that local port has been reported as closed, of late.
# grep -c reads to the end: with -q the one before it might die of SIGPIPE.
has_close() {
	tail -c 4000000 "$1" | grep -F "\"network_local_port\":$2," |
		grep -Fc '"tcp.close"' >/dev/null
}

# All connections in the namespace are over: what is left listens or is in TIME_WAIT.
is_idle() {
	[ -z "$(ss -N "$pre-$1" -Htn state connected exclude time-wait)" ]
}

sysctl_in() { # NS PATH VALUE
	ip netns exec "$pre-$1" sh -c "echo '$3' >/proc/sys/net/$2"
}

make_namespaces() {
	local ns
	for ns in l a b t p s c; do
		ip netns add "$pre-$ns"
		ip -n "$pre-$ns" link set lo up
		status "netns.$ns" "$(stat -L -c %i "/run/netns/$pre-$ns")"
	done
	# no connection takes by chance a port that a scenario binds
	sysctl_in l ipv4/ip_local_reserved_ports 7000-7999,20000-20099,40000-40099,50123
	sysctl_in p ipv4/ip_local_port_range '45000 45003'
	# An orphan's end is waited for; two ways to end need it alive, and a slow guest's process may
	# stand for seconds.
	sysctl_in c ipv4/tcp_fin_timeout 5

	ip link add sfv0 netns "$pre-a" type veth peer name sfv1 netns "$pre-b"
	ip -n "$pre-a" addr add 10.77.1.1/24 dev sfv0
	ip -n "$pre-a" addr add fd77::1/64 dev sfv0 nodad
	ip -n "$pre-a" link set sfv0 up
	ip -n "$pre-b" addr add 10.77.1.2/24 dev sfv1
	ip -n "$pre-b" addr add fd77::2/64 dev sfv1 nodad
	ip -n "$pre-b" link set sfv1 up
}

# In namespace t a SYN to .9 goes to a neighbour that is not there (silence),
# one to .8 finds no neighbour at all (host unreachable, after three tenths of a second).
make_black_hole() {
	local ns=$pre-t
	ip -n "$ns" link add sfh0 type veth peer name sfh1
	ip -n "$ns" addr add 10.79.1.1/24 dev sfh0
	ip -n "$ns" addr add fd79::1/64 dev sfh0 nodad
	ip -n "$ns" link set sfh0 up
	ip -n "$ns" link set sfh1 up
	ip -n "$ns" neigh add 10.79.1.9 lladdr 02:00:00:00:00:99 dev sfh0 nud permanent
	ip -n "$ns" neigh add fd79::9 lladdr 02:00:00:00:00:99 dev sfh0 nud permanent
	sysctl_in t ipv4/neigh/sfh0/retrans_time_ms 100
	sysctl_in t ipv6/neigh/sfh0/retrans_time_ms 100
	# since 6.5 that many SYNs come on top of those that TCP_SYNCNT allows
	if [ -e /proc/sys/net/ipv4/tcp_syn_linear_timeouts ]; then
		sysctl_in t ipv4/tcp_syn_linear_timeouts 0
	fi
}

# A link of 40 ms there and back that loses the first SYN to 7401 and the first SYN+ACK from 7402.
make_slow_link() {
	[ -e /dev/net/tun ] || modprobe tun 2>/dev/null || true
	if [ ! -e /dev/net/tun ]; then
		status slow_link 'no /dev/net/tun'
		return
	fi
	"$sfgen" relay --netns-client "$pre-a" --netns-server "$pre-b" --there-us 30000 \
		--back-us 10000 --lose-syn-port 7401 --lose-synack-port 7402 \
		--ready "$out/relay.ready" --deadline 600 2>"$out/relay.err" &
	relay_pid=$!
	wait_for relay test -e "$out/relay.ready"
	ip -n "$pre-a" addr add 10.78.1.1/24 dev sftun
	ip -n "$pre-a" link set sftun up
	ip -n "$pre-b" addr add 10.78.1.2/24 dev sftun
	ip -n "$pre-b" link set sftun up
	status slow_link yes
}

# start_tracer NAME OUTPUT ARGS...: SYNFIN in the background, with SIGINT not ignored
start_tracer() {
	local name=$1 output=$2
	shift 2
	set -m
	"$synfin" "$@" --hooks "$tier" >"$out/$output" 2>"$out/$name.err" </dev/null &
	set +m
	tracer_pids+=($!)
}

stop_tracer() { # NAME PID
	local rc=0
	kill -INT "$2" 2>/dev/null || true
	wait_for "$1 to stop" is_gone "$2" || kill -9 "$2" 2>/dev/null || true
	wait "$2" || rc=$?
	status "exit.$1" "$rc"
}

# gen LABEL SCENARIO ARGS...: one run of the generator
gen() {
	local label=$1 scenario=$2 rc=0
	shift 2
	timeout -s KILL "$((deadline_s + 10))" "$sfgen" "$scenario" --label "$label" \
		--deadline "$deadline_s" --truth "$out/truth.jsonl" "$@" \
		2>>"$out/sfgen.err" || rc=$?
	status "gen.$label" "$rc"
	[ "$rc" = 0 ] || fail "generator $label: exit status $rc"
}

bg() {
	gen "$@" &
	jobs_pids+=($!)
}

in_lo() { # LABEL SCENARIO PORT ARGS...: IPv4 loopback
	local label=$1 scenario=$2 port=$3
	shift 3
	gen "$label" "$scenario" --netns-client "$pre-l" --netns-server "$pre-l" \
		--listen 0.0.0.0 --port "$port" "$@"
}

in_veth() { # LABEL SCENARIO PORT ARGS...: between two namespaces
	local label=$1 scenario=$2 port=$3
	shift 3
	gen "$label" "$scenario" --netns-client "$pre-a" --netns-server "$pre-b" \
		--port "$port" "$@"
}

# The last connection: when it has been reported, so have all before it.
sentinel() { # LABEL PORT FILE...
	local label=$1 port=$2 ns file
	shift 2
	for ns in l a b t p s c; do
		wait_for "namespace $ns to be idle" is_idle "$ns" || true
	done
	in_lo "$label" pairs "$port" --count 20 --rate 200 # if events are lost, not all of these
	for file in "$@"; do
		wait_for "port $port in $file" has_close "$out/$file" "$port" || true
	done
}

run_failures() {
	local t=(--netns-client "$pre-t")
	bg timeout-4 timeout "${t[@]}" --address 10.79.1.9 --port 7501 --syn-retransmits 1
	bg timeout-6 timeout "${t[@]}" --address fd79::9 --port 7502 --syn-retransmits 1
	bg unreachable-4 unreachable "${t[@]}" --address 10.79.1.8 --port 7503
	bg unreachable-6 unreachable "${t[@]}" --address fd79::8 --port 7504
	bg abandoned-4 abandoned "${t[@]}" --address 10.79.1.9 --port 7505
	bg abandoned-6 abandoned "${t[@]}" --address fd79::9 --port 7506
	bg refused-4 refused "${t[@]}" --address 127.0.0.1 --port 7507
	bg refused-6 refused "${t[@]}" --address ::1 --port 7508
	bg noport noport --netns-client "$pre-p" --netns-server "$pre-p" --listen 0.0.0.0 --port 7509
}

run_slow() {
	local s=(--address 10.78.1.2 --listen 0.0.0.0)
	[ -n "$relay_pid" ] || return 0
	in_veth slow pairs 7400 "${s[@]}" --count 40 --rtt-us 40000 &
	jobs_pids+=($!)
	in_veth lost-syn pairs 7401 "${s[@]}" --count 8 --rtt-us 40000 --syn-retransmits 1 &
	jobs_pids+=($!)
	in_veth lost-synack pairs 7402 "${s[@]}" --count 8 --rtt-us 40000 \
		--synack-retransmits-min 1 &
	jobs_pids+=($!)
}

# In a namespace of its own; its verdict comes when the tracers have ended.
start_scenes() {
	SFGEN=$sfgen unshare -n python3 "$scenes" "$out" >"$out/scenes.tap" 2>"$out/scenes.err" &
	scenes_pid=$!
}

run_families() {
	in_lo lo-4 pairs 7001
	in_lo lo-6 pairs 7002 --address ::1 --listen :: --count "$many"
	in_veth veth-4 pairs 7003 --address 10.77.1.2 --listen 0.0.0.0 --count "$many"
	in_veth veth-6 pairs 7004 --address fd77::2 --listen :: --count "$many"
	in_veth mapped-server pairs 7005 --address 10.77.1.2 --listen :: --count "$some"
	in_veth mapped-client pairs 7006 --address ::ffff:10.77.1.2 --listen 0.0.0.0 \
		--count "$some"
	in_lo mapped-both pairs 7007 --address ::ffff:127.0.0.1 --listen :: --count "$some"
	in_lo high-port pairs 50123 --count "$some"
	in_lo zero-port pairs 0 --count "$some"
}

run_processes() {
	in_lo late late 7101
	in_lo forkpass forkpass 7102
	in_lo prefork prefork 7103
	in_lo nonblock nonblock 7104
	in_lo bound bound 7105
	in_lo exit exit 7106
	in_lo reset reset 7107
	in_veth reset-veth reset 7108 --address fd77::2 --listen ::
	in_lo halfclose halfclose 7109
	in_lo reuse reuse 7110 --bind-port 20090
	in_lo selfconnect selfconnect 7111
	in_lo selfconnect-6 selfconnect 7112 --address ::1
	in_lo unaccepted unaccepted 7113
}

main() {
	local blocked pid
	mkdir -p "$out"
	rm -f "$out"/{truth.jsonl,trace.jsonl,conns.jsonl,table.txt,status,relay.ready,blocked.*} \
		"$out"/scenes.{tap,ready,played} \
		"$out"/*.err
	trap cleanup EXIT
	status tier "$tier"
	status kernel "$(uname -r)"
	status host_name "$(uname -n)"
	status boot_id "$(cat /proc/sys/kernel/random/boot_id)"
	make_namespaces
	make_black_hole
	make_slow_link

	mkfifo "$out/blocked.go"
	in_lo blocked blocked 7100 --ready "$out/blocked.ready" --go "$out/blocked.go" &
	blocked=$!
	jobs_pids+=("$blocked")
	wait_for 'blocked servers' test -e "$out/blocked.ready"
	start_scenes
	wait_for 'what is older in the scenes' test -e "$out/scenes.ready"

	start_tracer trace trace.jsonl trace -o json --first-byte
	start_tracer conns conns.jsonl conns -o json
	[ "${TABLE:-}" = no ] || start_tracer table table.txt trace -o table
	status tracers "${#tracer_pids[@]}"
	for name in "${tracers[@]:0:${#tracer_pids[@]}}"; do
		wait_for "$name to trace" has_line "$out/$name.err" '^synfin: tracing' || exit 1
	done
	status hooks "$(sed -n 's/^synfin: tracing with \([a-z]*\) hooks.*/\1/p' "$out/trace.err")"

	bg closing closing --netns-client "$pre-c" --listen 127.0.0.1
	run_failures
	run_slow
	timeout "$deadline_s" sh -c ": >'$out/blocked.go'" || fail 'blocked servers are gone'
	in_lo names names 7099
	in_lo names-end pairs 7098 --count 1
	if [ "${#tracer_pids[@]}" = 3 ]; then
		wait_for 'port 7098 in the table' has_line "$out/table.txt" ':7098' || true
		stop_tracer table "${tracer_pids[2]}"
	fi
	run_families
	run_processes
	for pid in "${jobs_pids[@]}"; do
		wait "$pid" || fail "background job $pid"
	done
	# the namespace that goes with its process goes a little later
	if [ "$tier" != tracepoints ] && has_line "$out/status" '^hooks=[fk]'; then
		wait_for 'a namespace to go' has_line "$out/trace.jsonl" '"time_wait_end":"killed"' ||
			true
	fi
	wait_for 'the scenes to be played' test -e "$out/scenes.played" || true
	sentinel sentinel 7990 trace.jsonl conns.jsonl

	gen storm storm --netns-client "$pre-s" --netns-server "$pre-s" --listen 0.0.0.0 \
		--port 7600 --count "${STORM:-2000}" --seconds 3
	sentinel last 7991 trace.jsonl conns.jsonl
	stop_tracer trace "${tracer_pids[0]}"
	stop_tracer conns "${tracer_pids[1]}"
	wait "$scenes_pid" || true # its verdict is in its TAP
	status complete yes
	! grep -q '^failed=' "$out/status"
}

main
