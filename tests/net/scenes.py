#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
#
# scenes.py OUTDIR [SCENE...]: handshakes that go well or badly in ways that need
# every segment in hand, judged by what this program itself did and by what the
# synfins say that drive.sh runs beside it: OUTDIR/trace.jsonl and conns.jsonl.
# TAP on standard output. Runs in a network namespace of its own (`unshare -n`),
# natively and in the guests: standard library only. The hooks that OUTDIR/status
# tells of decide which facts must be there. It makes OUTDIR/scenes.ready when those
# synfins may begin, and OUTDIR/scenes.played when all are played; then it waits for
# them to end: only then is all told.
import os
import re
import signal
import socket
import subprocess
import sys
import time

sys.dont_write_bytecode = True
from phantom import ACK, FIN, PSH, RST, SYN, Phantom, family_of  # noqa: E402
from scene import DEADLINE_S, Missing, Scene, Tracer, wait_for  # noqa: E402

KERNEL, PHANTOM, PHANTOM6 = Phantom.KERNEL, Phantom.ADDRESS, Phantom.ADDRESS6
TRIES = 4


def sysctl(path, value):
    with open("/proc/sys/net/" + path, "w", encoding="ascii") as file:
        file.write(str(value))


def netstat(counter):
    """A counter of /proc/net/netstat, of this namespace."""
    with open("/proc/net/netstat", encoding="ascii") as file:
        lines = file.read().splitlines()
    for names, values in zip(lines[::2], lines[1::2]):
        table = dict(zip(names.split(), values.split()))
        if counter in table:
            return int(table[counter])
    raise KeyError(counter)


def listen(port, backlog=16, address=KERNEL):
    server = socket.socket(family_of(address))
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind((address, port))
    server.listen(backlog)
    return server


def dial(port, address=KERNEL):
    return socket.create_connection((address, port), timeout=DEADLINE_S)


def exchange(client, server_end):
    client.sendall(b"ping")
    assert server_end.recv(16) == b"ping"
    client.close()
    assert server_end.recv(16) == b""
    server_end.close()


RTT, TOTAL_RETRANS, SEGS_OUT, SEGS_IN, MIN_RTT = 68, 100, 136, 140, 148


def tcp_info(end, offset):
    """A __u32 of struct tcp_info (include/uapi/linux/tcp.h)."""
    return int.from_bytes(end.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 152)[
        offset:offset + 4], sys.byteorder)


def nft(text):
    subprocess.run(["nft", "-f", "-"], check=True, text=True, input=text)


class Older:
    """What is there when the tracers begin: a listener and a connection, held by two processes."""

    PORT, PEER = 7041, (PHANTOM, 41041)

    def __init__(self, phantom):
        self.phantom = phantom
        self.server = listen(self.PORT, backlog=0)
        self.seq = self.open(self.PEER)
        self.end, _ = self.server.accept()
        awaited, self.life = os.pipe()
        self.child = os.fork()
        if not self.child:
            os.close(self.life)
            os.read(awaited, 1)  # returns when the other is gone
            os._exit(0)
        self.pid = min(os.getpid(), self.child)

    def open(self, peer):
        """A connection from there, that waits for accept(). The peer's next sequence number."""
        answer = phantom_syn(self, peer, self.PORT, 1000)
        self.phantom.send(peer, (KERNEL, self.PORT), ACK, 1001, answer.seq + 1)
        return 1001

    def close(self):
        os.close(self.life)
        os.waitpid(self.child, 0)
        self.end.close()
        self.server.close()


# ---- the scenes; each has a port of its own ----

def older(scene):
    """Who has a connection and a listener that were there before: of two, the lower number."""
    old, late = scene.older, (PHANTOM, 41042)
    with open("/proc/self/comm", encoding="utf-8") as file:
        whose = {"process_pid": old.pid, "process_executable_name": file.read().strip(),
                 "process_owner_uid": os.getuid(), "process_source": "fd_scan",
                 "preexisting": True}
    old.phantom.send(old.PEER, (KERNEL, old.PORT), RST, old.seq)
    event = scene.wait("tcp.close", network_local_port=old.PORT, network_peer_port=old.PEER[1])
    scene.matches(event, close_reason="reset", rst_sender="peer", closer_process_pid=None,
                  cgroup_id=lambda have: have is not None, **whose)
    before = netstat("ListenDrops")
    old.open(late)  # a backlog of 0 admits 1
    scene.wait("tcp.established", network_local_port=old.PORT, network_peer_port=late[1])
    scene.phantom.send((PHANTOM, 41043), (KERNEL, old.PORT), SYN, 100)
    wait_for("the SYN to be dropped", lambda: netstat("ListenDrops") == before + 1)
    scene.probed("tcp.listen_overflow", {"network_local_port": old.PORT},
                 role="listener", syns_dropped=1, **whose)
    old.close()


def plain(scene):
    """socket(), bind(), listen(), accept() and what came of them, in their order."""
    port, before = 7001, time.time()
    server = listen(port)
    client = dial(port)
    local_port = client.getsockname()[1]
    end, _ = server.accept()
    exchange(client, end)
    after = time.time()
    at_server = scene.wait("tcp.close", network_local_port=port, network_peer_port=local_port)
    at_client = scene.wait("tcp.close", network_local_port=local_port)
    listener = scene.wait("tcp.listen", network_local_port=port)
    scene.matches(at_server, role="server", listener_connection_id=listener["connection_id"],
                  process_pid=os.getpid(), accept_queue=0 if scene.tier != "kprobe" else None)
    times = [at_server.get(step) for step in ("socket_time", "bind_time", "listen_time")]
    scene.check(None not in times and times == sorted(times), "steps of the listener", times)
    scene.check(listener.get("socket_time") == times[0], "the listener says", listener)
    scene.check(all(before <= unix_time(t) <= after for t in times if t), times, before, after)
    scene.is_(at_client, "socket_time", lambda text: before <= unix_time(text) <= after)
    scene.matches(at_client, role="client", bind_time=None, listen_time=None, syncookie=None,
                  fastopen=None, connect_interrupted=None)
    server.close()


def unix_time(text):
    if not text:
        return 0
    whole, _, nanoseconds = text.rstrip("Z").partition(".")
    # /proc/uptime and Python's clocks agree to a few milliseconds; the bounds are seconds apart.
    parsed = time.strptime(whole, "%Y-%m-%dT%H:%M:%S")
    return __import__("calendar").timegm(parsed) + int(nanoseconds) / 1e9


def queue(scene):
    """How many still waited when accept() took one."""
    port = 7002
    server = listen(port, backlog=8)
    clients = [dial(port) for _ in range(4)]
    for waiting in (3, 2, 1, 0):
        end, (_, peer_port) = server.accept()
        event = scene.wait("tcp.accept", network_local_port=port, network_peer_port=peer_port)
        scene.is_(event, "accept_queue", waiting if scene.tier != "kprobe" else None)
        end.close()
    for client in clients:
        client.close()
    server.close()


def backlog(scene):
    """What listen() asked for, and what is left of it; a second call that sets another limit."""
    port, before = 7037, netstat("ListenDrops")
    with open("/proc/sys/net/core/somaxconn", encoding="ascii") as file:
        most = file.read()
    sysctl("core/somaxconn", 8)
    try:
        server = listen(port, backlog=4242)
    finally:
        sysctl("core/somaxconn", most)
    event = scene.wait("tcp.listen", network_local_port=port)
    scene.matches(event, listen_backlog=8, listen_backlog_asked=4242)
    server.listen(1)
    sysctl("ipv4/tcp_syncookies", 0)
    clients = [dial(port), dial(port)]
    scene.phantom.send((PHANTOM, 41037), (KERNEL, port), SYN, 100)
    wait_for("the SYN to be dropped", lambda: netstat("ListenDrops") > before)
    scene.probed("tcp.listen_overflow", {"network_local_port": port},
                 listen_backlog=1, listen_backlog_asked=None, syns_dropped=1)
    for client in clients:
        client.close()
    server.close()


def cookie(scene):
    """A connection that was opened by a SYN cookie: nothing was kept of its handshake."""
    port = 7003
    sysctl("ipv4/tcp_syncookies", 2)
    try:
        server = listen(port)
        client = dial(port)
        end, _ = server.accept()
    finally:
        sysctl("ipv4/tcp_syncookies", 1)
    peer_port = client.getsockname()[1]
    exchange(client, end)
    event = scene.wait("tcp.close", network_local_port=port, network_peer_port=peer_port)
    scene.matches(event, role="server", handshake_us=None,
                  syncookie=True if scene.is_probing else None, client_port=peer_port,
                  listener_connection_id=lambda have: have is not None,
                  wire_id=lambda have: have is not None)
    event = scene.wait("tcp.close", network_local_port=peer_port)
    scene.matches(event, role="client", syncookie=None)
    server.close()


def fast_open(scene):
    """Data in the SYN, taken by the server: its end is accepted before the handshake is over."""
    port = 7004
    sysctl("ipv4/tcp_fastopen", 0x607)  # client and server, without cookies
    server = listen(port)
    server.setsockopt(socket.IPPROTO_TCP, 23, 5)  # TCP_FASTOPEN
    client = socket.socket()
    client.sendto(b"ping", 0x20000000, (KERNEL, port))  # MSG_FASTOPEN
    end, (_, peer_port) = server.accept()
    assert end.recv(16) == b"ping"
    client.close()
    assert end.recv(16) == b""
    end.close()
    event = scene.wait("tcp.close", network_local_port=port, network_peer_port=peer_port)
    scene.matches(event, role="server", process_pid=os.getpid(), syncookie=None,
                  fastopen=True if scene.is_probing else lambda have: have in (None, True),
                  bytes_received=4)
    event = scene.wait("tcp.close", network_local_port=peer_port)
    scene.matches(event, role="client", fastopen=True, bytes_sent=4, syn_retransmits=0)
    server.close()


def by_hand(scene):
    """A server's handshake whose ACK comes when we send it: its time is the one we took."""
    port, peer = 7005, (PHANTOM, 41005)
    server = listen(port)
    answer = phantom_syn(scene, peer, port, 1000)
    time.sleep(0.2)
    scene.phantom.send(peer, (KERNEL, port), ACK, 1001, answer.seq + 1)
    end, _ = server.accept()
    event = scene.wait("tcp.accept", network_local_port=port, network_peer_port=peer[1])
    scene.matches(event, role="server", client_address=PHANTOM, client_port=peer[1],
                  wire_id="%08x%08x" % (1000, answer.seq), synack_retransmits=0,
                  handshake_us=lambda have: have is not None and 200_000 <= have < 2_000_000)
    scene.phantom.send(peer, (KERNEL, port), RST, 1001)
    event = scene.wait("tcp.close", network_local_port=port, network_peer_port=peer[1])
    scene.matches(event, close_reason="reset", rst_sender="peer", rst_state="established")
    end.close()
    server.close()


def counted(scene):
    """Round trips and segments, at both roles: as TCP_INFO has them, and as many as we sent."""
    port, peer = 7038, (PHANTOM, 41038)
    server = listen(port)
    answer = phantom_syn(scene, peer, port, 1000)
    time.sleep(0.05)
    scene.phantom.send(peer, (KERNEL, port), ACK, 1001, answer.seq + 1)
    end, _ = server.accept()
    talk(scene, end, peer, 1001, answer.seq + 1, nr_before=2)
    server.close()

    client = socket.socket()
    client.setblocking(False)
    client.connect_ex((PHANTOM, port))
    syn = scene.phantom.receive(client.getsockname(), (PHANTOM, port), SYN)
    time.sleep(0.05)
    scene.phantom.send((PHANTOM, port), client.getsockname(), SYN | ACK, 2000, syn.seq + 1)
    scene.phantom.receive(client.getsockname(), (PHANTOM, port), ACK)
    talk(scene, client, (PHANTOM, port), 2001, syn.seq + 1, nr_before=1)


def talk(scene, end, peer, seq, ack, nr_before):
    """Four bytes out, acknowledged late, three segments in, a RST; nr_before: came before that."""
    local = end.getsockname()
    end.send(b"ping")
    ping = scene.phantom.receive(local, peer, PSH | ACK)
    time.sleep(0.08)
    scene.phantom.send(peer, local, ACK, seq, ping.seq + 4)
    for number in range(3):
        scene.phantom.send(peer, local, ACK, seq + 4 * number, ack + 4, b"pong")
    wait_for("all to be received", lambda: tcp_info(end, SEGS_IN) == nr_before + 4)
    # Its answers, delayed or not, have left when the last byte is acknowledged.
    wait_for("all to be acknowledged", lambda: is_acked(scene, local, peer, seq + 12))
    know = {offset: tcp_info(end, offset) for offset in (RTT, MIN_RTT, SEGS_OUT)}
    scene.phantom.send(peer, local, RST, seq + 12)
    event = scene.wait("tcp.close", network_local_port=local[1], network_peer_port=peer[1])
    scene.matches(event, srtt_us=know[RTT], rtt_min_us=know[MIN_RTT], segments_sent=know[SEGS_OUT],
                  segments_received=nr_before + 5)
    scene.check(45_000 <= know[MIN_RTT] <= know[RTT] < 2_000_000, "the round trips", know)
    end.close()


def is_acked(scene, local, peer, seq):
    return scene.phantom.receive(local, peer, ACK).ack == seq


def dial_phantom(scene, peer):
    """A client that does not block, its address, and its SYN; the phantom's next number is 501."""
    client = socket.socket()
    client.setblocking(False)
    client.connect_ex(peer)
    local = client.getsockname()
    syn = scene.phantom.receive(local, peer, SYN)
    scene.phantom.send(peer, local, SYN | ACK, 500, syn.seq + 1)
    scene.phantom.receive(local, peer, ACK)
    return client, local, syn


def phantom_syn(scene, peer, port, seq):
    here = (scene.phantom.kernel_of(peer), port)
    scene.phantom.send(peer, here, SYN, seq)
    return scene.phantom.receive(here, peer, SYN | ACK)


def half_open(scene, port=7006, peer=(PHANTOM, 41006)):
    """Nobody answers the SYN+ACK: it is repeated once, and the handshake expires."""
    here = (scene.phantom.kernel_of(peer), port)
    sysctl("ipv4/tcp_synack_retries", 1)
    server = listen(port, address=here[0])
    answer = phantom_syn(scene, peer, port, 5000)
    scene.phantom.receive(here, peer, SYN | ACK)  # again
    if not scene.is_probing:  # it is over when a late ACK is answered by a RST
        wait_for("the handshake to expire", lambda: is_forgotten(scene, peer, here, answer))
    scene.probed("tcp.failed", {"network_local_port": port},
                 role="server", role_source="handshake", close_reason="timeout",
                 error_type="etimedout", client_address=peer[0], client_port=peer[1],
                 network_connection_state_previous="syn_received", synack_retransmits=1,
                 process_pid=None, handshake_us=None, closed_by=None,
                 wire_id="%08x%08x" % (5000, answer.seq),
                 duration_us=lambda have: have is not None and 2_000_000 < have < 20_000_000)
    scene.probed("tcp.listen_overflow", {"network_local_port": port},
                 role="listener", half_open_expired=1, syns_dropped=0, acks_dropped=0)
    server.close()


def half_open_ipv6(scene):
    """The same over IPv6, whose SYN, SYN+ACK and last ACK are functions of their own."""
    half_open(scene, 7050, (PHANTOM6, 41050))


def is_forgotten(scene, peer, here, answer):
    scene.phantom.send(peer, here, ACK, 4000, answer.seq + 9)
    try:
        scene.phantom.receive(here, peer, RST, deadline_s=0.2)
        return nr_half_open(here[1]) == 0
    except TimeoutError:
        return False


def half_open_reset(scene, port=7007, peer=(PHANTOM, 41007)):
    """A RST comes instead of the ACK."""
    here = (scene.phantom.kernel_of(peer), port)
    server = listen(port, address=here[0])
    phantom_syn(scene, peer, port, 7000)
    scene.phantom.send(peer, here, RST, 7001)
    scene.probed("tcp.failed", {"network_local_port": port},
                 role="server", close_reason="reset", rst_sender="peer",
                 rst_state="syn_received", client_port=peer[1], error_type=None)
    server.close()


def half_open_reset_ipv6(scene):
    half_open_reset(scene, 7051, (PHANTOM6, 41051))


def half_open_refused(scene, port=7040, address=PHANTOM):
    """A full accept queue that refuses, and a bad SYN: the RST that ends the handshake is ours."""
    late, bad = (address, 41040), (address, 41140)
    here = (scene.phantom.kernel_of(late), port)
    sysctl("ipv4/tcp_synack_retries", 5)
    server = listen(port, backlog=1, address=here[0])
    answer = phantom_syn(scene, late, port, 100)
    phantom_syn(scene, bad, port, 200)
    clients = [dial(port, here[0]), dial(port, here[0])]  # a backlog of 1 admits 2
    sysctl("ipv4/tcp_abort_on_overflow", 1)
    try:
        scene.phantom.send(late, here, ACK, 101, answer.seq + 1)
        scene.phantom.receive(here, late, RST)
    finally:
        sysctl("ipv4/tcp_abort_on_overflow", 0)
    scene.phantom.send(bad, here, SYN, 210)
    scene.phantom.receive(here, bad, RST | ACK)
    for peer in late, bad:
        scene.probed("tcp.failed", {"network_local_port": port, "network_peer_port": peer[1]},
                     role="server", close_reason="reset", rst_sender="local",
                     rst_by="kernel", rst_state="syn_received", error_type=None)
    for client in clients:
        client.close()
    server.close()


def half_open_refused_ipv6(scene):
    half_open_refused(scene, 7052, PHANTOM6)


def drops(scene, port=7008, address=PHANTOM):
    """A full accept queue, the two places apart: a SYN is dropped, a last ACK is dropped."""
    late = (address, 41008)
    here = (scene.phantom.kernel_of(late), port)
    before = netstat("ListenDrops")
    sysctl("ipv4/tcp_syncookies", 0)
    sysctl("ipv4/tcp_synack_retries", 5)
    server = listen(port, backlog=1, address=here[0])
    answer = phantom_syn(scene, late, port, 100)
    clients = [dial(port, here[0]), dial(port, here[0])]  # a backlog of 1 admits 2
    scene.phantom.send(late, here, ACK, 101, answer.seq + 1)
    wait_for("the ACK to be dropped", lambda: netstat("ListenDrops") == before + 1)
    for number in range(3):
        scene.phantom.send((address, 41100 + number), here, SYN, 100)
    wait_for("the SYNs to be dropped", lambda: netstat("ListenDrops") == before + 4)
    scene.probed("tcp.listen_overflow", {"network_local_port": port})
    if scene.is_probing:
        scene.at_end.append(lambda: drops_told(scene, port, 3, 1))
    scene.keep = (server, clients)


def drops_ipv6(scene):
    drops(scene, 7053, PHANTOM6)


def drops_told(scene, port, syns, acks):
    """At the end all drops have been told, also those of the last second."""
    event = scene.find("tcp.listen_overflow", network_local_port=port)[-1]
    scene.matches(event, acks_dropped=acks, listen_backlog=1, accept_queue=2, syns_dropped=syns)


def flood(scene):
    """800 SYNs and no ACK: counted all, told one by one only in part, nothing lost."""
    port, number = 7009, 800
    sysctl("ipv4/tcp_syncookies", 0)
    sysctl("ipv4/tcp_max_syn_backlog", 256)
    sysctl("ipv4/tcp_synack_retries", 0)
    before = netstat("ListenDrops")
    server = listen(port, backlog=4096)
    for i in range(number):
        scene.phantom.send((PHANTOM, 10000 + i), (KERNEL, port), SYN, 1)
    dropped = netstat("ListenDrops") - before
    scene.check(0 < dropped < number, "dropped", dropped)
    wait_for("the handshakes to expire", lambda: nr_half_open(port) == 0)
    scene.probed("tcp.failed", {"network_local_port": port})
    if scene.is_probing:
        told = len(scene.find("tcp.failed", network_local_port=port))
        # 50 a second on each processor, for as long as they took to expire
        scene.check(told <= 1500, "told one by one:", told)
    server.close()
    scene.probed("tcp.listen_overflow", {"network_local_port": port})
    if scene.is_probing:
        # what was not told yet is told when the listener closes
        wait_for("all to be told", lambda: flood_told(scene, port) == number)


def flood_told(scene, port):
    events = scene.find("tcp.listen_overflow", network_local_port=port)
    if not events:
        return 0
    return events[-1]["syns_dropped"] + events[-1]["half_open_expired"]


def nr_half_open(port):
    nr = 0
    for path in "/proc/net/tcp", "/proc/net/tcp6":
        with open(path, encoding="ascii") as file:
            nr += sum(1 for line in file
                      if re.search(r":%04X [0-9A-F]+:[0-9A-F]+ 03 " % port, line))
    return nr


def crossed(scene):
    """Both ends dial at once: a SYN is answered by a SYN (RFC 9293, 3.5)."""
    local, peer = (KERNEL, 42010), (PHANTOM, 7010)
    client = socket.socket()
    client.bind(local)
    client.setblocking(False)
    try:
        client.connect(peer)
    except BlockingIOError:
        pass
    syn = scene.phantom.receive(local, peer, SYN)
    scene.phantom.send(peer, local, SYN, 9000)
    scene.phantom.receive(local, peer, SYN | ACK)
    scene.phantom.send(peer, local, ACK, 9001, syn.seq + 1)
    event = scene.wait("tcp.established", network_local_port=local[1])
    scene.matches(event, role="both", process_pid=os.getpid(), local_port_ephemeral=False,
                  wire_id="%08x%08x" % tuple(sorted((9000, syn.seq))))
    scene.phantom.send(peer, local, RST, 9001)
    event = scene.wait("tcp.close", network_local_port=local[1])
    scene.matches(event, role="both", close_reason="reset", client_address=None)
    client.close()


def early_errors(scene):
    """connect() that fails before there is a SYN: no route, a route that forbids."""
    routes = (("unreachable", 113, "ehostunreach", "unreachable"),
              ("prohibit", 13, "eacces", "denied"),
              ("blackhole", 22, "einval", "error"))
    cases = [("198.51.100.1", 101, "enetunreach", "unreachable")]
    for number, (kind, *rest) in enumerate(routes):
        address = "192.0.2.%d" % (number + 1)
        subprocess.run(["ip", "route", "add", kind, address], check=True)
        cases.append((address, *rest))
    for address, errno, error_type, reason in cases:
        for port in (7011, 7012):  # the same socket, twice: each is told
            client = socket.socket()
            scene.check(client.connect_ex((address, port)) == errno, address, "gave another error")
            client.close()
            event = scene.wait("tcp.failed", server_address=address, server_port=port)
            scene.matches(event, role="client", role_source="connect", error_type=error_type,
                          close_reason=reason, process_pid=os.getpid(), syn_retransmits=0)
            scene.check(len(scene.find("tcp.failed", server_address=address,
                                       server_port=port)) == 1, "told twice", address)


def denied_by_cgroup(scene):
    """A program of the control group forbids connect(): no SYN, and its errno is told."""
    group = os.path.join(cgroup_root(), "sf-scene-%d" % os.getpid())
    os.mkdir(group)
    try:
        subprocess.run([os.environ["SFGEN"], "forbid", "--cgroup", group], check=True)
        pid = os.fork()
        if not pid:
            with open(os.path.join(group, "cgroup.procs"), "w", encoding="ascii") as file:
                file.write("0")
            os._exit(socket.socket().connect_ex((KERNEL, 7039)))
        scene.check(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 1, "it was not EPERM")
    finally:
        os.rmdir(group)
    event = scene.wait("tcp.failed", server_port=7039)
    scene.matches(event, role="client", role_source="connect", error_type="eperm",
                  close_reason="denied", process_pid=pid, server_address=KERNEL,
                  syn_retransmits=0, network_local_port=None)
    scene.check(len(scene.find("tcp.failed", server_port=7039)) == 1, "told twice")


def cgroup_root():
    """Where control groups v2 are mounted."""
    with open("/proc/mounts", encoding="ascii") as file:
        return [line.split()[1] for line in file if line.split()[2] == "cgroup2"][0]


def icmp(scene):
    """An ICMP error answers the SYN: from afar, and within connect()."""
    nft("add table ip sf_icmp; add chain ip sf_icmp out { type filter hook output priority 0; }")
    nft("add rule ip sf_icmp out tcp dport 7032 reject with icmp type host-unreachable")
    nft("add rule ip sf_icmp out tcp dport 7033 reject with icmp type port-unreachable")
    for code, port, errno, error_type, reason in ((1, 7032, 113, "ehostunreach", "unreachable"),
                                                  (3, 7033, 111, "econnrefused", "refused")):
        client = socket.socket()
        client.setblocking(False)
        client.connect_ex((PHANTOM, port + 2))
        local = client.getsockname()
        scene.phantom.refuse(scene.phantom.receive(local, (PHANTOM, port + 2), SYN), code)
        event = scene.wait("tcp.failed", network_local_port=local[1], server_port=port + 2)
        scene.matches(event, close_reason=reason, error_type=error_type, close_call=None,
                      close_reason_inferred=None)
        client.close()

        blocking = socket.socket()
        scene.check(blocking.connect_ex((PHANTOM, port)) == errno, "gave another error", port)
        event = scene.wait("tcp.failed", server_port=port)
        scene.matches(event, close_reason=reason, error_type=error_type, close_call=None,
                      close_reason_inferred=None, process_pid=os.getpid())
        blocking.close()

        for asks in (True, False):
            client = socket.socket()
            client.setblocking(False)
            scene.check(client.connect_ex((PHANTOM, port)) == 115, "was not under way", port)
            local = client.getsockname()
            if asks:
                have = client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                scene.check(have == errno, "SO_ERROR", have)
            client.close()
            event = scene.wait("tcp.failed", network_local_port=local[1], server_port=port)
            scene.matches(event, close_reason=reason, error_type=error_type, close_call="close",
                          close_reason_inferred=True, process_pid=os.getpid())
    opened_after_all(scene)
    nft("delete table ip sf_icmp")


def opened_after_all(scene):
    """The error did not end it: a SYN of the peer's came, it opened, and closed in peace."""
    peer = (PHANTOM, 7036)
    nft("add rule ip sf_icmp out tcp dport 7036 reject with icmp type host-unreachable")
    client = socket.socket()
    client.setblocking(False)
    scene.check(client.connect_ex(peer) == 115, "was not under way", peer)
    local = client.getsockname()
    nft("flush chain ip sf_icmp out")
    scene.phantom.send(peer, local, SYN, 9000)
    answer = scene.phantom.receive(local, peer, SYN | ACK)
    scene.phantom.send(peer, local, ACK, 9001, answer.seq + 1)
    event = scene.wait("tcp.established", network_local_port=local[1], network_peer_port=7036)
    scene.matches(event, role="both", error_type=None)
    scene.phantom.send(peer, local, FIN | ACK, 9001, answer.seq + 1)
    scene.phantom.receive(local, peer, ACK)
    client.close()
    end = scene.phantom.receive(local, peer, FIN | ACK)
    scene.phantom.send(peer, local, ACK, 9002, end.seq + 1)
    event = scene.wait("tcp.close", network_local_port=local[1], network_peer_port=7036)
    scene.matches(event, close_reason="fin", closed_by="peer", error_type=None,
                  close_reason_inferred=None)


def interrupted(scene):
    """A signal ends connect(); the program then gives up."""
    class Alarm(Exception):
        pass

    def ring(*_):
        raise Alarm

    client = socket.socket()
    client.bind((KERNEL, 42013))
    signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, 0.3)
    try:
        client.connect((PHANTOM, 7013))
        scene.check(False, "nobody answers, and yet it is connected")
    except Alarm:
        pass
    client.close()
    event = scene.wait("tcp.failed", network_local_port=42013)
    scene.matches(event, role="client", connect_interrupted=True, close_reason="abort",
                  process_pid=os.getpid(), error_type=None)


def restarted(scene):
    """Signals that the program does not see end no connect(): it returns 0, and nothing is told."""
    local, peer = (KERNEL, 42043), (PHANTOM, 7043)
    pid = os.fork()
    if not pid:
        signal.signal(signal.SIGUSR1, lambda *_: None)
        signal.siginterrupt(signal.SIGUSR1, False)  # SA_RESTART
        client = socket.socket()
        client.bind(local)
        os._exit(client.connect_ex(peer))
    syn = scene.phantom.receive(local, peer, SYN)
    wait_for("connect() to wait", lambda: state_of(pid) == "S")
    os.kill(pid, signal.SIGUSR1)
    os.kill(pid, signal.SIGSTOP)
    os.waitpid(pid, os.WUNTRACED)
    os.kill(pid, signal.SIGCONT)
    wait_for("connect() to wait again", lambda: state_of(pid) == "S")
    scene.phantom.send(peer, local, SYN | ACK, 500, syn.seq + 1)
    scene.check(os.waitpid(pid, 0)[1] == 0, "connect() failed")
    event = scene.wait("tcp.established", network_local_port=local[1])
    scene.matches(event, role="client", connect_interrupted=None, process_pid=pid)
    scene.phantom.send(peer, local, RST, 501)


def state_of(pid):
    with open("/proc/%d/stat" % pid, encoding="ascii") as file:
        return file.read().rpartition(") ")[2][0]


def retry(scene):
    """One socket, three times: refused, refused, connected. Each is a connection of its own."""
    port = 7014
    client = socket.socket()
    client.bind((KERNEL, 42014))
    for _ in range(2):
        scene.check(client.connect_ex((KERNEL, port)) == 111, "it was not refused")
    server = listen(port)
    client.connect((KERNEL, port))
    end, _ = server.accept()
    exchange(client, end)
    refused = scene.wait("tcp.failed", number=2, network_local_port=42014)
    closed = scene.wait("tcp.close", network_local_port=42014)
    scene.matches(refused, role="client", close_reason="refused", error_type="econnrefused",
                  rst_sender="peer", syn_retransmits=0, process_pid=os.getpid())
    scene.matches(closed, role="client", close_reason="fin", error_type=None, rst_sender=None,
                  closed_by="local", bytes_sent=4)
    ids = {event["connection_id"] for event in scene.find("tcp.failed", network_local_port=42014)}
    scene.check(len(ids | {closed["connection_id"]}) == 3, "not three connections:", ids)
    server.close()


def repaired(scene):
    """A connection that is restored, not opened: nobody knows who had called, nothing was sent."""
    local, peer = (KERNEL, 42015), (PHANTOM, 7015)
    client = socket.socket()
    client.setsockopt(socket.IPPROTO_TCP, 19, 1)  # TCP_REPAIR
    client.bind(local)
    client.connect(peer)
    client.setsockopt(socket.IPPROTO_TCP, 19, -1)  # off, without a probe of the window
    event = scene.wait("tcp.established", network_local_port=local[1])
    scene.matches(event, role=None, role_source=None, handshake_us=None, client_address=None,
                  process_pid=os.getpid(), network_peer_address=PHANTOM)
    scene.check(not scene.find("tcp.failed", network_local_port=local[1]), "failed")
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    client.close()
    event = scene.wait("tcp.close", network_local_port=local[1])
    scene.matches(event, role=None, client_address=None, close_call="linger")


def joined(scene):
    """MPTCP opens a second path: a handshake that went well, and a worker's that owns nothing."""
    port, addresses = 7046, ("10.67.0.1", "10.67.0.2")
    if not os.path.exists("/proc/sys/net/mptcp/enabled"):
        return
    for address in addresses:
        subprocess.run(["ip", "addr", "add", address + "/32", "dev", "lo"], check=True)
    subprocess.run(["ip", "mptcp", "limits", "set", "subflows", "2"], check=True)
    subprocess.run(["ip", "mptcp", "endpoint", "add", addresses[1], "subflow"], check=True)
    server = socket.socket(proto=262)  # IPPROTO_MPTCP
    server.bind((addresses[0], port))
    server.listen()
    client = socket.socket(proto=262)
    client.connect((addresses[0], port))
    end, _ = server.accept()
    for one, other in ((client, end), (end, client), (client, end)):
        one.sendall(b"ping")
        assert other.recv(4) == b"ping"
    accepted = scene.wait("tcp.established", network_local_port=port,
                          network_peer_address=addresses[1])
    dialed = scene.wait("tcp.established", network_local_address=addresses[1],
                        network_peer_port=port)
    scene.matches(dialed, role="client", process_pid=None, process_executable_name=None)
    scene.matches(accepted, role="server", wire_id=dialed["wire_id"])
    client.close()
    assert end.recv(4) == b""
    end.close()
    for event in (accepted, dialed):
        scene.wait("tcp.close", connection_id=event["connection_id"])
    server.close()
    told = scene.find("tcp.failed", network_local_port=port) + \
        scene.find("tcp.listen_overflow", network_local_port=port)
    scene.check(not told, "told:", told)


def both_ends(scene):
    """Both ends are on this host: each names the other, also behind NAT."""
    nft("""
        table ip sf {
            chain out {
                type nat hook output priority -100;
                tcp dport 7016 redirect to :7017
            }
        }""")
    server = listen(7017, address="0.0.0.0")
    for port in (7017, 7016):
        client = dial(port)
        local_port = client.getsockname()[1]
        end, _ = server.accept()
        exchange(client, end)
        ends = [scene.wait("tcp.close", command="conns", network_local_port=local_port),
                scene.wait("tcp.close", command="conns", network_local_port=7017,
                           network_peer_port=local_port)]
        scene.is_(ends[0], "server_port", port)
        for one, other in (ends, ends[::-1]):
            scene.matches(one, wire_id=other["wire_id"], peer_process_pid=os.getpid(),
                          peer_connection_id=other["connection_id"],
                          peer_process_executable_name=other["process_executable_name"])
    server.close()


def orphan_killed(scene):
    """Old data comes again for a socket closed first, which is then killed: there was no RST."""
    peer = (PHANTOM, 7042)
    client, local, syn = dial_phantom(scene, peer)
    scene.phantom.send(peer, local, PSH | ACK, 501, syn.seq + 1, b"ping")
    wait_for("the data", lambda: tcp_info(client, SEGS_IN) == 2)
    assert client.recv(4) == b"ping"
    client.close()
    end = scene.phantom.receive(local, peer, FIN | ACK)
    scene.phantom.send(peer, local, ACK, 505, end.seq + 1)
    wait_for("FIN_WAIT2", lambda: is_listed(local, "05"))
    scene.phantom.send(peer, local, PSH | ACK, 501, end.seq + 1, b"ping")
    scene.phantom.receive(local, peer, ACK)
    subprocess.run(["ss", "-tK", "sport", "=", str(local[1])], check=False,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    if is_listed(local, "05"):  # an old kernel does not kill a timewait socket
        scene.phantom.send(peer, local, RST, 505)
    elif scene.is_probing:
        event = scene.wait("tcp.close", network_local_port=local[1])
        scene.matches(event, close_reason="killed", time_wait_end="killed", rst_sender=None,
                      rst_reason=None, orphan=True)
        scene.check(not scene.find("tcp.reset", network_local_port=local[1]), "a RST was told")


def is_listed(local, state):
    """Has /proc/net/tcp a socket of this address and port in this state (tcp_states.h)?"""
    word = "%08X:%04X" % (int.from_bytes(socket.inet_aton(local[0]), sys.byteorder), local[1])
    with open("/proc/net/tcp", encoding="ascii") as file:
        return any(line.split()[1] == word and line.split()[3] == state for line in file)


def no_timewait(scene):
    """No timewait socket is to be had: how a socket that closed first ends nobody sees."""
    sysctl("ipv4/tcp_max_tw_buckets", 0)
    # One that its user has locked when the ACK of its FIN comes stays a socket for that long.
    sysctl("ipv4/tcp_fin_timeout", 2)
    try:
        server = listen(7018)
        client = dial(7018)
        port = client.getsockname()[1]
        end, _ = server.accept()
        client.close()
        assert end.recv(1) == b""
        event = scene.wait("tcp.close", network_local_port=port)
    finally:
        sysctl("ipv4/tcp_max_tw_buckets", 8192)
    scene.matches(event, role="client", closed_by="local", fin_received_us=None)
    if scene.is_probing:
        # a socket that was locked ends by its timer, with a RST
        was_locked = event.get("close_reason") == "timeout"
        scene.matches(event, close_reason="timeout" if was_locked else None, orphan=True,
                      rst_sender="local" if was_locked else None)
    else:
        scene.matches(event, close_reason_inferred=lambda have: have in (None, True))
    end.close()
    server.close()


def fast_open_unused(scene):
    """connect() with TCP_FASTOPEN_CONNECT sends nothing, and the program closes without data."""
    server = listen(7019)
    client = socket.socket()
    client.setsockopt(socket.IPPROTO_TCP, 30, 1)  # TCP_FASTOPEN_CONNECT
    client.connect((KERNEL, 7019))
    client.close()
    event = scene.wait("tcp.failed", server_port=7019)
    scene.matches(event, role="client", close_reason="abort", error_type=None,
                  process_pid=os.getpid())
    server.close()


def fast_open_late(scene):
    """Its SYN leaves with the first data: the program's silence is no handshake."""
    server = listen(7020)
    client = socket.socket()
    client.setsockopt(socket.IPPROTO_TCP, 30, 1)
    client.connect((KERNEL, 7020))
    time.sleep(0.7)
    client.sendall(b"ping")
    end, _ = server.accept()
    port = client.getsockname()[1]
    exchange_rest(client, end)
    event = scene.wait("tcp.close", network_local_port=port)
    scene.matches(event, role="client",
                  handshake_us=lambda have: have is None or have < 500_000)
    server.close()


def exchange_rest(client, end):
    client.close()
    while end.recv(16):
        pass
    end.close()


def pair_in_use(scene):
    """The port is bound, and both its ends are in use already: connect() says so, and we do."""
    server = listen(7021)
    clients = []
    for number in range(2):
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        client.bind((KERNEL, 42021))
        err = client.connect_ex((KERNEL, 7021))
        scene.check(err == (99 if number else 0), "connect() gave", err)
        clients.append(client)
    event = scene.wait("tcp.failed", network_local_port=42021)
    scene.matches(event, role="client", close_reason="error", error_type="eaddrnotavail",
                  syn_retransmits=0, process_pid=os.getpid())
    for client in clients:
        client.close()
    server.close()


def deferred(scene):
    """TCP_DEFER_ACCEPT: the ACK is dropped, data ends the handshake half a second later."""
    port, peer = 7022, (PHANTOM, 41022)
    server = listen(port)
    server.setsockopt(socket.IPPROTO_TCP, 9, 5)  # TCP_DEFER_ACCEPT
    answer = phantom_syn(scene, peer, port, 1000)
    scene.phantom.send(peer, (KERNEL, port), ACK, 1001, answer.seq + 1)
    time.sleep(0.5)
    scene.phantom.send(peer, (KERNEL, port), ACK, 1001, answer.seq + 1, b"ping")
    end, _ = server.accept()
    event = scene.wait("tcp.accept", network_local_port=port)
    scene.matches(event, role="server", handshake_us=None)
    if scene.is_probing:
        scene.is_(event, "defer_accept", True)
    end.close()
    server.close()


def half_open_closed(scene):
    """The listener closes while a handshake waits for its ACK: it was given up, not timed out."""
    port, peer = 7023, (PHANTOM, 41023)
    server = listen(port)
    phantom_syn(scene, peer, port, 3000)
    server.close()
    scene.probed("tcp.failed", {"network_local_port": port},
                 role="server", close_reason="abort", error_type=None)


def dual_drop(scene):
    """A last ACK of IPv4 that a full listener on [::] drops counts once."""
    port, late = 7024, (PHANTOM, 41024)
    server = socket.create_server(("::", port), family=socket.AF_INET6, backlog=1,
                                  dualstack_ipv6=True)
    before = netstat("ListenDrops")
    answer = phantom_syn(scene, late, port, 100)
    clients = [dial(port), dial(port)]
    scene.phantom.send(late, (KERNEL, port), ACK, 101, answer.seq + 1)
    wait_for("the ACK to be dropped", lambda: netstat("ListenDrops") == before + 1)
    scene.probed("tcp.listen_overflow", {"network_local_port": port},
                 acks_dropped=1, syns_dropped=0)
    for client in clients:
        client.close()
    server.close()


def fast_open_shut(scene):
    """shutdown() before the handshake ends: its FIN may leave when a stranger runs."""
    port, peer = 7045, (PHANTOM, 41045)
    sysctl("ipv4/tcp_fastopen", 0x607)
    server = listen(port)
    server.setsockopt(socket.IPPROTO_TCP, 23, 5)
    scene.phantom.send(peer, (KERNEL, port), SYN, 500, 0, b"ping")
    answer = scene.phantom.receive((KERNEL, port), peer, SYN | ACK)
    end, _ = server.accept()
    end.shutdown(socket.SHUT_WR)
    pid = os.fork()
    if not pid:
        scene.phantom.send(peer, (KERNEL, port), ACK, 505, answer.seq + 1)
        os._exit(0)
    os.waitpid(pid, 0)
    scene.phantom.receive((KERNEL, port), peer, FIN | ACK)
    scene.phantom.send(peer, (KERNEL, port), RST, 505)
    event = scene.wait("tcp.close", network_local_port=port, network_peer_port=peer[1])
    scene.matches(event, role="server", closed_by="local", process_pid=os.getpid(),
                  close_call="shutdown" if scene.is_probing else
                  lambda have: have in (None, "shutdown"),
                  closer_process_pid=os.getpid() if scene.is_probing else
                  lambda have: have in (None, os.getpid()))
    end.close()
    server.close()


def fast_open_again(scene):
    """A SYN with data takes a port that is in TIME_WAIT: it was reused, not killed."""
    port, local = 7044, ("127.0.0.1", 42044)  # net.ipv4.tcp_tw_reuse is 2, for loopback
    sysctl("ipv4/tcp_fastopen", 0x607)
    server = listen(port, address=local[0])
    server.setsockopt(socket.IPPROTO_TCP, 23, 5)
    for round_ in range(2):
        wait_for("the port", lambda: dial_fast(server, local, round_ == 1))
        end, _ = server.accept()
        assert end.recv(16) == b"ping" and end.recv(16) == b""
        end.close()
    server.close()
    # that the second one's expires a minute later any tier may tell
    scene.probed("tcp.time_wait_end", {"network_local_port": local[1], "time_wait_end": "reused"})


def dial_fast(server, local, is_again):
    """Sends and closes. False: the port is in TIME_WAIT for less than a second."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    client.bind(local)
    try:
        client.sendto(b"ping", 0x20000000, server.getsockname())
    except OSError as error:
        if not is_again or error.errno != 99:  # EADDRNOTAVAIL
            raise
        return False
    finally:
        client.close()
    return True


def fast_open_forgotten(scene):
    """A child of Fast Open that nobody accepts ends with its listener."""
    port = 7025
    sysctl("ipv4/tcp_fastopen", 0x607)
    server = listen(port)
    server.setsockopt(socket.IPPROTO_TCP, 23, 5)
    peer = (PHANTOM, 41025)
    scene.phantom.send(peer, (KERNEL, port), SYN, 500, 0, b"ping")
    scene.phantom.receive((KERNEL, port), peer, SYN | ACK)
    server.close()
    wait_for("its end to be told", lambda: [
        event for name in ("tcp.close", "tcp.failed")
        for event in scene.find(name, network_local_port=port, network_peer_port=peer[1])])


def late_accept(scene):
    """Reset while it waited for accept(), and accepted all the same."""
    port = 7026
    server = listen(port)
    client = dial(port)
    peer_port = client.getsockname()[1]
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    client.close()
    scene.wait("tcp.close", network_local_port=port, network_peer_port=peer_port)
    end, _ = server.accept()
    event = scene.wait("tcp.accept", network_local_port=port, network_peer_port=peer_port)
    scene.matches(event, role="server", never_accepted=None, process_pid=os.getpid())
    end.close()
    server.close()


def refused_here(scene):
    """Retransmissions that this host's own packet filter refused are not those that left."""
    peer, mark = (PHANTOM, 7030), 36  # SO_MARK
    nft("add table ip sf_out; add chain ip sf_out out { type filter hook output priority 0; }")
    nft("add rule ip sf_out out tcp dport 7030 meta mark 30 drop")
    client, local, syn = dial_phantom(scene, peer)

    client.send(b"once")
    client.setsockopt(socket.SOL_SOCKET, mark, 30)
    scene.phantom.receive(local, peer, PSH | ACK)
    wait_for("two to be refused", lambda: tcp_info(client, TOTAL_RETRANS) >= 2)
    client.setsockopt(socket.SOL_SOCKET, mark, 0)
    left, before = 0, tcp_info(client, TOTAL_RETRANS)
    while True:  # what left before the mark was there, too
        try:
            scene.phantom.receive(local, peer, PSH | ACK, deadline_s=0.05)
            left += 1
        except TimeoutError:
            if left and tcp_info(client, TOTAL_RETRANS) > before:
                break
    unsent = tcp_info(client, TOTAL_RETRANS) - left
    scene.phantom.send(peer, local, RST, 501)
    event = scene.wait("tcp.close", network_local_port=local[1])
    scene.matches(event, syn_retransmits=0, retransmits=left, retransmits_unsent=unsent)
    client.close()

    client = socket.socket()
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_SYNCNT, 1)
    client.setsockopt(socket.SOL_SOCKET, mark, 30)
    client.setblocking(False)
    client.connect_ex(peer)
    event = scene.wait("tcp.failed", network_local_port=client.getsockname()[1])
    scene.matches(event, close_reason="timeout", syn_retransmits=0,
                  retransmits_unsent=tcp_info(client, TOTAL_RETRANS))
    nft("delete table ip sf_out")
    client.close()


SCENES = (older, plain, queue, backlog, cookie, fast_open, by_hand, counted, half_open,
          half_open_ipv6, half_open_reset, half_open_reset_ipv6, half_open_refused,
          half_open_refused_ipv6, drops, drops_ipv6, flood, crossed, early_errors,
          denied_by_cgroup, icmp, interrupted, restarted, retry, repaired, joined,
          both_ends, orphan_killed, no_timewait, fast_open_unused, fast_open_late,
          pair_in_use, deferred, half_open_closed, dual_drop, fast_open_forgotten,
          fast_open_shut, fast_open_again, late_accept, refused_here)


def status_of(outdir):
    with open(os.path.join(outdir, "status"), encoding="utf-8") as file:
        return dict(line.rstrip("\n").split("=", 1) for line in file if "=" in line)


def play(function, scene):
    try:
        function(scene)
    except Missing as error:
        scene.lacks(error)
    except Exception as error:  # pylint: disable=broad-except
        scene.check(False, "%s: %s" % (type(error).__name__, error))
    return scene


def has_lost(tracers, before):
    """Do they tell of more lost events than before? They look once a second."""
    try:
        wait_for("them to tell", lambda: nr_lost(tracers) > before, 2)
    except TimeoutError:
        return False
    return True


def nr_lost(tracers):
    return sum(tracer.nr_lost() for tracer in tracers.values())


def play_whole(function, make_scene, tracers):
    """What lacks in a scene may have been lost, if events were: then it is played once more."""
    for _ in range(TRIES):
        before = nr_lost(tracers)
        scene = play(function, make_scene())
        if scene.problems or not scene.lacking or not has_lost(tracers, before):
            break
    scene.settle()
    return scene


def main(argv):
    outdir, *names = argv[1:]
    nr_failed = number = 0
    tracers = {command: Tracer(os.path.join(outdir, command + ".jsonl"))
               for command in ("trace", "conns")}
    phantom = Phantom()
    old = Older(phantom)
    with open(os.path.join(outdir, "scenes.ready"), "wb"):
        pass
    wait_for("synfin to trace", lambda: "hooks" in status_of(outdir), 600)
    scenes = []
    for function in SCENES:
        if names and function.__name__ not in names:
            continue
        def make_scene(name=function.__name__):
            scene = Scene(name, status_of(outdir)["hooks"], tracers)
            scene.phantom, scene.older = phantom, old
            return scene
        scenes.append(play_whole(function, make_scene, tracers))
    with open(os.path.join(outdir, "scenes.played"), "wb"):
        pass
    wait_for("synfin to end", lambda: {"exit.trace", "exit.conns"} <= set(status_of(outdir)), 600)
    for scene in scenes:
        play(Scene.end, scene)
    for number, scene in enumerate(scenes, 1):
        nr_failed += bool(scene.problems)
        print("%s %d - scene %s (%d checks)" % ("not ok" if scene.problems else "ok", number,
                                                scene.name, scene.nr_checks))
        for problem in scene.problems[:8]:
            print("# " + problem)
    print("1..%d" % number)
    return 1 if nr_failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
