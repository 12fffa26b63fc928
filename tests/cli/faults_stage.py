#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
faults_stage.py FAULT: one of the functions at the end, what happens to synfin and round it. Each is
played in network namespaces of its own, and what synfin then says is held against what was done.
Prints the figures; exit status 1, with a line for each, if something was not as it must be. Needs
root. Environment: SYNFIN, SFGEN (the programs).
"""
import atexit
import collections
import contextlib
import ctypes
import fcntl
import json
import os
import random
import re
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../net"))
from phantom import SYN, Phantom  # noqa: E402

DEADLINE_S = 60
CLONE_NEWNET = 0x40000000
SIOCSIFFLAGS = 0x8914
libc = ctypes.CDLL(None, use_errno=True)
problems = []


def check(holds, *message):
    if not holds:
        problems.append(" ".join(str(part) for part in message))


def wait_for(what, holds):
    end = time.monotonic() + DEADLINE_S
    while not holds():
        if time.monotonic() > end:
            sys.exit("waited for " + what)
        time.sleep(0.02)


def run(*argv, **named):
    return subprocess.run(argv, check=True, stdin=subprocess.DEVNULL, timeout=DEADLINE_S, **named)


@contextlib.contextmanager
def namespace():
    name = "sffault-%d" % os.getpid()
    run("ip", "netns", "add", name)
    try:
        run("ip", "-n", name, "link", "set", "lo", "up")
        yield name
    finally:
        run("ip", "netns", "del", name)


class Synfin:
    """One that runs; what it writes goes to files, so that nobody holds it up."""

    def __init__(self, *argv):
        self.out = tempfile.NamedTemporaryFile("w")
        self.err = tempfile.NamedTemporaryFile("w")
        # pylint: disable-next=consider-using-with
        self.process = subprocess.Popen([os.environ["SYNFIN"], *argv], stdin=subprocess.DEVNULL,
                                        stdout=self.out, stderr=self.err)
        self.pid = self.process.pid
        atexit.register(self.process.kill)

    def said(self):
        with open(self.err.name, encoding="utf-8") as file:
            return file.read()

    def wait_ready(self):
        wait_for("synfin to trace: " + self.said(), lambda: "synfin: tracing" in self.said())
        return self

    def lines(self):
        with open(self.out.name, encoding="utf-8") as file:
            return [json.loads(line) for line in file if line.endswith("\n")]

    def events(self):
        return [line for line in self.lines() if line["event_name"] != "synfin.stats"]

    def send(self, number):
        self.process.send_signal(number)

    def end(self):
        """Its events, its last statistics."""
        self.send(signal.SIGINT)
        check(self.process.wait(DEADLINE_S) == 0, "status", self.process.returncode, self.said())
        stats = [line for line in self.lines() if line["event_name"] == "synfin.stats"]
        return self.events(), stats[-1]

    def memory_kb(self):
        """Its own: the ring is shared with the kernel, and as large as it was asked to be."""
        with open("/proc/%d/status" % self.pid, encoding="ascii") as file:
            return int(re.search(r"RssAnon:\s+(\d+)", file.read())[1])


@contextlib.contextmanager
def synfins(*argvs):
    """All begun at once, each is ready."""
    started = []
    try:
        for argv in argvs:
            started.append(Synfin(*argv))
        yield [one.wait_ready() for one in started]
    finally:
        for one in started:
            if one.process.poll() is None:
                one.process.kill()
                one.process.wait()


def wait_settled(name):
    """All sockets of this namespace are gone: the last ACKs may come after the last process."""
    wait_for("the last ends", lambda: not run("ip", "netns", "exec", name, "ss", "-tanH", "exclude",
                                              "time-wait", capture_output=True).stdout)


class Storm:
    """Connections as fast as they come, and the truth about them."""

    def __init__(self, name, count, seconds):
        self.name = name
        self.truth = tempfile.NamedTemporaryFile("r")
        # pylint: disable-next=consider-using-with
        self.process = subprocess.Popen(
            [os.environ["SFGEN"], "storm", "--truth", self.truth.name, "--netns-client", name,
             "--netns-server", name, "--count", str(count), "--seconds", str(seconds)],
            stdin=subprocess.DEVNULL)

    def wait(self):
        """How many connections there were, and all ends: (role, pid, the client's port)."""
        if self.process.wait(DEADLINE_S):
            sys.exit("sfgen failed")
        wait_settled(self.name)
        number, ends = 0, set()
        for line in self.truth:
            worker = json.loads(line)
            if worker["kind"] == "storm":
                number += worker["count"] if worker["role"] == "client" else 0
                ends |= {(worker["role"], worker["pid"], port) for port in worker["client_ports"]}
        return number, ends


def end_of(event):
    return event.get("role"), event.get("process_pid"), event.get("client_port")


# What a connection of a storm is made of. Of a FIN that meets a socket that is closed already not
# every kernel tells: tcp.fin_received is not among these.
STEPS = {"tcp.connect": 1, "tcp.established": 2, "tcp.accept": 1, "tcp.fin_sent": 2, "tcp.close": 2}


def judge_losses(command, synfin, number, ends):
    events, stats = synfin.end()
    seen = collections.Counter(event["event_name"] for event in events)
    lost = collections.Counter(stats.get("lost_ring_by_event", {}))
    said = synfin.said()
    print("%s: %d connections, %d lines, lost %s, nested %d" %
          (command, number, len(events), dict(lost), stats["lost_nested"]))
    for name, each in STEPS.items():
        if command == "conns" and name != "tcp.close":
            continue
        # Where the kernel skipped all hooks of a step it is in lost_nested, whatever it was.
        happened = each * number
        check(happened - stats["lost_nested"] <= seen[name] + lost[name] <= happened,
              command, name, "seen", seen[name], "lost", lost[name], "happened", happened)
    total = sum(lost.values())
    check(total > 0 and total == stats["lost_ring"], command, "lost_ring", stats["lost_ring"])
    check(stats["seq"] == len(synfin.lines()) + total, command, "the gap in seq", stats["seq"])
    check("lost: %d events, ring full" % total in said, command, "no summary", said)
    for event in events:
        if event["event_name"] == "tcp.close":
            check(end_of(event) in ends, command, "untrue", json.dumps(event))


def stands_still():
    """The reader is stopped under load, for as long as fills its ring many times, then goes on."""
    with namespace() as name:
        common = ("-o", "json", "--netns", name, "--buffer", "64K")
        commands = "conns", "trace"
        with synfins(*((command, *common) for command in commands)) as tracers:
            storm = Storm(name, 12000, 2)
            wait_for("the storm", lambda: all(os.path.getsize(t.out.name) for t in tracers))
            for tracer in tracers:
                tracer.send(signal.SIGSTOP)
            time.sleep(0.5)
            for tracer in tracers:
                tracer.send(signal.SIGCONT)
            number, ends = storm.wait()
            for tracer in tracers:
                wait_for("the warning", lambda t=tracer: re.search(
                    "synfin: lost [0-9]+ in the last", t.said()))
            for command, tracer in zip(commands, tracers):
                judge_losses(command, tracer, number, ends)


HOLD = """
import socket, sys
listener = socket.create_server(("127.0.0.1", 7801), backlog=64)
for _ in range(2):
    held = []
    for _ in range(60):
        client = socket.create_connection(("127.0.0.1", 7801))
        server = listener.accept()[0]
        client.sendall(b"1234567")
        server.recv(7)
        held += [client, server]
    for end in held: end.close()
"""


def nr_sockets():
    """Those of the whole host that have a story when synfin begins, about."""
    names = run("ip", "-o", "netns", "list", capture_output=True, text=True).stdout.split("\n")
    number = 0
    for inside in [[]] + [["ip", "netns", "exec", name.split()[0]] for name in names if name]:
        said = subprocess.run(inside + ["ss", "-tanH", "exclude", "time-wait"], text=True,
                              capture_output=True, timeout=DEADLINE_S, check=False)
        number += said.stdout.count("\n")
    return number


def map_full():
    """More connections than --max-connections has room for."""
    with namespace() as name:
        for _ in range(5):  # others' sockets come and go
            if fill_map(name, max(16, nr_sockets() + 40)):
                return
    check(False, "some were never told, or none was refused")


def fill_map(name, room):
    """Were some refused, and some not?"""
    argv = "conns", "-o", "json", "--netns", name, "--max-connections", str(room)
    with synfins(argv) as (tracer,):
        # pylint: disable-next=consider-using-with
        holder = subprocess.Popen(["ip", "netns", "exec", name, sys.executable, "-c", HOLD],
                                  stdin=subprocess.DEVNULL)
        check(holder.wait(DEADLINE_S) == 0, "the connections failed")
        events, stats = tracer.end()
    told = [event for event in events if event["event_name"] == "tcp.close"]
    whole = [event for event in told if "begin_unknown" not in event]
    print("room for %d: 240 ends, %d told, %d of them whole, %d refused" %
          (room, len(told), len(whole), stats["lost_map"]))
    check(len(whole) + stats["lost_map"] >= 240, "some ends are neither told nor counted")
    if stats["lost_map"]:
        check("connections not followed, map full" in tracer.said(), tracer.said())
    for event in told:
        # what was refused is not older than synfin
        check("preexisting" not in event, json.dumps(event))
        is_client = event["network_peer_port"] == 7801
        check(event.get("role") in (None, "client" if is_client else "server"), json.dumps(event))
        check(event.get("process_pid") in (None, holder.pid), json.dumps(event))
    for event in whole:
        amount = event["bytes_sent" if event["role"] == "client" else "bytes_received"]
        check(amount == 7 and event["process_pid"] == holder.pid, json.dumps(event))
    return whole and stats["lost_map"]


def crowd():
    """Two synfins, then ten, beside the same connections."""
    with namespace() as name:
        for number in 2, 10:
            argv = ("conns", "-o", "json", "--netns", name, "--max-connections", "16384",
                    "--buffer", "4M")
            with synfins(*[argv] * number) as tracers:
                happened, ends = Storm(name, 1000, 10).wait()
                for tracer in tracers:
                    events, stats = tracer.end()
                    told = [event for event in events if event["event_name"] == "tcp.close"]
                    # of one whose first steps the kernel skipped the role is not known
                    whole = {end_of(event) for event in told if "begin_unknown" not in event}
                    check(len(told) + stats["lost_nested"] >= 2 * happened and
                          len(told) <= 2 * happened, len(told), "ends told of", happened,
                          "connections")
                    check(whole <= ends, "untrue", whole - ends)
                    check(stats["lost_ring"] == 0, "lost", stats["lost_ring"])
                print("%d synfins, %d connections: each tells all" % (number, happened))


def talk_alone(port):
    """In a network namespace of its own, which ends with this process: both ends of a connection."""
    if libc.unshare(CLONE_NEWNET):
        return 1
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", 1))
    listener = socket.create_server(("127.0.0.1", port))
    client = socket.create_connection(("127.0.0.1", port))
    server = listener.accept()[0]
    client.sendall(b"123")
    server.recv(3)
    client.close()
    server.recv(1)
    return 0


def fork(function, *args):
    pid = os.fork()
    if not pid:
        status = 1
        try:
            status = function(*args)
        finally:
            os._exit(status)
    return pid


def reap(pids):
    for pid in pids:
        check(os.waitpid(pid, 0)[1] == 0, "a process failed")


def namespaces():
    """Network namespaces come and go by the hundred."""
    port, number = 7802, 200
    with synfins(("conns", "-o", "json", "--port", str(port))) as (tracer,):
        reap([fork(talk_alone, port) for _ in range(10)])
        before_kb = tracer.memory_kb()
        for _ in range((number - 10) // 10):
            pids = [fork(talk_alone, port) for _ in range(10)]
            reap(pids)
        grown_kb = tracer.memory_kb() - before_kb
        wait_for("all ends", lambda: len(tracer.events()) >= 2 * number)
        events, stats = tracer.end()
        each = collections.Counter((event["process_pid"], event["netns"], event["role"])
                                   for event in events)
        print("%d namespaces, %d ends told, memory %+d KiB" % (number, len(events), grown_kb))
        check(len(events) == 2 * number, len(events), "ends of", number, "namespaces")
        check(set(each.values()) == {1}, "not once each:", each.most_common(3))
        check(len({key[:2] for key in each}) == number, "not one namespace per process")
        for event in events:
            sent = event["bytes_sent" if event["role"] == "client" else "bytes_received"]
            check(sent == 3 and event["close_reason"] == "fin" and event["closed_by"] ==
                  ("local" if event["role"] == "client" else "peer"), json.dumps(event))
        check(stats["lost_ring"] == 0, "lost", stats["lost_ring"])
        check(grown_kb < 1024, "memory grew by", grown_kb, "KiB")


def fork_as(pid, function, *args):
    """A process of this id, or None: another one was faster."""
    with open("/proc/sys/kernel/ns_last_pid", "w", encoding="ascii") as file:
        file.write(str(pid - 1))
    child = os.fork()
    if child:
        if child != pid:
            os.waitpid(child, 0)
        return child if child == pid else None
    status = 0
    try:
        if os.getpid() == pid:
            status = function(*args)
    finally:
        os._exit(status)


def call_as(comm, port, channel):
    """Connects under this name, hands the socket on, and ends."""
    with open("/proc/self/comm", "w", encoding="ascii") as file:
        file.write(comm)
    client = socket.create_connection(("127.0.0.1", port))
    socket.send_fds(channel, [b"x"], [client.fileno()])
    return 0


def pid_reuse():
    """Two processes of one id: each owns what it connected, who closes is a third."""
    port = 7803
    listener = socket.create_server(("127.0.0.1", port))
    here, there = socket.socketpair()
    with synfins(("conns", "-o", "json", "--rport", str(port))) as (tracer,):
        told = {}
        pid = fork(call_as, "sf-first", port, there)
        for comm in "sf-first", "sf-second":
            end = time.monotonic() + DEADLINE_S
            while comm == "sf-second" and fork_as(pid, call_as, comm, port, there) is None:
                if time.monotonic() > end:
                    sys.exit("the id could not be had again")
            reap([pid])
            client = socket.socket(fileno=socket.recv_fds(here, 1, 1)[1][0])
            told[client.getsockname()[1]] = comm
            listener.accept()[0].close()
            client.close()
        wait_for("both ends", lambda: len(tracer.events()) >= 2)
        events, _ = tracer.end()
        print("process %d, twice: %s" % (pid, [event["process_executable_name"] for event in events]))
        check(len(events) == 2, len(events), "ends")
        for event in events:
            check((event["process_pid"], event["process_executable_name"]) ==
                  (pid, told.get(event["client_port"])), json.dumps(event))
            check(event.get("closer_process_pid") == os.getpid(), json.dumps(event))


def held_by(pid):
    """What a process has in the kernel: (kind, id)."""
    held = set()
    for entry in os.listdir("/proc/%d/fdinfo" % pid):
        with contextlib.suppress(FileNotFoundError):
            with open("/proc/%d/fdinfo/%s" % (pid, entry), encoding="ascii") as file:
                held |= set(re.findall(r"^(prog|map|link)_id:\s*(\d+)$", file.read(), re.M))
    return held


def in_kernel():
    path = os.environ["PATH"] + ":/usr/sbin"
    return {(kind, str(one["id"])) for kind in ("prog", "map", "link")
            for one in json.loads(run("bpftool", "-j", kind, "show", capture_output=True,
                                      env={"PATH": path}).stdout or "[]")}


def pinned():
    found = []
    for folder, _, names in os.walk("/sys/fs/bpf"):
        found += [os.path.join(folder, name) for name in names]
    return found


def killed():
    """SIGKILL while it loads, attaches, traces under load: nothing of it is left."""
    seed = int(os.environ.get("SEED", time.time_ns() % 10000))
    chance = random.Random(seed)
    held, stages, before = set(), [], pinned()
    with namespace() as name, tempfile.TemporaryDirectory() as folder:
        storm = Storm(name, 20000, 4)
        for number, command in enumerate((
                ("trace",), ("stuck", "--watch"), ("conns",), ("ladder",),
                ("serve", "--to", "file:%s/log" % folder), ("conns", "-w", folder + "/recording"))):
            victim = Synfin(*command)
            if number % 2 == 0:
                victim.wait_ready()
            time.sleep(chance.random() * 0.5)
            victim.send(signal.SIGSTOP)
            mine = held_by(victim.pid)
            held |= mine
            victim.send(signal.SIGKILL)
            victim.process.wait(DEADLINE_S)
            stages.append(len(mine))
        storm.wait()
    print("seed %d; objects at the moment of death: %s" % (seed, stages))
    check(max(stages) >= 10, "none of them had got far")
    wait_for("the kernel to let go of %s" % (held & in_kernel()), lambda: not held & in_kernel())
    check(pinned() == before, "pinned:", pinned())


def nr_half_open(port):
    with open("/proc/net/tcp", encoding="ascii") as file:
        return sum(1 for line in file if re.search(r":%04X [0-9A-F]+:[0-9A-F]+ 03 " % port, line))


def sysctl(name, value):
    with open("/proc/sys/net/" + name, "w", encoding="ascii") as file:
        file.write(str(value))


def is_flood_told(inode):
    said = subprocess.run([os.environ["SYNFIN"], "stuck", "--netns", inode, "--threshold",
                           "syn_recv=1ms"], capture_output=True, text=True, timeout=DEADLINE_S,
                          check=False)
    return said.returncode == 3 and "many handshakes lack their last ACK" in said.stdout


def flood_here():
    """In this namespace: SYNs that nobody goes on with, without and with cookies."""
    port, number, host = 7804, 50000, Phantom.KERNEL
    sysctl("ipv4/tcp_max_syn_backlog", 131072)  # a quarter is kept for known peers
    sysctl("core/somaxconn", 65535)
    phantom = Phantom()
    inode = str(os.stat("/proc/self/ns/net").st_ino)
    common = ("-o", "json", "--netns", inode)
    with synfins(("conns", *common), ("trace", *common)) as tracers:
        before_kb = [tracer.memory_kb() for tracer in tracers]
        for cookies in 0, 2:  # 2: always
            sysctl("ipv4/tcp_syncookies", cookies)
            listener = socket.create_server((host, port), backlog=65535)
            for _ in range(3):  # a busy host has no room for each packet: as a client, again
                for i in range(number):
                    phantom.send((Phantom.ADDRESS, 1024 + i), (host, port), SYN, i)
                half_open = nr_half_open(port)
                if cookies or half_open > number * 9 // 10:
                    break
            print("tcp_syncookies=%d: %d SYNs, %d half open" % (cookies, number, half_open))
            check((half_open == 0) if cookies else half_open > number * 9 // 10, "half open:", half_open)
            if not cookies:
                # once the first SYN+ACKs are repeated
                wait_for("stuck to tell", lambda: is_flood_told(inode))
            client = socket.create_connection((host, port))
            listener.accept()[0].close()
            client.close()
            listener.close()
        grown_kb = [tracer.memory_kb() - before for tracer, before in zip(tracers, before_kb)]
        for tracer, grown in zip(tracers, grown_kb):
            wait_for("the last ends", lambda t=tracer: nr_closed(t.events(), port) >= 4)
            events, stats = tracer.end()
            print("memory %+d KiB, lost %d, requests not kept %d" %
                  (grown, stats["events_lost"], stats["lost_requests"]))
            check(nr_closed(events, port) == 4, nr_closed(events, port), "ends of 2 connections")
            check(stats["lost_ring"] == 0, "lost", stats["lost_ring"])
            check(grown < 1024, "memory grew by", grown, "KiB")


def nr_closed(events, port):
    return sum(event["event_name"] == "tcp.close" and event.get("server_port") == port and
               "process_pid" in event for event in events)


def flood():
    with namespace() as name:
        run("ip", "netns", "exec", name, sys.executable, os.path.abspath(__file__), "flood_here",
            stdout=None)


def come_and_go(end):
    """Processes with sockets that live for a moment."""
    while time.monotonic() < end:
        reap([fork(lambda: socket.create_server(("127.0.0.1", 0)) and 0) for _ in range(4)])
    return len(problems)


def vanishing():
    """Processes end while it is looked up what they hold."""
    end = time.monotonic() + 3
    churners = [fork(come_and_go, end) for _ in range(2)]
    looks = 0
    while time.monotonic() < end:
        for argv in ("stuck",), ("stuck", "--no-bpf"), ("listeners",), ("listeners", "--no-bpf"), \
                ("ports",):
            said = subprocess.run([os.environ["SYNFIN"], *argv], stdin=subprocess.DEVNULL,
                                  capture_output=True, text=True, timeout=DEADLINE_S, check=False)
            check(said.returncode in (0, 3), argv, said.returncode, said.stderr)
            check(not said.stderr or re.fullmatch("synfin: [0-9]+ [^\n]*\n", said.stderr),
                  argv, said.stderr)
            looks += 1
    reap(churners)
    print("%d looks" % looks)


FAULTS = (stands_still, map_full, crowd, namespaces, pid_reuse, killed, flood, flood_here, vanishing)


def main(fault):
    {function.__name__: function for function in FAULTS}[fault]()
    for problem in problems[:10]:
        print("not so: " + problem)
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
