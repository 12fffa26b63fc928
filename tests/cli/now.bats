#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# What exists now: `synfin listeners` and `synfin ports`, beside sockets that the test made. Needs
# root.

load common

schema=$BATS_TEST_DIRNAME/../../user/dist/schema/synfin.schema.json

# Runs the Python program on standard input with SYNFIN and the schema as its arguments.
python() {
	/usr/bin/python3 - "$SYNFIN" "$BATS_TEST_DIRNAME/../unit/check_lines.py" "$schema"
}

@test "listeners: queue, limit, oldest wait, both holders; JSON that the schema takes" {
	python <<-'EOF'
		import json, os, signal, socket, subprocess, sys
		synfin, check, schema = sys.argv[1:]
		listener = socket.create_server(("127.0.0.1", 0), backlog=7)
		port = listener.getsockname()[1]
		child = os.fork()
		if not child:
		    signal.pause()
		    os._exit(0)
		try:
		    calls = [socket.create_connection(("127.0.0.1", port)) for _ in range(3)]
		    words = ["listeners", "-q", "lport", str(port)]
		    said = subprocess.run([synfin, "-o", "json", *words], stdout=subprocess.PIPE, check=True)
		    subprocess.run([check, schema], input=said.stdout, stdout=subprocess.DEVNULL, check=True)
		    line = json.loads(said.stdout)
		    assert line["event_name"] == "tcp.listener"
		    assert (line["server_address"], line["server_port"]) == ("127.0.0.1", port)
		    assert (line["accept_queue"], line["listen_backlog"], line["half_open"]) == (3, 7, 0)
		    assert line["oldest_wait_us"] >= 0 and line["listener_drops"] == 0
		    with open("/proc/sys/net/core/somaxconn", encoding="ascii") as file:
		        assert line["somaxconn"] == int(file.read())
		    pids = {holder["pid"] for holder in line["process_holders"]}
		    assert pids == {os.getpid(), child}, pids
		    table = subprocess.run([synfin, *words], stdout=subprocess.PIPE, text=True, check=True)
		    heading, row = table.stdout.splitlines()
		    assert heading.split()[:3] == ["ADDRESS", "QUEUE", "LIMIT"]
		    assert row.split()[:3] == ["127.0.0.1:%d" % port, "3", "7"], row
		    assert "%d/python3" % child in row
		    csv = subprocess.run([synfin, "-o", "csv", *words], stdout=subprocess.PIPE, text=True,
		                         check=True).stdout.splitlines()
		    cells = dict(zip(csv[0].split(","), csv[1].split(",")))
		    assert cells["server_port"] == str(port) and cells["accept_queue"] == "3"
		finally:
		    os.kill(child, signal.SIGKILL)
	EOF
}

@test "listeners -d: who came, how long they waited, the longest queue" {
	python <<-'EOF'
		import json, os, socket, subprocess, sys, time
		synfin, check, schema = sys.argv[1:]
		listener = socket.create_server(("127.0.0.1", 0), backlog=100)
		port = listener.getsockname()[1]
		watch = subprocess.Popen([synfin, "listeners", "-d", "2", "-o", "json", "lport", str(port)],
		                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
		ends, nr = [], 0
		# The first that is counted tells that it has begun; it is not known which one that is.
		while watch.poll() is None:
		    ends.append(socket.create_connection(("127.0.0.1", port)))
		    ends.append(socket.create_connection(("127.0.0.1", port)))
		    time.sleep(0.02)
		    ends += [listener.accept()[0], listener.accept()[0]]
		    nr += 2
		said = watch.stdout.read()
		subprocess.run([check, schema], input=said, stdout=subprocess.DEVNULL, check=True)
		line = json.loads(said)
		assert 10 <= line["arrived"] <= nr, (line["arrived"], nr)
		assert line["watched_us"] >= 2000000
		assert abs(line["arrived_per_second"] - nr / 2) <= nr / 4, (line, nr)
		assert abs(line["arrived_per_second"] - line["arrived"] * 1e6 / line["watched_us"]) <= 1
		assert 10000 <= line["accept_wait_p50_us"] <= line["accept_wait_p99_us"] < 2000000, line
		# Two waited each time; absent where the hook does not tell.
		assert line.get("accept_queue_highest", 2) == 2, line
		assert line["dropped_meanwhile"] == 0
		for place in "syns_dropped", "acks_dropped", "half_open_expired":
		    assert line.get(place, 0) == 0, line # absent where no hook tells
	EOF
}

@test "listeners -d: one that waits alone makes a queue of one, at each tier" {
	python <<-'EOF'
		import json, socket, subprocess, sys, time
		synfin, check, schema = sys.argv[1:]
		for tier in "full", "tracepoints":
		    listener = socket.create_server(("127.0.0.1", 0), backlog=100)
		    port = listener.getsockname()[1]
		    watch = subprocess.Popen([synfin, "listeners", "-d", "2", "-o", "json", "--hooks", tier,
		                              "lport", str(port)], stdout=subprocess.PIPE,
		                             stderr=subprocess.DEVNULL)
		    while watch.poll() is None:
		        client = socket.create_connection(("127.0.0.1", port))
		        time.sleep(0.03)
		        listener.accept()[0].close()
		        client.close()
		        time.sleep(0.2) # the looks find an empty queue
		    said = watch.stdout.read()
		    subprocess.run([check, schema], input=said, stdout=subprocess.DEVNULL, check=True)
		    line = json.loads(said)
		    assert line["arrived"] >= 5, (tier, line)
		    assert line.get("accept_queue_highest", 1) == 1, (tier, line)
		    if tier == "tracepoints": # sys_exit has the listener's descriptor
		        assert "accept_queue_highest" in line, line
	EOF
}

@test "listeners -d: what comes by IPv4 is not told of a listener for IPv6 only" {
	python <<-'EOF'
		import csv, socket, subprocess, sys
		synfin, check, schema = sys.argv[1:]
		four = socket.create_server(("0.0.0.0", 0), backlog=100)
		port = four.getsockname()[1]
		six = socket.socket(socket.AF_INET6)
		six.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
		six.bind(("::", port))
		six.listen(100)
		waiting = socket.create_connection(("::1", port))
		watch = subprocess.Popen([synfin, "listeners", "-d", "2", "-o", "csv", "lport", str(port)],
		                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
		nr = 0
		while watch.poll() is None:
		    client = socket.create_connection(("127.0.0.1", port))
		    four.accept()[0].close()
		    client.close()
		    nr += 1
		lines = {row["server_address"]: row for row in csv.DictReader(watch.stdout)}
		arrived, per_second = (int(lines["0.0.0.0"][name])
		                       for name in ("arrived", "arrived_per_second"))
		assert 10 <= arrived <= nr and arrived / 3 <= per_second <= arrived / 2 + 1, lines
		assert (lines["::"]["arrived"], lines["::"]["arrived_per_second"]) == ("0", "0"), lines
		assert lines["::"]["accept_queue"] == "1", lines
		assert lines["::"]["dropped_meanwhile"] == "0", lines
		assert lines["::"]["accept_wait_p50_us"] == "", lines
	EOF
}

@test "listeners -d: two that share a port have their own waits, or none" {
	python <<-'EOF'
		import json, os, socket, subprocess, sys, threading, time
		synfin, check, schema = sys.argv[1:]
		def listen(port):
		    sock = socket.socket()
		    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
		    sock.bind(("127.0.0.1", port))
		    sock.listen(100)
		    return sock
		quick = listen(0)
		port = quick.getsockname()[1]
		slow = listen(port)
		watch = subprocess.Popen([synfin, "listeners", "-d", "3", "-o", "json", "lport", str(port)],
		                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
		def serve(sock, wait):
		    sock.settimeout(0 if wait else 0.05)
		    while watch.poll() is None:
		        time.sleep(wait)
		        try:
		            while True:
		                sock.accept()[0].close()
		        except OSError:
		            pass
		threads = [threading.Thread(target=serve, args=one) for one in ((quick, 0), (slow, 0.3))]
		for thread in threads:
		    thread.start()
		nr = 0
		while watch.poll() is None:
		    socket.create_connection(("127.0.0.1", port)).close()
		    time.sleep(0.005)
		    nr += 1
		for thread in threads:
		    thread.join()
		said = watch.stdout.read()
		subprocess.run([check, schema], input=said, stdout=subprocess.DEVNULL, check=True)
		lines = [json.loads(line) for line in said.splitlines()]
		assert len(lines) == 2, lines
		# Where no hook tells which one a connection came to, it is left out, never guessed.
		if all("arrived" in line for line in lines):
		    assert all(line["arrived"] >= 10 for line in lines), lines
		    assert sum(line["arrived"] for line in lines) <= nr, (lines, nr)
		else:
		    assert not any("arrived" in line for line in lines), lines
		waits = sorted(line["accept_wait_p50_us"] for line in lines)
		assert waits[0] < 60000 < 80000 < waits[1], lines
		assert len({line["accept_queue_highest"] for line in lines}) == 2, lines
	EOF
}

@test "listeners -d, ports -d: if events are lost, nothing that was counted is told" {
	python <<-'EOF'
		import json, os, socket, subprocess, sys, threading, time
		synfin, check, schema = sys.argv[1:]
		listener = socket.create_server(("127.0.0.1", 0), backlog=100)
		port = listener.getsockname()[1]
		def call():
		    held = []
		    while True:
		        held += [socket.create_connection(("127.0.0.1", port)), listener.accept()[0]]
		        time.sleep(0.01)
		threading.Thread(target=call, daemon=True).start()
		# More are begun than are followed.
		for command, side, counted in (("listeners", "lport", ("arrived", "accept_queue_highest",
		                                "accept_wait_p50_us", "syns_dropped", "acks_dropped")),
		                               ("ports", "rport", ("calls", "no_port_failures"))):
		    said = subprocess.run([synfin, command, "-d", "500ms", "--max-connections", "16", "-o",
		                           "json", side, str(port)], stdout=subprocess.PIPE,
		                          stderr=subprocess.PIPE, check=True)
		    assert b"events were lost: nothing that was counted is shown" in said.stderr, said
		    subprocess.run([check, schema], input=said.stdout, stdout=subprocess.DEVNULL, check=True)
		    line = json.loads(said.stdout)
		    assert not set(counted) & set(line), line
	EOF
}

@test "listeners: of processes and namespaces that go while it looks, what is told is right" {
	python <<-'EOF'
		import ctypes, json, os, signal, socket, subprocess, sys, tempfile, time
		synfin, check, schema = sys.argv[1:]
		libc = ctypes.CDLL(None)
		def live(book, is_alone):
		    if is_alone and libc.unshare(0x40000000): # CLONE_NEWNET
		        os._exit(1)
		    with socket.create_server(("0.0.0.0", 0)) as listener:
		        os.write(book, b"%d %d %d\n" % (os.stat("/proc/self/ns/net").st_ino,
		                                        listener.getsockname()[1], os.getpid()))
		        time.sleep(0.08)
		        os._exit(0) # with the socket, and with its namespace
		def churn(book):
		    for number in range(1000000):
		        if number >= 6:
		            assert os.wait()[1] == 0
		        if not os.fork():
		            live(book, number % 2)
		with tempfile.TemporaryFile() as file:
		    churner = os.fork()
		    if not churner:
		        os.setpgid(0, 0)
		        churn(file.fileno())
		    try:
		        lines = []
		        for _ in range(12):
		            look = subprocess.run([synfin, "listeners", "-q", "-o", "json"],
		                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=True)
		            assert not look.stderr, look.stderr
		            lines += map(json.loads, look.stdout.splitlines())
		    finally:
		        os.killpg(churner, signal.SIGKILL)
		        os.waitpid(churner, 0)
		    file.seek(0)
		    lives = {}
		    for line in file:
		        inode, port, pid = map(int, line.split())
		        lives.setdefault((inode, port), set()).add(pid)
		ours, elsewhere, named = os.stat("/proc/self/ns/net").st_ino, 0, 0
		for line in lines:
		    pids = lives.get((line["netns"], line["server_port"]))
		    if not pids or line["server_address"] != "0.0.0.0":
		        continue
		    assert line.get("process_pid") is None or line["process_pid"] in pids, (line, pids)
		    named += "process_pid" in line
		    elsewhere += line["netns"] != ours
		assert elsewhere >= 1 and named >= 5, (elsewhere, named, len(lives))
	EOF
}

@test "ports: used, in TIME_WAIT and free per destination, in its own namespace" {
	local ns=sfports-$$
	ip netns add "$ns"
	ip -n "$ns" link set lo up
	ip netns exec "$ns" sysctl -qw net.ipv4.ip_local_port_range="40000 40019"
	ip netns exec "$ns" sysctl -qw net.ipv4.tcp_tw_reuse=0
	ip netns exec "$ns" /usr/bin/python3 - "$SYNFIN" \
		"$BATS_TEST_DIRNAME/../unit/check_lines.py" "$schema" <<-'EOF'
		import json, os, socket, subprocess, sys
		synfin, check, schema = sys.argv[1:]
		first, second = (socket.create_server(("127.0.0.1", port)) for port in (81, 82))
		ends = []
		for listener, count in (first, 5), (second, 3):
		    for _ in range(count):
		        ends.append((socket.create_connection(listener.getsockname()), listener.accept()[0]))
		for client, server in ends[:2]:
		    client.close()
		    server.close()
		inode = str(os.stat("/proc/self/ns/net").st_ino)
		words = [synfin, "ports", "-q", "--netns", inode]
		said = subprocess.run([*words, "-o", "json"], stdout=subprocess.PIPE, check=True).stdout
		subprocess.run([check, schema], input=said, stdout=subprocess.DEVNULL, check=True)
		lines = [json.loads(line) for line in said.splitlines()]
		have = [(line["network_peer_port"], line["ports_used"], line["ports_time_wait"],
		         line["ports_free"], line["ports_range"], line["process_pid"]) for line in lines]
		assert have == [(81, 5, 2, 15, 20, os.getpid()), (82, 3, 0, 17, 20, os.getpid())], have
		assert not any("calls" in line for line in lines)
		table = subprocess.run([*words, "rport", "82"], stdout=subprocess.PIPE, text=True, check=True)
		heading, row = table.stdout.splitlines()
		assert heading.split() == ["FROM", "TO", "USED", "TIME-WAIT", "FREE", "RANGE", "PROCESS"]
		assert row.split() == ["127.0.0.1", "127.0.0.1:82", "3", "0", "17", "20",
		                       "%d/python3" % os.getpid()], row
	EOF
	ip netns del "$ns"
}

@test "ports, stuck: what the kernel takes again from TIME_WAIT is free, and nothing else is" {
	local ns=sfports-$$
	ip netns add "$ns"
	ip -n "$ns" link set lo up
	ip -n "$ns" addr add 10.77.0.1/32 dev lo
	ip netns exec "$ns" sysctl -qw net.ipv4.ip_local_port_range="40000 40019"
	ip netns exec "$ns" /usr/bin/python3 - "$SYNFIN" \
		"$BATS_TEST_DIRNAME/../unit/check_lines.py" "$schema" <<-'EOF'
		import errno, json, os, socket, subprocess, sys, time
		synfin, check, schema = sys.argv[1:]
		inode = str(os.stat("/proc/self/ns/net").st_ino)
		def sysctl(name, value):
		    with open("/proc/sys/net/ipv4/" + name, "w", encoding="ascii") as file:
		        file.write(str(value))
		def call(listener):
		    client = socket.create_connection(listener.getsockname())
		    server = listener.accept()[0]
		    client.close() # first: TIME_WAIT has the port that the kernel chose
		    server.close()
		def fails(listener):
		    try:
		        call(listener)
		        return False
		    except OSError as error:
		        assert error.errno == errno.EADDRNOTAVAIL, error
		        return True
		def counts(port, *words):
		    said = subprocess.run([synfin, "ports", "-q", "-o", "json", "--netns", inode, *words, "rport",
		                           str(port)], stdout=subprocess.PIPE, check=True).stdout
		    subprocess.run([check, schema], input=said, stdout=subprocess.DEVNULL, check=True)
		    line = json.loads(said)
		    return (line["ports_used"], line["ports_time_wait"], line["ports_reusable"],
		            line["ports_free"])
		def are_exhausted(port, *words):
		    look = subprocess.run([synfin, "stuck", "-q", "-o", "json", "--netns", inode, *words, "rport",
		                           str(port)], stdout=subprocess.PIPE, check=False)
		    assert (look.returncode == 3) == (b'"ports_exhausted"' in look.stdout), look
		    return look.returncode == 3
		def call_all(address, port):
		    listener = socket.create_server((address, port))
		    for _ in range(20):
		        call(listener)
		    return listener
		sysctl("tcp_timestamps", 0)
		old = call_all("127.0.0.1", 83)
		sysctl("tcp_timestamps", 1)
		far = call_all("10.77.0.1", 82) # an address of an interface is no loopback one
		local = call_all("127.0.0.1", 81)
		assert counts(81)[:2] == (20, 20)
		deadline = time.monotonic() + 20
		while counts(81) != (20, 20, 20, 20):
		    assert time.monotonic() < deadline, counts(81)
		for words in (), ("--no-bpf",):
		    assert counts(81, *words) == (20, 20, 20, 20), words
		    assert not are_exhausted(81, *words)
		    assert counts(82, *words) == (20, 20, 0, 0), words
		    assert are_exhausted(82, *words)
		assert fails(far)
		for _ in range(10):
		    assert not fails(local)
		sysctl("tcp_timestamps", 0)
		assert fails(old) and are_exhausted(83) and counts(83) == (20, 20, 0, 0)
		sysctl("tcp_timestamps", 1)
		sysctl("tcp_tw_reuse", 1)
		assert counts(82) == (20, 20, 20, 20) and not are_exhausted(82) and not fails(far)
		if os.path.exists("/proc/sys/net/ipv4/tcp_tw_reuse_delay"):
		    sysctl("tcp_tw_reuse_delay", 60000)
		    late = call_all("127.0.0.1", 84)
		    assert fails(late) and are_exhausted(84) and counts(84) == (20, 20, 0, 0)
	EOF
	ip netns del "$ns"
}

@test "ports: what is reserved is not free, and stuck tells when none is left" {
	local ns=sfports-$$
	ip netns add "$ns"
	ip -n "$ns" link set lo up
	ip netns exec "$ns" sysctl -qw net.ipv4.ip_local_port_range="40000 40019"
	ip netns exec "$ns" sysctl -qw net.ipv4.ip_local_reserved_ports="8080,40000-40013,40019"
	ip netns exec "$ns" /usr/bin/python3 - "$SYNFIN" <<-'EOF'
		import errno, json, os, socket, subprocess, sys
		listener = socket.create_server(("127.0.0.1", 81))
		ends = [socket.create_connection(listener.getsockname()) for _ in range(5)]
		try:
		    socket.create_connection(listener.getsockname())
		    raise AssertionError("a port was left")
		except OSError as error:
		    assert error.errno == errno.EADDRNOTAVAIL, error
		inode = str(os.stat("/proc/self/ns/net").st_ino)
		def run(command, *words):
		    return subprocess.run([sys.argv[1], command, "-q", "-o", "json", "--netns", inode, *words],
		                          stdout=subprocess.PIPE, check=False)
		line = json.loads(run("ports").stdout)
		assert (line["ports_used"], line["ports_free"], line["ports_range"]) == (5, 0, 5), line
		look = run("stuck", "rport", "81")
		assert look.returncode == 3 and b'"ports_exhausted"' in look.stdout, look
	EOF
	ip netns del "$ns"
}

@test "ports -d: calls while it watched, and when no port is left" {
	python <<-'EOF'
		import json, socket, subprocess, sys, time
		synfin, check, schema = sys.argv[1:]
		listener = socket.create_server(("127.0.0.1", 0), backlog=100)
		port = listener.getsockname()[1]
		watch = subprocess.Popen([synfin, "ports", "-d", "2", "-o", "json", "rport", str(port)],
		                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
		nr = 0
		while watch.poll() is None:
		    client = socket.create_connection(("127.0.0.1", port))
		    server = listener.accept()[0]
		    client.close()
		    server.close()
		    time.sleep(0.002)
		    nr += 1
		said = watch.stdout.read()
		subprocess.run([check, schema], input=said, stdout=subprocess.DEVNULL, check=True)
		line = json.loads(said)
		assert 10 <= line["calls"] <= nr, (line, nr)
		assert abs(line["calls_per_second"] - line["calls"] * 1000000 / line["watched_us"]) <= 1
		assert line["ports_time_wait"] >= 10 and line["ports_exhausted_in_us"] > 0
		assert line["process_executable_name"] == "python3"
	EOF
}

@test "ports -d: calls that find no free port are told of their destination" {
	local ns=sfports-$$
	ip netns add "$ns"
	ip -n "$ns" link set lo up
	ip netns exec "$ns" sysctl -qw net.ipv4.ip_local_port_range="40000 40005"
	ip netns exec "$ns" /usr/bin/python3 - "$SYNFIN" \
		"$BATS_TEST_DIRNAME/../unit/check_lines.py" "$schema" <<-'EOF'
		import errno, json, os, socket, subprocess, sys, time
		synfin, check, schema = sys.argv[1:]
		full, other = (socket.create_server(("127.0.0.1", port)) for port in (81, 82))
		ends = [socket.create_connection(full.getsockname()) for _ in range(6)]
		ends.append(socket.create_connection(other.getsockname()))
		inode = str(os.stat("/proc/self/ns/net").st_ino)
		def call(port):
		    try:
		        socket.create_connection(("127.0.0.1", port)).close()
		        raise AssertionError("a port was left")
		    except OSError as error:
		        assert error.errno in (errno.EADDRNOTAVAIL, errno.ECONNREFUSED), error
		watch = subprocess.Popen([synfin, "ports", "-d", "2", "-o", "json", "--netns", inode],
		                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
		nr = 0
		while watch.poll() is None:
		    call(81)
		    time.sleep(0.01)
		    nr += 1
		said = watch.stdout.read()
		subprocess.run([check, schema], input=said, stdout=subprocess.DEVNULL, check=True)
		lines = {line["network_peer_port"]: line for line in map(json.loads, said.splitlines())}
		assert 10 <= lines[81]["no_port_failures"] <= nr, (lines, nr)
		assert lines[81]["calls"] == lines[81]["no_port_failures"], lines
		assert lines[81]["ports_exhausted_in_us"] == 0, lines
		assert lines[82]["no_port_failures"] == lines[82]["calls"] == 0, lines
		assert "ports_exhausted_in_us" not in lines[82], lines
	EOF
	ip netns del "$ns"
}
