# SPDX-License-Identifier: GPL-2.0-or-later
"""
What must be said of each way to end a connection (closing.c), by tier and
kernel: the values that may stand there, and which facts must be absent. A
field that a row does not name, of those in ABSENT, must not be there.
"""
from collections import defaultdict

from net_checks import US, Check
from net_truth import SLOW

ABSENT = ("error_type", "rst_sender", "rst_reason", "rst_by", "rst_state", "never_accepted",
          "orphan", "time_wait_end", "zero_window_probes", "close_call")
REASONS_SINCE = (6, 12)  # the kernel gives them; before, they are inferred
FIRST_BYTE_SINCE = (6, 3)  # without fentry and kprobes


class Hooked:
    """One value where calls and timewait sockets can be hooked, another with tracepoints only."""

    def __init__(self, hooked, *others):
        self.hooked = hooked
        self.others = others


class Either(dict):
    """Several outcomes, told apart by one field, else the first; as a dictionary that one."""

    def __init__(self, field, *outcomes):
        super().__init__(outcomes[0])
        self.field, self.outcomes = field, outcomes


def fin(closed_by, call, **more):
    return {"close_reason": "fin", "closed_by": closed_by, "close_call": call, **more}


def cut(call, reason, state, closed_by="local", **more):
    """A call of the program sends a RST."""
    return {"close_reason": "reset", "closed_by": closed_by, "close_call": call,
            "rst_sender": "local", "rst_reason": reason, "rst_by": "application",
            "rst_state": state, **more}


def struck(state, error, closed_by="peer", **more):
    """The peer's RST ends it."""
    return {"close_reason": "reset", "closed_by": closed_by, "rst_sender": "peer",
            "rst_state": state, "error_type": error, **more}


def orphan(reason, **more):
    """Closed first, and not ended by the peer's FIN; tracepoints do not see what comes then."""
    return {"close_reason": Hooked(reason, "fin", None), "closed_by": "local",
            "close_call": "close", "orphan": Hooked(True, None),
            **{name: Hooked(value, None) for name, value in more.items()}}


WAITING = {"rst_sender": "local", "rst_by": "kernel", "rst_state": "fin_wait_2"}
# The end of one that is a socket still, as its user had it locked when its FIN was acknowledged.
ORPHAN = {"closed_by": "local", "close_call": "close", "orphan": True}
DATA_FOR_WAITING = orphan("reset", rst_reason="tcp_timewait_socket", time_wait_end="reset",
                          **WAITING)
DATA_FOR_SOCKET = orphan("reset", rst_reason="tcp_abort_on_data", **WAITING)
# One that was locked when its FIN was acknowledged: tcp_reset() ends it, as a RST of the peer's
# would, and it is gone when ours leaves. Who sent one is open.
DATA_FOR_LOCKED = {"close_reason": "reset", "error_type": "econnreset", **ORPHAN}
HALF_OPEN = ("fin_wait_1", "fin_wait_2")
CLIENT_FIRST = fin("local", "close"), fin("peer", "close")

# way -> what the client's end must say, and the server's; None: it has no end in time
WAYS = {
    "close": CLIENT_FIRST,
    "shutdown": (fin("local", "shutdown"), fin("peer", "close")),
    "shutdown_both": (fin("local", "shutdown"), fin("peer", "close")),
    "exit": (fin("local", "exit"), fin("peer", "close")),
    "kill": (fin("local", "kill"), fin("peer", "close")),
    "linger": (cut("linger", "tcp_state", "established"), struck("established", "econnreset")),
    "disconnect": (cut("disconnect", "tcp_state", "established"),
                   struck("established", "econnreset")),
    "abort": ({"close_reason": "killed", "closed_by": "local", "close_call": "abort",
               "error_type": "econnaborted", "rst_sender": "local", "rst_state": "established",
               "rst_reason": ("tcp_state", None)}, struck("established", "econnreset")),
    "listener": (struck("established", "econnreset"),
                 cut("listener_close", "tcp_state", "established", never_accepted=True)),
    "in_queue": (cut("linger", "tcp_state", "established"),
                 struck("established", "econnreset", never_accepted=True)),
    "unread": (struck("established", "econnreset"),
               cut("close", "tcp_abort_on_close", "established", unread_bytes=100)),
    "reset_half_closed": (struck("fin_wait_2", "econnreset", closed_by="local",
                                 close_call="shutdown"),
                          cut("linger", "tcp_state", "close_wait", closed_by="peer")),
    "reset_close_wait": (struck("close_wait", "epipe"), cut("shutdown", "tcp_state", HALF_OPEN)),
    "reset_last_ack": (struck("last_ack", "econnreset", close_call="close", orphan=True),
                       cut("shutdown", "tcp_abort_on_close", HALF_OPEN)),
    "reset_orphan": (Either("error_type",
                            orphan("reset", rst_sender="peer", rst_state="fin_wait_2",
                                   time_wait_end="reset"),
                            struck("fin_wait_2", "econnreset", **ORPHAN)),
                     cut("linger", "tcp_state", "close_wait", closed_by="peer")),
    "data_for_orphan": (Either("error_type", Either("rst_reason", DATA_FOR_WAITING,
                                                    DATA_FOR_SOCKET), DATA_FOR_LOCKED),
                        struck("close_wait", "epipe")),
    # its FIN may have been acknowledged before the data came
    "data_with_ack": (Either("error_type", Either("rst_reason", DATA_FOR_SOCKET,
                                                  DATA_FOR_WAITING), DATA_FOR_LOCKED),
                      struck("close_wait", "epipe")),
    "no_linger2": ({"close_reason": "reset", "rst_reason": "tcp_abort_on_linger", **ORPHAN,
                    **WAITING}, struck("close_wait", "epipe")),
    # a socket's end sends a RST, before the server closes
    "orphan": (Either("rst_sender", orphan("timeout", time_wait_end="expired"),
                      {"close_reason": "timeout", "rst_reason": "tcp_state", **ORPHAN,
                       **WAITING}),
               Either("rst_state", struck("last_ack", "econnreset", close_call="close",
                                          orphan=True), struck("close_wait", "epipe"))),
    "crossing": (fin("both", "shutdown", zero_window_probes=None),
                 fin("local", "shutdown")),
    "closed_window": (fin("local", "shutdown"), fin("peer", "close")),
    "reuse_by_syn": (fin("peer", "close"), fin("local", "close")),
    "reuse_by_syn_again": CLIENT_FIRST,
    "reuse_by_connect": CLIENT_FIRST,
    "namespace": CLIENT_FIRST,
    "keepalive": ({"close_reason": "timeout", "closed_by": "local", "error_type": "etimedout",
                   "rst_sender": "local", "rst_reason": "tcp_keepalive_timeout",
                   "rst_by": "kernel", "rst_state": "established"}, None),
}
# The end whose TIME_WAIT is cut while we look, and how.
TIME_WAIT_ENDS = {("reuse_by_syn", "server"): "reused", ("reuse_by_connect", "client"): "reused",
                  ("namespace", "client"): "killed"}
GREETED = ("close", "shutdown")


def key(line):
    return (line["netns"], line["local_address"], line["local_port"], line["peer_address"],
            line["peer_port"])


def record_key(record):
    get = record.get
    return (get("netns"), get("network_local_address"), get("network_local_port"),
            get("network_peer_address"), get("network_peer_port"))


def order(line):
    return line.get("accept_return_ns") or line.get("connect_return_ns") or 0


def matched(lines, records):
    """Yields (end, its record or None): the lives of one tuple follow each other."""
    found = defaultdict(list)
    for record in records:
        found[record_key(record)].append(record)
    ends = defaultdict(list)
    for line in lines:
        ends[key(line)].append(line)
    for tuple_, lives in ends.items():
        lives.sort(key=order)
        records_here = sorted(found[tuple_], key=lambda r: r.at)
        records_here += [None] * (len(lives) - len(records_here))
        yield from zip(lives, records_here)


class Judge:
    def __init__(self, ctx, name, output):
        self.ctx = ctx
        self.name = name
        self.is_hooked = ctx.tier != "tracepoints"
        ends = [r for r in output.records if r.event in ("tcp.close", "tcp.failed")]
        self.pairs = list(matched(ctx.truth.closing, ends))
        self.waits = list(matched(ctx.truth.closing,
                                  [r for r in output.records if r.event == "tcp.time_wait_end"]))

    def allowed(self, value):
        if isinstance(value, Hooked):
            if not self.is_hooked:
                return value.others
            value = value.hooked
        return value if isinstance(value, tuple) else (value,)

    def chosen(self, want, got):
        """The outcome of several that got tells of."""
        if not isinstance(want, Either):
            return want
        of_that = (outcome for outcome in want.outcomes
                   if got.get(want.field) in self.allowed(outcome.get(want.field)))
        return self.chosen(next(of_that, want.outcomes[0]), got)

    def facts(self, line, got, check):
        want = WAYS[line["variant"]][line["role"] == "server"]
        if want is None:
            return
        end = (line["variant"], line["role"])
        if not check.there(end, got, "missing:", *end):
            return
        want = self.chosen(want, got)
        check.that(got.event == "tcp.close", "it was open:", *end, got)
        for name in set(want) | set(ABSENT):
            if name == "zero_window_probes":
                continue
            check.same(end, got, name, *self.allowed(want.get(name)))
        self.inferred(line, got, check)

    def inferred(self, line, got, check):
        reason = got.get("rst_reason")
        due = None
        if reason and (self.ctx.kernel < REASONS_SINCE or
                       reason in ("tcp_abort_on_data", "tcp_abort_on_linger")):
            due = True
        check.that(got.get("rst_reason_inferred") is due, "rst_reason_inferred is", due, "not",
                   got)

    def check_facts(self):
        check = Check("%s: closing: how each end ended" % self.name)
        for line, got in self.pairs:
            self.facts(line, got, check)
        seen = {line["variant"] for line, _ in self.pairs}
        check.that(seen == set(WAYS), "ways that were not gone:", set(WAYS) - seen)
        return check

    def check_times(self):
        check = Check("%s: closing: when" % self.name)
        for line, got in self.pairs:
            if got is None:
                continue
            end = (line["variant"], line["role"])
            if got.get("close_reason") == "fin" and self.is_hooked:
                check.there(end, got.get("fin_received_us") is not None, "no FIN in", got)
            due = (got.get("close_reason") == "fin" and got.get("closed_by") == "local" and
                   got.get("fin_received_us") is None and
                   got.get("half_close_us") is None) or None
            # Of one that lost a step the FIN may be known by the socket's counters alone.
            check.that(got.get("close_reason_inferred") in
                       ((None, True) if due and got.get("begin_unknown") else (due,)),
                       "close_reason_inferred, not", due, got)
            if line["role"] == "client":
                self.call_times(line, got, check)
            if end == ("orphan", "client") and self.is_hooked:
                life_us = got.get("duration_us")
                if check.there(end, life_us is not None or not got.get("begin_unknown"),
                               "no life in", got):
                    check.that((life_us or 0) >= 4_900_000, "it waited 5 s:", got)
            if end == ("closed_window", "client"):
                check.that((got.get("zero_window_probes") or 0) >= 1 if self.is_hooked
                           else got.get("zero_window_probes") is None, "probes:", got)
        return check

    def call_times(self, line, got, check):
        """Within the call; from established, which was in connect()."""
        for name in ("shutdown", "close"):
            value = got.get(name + "_call_us")
            call, back = (line.get("%s_%s_ns" % (name, n)) for n in ("call", "return"))
            if value is None or call is None:
                continue
            check.that((call - line["connect_return_ns"]) // US - 2 <= value
                       <= (back - line["connect_call_ns"]) // US + 2, name, "was called between",
                       call, "and", back, "not", got)
        if line["variant"] in GREETED:
            wanted = "shutdown" if line["variant"] == "shutdown" else "close"
            check.that(got.get(wanted + "_call_us") is not None, "no", wanted, "in", got)

    def check_time_wait(self):
        check = Check("%s: closing: the end of TIME_WAIT" % self.name)
        for line, got in self.waits:
            end = (line["variant"], line["role"])
            want = TIME_WAIT_ENDS.get(end) if self.is_hooked else None
            if want is None:
                # how the others' end, after the judged time, is not told
                check.that(got is None or SLOW and got.get("time_wait_end") == "expired",
                           "TIME_WAIT of", *end, "goes on:", got)
                continue
            if check.there(end, got, "no end of TIME_WAIT of", *end):
                check.that(got.get("time_wait_end") == want and got.get("time_wait_us"),
                           "TIME_WAIT was", want, "not", got)
        return check

    def check_first_byte(self, is_asked_for):
        check = Check("%s: closing: the first byte each way" % self.name)
        is_due = is_asked_for and (self.is_hooked or self.ctx.kernel >= FIRST_BYTE_SINCE)
        for line, got in self.pairs:
            if line["variant"] not in GREETED or got is None:
                continue
            for name in ("first_sent_us", "first_received_us"):
                is_told = got.get(name) is not None
                if is_due:
                    check.there((line["variant"], line["role"]), is_told, name, "is due in", got)
                else:
                    check.that(not is_told, name, "is not known in", got)
        return check


def closing_checks(ctx, conns, trace):
    for name, output in (("conns", conns), ("trace", trace)):
        judge = Judge(ctx, name, output)
        yield judge.check_facts()
        yield judge.check_times()
        yield judge.check_first_byte(name == "trace")
        if name == "trace":
            yield judge.check_time_wait()
