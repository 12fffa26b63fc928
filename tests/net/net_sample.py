# SPDX-License-Identifier: GPL-2.0-or-later
"""
A made-up truth with one or two of everything that sfgen makes, in its format,
so that the judge can be tried without a kernel.
"""
import json

from net_closing import WAYS
from net_ideal import MS

START = 5_000_000_000_000
NETNS = {"here": 4026532001, "there": 4026532002, "storm": 4026532003,
         "closing": 4026532004}
NAMES = (b"\x1b[2J\x1b[31mred", b'a"b\\c', b"\xff\xc3(", b"new\nline\ttab",
         b"\xe2\x82(\xe2\x82\xac")
HEIR = 990  # who closes what another one accepted


class Sample:
    def __init__(self):
        self.lines = []
        self.now = START
        self.pid = 1000
        self.port = 33000
        self.clock()

    def clock(self):
        self.lines.append({"kind": "clock", "boot_ns": self.now,
                           "real_ns": self.now + 1_790_000_000_123_456_789, "width_ns": 40})

    def tick(self, ns=50_000):
        self.now += ns
        return self.now

    def span(self, name, ns=50_000):
        call = self.tick()
        return {name + "_call_ns": call, name + "_return_ns": self.tick(ns)}

    def write(self, path):
        self.clock()
        with open(path, "w", encoding="ascii") as file:
            for line in self.lines:
                file.write(json.dumps(line) + "\n")

    def owner(self, comm):
        self.pid += 1
        return {"pid": self.pid, "tid": self.pid, "uid": 0, "closer_pid": self.pid,
                "comm": "?", "comm_hex": comm.hex()}

    def listener(self, run, scenario, port, comm=b"sfserver", ephemeral=False):
        line = {"kind": "listener", "scenario": scenario, "run": run, "role": "listener",
                "netns": NETNS["here"], "family": "ipv4", "local_address": "0.0.0.0",
                "local_port": port, "ephemeral": ephemeral, "outcome": "listening", "backlog": 512}
        line.update(self.owner(comm))
        line.update(self.span("listen"))
        self.lines.append(line)

    def ends(self, run, scenario, port, client_port=None, addresses=("127.0.0.1", "127.0.0.1"),
             comm=(b"sfc0", b"sfserver"), there="here", ephemeral=(True, False), rtt=0):
        """Two ends with all that does not depend on how they close; then call connect()."""
        if client_port is None:
            self.port += 1
            client_port = self.port
        family = "ipv6" if ":" in addresses[0] else "ipv4"
        both = []
        for i, role in enumerate(("client", "server")):
            line = {"kind": "end", "scenario": scenario, "run": run, "role": role,
                    "netns": NETNS[("here", there)[i]], "family": family,
                    "local_address": addresses[i], "local_port": (client_port, port)[i],
                    "peer_address": addresses[1 - i], "peer_port": (port, client_port)[i],
                    "ephemeral": ephemeral[i], "outcome": "established"}
            line.update(self.owner(comm[i]))
            if rtt:
                line["rtt_ns"] = rtt
            both.append(line)
        self.lines += both
        return both

    def connect(self, client, server, wait_ns=0, lost_ns=0):
        client.update(self.span("connect", 200_000 + client.get("rtt_ns", 0) + lost_ns))
        client["up_ns"] = client["connect_return_ns"]
        if wait_ns:
            server["up_ns"] = self.tick(20_000)
            self.tick(wait_ns)
        server.update(self.span("accept", client.get("rtt_ns", 0) + 50_000))
        server.setdefault("up_ns", server["accept_return_ns"])

    def close(self, first, second, with_rst=False, sent=(100, 300), rtt=0):
        first["closed_first"], second["closed_first"] = "local", "peer"
        first.update(self.span("close"))
        self.tick(rtt)
        if with_rst:
            first["rst_sender"], second["rst_sender"] = "local", "peer"
            second["read_errno"] = "ECONNRESET"
        else:
            for end in first, second:
                out, back = sent if end["role"] == "client" else sent[::-1]
                end.update({"bytes_sent": out, "bytes_received": back})
        second.update(self.span("close"))
        self.tick(1_000_000)

    def pair(self, run, scenario, port, **options):
        client, server = self.ends(run, scenario, port, **options)
        self.connect(client, server)
        order = (client, server) if self.pid % 4 < 2 else (server, client)
        self.close(*order, rtt=options.get("rtt", 0))

    def failed(self, run, outcome, errno, port, took_ns=100_000, **more):
        client, _ = self.ends(run, run, port)
        self.lines.pop()
        client["outcome"] = outcome
        client.update(more)
        client.update(self.span("connect", took_ns))
        if errno:
            client["errno"] = errno
        if outcome == "aborted":
            client["closed_first"] = "local"
        if outcome == "no_port":
            del client["local_port"]
        client.update(self.span("close"))

    def half_closed(self, run, port):
        client, server = self.ends(run, "halfclose", port)
        self.connect(client, server)
        client["closed_first"], server["closed_first"] = "local", "peer"
        client.update(self.span("shutdown"))
        server.update(self.span("idle", 30 * MS))
        server.update(self.span("close"))
        client.update(self.span("close"))

    def unaccepted(self, run, port):
        client, server = self.ends(run, "unaccepted", port)
        for name in ("pid", "tid", "uid", "comm", "comm_hex"):
            del server[name]
        client.update(self.span("connect"))
        client["up_ns"] = client["connect_return_ns"]
        server["up_ns"] = self.tick()
        self.close(server, client, with_rst=True)

    def to_itself(self, run, port):
        one, _ = self.ends(run, "selfconnect", port, client_port=port)
        self.lines.pop()
        one.update(role="both", ephemeral=False)
        one.update(self.span("connect"))
        one["up_ns"] = one["connect_return_ns"]
        one.update(self.span("close"))

    def closing(self, way):
        """One connection of closing.c, both ends."""
        for line in self.ends(way, "closing", 7700 + list(WAYS).index(way)):
            line.update(kind="closing_end", variant=way, netns=NETNS["closing"])
            line.update(self.span("connect" if line["role"] == "client" else "accept"))
            line.update(self.span("shutdown"))
            line.update(self.span("close"))

    def storm(self, port, count):
        ports = list(range(40000, 40000 + count))
        for role in ("client", "server"):
            self.pid += 1
            self.lines.append({"kind": "storm", "scenario": "storm", "run": "storm", "role": role,
                               "pid": self.pid, "netns": NETNS["storm"], "comm": "s",
                               "comm_hex": "73", "server_port": port, "count": count,
                               "client_ports": ports})


def make_sample():
    s = Sample()
    s.listener("lo", "pairs", 7001)
    s.listener("blocked", "blocked", 7100)
    for _ in range(6):
        s.pair("lo", "pairs", 7001)
    for _ in range(2):
        s.pair("veth-6", "pairs", 7004, addresses=("fd77::1", "fd77::2"), there="there")
        s.pair("zero-port", "pairs", 34567, ephemeral=(True, True))
        s.pair("bound", "bound", 7105, ephemeral=(False, False))
        s.pair("slow", "pairs", 7400, rtt=40 * MS, addresses=("10.78.1.1", "10.78.1.2"),
               there="there")
        client, server = s.ends("late", "late", 7101)
        s.connect(client, server, wait_ns=20 * MS)
        s.close(client, server)
        lost = s.ends("lost-synack", "pairs", 7402, rtt=40 * MS, there="there",
                      addresses=("10.78.1.1", "10.78.1.2"))
        lost[1]["synack_retransmits_min"] = 1
        s.connect(*lost, lost_ns=1000 * MS)
        s.close(*lost, rtt=40 * MS)
        for i, end in enumerate(("local", "peer")):
            ends = s.ends("reset", "reset", 7107)
            s.connect(*ends)
            s.close(*ends[::-1 if i else 1], with_rst=True)
            if i:
                ends[1]["unread_bytes"] = 77
        heir = s.ends("forkpass", "forkpass", 7102)
        heir[1]["closer_pid"] = HEIR
        s.connect(*heir)
        s.close(*heir)
        s.half_closed("halfclose", 7109)
        s.unaccepted("unaccepted", 7113)
        s.failed("refused", "refused", "ECONNREFUSED", 7507)
        s.failed("timeout", "timeout", "ETIMEDOUT", 7501, 3000 * MS, syn_retransmits=1)
        s.failed("unreachable", "unreachable", "EHOSTUNREACH", 7503, 300 * MS)
        s.failed("abandoned", "aborted", None, 7505)
        s.pair("noport", "noport", 7509)
        s.failed("noport", "no_port", "EADDRNOTAVAIL", 7509)
    for _ in range(4):
        ends = s.ends("reuse", "reuse", 7110, client_port=20090, ephemeral=(False, False))
        s.connect(*ends)
        s.close(*ends, with_rst=True)
        s.now -= 990_000
    for name in NAMES:
        s.pair("names", "names", 7099, comm=(name, name))
    s.to_itself("selfconnect", 7111)
    for way in WAYS:
        s.closing(way)
    s.storm(7600, 20)
    return s
