# SPDX-License-Identifier: GPL-2.0-or-later
"""
What must hold between the truth and the lines of `synfin conns`: that each
end was found once, and that no field of it is wrong. A field that is absent
is as wrong as a false one, unless OPTIONAL names it.
"""
import base64
import hashlib
import ipaddress
from collections import defaultdict

from net_output import match
from net_truth import RETRY

US = 1000
SAID = 100  # failures of a check that are put into words
ROUNDING_US = 2
JOINED_NS = 150_000_000  # `conns` waits 250 ms for the other end; its clock is read before the ring

# (tier, field) -> when it may be absent, and why. Nothing else may.
OPTIONAL = {
    ("tracepoints", "handshake_us"): lambda end: (
        end.role == "server" and (end.line.get("synack_retransmits_min")
                                  or end.up - end.begin >= RETRY)),
        # srtt counts from the last SYN+ACK: better absent than wrong where one was repeated;
        # a slow guest repeats it of its own accord
    ("tracepoints", "fin_received_us"): lambda end: (
        end.closed_first == "local" and not end.time("shutdown_call")),
        # the socket has become a TIME_WAIT one before the peer's FIN comes
    ("tracepoints", "local_port_ephemeral"): lambda end: end.role == "server",
        # it is the listener that knows, and no tracepoint shows it
    ("*", "handshake_us"): lambda end: end.role == "both",
        # it dialed and answered: there are two
    ("*", "fin_acked_us"): lambda end: end.role == "both",
}

REASONS = {"refused": "refused", "timeout": "timeout", "unreachable": "unreachable",
           "aborted": "abort", "no_port": "no_port"}
# net/ipv4/tcp.c: __tcp_close() with unread data; tcp_disconnect() for SO_LINGER 0 and for
# what a closed listener's queue holds
RST_REASONS = {"u": "tcp_abort_on_close", "l": "tcp_state"}
RST_REASON_SINCE = (6, 12)


class Check:
    """
    One line of the report: how many things were looked at, which were wrong,
    and which were lacking. What lacks may have been lost: see settle().
    """

    def __init__(self, name):
        self.name = name
        self.total = 0
        self.bad = []
        self.lacking = []  # (whose it is: an end or what stands for it, message)
        self.note = None  # instead of the number of things looked at
        self.skip = None  # the missing capability

    def that(self, holds, *message):
        """message: printed one after the other if it does not hold; may hold costly objects."""
        self.total += 1
        if not holds:
            self.bad.append(say(message) if len(self.bad) < SAID else "")
        return bool(holds)

    def lacks(self, end, *message):
        self.total += 1
        self.lacking.append((end, say(message) if len(self.lacking) < SAID else ""))

    def there(self, end, holds, *message):
        """Something of end is there, or it lacks."""
        if holds:
            self.total += 1
        else:
            self.lacks(end, *message)
        return bool(holds)

    def same(self, end, got, field, *wanted):
        """field is one of wanted; absent where it should not be, it lacks; any other is wrong."""
        value = got.get(field)
        if value is None and None not in wanted:
            self.lacks(end, end, "no", field, "in", got)
        else:
            self.that(value in wanted, end, field, "is", " or ".join(map(str, wanted)), "not",
                      got)

    @property
    def is_ok(self):
        if not self.total and not self.bad:
            self.bad.append("nothing to look at")
        return not self.bad


def say(message):
    return " ".join(str(m) for m in message)


def settle(checks, nr_lost):
    """
    Each event said to be lost accounts for what one end lacks, a line or a
    fact; never for what is wrong. Beyond that number lacking is wrong, too.
    """
    nr_ends = len({end for check in checks for end, _ in check.lacking})
    for check in checks:
        if nr_ends > nr_lost:
            check.bad += [message for _, message in check.lacking]
        elif check.lacking:
            check.note = "%s, %d lacking; %d ends lack something, %d events said to be lost" % (
                check.note or "%d looked at" % check.total, len(check.lacking), nr_ends, nr_lost)


class Context:
    """What the judge knows beside truth and output."""

    def __init__(self, truth, tier, kernel, status):
        self.truth = truth
        self.tier = tier
        self.kernel = tuple(int(n) for n in kernel.split("-")[0].split(".")[:2])
        self.status = status
        self.whole_ms = set()  # ends whose handshake is absent

    def or_none(self, field, end):
        """What may stand there beside the truth."""
        return [None] if self.may_lack(field, end) else []

    def may_lack(self, field, end):
        if any(OPTIONAL.get((tier, field), lambda _: False)(end) for tier in ("*", self.tier)):
            return True
        # From the round trip, a whole number of milliseconds is left out, as a syncookie's is
        # one: one handshake in a thousand where they take milliseconds, up to two in a hundred.
        if (self.tier, field, end.role) != ("tracepoints", "handshake_us", "server"):
            return False
        self.whole_ms.add(end)
        return len(self.whole_ms) <= len(self.truth.ends) // 50


def comm_texts(comm):
    """How a name of any bytes may stand in JSON: U+FFFD per maximal bad sequence, or per byte."""
    per_byte = "".join("\ufffd" if "\udc80" <= c <= "\udcff" else c
                       for c in comm.decode("utf-8", "surrogateescape"))
    return {comm.decode("utf-8", "replace"), per_byte}


def community_id(end):
    """Community ID v1, seed 0 (github.com/corelight/community-id-spec)."""
    ends = sorted((ipaddress.ip_address(ip).packed, port) for ip, port in (end.local, end.peer))
    data = b"\0\0" + ends[0][0] + ends[1][0] + b"\x06\0"
    data += b"".join(port.to_bytes(2, "big") for _, port in ends)
    return "1:" + base64.b64encode(hashlib.sha1(data).digest()).decode()


def check_recall(run, ends, pairs, missing):
    check = Check("%s: recall" % run)
    for end in missing:
        check.lacks(end, "missing:", end)
    check.total += len(pairs)
    check.note = "%d/%d" % (len(pairs), len(ends))
    return check


def check_role(ctx, run, pairs):
    check = Check("%s: role and both ends" % run)
    for end, got in pairs:
        check.same(end, got, "role", end.role)
        check.same(end, got, "network_transport", "tcp")
        check.same(end, got, "network_type", end.family)
        if end.role == "both":
            continue
        ours, theirs = ("client", "server")[::1 if end.role == "client" else -1]
        for side, (ip, port) in ((ours, end.local), (theirs, end.peer)):
            check.same(end, got, side + "_port", port)
            check.same(end, got, side + "_address", ip, *[None] * (end.outcome == "no_port"))
    return check


def check_ephemeral(ctx, run, pairs):
    check = Check("%s: who chose the local port" % run)
    for end, got in pairs:
        if end.outcome != "no_port":
            check.same(end, got, "local_port_ephemeral", end.ephemeral,
                       *ctx.or_none("local_port_ephemeral", end))
    return check


def is_stand_in(fields):
    """
    Who closed it stands for who had it, and is marked so: nothing told of that one. A hook that the
    kernel skipped lacks then, as what it would have told does.
    """
    return fields.get("process_source") == "close" and \
        fields.get("process_pid") == fields.get("closer_process_pid")


def owner_problem(end, fields):
    """What is wrong with the process a line names; a line may name none: None."""
    pid = fields.get("process_pid")
    name = fields.get("process_executable_name")
    if end.pid is None:
        # nobody accepted it; the listener's process is a fair answer, any other is not
        return None if pid in (None, end.line.get("closer_pid")) else "nobody accepted it"
    if pid is not None and pid != end.pid:
        if is_stand_in(fields):
            return None  # whoever asks counts it as lacking
        return "pid is %d (%r)" % (end.pid, end.comm)
    if name is not None and name not in comm_texts(end.comm):
        return "name is %r" % end.comm
    if fields.get("process_owner_uid") not in (None, end.uid):
        return "uid is %d" % end.uid
    return None


def check_owner(ctx, run, pairs):
    check = Check("%s: process" % run)
    for end, got in pairs:
        problem = owner_problem(end, got)
        check.that(problem is None, problem, "not", got)
        if end.pid is None:
            continue
        is_there = got.get("process_pid") == end.pid or not is_stand_in(got)
        for field in ("process_pid", "process_executable_name", "process_owner_uid"):
            check.there(end, is_there and got.get(field) is not None or ctx.may_lack(field, end),
                        "no", field, "in", got)
        check_closer(ctx, check, end, got)
        # of one that nobody accepted, its listener's process: see owner_problem()
        mate_pid = end.mate and (end.mate.pid or end.mate.line.get("closer_pid"))
        peer_pid = got.get("peer_process_pid")
        if end.mate and peer_pid not in (None, mate_pid) and peer_pid == end.mate.closer_pid and \
                got.get("peer_process_source") == "close":
            check.lacks(end.mate, "whose pid another stands in for, in", got)
        else:
            check.that(peer_pid in (None, mate_pid), "peer's pid is", mate_pid, "not", got)
    return check


def check_joined(pairs):
    """Both ends are here: where the second ended soon after the first, each names the other."""
    check = Check("conns: both ends joined")
    found = {id(end): got for end, got in pairs}
    for end, got in pairs:
        mate = found.get(id(end.mate)) if end.mate else None
        if mate is None or not (got.get("wire_id") and mate.get("wire_id")) or \
                abs(got.at - mate.at) > JOINED_NS:
            continue
        check.same(end, got, "peer_connection_id", mate.get("connection_id"))
        for field in ("process_pid", "process_executable_name"):
            check.same(end, got, "peer_" + field, mate.get(field))
    return check


def check_closer(ctx, check, end, got):
    """Who closed: not known yet when a RST or a failure ended it before close()."""
    is_due = end.outcome == "aborted" or (end.is_up and end.rst_sender != "peer")
    may_be = ctx.or_none("closer_process_pid", end) if is_due else [None]
    check.same(end, got, "closer_process_pid", end.closer_pid, *may_be)


def error_types(end):
    """errno names that may stand for how it ended; None = the field is absent."""
    if end.errno:
        return {end.errno.lower()}
    if end.read_errno:
        return {end.read_errno.lower()}
    return {None}


def may_lack_reason(ctx, got):
    """
    After close() in FIN_WAIT2, data cuts it, or is a repeated segment that does nothing.
    Without a hook on what takes over nobody can tell the two apart.
    """
    return ctx.tier == "tracepoints" and got.get("closed_by") == "local" and \
        got.get("network_connection_state_previous") == "fin_wait_2" and \
        got.get("fin_received_us") is None and got.get("rst_sender") is None


def check_end(ctx, run, pairs):
    check = Check("%s: how it ended" % run)
    of_end = {id(end): got for end, got in pairs}
    for end, got in pairs:
        mate = of_end.get(id(end.mate)) or {}
        has_repeats = not mate or mate.get("retransmits")
        event = "tcp.close" if end.is_up else "tcp.failed"
        reason = REASONS.get(end.outcome) or ("reset" if end.is_reset else "fin")
        check.same(end, got, "event_name", event)
        check.same(end, got, "close_reason", reason,
                   *([None] if has_repeats and may_lack_reason(ctx, got) else []))
        check.same(end, got, "error_type", *error_types(end))
        if end.is_up and end.closed_first:
            check.same(end, got, "closed_by", end.closed_first)
        if end.is_up:
            check.same(end, got, "rst_sender", end.rst_sender)
        if end.unread_bytes is not None:
            check.same(end, got, "unread_bytes", end.unread_bytes)
        check_rst_reason(ctx, check, end, got)
    return check


def check_rst_reason(ctx, check, end, got):
    if end.rst_sender != "local":
        return
    want = RST_REASONS["l" if end.unread_bytes is None else "u"]
    check.same(end, got, "rst_reason", want)
    is_given = ctx.kernel >= RST_REASON_SINCE
    check.same(end, got, "rst_reason_inferred", None if is_given else True)


def has_numbers(end):
    return end.bytes_sent is not None or end.syn_retransmits is not None


def check_bytes(ctx, run, pairs):
    check = Check("%s: bytes and retransmits" % run)
    for end, got in pairs:
        for field in ("bytes_sent", "bytes_received"):
            want = getattr(end, field)
            if want is not None:
                check.same(end, got, field, want)
        if end.syn_retransmits is not None:
            # what the link or the limit makes certain; a slow guest may add some of its own
            seen = got.get("syn_retransmits") or 0
            spare = end.is_up and end.up - end.begin >= 2 * RETRY
            check.same(end, got, "syn_retransmits",
                       max(seen, end.syn_retransmits) if spare else end.syn_retransmits)
        least = end.line.get("synack_retransmits_min")
        if least:
            check.that((got.get("synack_retransmits") or 0) >= least
                       or ctx.may_lack("synack_retransmits", end),
                       "synack_retransmits is at least", least, "not", got)
    return check


def between(check, end, got, field, least_ns, most_ns):
    """field (in us, rounded) is a number within bounds in ns."""
    value = got.get(field)
    if not check.there(end, isinstance(value, int), "no", field, "in", got):
        return
    check.that(least_ns // US - ROUNDING_US <= value <= most_ns // US + ROUNDING_US,
               field, "is %d..%d," % (least_ns // US, most_ns // US), "not", got)


def check_open_times(ctx, run, pairs):
    check = Check("%s: handshake and accept wait" % run)
    for end, got in pairs:
        if not end.is_up:
            for field in ("handshake_us", "accept_wait_us"):
                check.that(got.get(field) is None, "never established, yet", field, "in", got)
            continue
        if got.get("handshake_us") is None and ctx.may_lack("handshake_us", end):
            continue
        between(check, end, got, "handshake_us", *end.handshake_bounds())
        check.that(got.get("handshake_us") != 0, "handshake of 0 us:", got)
        if end.role == "server" and end.is_accepted:
            # up: established for certain by then
            between(check, end, got, "accept_wait_us", max(0, end.time("accept_call") - end.up),
                    end.time("accept_return") - end.begin - end.rtt)
        else:
            check.that(got.get("accept_wait_us") is None, "nobody accepted:", got)
    return check


def check_time(ctx, check, end, record, span):
    """A line's time, within a span of boot time."""
    slack = ctx.truth.clock.slack_ns
    # The end of one that lost the step to it, which it says, is seen when its socket goes.
    if record.event in ("tcp.close", "tcp.failed") and record.get("begin_unknown") and \
            record.get("duration_us") is None and record.at > span[1] + slack:
        check.lacks(end, "when it ended, in", record)
    else:
        check.that(span[0] - slack <= record.at <= span[1] + slack, record.event,
                   "between boot time %d and %d, not at %d:" % (*span, record.at), record)


def check_close_times(ctx, run, pairs):
    check = Check("%s: life and teardown" % run)
    for end, got in pairs:
        least, most = end.end_span
        check_time(ctx, check, end, got, (least, most))
        total = most - end.begin
        if got.get("close_reason_inferred") and ctx.may_lack("fin_received_us", end):
            check.that(got.get("duration_us") is None, "its end was not seen, yet a life:", got)
        else:
            between(check, end, got, "duration_us", 0, total)
        if end.is_up:
            if end.role == "client":
                between(check, end, got, "connect_to_close_us",
                        min(end.fin_span[0], least) - end.time("connect_return"), total)
            states = got.get("state_us")
            if states is not None:
                check.that(sum(states.values()) <= total // US + 100,
                           "states last longer than", total, got)
        if end.is_up and not end.is_reset and end.role != "both":
            check_waves(ctx, check, end, got)
    return check


def check_waves(ctx, check, end, got):
    """The four waves: offsets from established, which was between begin and up."""
    for field in ("fin_sent_us", "fin_acked_us", "fin_received_us"):
        if got.get(field) is None:
            check.there(end, ctx.may_lack(field, end), "no", field, "in", got)
    sent, acked, received = (got.get("fin_%s_us" % n) for n in ("sent", "acked", "received"))
    if sent is not None:
        between(check, end, got, "fin_sent_us",
                end.fin_span[0] - end.up, end.fin_span[1] - end.begin)
    if sent is not None and acked is not None:
        check.that(acked - sent >= end.rtt // US - ROUNDING_US,
                   "our FIN takes", end.rtt, "ns to be acknowledged, not", got)
    if received is not None and end.closed_first == "peer":
        between(check, end, got, "fin_received_us", end.mate.fin_span[0] - end.up,
                end.fin_span[0] - end.begin)
        check.that(sent is None or received <= sent, "the peer's FIN came first:", got)
    if received is not None and end.closed_first == "local":
        check.that(sent is None or received >= sent, "our FIN came first:", got)
    if end.mate.time("idle_call"):
        between(check, end, got, "half_close_us",
                end.mate.time("idle_return") - end.mate.time("idle_call"),
                end.time("close_call") - end.fin_span[0])


def check_identity(ctx, run, pairs):
    check = Check("%s: wire id and community id on both ends" % run)
    found = {id(end): got for end, got in pairs}
    for end, got in pairs:
        if end.local_port:
            want = community_id(end)
            check.same(end, got, "network_community_id", want)
        check.that(got.get("preexisting") in (None, False), "it began before our eyes:", got)
        if not end.is_up:
            continue
        wire = got.get("wire_id")
        check.there(end, wire, "no wire_id in", got)
        mate = found.get(id(end.mate)) if end.mate else None
        if mate is not None and end.role == "client" and wire:
            check.that(mate.get("wire_id") in (wire, None), "wire_id differs:", got, "and", mate)
    return check


RUN_CHECKS = (check_role, check_ephemeral, check_owner, check_end, check_bytes, check_open_times,
              check_close_times, check_identity)


def conns_checks(ctx, conns):
    """All checks of the lines of `synfin conns`; yields Check."""
    found = [r for r in conns.records
             if r.event in ("tcp.close", "tcp.failed") and r.get("role") != "listener"
             and r.get("netns") in ctx.truth.netns]
    pairs, missing, extra = match(ctx.truth.ends, found, ctx.truth.clock.slack_ns)
    by_run = defaultdict(list)
    for end, got in pairs:
        by_run[end.run].append((end, got))
    for run, ends in ctx.truth.runs.items():
        ours = by_run[run]
        recall = check_recall(run, ends, ours, [end for end in missing if end.run == run])
        yield recall
        if not ours and recall.lacking:
            continue  # nothing is left to be looked at
        for function in RUN_CHECKS:
            if function is not check_bytes or any(has_numbers(end) for end in ends):
                yield function(ctx, run, ours)
    check = Check("conns: no line twice, none of a connection that never was")
    check.total = len(found)
    for one in extra:
        check.that(False, one)
    yield check
    yield check_unique(pairs)
    yield check_joined(pairs)


def check_unique(pairs):
    check = Check("conns: wire_id is the connection's own, connection_id the end's own")
    wires, ids = {}, {}
    for end, got in pairs:
        wire = got.get("wire_id")
        if wire:
            other = wires.setdefault(wire, end)
            check.that(other in (end, end.mate), "wire_id", wire, "of", other, "and of", end)
        check.that(got.get("connection_id"), "no connection_id in", got)
        other = ids.setdefault(got.get("connection_id"), end)
        check.that(other is end, "connection_id of", other, "and of", end)
    return check
