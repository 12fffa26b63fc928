#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Runs in a guest: four connections that are stuck, and what `synfin stuck` says of them there.
# Writes a line per check, "ok WHAT" or "not ok WHAT". Whatever it waits for has a deadline.
set -u

deadline_s=60
json=/tmp/stuck.json

# says WHAT RULE BLAME PORT: some line of the last look has all three
says() {
	if grep "\"stuck_rule\":\"$2\",\"stuck_blame\":\"$3\"" "$json" | grep -q "_port\":$4,"; then
		echo "ok $1"
	else
		echo "not ok $1"
	fi
}

look() {
	synfin stuck -q -o json --threshold zero_window=1s,unread=1s,syn_sent=2s >"$json"
}

# Until all four are there.
wait_for_all() {
	local end=$((SECONDS + deadline_s))
	while [ "$SECONDS" -lt "$end" ]; do
		look
		[ "$(grep -c '"stuck_rule"' "$json")" -lt 4 ] || return
		sleep 0.5
	done
}

ip link set lo up
ip netns add stuck-peer
ip link add stuck type veth peer name stuck netns stuck-peer
ip addr add 10.98.0.1/24 dev stuck
ip link set stuck up
ip -n stuck-peer addr add 10.98.0.2/24 dev stuck
ip -n stuck-peer link set stuck up
# A neighbour that nobody is: what is sent to it goes and is not answered.
ip neigh add 10.98.0.9 lladdr 02:00:00:00:00:09 dev stuck

ip netns exec stuck-peer busybox nc -l -p 7001 </dev/zero >/dev/null &
server=$!
until ip netns exec stuck-peer ss -ltn | grep -q :7001; do
	sleep 0.1
done
# The peer sends without end, we do not read.
(exec 3<>/dev/tcp/10.98.0.2/7001 && exec sleep 1000) &
reader=$!
(exec 3<>/dev/tcp/10.98.0.9/7002 && exec sleep 1000) 2>/dev/null &
caller=$!
# What this host itself refuses to send.
nft add table inet stuck
nft 'add chain inet stuck out { type filter hook output priority 0; }'
nft add rule inet stuck out tcp dport 7004 drop
(exec 3<>/dev/tcp/10.98.0.2/7004 && exec sleep 1000) 2>/dev/null &
refused=$!
wait_for_all

says 'a SYN that nothing answers' syn_sent_unanswered network 7002
says 'a SYN that a packet filter here refuses' syn_sent_not_leaving config 7004
says 'a process that does not read' not_reading local_app 7001
says 'its peer, in another namespace, names it' peer_not_reading_local peer_app 7001
if grep '"peer_not_reading_local"' "$json" | grep -q "\"peer_process_pid\":$reader,"; then
	echo 'ok the process is the right one'
else
	echo 'not ok the process is the right one'
fi
if synfin listeners -q -o json >/tmp/listeners && ! grep -q 7002 /tmp/listeners; then
	echo 'ok listeners'
else
	echo 'not ok listeners'
fi

# A full queue, called again and again while it is watched: SYNs are dropped, no last ACK is.
PYTHONHOME=/usr PYTHONPATH=/usr/lib/python.zip python3 - <<'EOF'
import socket, subprocess, time
listener = socket.create_server(("127.0.0.1", 7003), backlog=1)
with open("/tmp/drops", "wb") as out:
    watch = subprocess.Popen(["synfin", "listeners", "-q", "-d", "4", "-o", "json", "lport", "7003"],
                             stdout=out)
calls = []
while watch.poll() is None:
    calls.append(socket.socket())
    calls[-1].setblocking(False)
    calls[-1].connect_ex(("127.0.0.1", 7003))
    time.sleep(0.2)
EOF
if grep -Eq '"syns_dropped":[1-9][0-9]*,"acks_dropped":0,"half_open_expired":0' /tmp/drops; then
	echo 'ok listeners -d tells drops by place'
else
	echo "not ok listeners -d tells drops by place: $(cat /tmp/drops)"
fi
# A queue full of connections that their clients have reset: no walk meets them. And one who reads,
# but slowly, and then no more.
PYTHONHOME=/usr PYTHONPATH=/usr/lib/python.zip:/usr/lib python3 - <<'EOF'
import socket, struct, subprocess
from scene import SlowReader
def look(name):
    with open("/tmp/" + name, "wb") as out:
        said = subprocess.run(["synfin", "stuck", "-q", "-o", "json", "--threshold",
                               "accept=1s,unread=3s,zero_window=3s"], stdout=out, check=False)
    if said.returncode not in (0, 3):
        print("# synfin stuck ended with", said.returncode)
probed = socket.create_server(("127.0.0.1", 7005), backlog=1)
for _ in range(2):
    probe = socket.create_connection(("127.0.0.1", 7005))
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    probe.close()
slow = SlowReader(7006)
def look_until(name, nr_bytes, *rules):
    """A guest that stands still for a while may have missed the moment: the situation lasts."""
    for _ in range(6):
        look(name)
        with open("/tmp/" + name) as file:
            text = file.read()
        if all('"%s"' % rule in text for rule in rules):
            return
        slow.live(3, nr_bytes)
slow.live(12, 100)
look_until("slow", 100, "accept_queue_full", "reads_slowly", "peer_reads_slowly_local")
slow.live(30, 0)
look_until("stopped", 0, "not_reading", "peer_not_reading_local")
EOF
json=/tmp/slow
says 'a queue full of what was reset' accept_queue_full local_app 7005
says 'a slow reader' reads_slowly local_app 7006
says 'its peer' peer_reads_slowly_local peer_app 7006
json=/tmp/stopped
says 'a reader that has stopped' not_reading local_app 7006
says 'its peer names it' peer_not_reading_local peer_app 7006
kill "$server" "$reader" "$caller" "$refused"
nft delete table inet stuck
ip netns del stuck-peer
