# SPDX-License-Identifier: GPL-2.0-or-later
"""
The truth that sfgen wrote: ends of connections, joined into pairs, with the
bounds that follow from them. A bound is a time before or after which
something must have happened because of what a program called or had read;
none is an estimate. Times are CLOCK_BOOTTIME nanoseconds.
"""
import ipaddress
import json
import os
from collections import defaultdict

SECOND = 1_000_000_000
# SLOW=1: an emulated guest, in which a thread that carries packets may stand for seconds.
SLOW = os.environ.get("SLOW") == "1"
# A SYN or SYN+ACK is sent again after 1 s (RFC 6298), early by a timer tick at most.
RETRY = SECOND - 10_000_000
# The same on the server's side, from when it saw the first SYN: how long that took is not known.
# A SYN that stood in the link for the time of a retry is answered late: then nothing is known.
SERVER_RETRY = 0 if SLOW else SECOND // 2
# The last acknowledgements of a connection are processed after close() returns.
GRACE = 20 * SECOND if SLOW else SECOND // 2
# Both sides read the two clocks one after the other; drift in the run comes on top.
CLOCK_SLACK = 200_000


class TruthError(Exception):
    """The truth contradicts itself: the run is void."""


def address(text):
    return str(ipaddress.ip_address(text))


class Clock:
    """Boot time to wall clock: the median of all readings; slack_ns bounds its error."""

    def __init__(self, lines):
        if not lines:
            raise TruthError("no clock reading")
        offsets = sorted(c["real_ns"] - c["boot_ns"] for c in lines)
        self.offset_ns = offsets[len(offsets) // 2]
        self.slack_ns = (CLOCK_SLACK + offsets[-1] - offsets[0]
                         + max(c["width_ns"] for c in lines))

    def to_boot(self, real_ns):
        return real_ns - self.offset_ns


class End:
    """One end of a connection."""

    def __init__(self, line):
        self.line = line
        self.mate = None
        for name in ("run", "scenario", "role", "netns", "family", "outcome", "ephemeral"):
            setattr(self, name, line[name])
        for name in ("pid", "uid", "closer_pid", "variant", "closed_first", "rst_sender",
                     "errno", "read_errno", "local_port", "bytes_sent", "bytes_received", "unread_bytes",
                     "syn_retransmits"):
            setattr(self, name, line.get(name))
        self.rtt = line.get("rtt_ns", 0)
        self.local = (address(line["local_address"]), line.get("local_port"))
        self.peer = (address(line["peer_address"]), line["peer_port"])
        # without a port there is no local end to name
        self.key = (self.netns, self.local if self.local[1] else None, self.peer)
        self.comm = bytes.fromhex(line["comm_hex"]) if "comm_hex" in line else None

    def __str__(self):
        return "%s/%s %s %s:%s -> %s:%s" % (self.run, self.variant or self.outcome, self.role,
                                            *self.local, *self.peer)

    def time(self, name):
        return self.line.get(name + "_ns")

    @property
    def is_up(self):
        return self.outcome == "established"

    @property
    def is_reset(self):
        return self.rst_sender is not None

    @property
    def is_accepted(self):
        return self.time("accept_call") is not None

    @property
    def dialer(self):
        """The end that called connect()."""
        return self if self.role != "server" else self.mate

    @property
    def begin(self):
        return self.dialer.time("connect_call")

    @property
    def up(self):
        return self.time("up")

    @property
    def fin_span(self):
        """The call that ended our side: shutdown() or close()."""
        call = "shutdown" if self.time("shutdown_call") else "close"
        return self.time(call + "_call"), self.time(call + "_return")

    @property
    def end_span(self):
        """When the connection can have ended, as seen by this end."""
        if self.outcome == "aborted":
            return self.time("close_call"), self.time("close_return")
        if not self.is_up:
            return self.time("connect_call"), self.time("connect_return")
        ends = [self, self.mate] if self.mate else [self]
        return (min(e.fin_span[0] for e in ends),
                max(e.time("close_return") for e in ends) + GRACE + 2 * self.rtt)

    @property
    def order(self):
        """
        Orders the lives of one tuple, which do not overlap. Not by entry into
        connect(): the port is chosen later, and another life may come between.
        """
        return self.time("accept_return") or self.time("connect_return") or self.time("close_call")

    def handshake_bounds(self):
        """Least and most that the handshake can have taken, as this end measures it."""
        server = self.dialer.mate
        lost_synack = bool(server and server.line.get("synack_retransmits_min"))
        lost_syn = self.dialer.line.get("syn_retransmits", 0)
        most = self.up - self.begin
        least = self.rtt
        if self.role != "server":
            return least + RETRY * (lost_syn or lost_synack), most
        if lost_synack:
            return least + SERVER_RETRY, most
        return least, most - RETRY * lost_syn


class Truth:
    def __init__(self, path):
        lines = []
        with open(path, encoding="ascii") as file:
            lines = [json.loads(line) for line in file]
        self.clock = Clock([l for l in lines if l["kind"] == "clock"])
        self.ends = [End(l) for l in lines if l["kind"] == "end"]
        self.listeners = [l for l in lines if l["kind"] == "listener"]
        self.closing = [l for l in lines if l["kind"] == "closing_end"]
        self.closing_netns = {l["netns"] for l in self.closing}
        self.storms = [l for l in lines if l["kind"] == "storm"]
        self.runs = defaultdict(list)
        for end in self.ends:
            if end.outcome == "unfinished":
                raise TruthError("unfinished: %s" % end)
            self.runs[end.run].append(end)
        for ends in self.runs.values():
            join(ends)
        self.netns = {e.netns for e in self.ends}
        self.storm_netns = {s["netns"] for s in self.storms}


def join(ends):
    """Sets the mate of each end of a run: equal tuples are told apart by their order."""
    sides = defaultdict(lambda: {"client": [], "server": []})
    for end in ends:
        if end.is_up and end.role == "client":
            sides[end.local + end.peer]["client"].append(end)
        elif end.role == "server":
            sides[end.peer + end.local]["server"].append(end)
    for key, side in sides.items():
        if len(side["client"]) != len(side["server"]):
            raise TruthError("%s: %d clients, %d servers"
                             % (key, len(side["client"]), len(side["server"])))
        for pair in zip(*(sorted(side[role], key=lambda e: e.order) for role in side)):
            pair[0].mate, pair[1].mate = pair[1], pair[0]
