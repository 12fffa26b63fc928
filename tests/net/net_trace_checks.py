# SPDX-License-Identifier: GPL-2.0-or-later
"""
What must hold for the lines of `synfin trace`: each step of each end once, at
a time when its program was in the call that caused it, and no line, early or
late, that says something false of its connection.
"""
from collections import defaultdict

from net_checks import (Check, check_time, community_id, is_stand_in, may_lack_reason,
                        owner_problem)
from net_output import lives, match

ONCE, AT_MOST_ONCE, NEVER = (1, 1), (0, 1), (0, 0)

# What a line may leave out when its step happens; (tier, event, field).
# Without a hook on tcp_connect() the line comes before the port is chosen.
EARLY = {
    ("tracepoints", "tcp.connect", "network_local_port"),
    ("tracepoints", "tcp.connect", "client_port"),
    ("tracepoints", "tcp.connect", "network_community_id"),
}
KNOWN_AT = {
    "tcp.connect": ("role", "process_pid", "process_executable_name", "netns",
                    "network_local_address", "network_local_port", "network_peer_address",
                    "network_peer_port", "client_port", "server_port", "network_community_id"),
    "tcp.established": ("role", "netns", "network_local_address", "network_local_port",
                        "network_peer_address", "network_peer_port", "wire_id",
                        "local_port_ephemeral"),
    "tcp.accept": ("process_pid", "process_executable_name", "accept_wait_us", "handshake_us"),
}


def expected_counts(ctx, end):
    """event -> (least, most) lines of this end."""
    up = end.is_up
    dialed = end.role != "server"
    want = {
        "tcp.connect": ONCE if dialed else NEVER,
        "tcp.established": ONCE if up else NEVER,
        "tcp.accept": ONCE if end.is_accepted else NEVER,
        "tcp.close": ONCE if up else NEVER,
        "tcp.failed": NEVER if up else ONCE,
        "tcp.reset": ONCE if end.is_reset else NEVER,
        "tcp.fin_sent": ONCE if up and not end.is_reset else NEVER,
        "tcp.fin_received": ONCE if up and not end.is_reset else NEVER,
        "tcp.time_wait_end": AT_MOST_ONCE if up and not end.is_reset else NEVER,
        "tcp.stuck": NEVER,
        "tcp.listen": NEVER,
    }
    if end.outcome == "no_port":
        want["tcp.connect"] = AT_MOST_ONCE  # connect() was called, no SYN was sent
    if end.outcome == "refused":
        want["tcp.reset"] = AT_MOST_ONCE
    if end.role == "both":
        want["tcp.fin_sent"] = want["tcp.fin_received"] = AT_MOST_ONCE
    if ctx.tier == "tracepoints" and end.closed_first == "local" and not end.time("shutdown_call"):
        want["tcp.fin_received"] = (want["tcp.fin_received"][0] and 0, want["tcp.fin_received"][1])
    return want


def bounds(end, event):
    """When the step can have happened, or None."""
    if event == "tcp.connect":
        return end.time("connect_call"), end.time("connect_return")
    if event == "tcp.established":
        return end.begin + end.rtt * (end.role == "client"), end.up
    if event == "tcp.accept":
        return end.time("accept_call"), end.time("accept_return")
    if event in ("tcp.close", "tcp.failed"):
        return end.end_span
    if event == "tcp.fin_sent":
        return end.fin_span
    if event == "tcp.fin_received" and end.closed_first == "peer":
        return end.mate.fin_span[0], end.fin_span[0]
    if event == "tcp.reset" and end.rst_sender == "local":
        return end.fin_span
    if event == "tcp.reset" and end.rst_sender == "peer":
        return end.mate.fin_span[0], end.fin_span[0]
    return None


def check_counts(ctx, run, pairs):
    check = Check("%s: trace: each step once" % run)
    for end, life in pairs:
        for event, (least, most) in expected_counts(ctx, end).items():
            nr = len(life.by_event[event])
            message = "%s: %d times %s, not %d..%d:" % (end, nr, event, least, most)
            if check.that(nr <= most, message, life):
                check.there(end, nr >= least, message, life)
    return check


def check_times(ctx, run, pairs):
    check = Check("%s: trace: time of each step" % run)
    for end, life in pairs:
        for record in life.records:
            span = bounds(end, record.event)
            if span:
                check_time(ctx, check, end, record, span)
    return check


def is_early_accept(record, life):
    """accept() may return a child before it is established, on another CPU: see dialog.c."""
    return record.event == "tcp.accept" and all(
        record.at <= up.at or record.line_number < up.line_number
        for up in life.by_event["tcp.established"])


def check_known(ctx, run, pairs):
    check = Check("%s: trace: what is known at each step" % run)
    for end, life in pairs:
        for event, (least, _) in expected_counts(ctx, end).items():
            if least and event in KNOWN_AT and not life.by_event[event]:
                check.lacks(end, "no", event, "to look at:", life)
        for event, fields in KNOWN_AT.items():
            for record in life.by_event[event]:
                if end.outcome == "no_port" and event == "tcp.connect":
                    continue
                if is_early_accept(record, life):
                    fields = ("process_pid", "process_executable_name")
                for field in fields:
                    check.there(end, record.get(field) is not None or ctx.may_lack(field, end)
                                or (ctx.tier, event, field) in EARLY, "no", field, "in", record)
    return check


def false_fact(end, record):
    """A field of a line that says something untrue of its end, or None."""
    get = record.get
    want = {
        "role": end.role,
        "netns": end.netns,
        "network_type": end.family,
        "network_local_address": end.local[0],
        "network_local_port": end.local[1],
        "network_peer_address": end.peer[0],
        "network_peer_port": end.peer[1],
        "local_port_ephemeral": end.ephemeral,
        "preexisting": False,
    }
    if end.local_port:
        want["network_community_id"] = community_id(end)
    # a socket that dials itself is a client until its own SYN comes in
    roles = {end.role, "client"} if end.role == "both" else {end.role}
    for field, value in want.items():
        if get(field) is None or (field == "role" and get(field) in roles):
            continue
        if value is not None and get(field) != value:
            return "%s is %s" % (field, value)
    return owner_problem(end, record.fields)


def check_facts(run, pairs):
    check = Check("%s: trace: no line is wrong" % run)
    for end, life in pairs:
        for record in life.records:
            problem = false_fact(end, record)
            if end.pid and record.get("process_pid") not in (None, end.pid) and not problem:
                check.lacks(end, "who had it, in", record)
            else:
                check.that(problem is None, problem, "not", record)
    return check


def check_order(run, pairs):
    check = Check("%s: trace: steps in order" % run)
    rank = {"tcp.connect": 0, "tcp.established": 1, "tcp.close": 3, "tcp.failed": 3,
            "tcp.time_wait_end": 4}
    for end, life in pairs:
        ranks = [rank.get(r.event, 2) for r in life.records if r.event != "tcp.accept"]
        check.that(ranks == sorted(ranks), [r.event for r in life.records], life)
    return check


def trace_checks(ctx, trace):
    """All checks of the lines of `synfin trace` that belong to connections; yields Check."""
    found = [life for life in lives(trace.records) if life.get("netns") in ctx.truth.netns]
    pairs, missing, extra = match(ctx.truth.ends, found, ctx.truth.clock.slack_ns)
    by_run = defaultdict(list)
    for end, life in pairs:
        by_run[end.run].append((end, life))
    for run, ends in ctx.truth.runs.items():
        ours = by_run[run]
        check = Check("%s: trace: recall" % run)
        check.note = "%d/%d" % (len(ours), len(ends))
        check.total = len(ours)
        for end in missing:
            if end.run == run:
                check.lacks(end, "missing:", end)
        yield check
        if not ours and check.lacking:
            continue  # nothing is left to be looked at
        yield check_counts(ctx, run, ours)
        yield check_times(ctx, run, ours)
        yield check_known(ctx, run, ours)
        yield check_facts(run, ours)
        yield check_order(run, ours)
    check = Check("trace: no connection that never was")
    check.total = len(found)
    for life in extra:
        check.that(False, life)
    yield check


def check_same(ctx, conns, trace):
    """Two tracers at once tell the same story: by wire_id and side."""
    check = Check("conns and trace agree")

    def ends(output):
        return {(r.get("wire_id"),) + r.key: r for r in output.records
                if r.event == "tcp.close" and r.get("wire_id")
                and r.get("netns") in ctx.truth.netns}

    ours, theirs = ends(conns), ends(trace)
    fields = ("role", "process_pid", "close_reason", "closed_by", "bytes_sent", "bytes_received",
              "local_port_ephemeral", "error_type")
    for key in ours.keys() | theirs.keys():
        one, other = ours.get(key), theirs.get(key)
        if not check.there(one or other, one and other, "in one of them only:", one or other):
            continue
        for field in fields:
            # conns, which does not ask how a wait ends, does not see that one begins
            if field == "close_reason" and one.get(field) is None and \
                    other.get("close_reason_inferred") and may_lack_reason(ctx, one):
                continue
            if field == "process_pid" and is_stand_in(one) != is_stand_in(other):
                check.there(one, one.get(field) == other.get(field), "who had it, in", one, other)
                continue
            if check.there(one, (one.get(field) is None) == (other.get(field) is None),
                           "no", field, "in one of them:", one, "and", other):
                check.that(one.get(field) == other.get(field), field, "differs:", one,
                           "and", other)
    return check
