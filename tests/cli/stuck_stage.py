#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes connections that are stuck, each in its own way, for stuck.bats.

    stuck_stage.py PREFIX

Two network namespaces, PREFIX-a with the client and PREFIX-b with the server,
joined by a veth, PREFIX-c, which has ten ports, and PREFIX-d, with the phantom of
stuck_ghost.py; each situation has a port of its own. Prints "KEY PID" lines
(client, server, stopped, holder, caller, ghost), a "netns INODE" line for each
namespace, and "ready" once all are in place, and keeps them until its standard
input ends. Whatever it waits for has a deadline.
"""

import ctypes
import multiprocessing
import os
import signal
import socket
import struct
import subprocess
import sys
import time
import traceback

import stuck_ghost

CLIENT, SERVER = "10.99.0.1", "10.99.0.2"
GONE, LEFT = "10.99.0.7", "10.99.0.8"  # who was never on the link, and who leaves it
ROUTED = "10.99.1.1", "10.99.1.2"
DEADLINE_S = 30
TCP_REPAIR = 19
libc = ctypes.CDLL(None, use_errno=True)

# Where the server listens for what happens after the handshake.
LISTEN = [8002, 8004, 8007, 8008, 8009, 8010, 8011, 8012, 8013, 8014, 8015, 8016, 8017, 8018,
          8019, 8022, 8023, 8024, 8026, 8028, 8030]
ANY_ADDRESS = {8026, 8028}
NOT_ACCEPTED, QUEUE_FULL, STOPPED, SHARED = 8005, 8003, 8006, 8020
# Two processes share 8031; 8032: any address is full, one address is not; 8033: IPv6 only beside.
WORKERS, BESIDE, FAMILIES, RESET = 8031, 8032, 8033, 8034


def run(*words):
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)


def enter(netns):
    with open("/run/netns/" + netns) as file:
        if libc.setns(file.fileno(), 0x40000000):
            raise OSError(ctypes.get_errno(), "setns")


def wait_for(what, holds):
    end = time.monotonic() + DEADLINE_S
    while not holds():
        if time.monotonic() > end:
            raise TimeoutError(what)
        time.sleep(0.05)


def drop(netns, hook, field, port):
    run("ip", "netns", "exec", netns, "nft", "add", "rule", "inet", "t", hook, "tcp", field,
        str(port), "drop")


def drop_to(netns, addr, port):
    run("ip", "netns", "exec", netns, "nft", "add", "rule", "inet", "t", "in", "ip", "daddr", addr,
        "tcp", "dport", str(port), "drop")


def state(sock):
    return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]


def probes(sock):
    return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 4)[3]


def retransmits(sock):
    """How often what is unanswered was repeated."""
    return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 3)[2]


class Server:
    """The server's process: does what it is told, one command at a time."""

    def __init__(self, netns):
        self.pipe, child = multiprocessing.Pipe()
        self.pid = os.fork()
        if not self.pid:
            self.pipe.close()
            enter(netns)
            try:
                self.serve(child)
            finally:
                os._exit(0)
        child.close()

    def do(self, *command):
        self.pipe.send(command)
        answer = self.pipe.recv()
        if isinstance(answer, Exception):
            raise answer
        return answer

    def serve(self, pipe):
        listeners, taken = {}, {}
        while True:
            try:
                name, port, *rest = pipe.recv()
            except EOFError:
                return
            try:
                pipe.send(self.obey(listeners, taken, name, port, rest))
            except OSError as error:
                pipe.send(error)

    def obey(self, listeners, taken, name, port, rest):
        if name == "listen":
            sock = socket.socket()
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, port in (WORKERS, BESIDE))
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
            sock.bind((rest[1] if len(rest) > 1 else SERVER, port))
            sock.listen(rest[0])
            listeners[port] = sock
        elif name == "listen6":
            sock = socket.socket(socket.AF_INET6)
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind(("::", port))
            sock.listen(rest[0])
            listeners[port, 6] = sock
        elif name == "accept":
            taken.setdefault(port, []).append(listeners[port].accept()[0])
        elif name == "close":
            for sock in taken.pop(port):
                sock.close()
        elif name == "shutdown":
            taken[port][0].shutdown(socket.SHUT_WR)
        elif name == "send":
            taken[port][0].send(b"x" * rest[0])
        elif name == "keepalive":
            taken[port][0].setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        elif name == "vanish":
            taken[port][0].setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
            for sock in taken.pop(port):
                sock.close()
        elif name == "call":
            taken["calls"] = [socket.create_connection((rest[0], port), timeout=DEADLINE_S)
                              for _ in range(rest[1])]
        elif name == "retransmits":
            return retransmits(taken[port][0])
        elif name == "probes":
            return probes(taken[port][0])
        elif name == "state":
            return state(taken[port][0])
        elif name == "share":
            pids = []
            for _ in range(2):
                pid = os.fork()
                if not pid:
                    signal.pause()
                    os._exit(0)
                pids.append(pid)
            return pids
        return None


def connect(server, port, address=SERVER):
    sock = socket.create_connection((address, port), timeout=DEADLINE_S)
    server.do("accept", port)
    return sock


def reset(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def begin_connect(port, addr=SERVER, family=socket.AF_INET):
    sock = socket.socket(family)
    sock.setblocking(False)
    sock.connect_ex((addr, port))
    return sock


def fill(sock):
    """Writes until neither end takes more."""
    sock.setblocking(False)
    full = 0
    end = time.monotonic() + DEADLINE_S
    while full < 10 and time.monotonic() < end:
        try:
            sock.send(b"x" * 65536)
            full = 0
        except BlockingIOError:
            full += 1
            time.sleep(0.05)



def begin_ghost(netns):
    """A process of that namespace with what stuck_ghost.py sets up, and how to hear of it."""
    pipe, child = multiprocessing.Pipe()
    pid = os.fork()
    if not pid:
        enter(netns)
        try:
            stuck_ghost.haunt(child)
        finally:
            traceback.print_exc()
            os._exit(1)
    child.close()
    return pid, pipe


def set_up(a, b, c, d):
    for netns in a, b, c, d:
        run("ip", "netns", "add", netns)
    run("ip", "-n", c, "link", "set", "lo", "up")
    run("ip", "netns", "exec", c, "sysctl", "-qw", "net.ipv4.ip_local_port_range=40000 40009")
    run("ip", "-n", a, "link", "add", "v", "type", "veth", "peer", "name", "v", "netns", b)
    for netns, addr in (a, CLIENT), (b, SERVER):
        run("ip", "-n", netns, "addr", "add", addr + "/24", "dev", "v")
        run("ip", "-n", netns, "addr", "add", addr.replace("10.99.0.", "fd99::") + "/64", "dev",
            "v", "nodad")
        run("ip", "-n", netns, "link", "set", "v", "up")
        run("ip", "-n", netns, "link", "set", "lo", "up")
        run("ip", "netns", "exec", netns, "nft", "add table inet t; add chain inet t in { type "
            "filter hook input priority 0; }; add chain inet t out { type filter hook output "
            "priority 0; }")
    run("ip", "-n", b, "addr", "add", "10.99.0.3/24", "dev", "v")
    run("ip", "netns", "exec", b, "sysctl", "-qw", "net.ipv4.tcp_syncookies=0")


def main():
    a, b, c, d = (sys.argv[1] + suffix for suffix in ("-a", "-b", "-c", "-d"))
    set_up(a, b, c, d)
    ghost, ghost_pipe = begin_ghost(d)
    server, stopped, shared, caller = Server(b), Server(b), Server(b), Server(c)
    enter(a)
    keep = {}
    for port in LISTEN:
        server.do("listen", port, 128, "0.0.0.0" if port in ANY_ADDRESS else SERVER)
    stopped.do("listen", STOPPED, 128)
    shared.do("listen", SHARED, 128)
    server.do("listen", NOT_ACCEPTED, 128)
    server.do("listen", QUEUE_FULL, 1)

    # Handshakes.
    drop(b, "in", "dport", 8001)
    drop(b, "in", "dport", 8002)
    drop(a, "in", "sport", 8004)
    for port in 8001, 8002, 8004:
        keep[port] = begin_connect(port)
    for i in range(4):
        keep[QUEUE_FULL, i] = begin_connect(QUEUE_FULL)
    keep[NOT_ACCEPTED] = begin_connect(NOT_ACCEPTED)

    # Who is not to blame: which worker has a connection is not known; a listener beside a full
    # one, of one address or of one family.
    for worker in server, shared:
        worker.do("listen", WORKERS, 128)
    for i in range(12):
        keep[WORKERS, i] = begin_connect(WORKERS)
    server.do("listen", BESIDE, 1, "0.0.0.0")
    for i in range(2):
        keep[BESIDE, i] = begin_connect(BESIDE, "10.99.0.3")
    shared.do("listen", BESIDE, 128)
    drop_to(b, SERVER, BESIDE)
    keep[BESIDE] = begin_connect(BESIDE)
    shared.do("listen", FAMILIES, 128, "0.0.0.0")
    server.do("listen6", FAMILIES, 1)
    for i in range(2):
        keep[FAMILIES, i] = begin_connect(FAMILIES, "fd99::2", socket.AF_INET6)
    keep[FAMILIES] = begin_connect(FAMILIES)

    # A queue full of connections that their clients have reset, as probes of a load balancer do.
    server.do("listen", RESET, 1)
    for _ in range(2):
        reset(socket.create_connection((SERVER, RESET), timeout=DEADLINE_S))
    keep[RESET] = begin_connect(RESET)

    # Nine of ten ports.
    caller.do("listen", 8100, 128, "127.0.0.1")
    caller.do("call", 8100, "127.0.0.1", 9)
    for _ in range(9):
        caller.do("accept", 8100)

    # Windows and queues.
    keep[STOPPED] = connect(stopped, STOPPED)
    os.kill(stopped.pid, signal.SIGSTOP)
    fill(keep[STOPPED])
    keep[8015] = connect(server, 8015)
    keep[8015].send(b"hello")

    # Idle: one that nothing watches over, and its twin.
    keep[8016] = connect(server, 8016)
    keep[8017] = connect(server, 8017)
    keep[8017].setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    server.do("keepalive", 8017)

    # Data and FINs that do not arrive; with the other end still there, and gone.
    for port in 8007, 8008, 8009, 8010:
        keep[port] = connect(server, port)
        drop(b, "in", "dport", port)
    for port in 8008, 8010:
        server.do("vanish", port)
    for port in 8007, 8008:
        keep[port].send(b"x" * 100)
    for port in 8009, 8010:
        keep[port].shutdown(socket.SHUT_WR)

    # The first closes, the second does not.
    keep[8011] = connect(server, 8011)
    keep[8011].shutdown(socket.SHUT_WR)
    for _ in range(20):
        connect(server, 8012).close()
    connect(shared, SHARED).close()
    holders = shared.do("share", SHARED)

    # Both close at once: only the server's FIN arrives, late.
    keep[8013] = connect(server, 8013)
    drop(b, "in", "dport", 8013)
    keep[8013].shutdown(socket.SHUT_WR)
    server.do("shutdown", 8013)
    wait_for("CLOSING", lambda: state(keep[8013]) == 11)

    # The last ACK does not come; and data after the peer has closed.
    for port in 8014, 8018:
        keep[port] = connect(server, port)
        keep[port].shutdown(socket.SHUT_WR)
        wait_for("FIN_WAIT2", lambda: state(keep[port]) == 5)
        drop(a, "in", "sport", port)
    server.do("shutdown", 8014)
    server.do("send", 8018, 100)

    # What is dropped before it leaves.
    keep[8019] = connect(server, 8019)
    drop(b, "out", "sport", 8019)
    server.do("send", 8019, 100)

    # What this host refuses to send again: SYN, data, FIN, data after the peer's FIN.
    drop(a, "out", "dport", 8021)
    keep[8021] = begin_connect(8021)
    for port in 8022, 8023, 8024:
        keep[port] = connect(server, port)
    drop(b, "in", "dport", 8022)
    drop(b, "in", "dport", 8023)
    keep[8024].shutdown(socket.SHUT_WR)
    wait_for("FIN_WAIT2", lambda: state(keep[8024]) == 5)
    drop(a, "in", "sport", 8024)
    keep[8022].send(b"x" * 100)
    keep[8023].shutdown(socket.SHUT_WR)
    server.do("send", 8024, 100)
    drop(a, "out", "dport", 8022)
    drop(a, "out", "dport", 8023)
    drop(b, "out", "sport", 8024)

    # What waits for the address of a next hop that is asked for it again and again.
    run("ip", "netns", "exec", a, "sysctl", "-qw", "net.ipv4.neigh.v.mcast_solicit=1000")
    keep[8025] = begin_connect(8025, GONE)
    run("ip", "-n", b, "addr", "add", LEFT + "/24", "dev", "v")
    keep[8026] = connect(server, 8026, LEFT)
    run("ip", "-n", b, "addr", "del", LEFT + "/24", "dev", "v")
    run("ip", "-n", a, "neigh", "del", LEFT, "dev", "v")
    keep[8026].send(b"x" * 100)

    # Routes that end, that say "unreachable", and a router that says so.
    for address in ROUTED:
        run("ip", "-n", b, "addr", "add", address + "/32", "dev", "v")
        run("ip", "-n", a, "route", "add", address, "via", SERVER)
    for port in 8027, 8029:
        drop(b, "in", "dport", port)
    keep[8028] = connect(server, 8028, ROUTED[0])
    keep[8030] = connect(server, 8030)
    keep[8027] = begin_connect(8027, ROUTED[0])
    keep[8029] = begin_connect(8029, ROUTED[1])
    drop(b, "in", "dport", 8028)
    keep[8028].send(b"x" * 100)
    run("ip", "-n", a, "route", "del", ROUTED[0])
    run("ip", "-n", a, "route", "replace", "unreachable", ROUTED[1])
    run("ip", "netns", "exec", b, "nft", "add", "rule", "inet", "t", "in", "tcp", "dport", "8030",
        "reject", "with", "icmp", "host-unreachable")
    keep[8030].send(b"x" * 100)

    for port in [8001, 8002, 8004, 8009, 8010, 8013, 8021, 8023, 8025, 8027, 8029, BESIDE,
                 RESET]:
        wait_for("a repeated segment of %d" % port, lambda: retransmits(keep[port]) >= 1)
    for port in 8007, 8008, 8022, 8026, 8028, 8030:
        wait_for("three repeated segments of %d" % port, lambda: retransmits(keep[port]) >= 3)
    wait_for("the server's", lambda: server.do("retransmits", 8014) >= 1)
    for port in 8018, 8024:
        wait_for("the server's", lambda: server.do("retransmits", port) >= 3)
    wait_for("three probes", lambda: server.do("probes", 8019) >= 3)
    ghost_pipe.recv()
    for netns in a, b, c, d:
        print("netns", os.stat("/run/netns/" + netns).st_ino)
    print("client", os.getpid())
    print("ghost", ghost)
    print("server", server.pid)
    print("stopped", stopped.pid)
    print("holder", shared.pid)
    print("caller", caller.pid)
    for pid in holders:
        print("holder", pid)
    print("ready", flush=True)
    sys.stdin.read()
    for pid in [stopped.pid, shared.pid, server.pid, caller.pid, ghost] + holders:
        os.kill(pid, signal.SIGKILL)


os.setpgrp()
try:
    main()
except BaseException:  # whoever waits for our output would wait for those of us that live on
    traceback.print_exc()
    os.killpg(0, signal.SIGKILL)
