# SPDX-License-Identifier: GPL-2.0-or-later
"""
Faults that the judge must report: each with the check that must report it and
the change that makes it; and oddities that are right and must be accepted.
"""
from net_closing import WAYS
from net_sample import HEIR


def find(lines, run_port, event="tcp.close", role=None, nth=0):
    """A line of the run with that server port."""
    found = [l for l in lines if l.get("server_port") == run_port and l["event_name"] == event
             and role in (None, l.get("role"))]
    return found[nth]


# Its socket is gone before the peer's FIN comes.
END_UNSEEN = {"fin_received_us": None, "close_reason_inferred": True}


def conns(port, change, event="tcp.close", role="client", nth=0):
    """change(line) on a line of conns; a dict updates it, None removes a key."""
    return lambda stage: apply(find(stage.conns, port, event, role, nth), change)


def trace(port, change, event="tcp.close", role="client", nth=0):
    return lambda stage: apply(find(stage.trace, port, event, role, nth), change)


def both_tracers(port, change, **which):
    def spoil(stage):
        for lines in (stage.conns, stage.trace):
            apply(find(lines, port, **which), change)
    return spoil


def apply(line, change):
    if callable(change):
        change(line)
        return
    for name, value in change.items():
        if value is None:
            del line[name]
        else:
            line[name] = value


def add(name, amount):
    def change(line):
        line[name] += amount
    return change


def drop(where, port, event="tcp.close", role="client"):
    def spoil(stage):
        lines = getattr(stage, where)
        lines.remove(find(lines, port, event, role))
    return spoil


def drop_all(where, port, event=None):
    """Of a port, all lines, or those of one event."""
    def spoil(stage):
        lines = getattr(stage, where)
        lines[:] = [line for line in lines if line.get("server_port") != port or
                    line["event_name"] != (event or line["event_name"])]
    return spoil


def double(where, port, event="tcp.close", role="client", **change):
    def spoil(stage):
        lines = getattr(stage, where)
        lines.append(dict(find(lines, port, event, role), **change))
    return spoil


def closing(way, role, change, event="tcp.close"):
    """On the line of one end of closing.c, in both tracers; a dict updates it."""
    side = "local" if role == "server" else "peer"
    port = 7700 + list(WAYS).index(way)

    def spoil(stage):
        for lines in (stage.conns, stage.trace):
            for line in lines:
                if (line.get("network_%s_port" % side), line["event_name"]) == (port, event):
                    apply(line, change)
    return spoil


def swap_role(line):
    line["role"] = {"client": "server", "server": "client"}[line["role"]]
    for name in ("port", "address"):
        keys = "client_" + name, "server_" + name
        line[keys[0]], line[keys[1]] = line[keys[1]], line[keys[0]]


def shift_time(seconds):
    def change(line):
        before, _, rest = line["time"].partition(".")
        line["time"] = "%s%02d.%s" % (before[:-2], (int(before[-2:]) + seconds) % 60, rest)
    return change


def raw(name, function):
    def spoil(stage):
        stage.raw[name] = function
    return spoil


def first_line(function):
    """function on the bytes of a file's first line."""
    def change(data):
        head, _, rest = data.partition(b"\n")
        return function(head) + b"\n" + rest
    return change


def seq_from(where, index, step):
    def spoil(stage):
        for seq, line in enumerate(getattr(stage, where), 1):
            line["seq"] = seq + (step if seq > index else 0)
    return spoil


def status(**change):
    return lambda stage: stage.status.update(change)


def table(function):
    def spoil(stage):
        stage.table = function(stage.table)
    return spoil


def same_wire(stage):
    lines = [l for l in stage.conns if "wire_id" in l]
    lines[-1]["wire_id"] = lines[0]["wire_id"]


def stats(stage, lost):
    for lines in (stage.trace, stage.conns):
        lines.append({"schema_version": 1, "time": lines[0]["time"], "event_name": "synfin.stats",
                      "host_name": lines[0]["host_name"], "boot_id": lines[0]["boot_id"],
                      "events_sent": len(lines), "events_lost": lost, "lost_ring": lost,
                      "lost_map": 0, "lost_nested": 0, "hooks_missing": []})


def lose_storm_line(stage):
    """Both tracers lose one and say so; their numbers have the gap."""
    stats(stage, 1)
    for lines in (stage.trace, stage.conns):
        for seq, line in enumerate(lines, 1):
            line["seq"] = seq
        lines.remove(find(lines, 7600))


def lose(lost, *spoils):
    """So many events are said to be lost, and then something is spoiled."""
    def spoil(stage):
        stats(stage, lost)
        for one in spoils:
            one(stage)
    return spoil


def seen_late(line):
    """The step to its end was skipped: it is told of when its socket goes."""
    shift_time(1)(line)
    line["begin_unknown"] = True
    line.pop("duration_us")


def stand_in(line):
    """Who accepted it was not seen: who closed it stands in."""
    line.update(process_pid=HEIR, process_source="close")


def unseen_end(line):
    """Its timewait socket's end was skipped."""
    for name in ("close_reason", "orphan", "time_wait_end", "duration_us"):
        line.pop(name)
    line["begin_unknown"] = True


def no_early_port(line):
    for name in ("network_local_port", "client_port", "network_community_id"):
        del line[name]


CLOSING = "conns: closing: how each end ended"

# (what is wrong, part of the name of the check that must fail, the change, tier if not full)
FAULTS = [
    ("a kill called an exit", CLOSING, closing("kill", "client", {"close_call": "exit"})),
    ("a stand-in that the other end's line does not mark", "forkpass: process",
     lose(1, conns(7102, {"peer_process_pid": HEIR}))),
    ("a stand-in, and nothing said to be lost", "forkpass: process",
     both_tracers(7102, stand_in, role="server")),
    ("an orphan without an end, and nothing said to be lost", CLOSING,
     closing("orphan", "client", unseen_end)),
    ("a closing call that is absent", CLOSING,
     closing("shutdown", "client", {"close_call": None})),
    ("a closing call of an end that made none", CLOSING,
     closing("abort", "server", {"close_call": "close"})),
    ("a RST of the kernel called the program's", CLOSING,
     closing("keepalive", "client", {"rst_by": "application"})),
    ("a RST's reason called inferred that is not", CLOSING,
     closing("linger", "client", {"rst_reason_inferred": True})),
    ("a connection that nobody accepted, not said", CLOSING,
     closing("listener", "server", {"never_accepted": None})),
    ("an orphan that timed out called an orderly end", CLOSING,
     closing("orphan", "client", {"close_reason": "fin", "orphan": None})),
    ("what tracepoints cannot know", CLOSING,
     closing("orphan", "client", {"close_reason": "reset"}), "tracepoints"),
    ("an orphan that waited too short", "conns: closing: when",
     closing("orphan", "client", {"duration_us": 100})),
    ("a peer's FIN not seen", "conns: closing: when",
     closing("close", "client", {"fin_received_us": None})),
    ("no probe of a closed window", "conns: closing: when",
     closing("closed_window", "client", {"zero_window_probes": None})),
    ("shutdown() at another time", "conns: closing: when",
     closing("shutdown", "client", add("shutdown_call_us", 1_000_000))),
    ("the first byte that was not asked for", "conns: closing: the first byte",
     closing("close", "client", {"first_sent_us": 5})),
    ("TIME_WAIT that was reused called killed", "trace: closing: the end of TIME_WAIT",
     closing("reuse_by_connect", "client", {"time_wait_end": "killed"}, "tcp.time_wait_end")),
    ("a missing line", "lo: recall", drop("conns", 7001)),
    ("a missing life of a tuple", "reuse: recall", drop("conns", 7110)),
    ("a line twice", "conns: no line twice", double("conns", 7001)),
    ("a connection that never was", "conns: no line twice",
     double("conns", 7001, network_local_port=1234, client_port=1234)),
    ("a wrong netns", "veth-6: recall", conns(7004, {"netns": 4026532001}, role="server")),
    ("a wrong port", "lo: recall", conns(7001, add("network_local_port", 1))),
    ("a swapped role", "lo: role", conns(7001, swap_role)),
    ("an absent role", "lo: role", conns(7001, {"role": None}, role="server")),
    ("a wrong family", "lo: role", conns(7001, {"network_type": "ipv6"})),
    ("a wrong client port", "lo: role", conns(7001, add("client_port", 1))),
    ("a kernel-chosen port called fixed", "lo: who chose",
     conns(7001, {"local_port_ephemeral": False})),
    ("a fixed port called kernel-chosen", "bound: who chose",
     conns(7105, {"local_port_ephemeral": True})),
    ("a kernel-chosen listening port called fixed", "zero-port: who chose",
     conns(34567, {"local_port_ephemeral": False}, role="server")),
    ("the same without probes", "zero-port: who chose",
     conns(34567, {"local_port_ephemeral": False}, role="server"), "tracepoints"),
    ("an absent answer to who chose", "lo: who chose",
     conns(7001, {"local_port_ephemeral": None}, role="server")),
    ("a wrong pid", "lo: process", conns(7001, add("process_pid", 1))),
    ("the peer's pid", "lo: process", conns(7001, add("process_pid", -1), role="server")),
    ("both ends told alone", "conns: both ends joined",
     conns(7004, {"peer_connection_id": None, "peer_process_pid": None})),
    ("the other end's process not told", "conns: both ends joined",
     conns(7004, {"peer_process_pid": None}, role="server")),
    ("another connection's end", "conns: both ends joined",
     conns(7004, {"peer_connection_id": "00000000000000aa"})),
    ("an absent pid", "lo: process", conns(7001, {"process_pid": None}, role="server")),
    ("a wrong name", "lo: process", conns(7001, {"process_executable_name": "stray-thread"})),
    ("a wrong uid", "lo: process", conns(7001, {"process_owner_uid": 1})),
    ("a wrong closer", "lo: process", conns(7001, add("closer_process_pid", 1))),
    ("a process of a connection nobody accepted", "unaccepted: process",
     conns(7113, {"process_pid": 1, "process_executable_name": "x"}, role="server")),
    ("a byte dropped from a name", "names: process",
     conns(7099, {"process_executable_name": "("}, nth=2)),
    ("a failure called close", "refused: how", conns(7507, {"event_name": "tcp.close"},
                                                     "tcp.failed")),
    ("a wrong reason", "timeout: how", conns(7501, {"close_reason": "refused"}, "tcp.failed")),
    ("an absent errno", "unreachable: how", conns(7503, {"error_type": None}, "tcp.failed")),
    ("an errno that nobody got", "lo: how", conns(7001, {"error_type": "econnreset"})),
    ("the other end closing", "late: how", conns(7101, {"closed_by": "peer"})),
    ("a reset called fin", "reset: how", conns(7107, {"close_reason": "fin"})),
    ("the other end resetting", "reset: how", conns(7107, {"rst_sender": "peer"})),
    ("a reset that never was", "lo: how", conns(7001, {"rst_sender": "peer"})),
    ("a wrong reset reason", "reset: how", conns(7107, {"rst_reason": "tcp_abort_on_close"})),
    ("wrong unread bytes", "reset: how", conns(7107, {"unread_bytes": 1}, role="server", nth=1)),
    ("a byte too many", "lo: bytes", conns(7001, add("bytes_sent", 1))),
    ("a retransmit unseen", "timeout: bytes", conns(7501, {"syn_retransmits": 0}, "tcp.failed")),
    ("a SYN+ACK retransmit unseen", "lost-synack: bytes",
     conns(7402, {"synack_retransmits": None}, role="server")),
    ("an absent handshake", "lo: handshake", conns(7001, {"handshake_us": None})),
    ("a handshake of nothing", "lo: handshake", conns(7001, {"handshake_us": 0})),
    ("a handshake shorter than the link", "slow: handshake",
     conns(7400, {"handshake_us": 310}, role="server")),
    ("a handshake longer than connect()", "lo: handshake", conns(7001, {"handshake_us": 1000})),
    ("a handshake from the second SYN+ACK", "lost-synack: handshake",
     conns(7402, {"handshake_us": 40100}, role="server")),
    ("the same without probes", "lost-synack: handshake",
     conns(7402, {"handshake_us": 40100}, role="server"), "tracepoints"),
    ("a handshake that failed", "refused: handshake",
     conns(7507, {"handshake_us": 50}, "tcp.failed")),
    ("an accept wait too short", "late: handshake",
     conns(7101, {"accept_wait_us": 19000}, role="server")),
    ("an accept wait too long", "lo: handshake",
     conns(7001, {"accept_wait_us": 5000}, role="server")),
    ("an accept nobody called", "unaccepted: handshake",
     conns(7113, {"accept_wait_us": 1}, role="server")),
    ("a life too long", "lo: life", conns(7001, add("duration_us", 10**6))),
    ("the socket's life called the connection's", "lo: life", conns(7001, END_UNSEEN),
     "tracepoints"),
    ("the same with probes", "lo: life", conns(7001, END_UNSEEN)),
    ("no duration", "lo: life", conns(7001, {"duration_us": None})),
    ("an end at another time", "lo: life", conns(7001, shift_time(2))),
    ("an early FIN", "lo: life", conns(7001, {"fin_sent_us": 0})),
    ("no FIN", "lo: life", conns(7001, {"fin_sent_us": None})),
    ("a FIN acknowledged at once", "slow: life",
     conns(7400, lambda line: line.update(fin_acked_us=line["fin_sent_us"] + 9))),
    ("FINs in the wrong order", "late: life",
     conns(7101, lambda line: line.update(fin_sent_us=line["fin_received_us"] - 9), role="server")),
    ("no half-close", "halfclose: life", conns(7109, {"half_close_us": None})),
    ("a short half-close", "halfclose: life", conns(7109, {"half_close_us": 29000})),
    ("another wire id on one end", "lo: wire", conns(7001, {"wire_id": "00000000000000ff"})),
    ("no wire id", "lo: wire", conns(7001, {"wire_id": None})),
    ("a wrong community id", "lo: wire",
     conns(7001, {"network_community_id": "1:AAAAAAAAAAAAAAAAAAAAAAAAAAA="})),
    ("a new connection called old", "lo: wire", conns(7001, {"preexisting": True})),
    ("one wire id for two", "conns: wire_id", same_wire),
    ("one connection id for two", "conns: wire_id",
     conns(7001, {"connection_id": "%016x" % 1}, nth=2)),
    ("a missing step", "lo: trace: each step", drop("trace", 7001, "tcp.accept", "server")),
    ("a step twice", "lo: trace: each step", double("trace", 7001, "tcp.connect")),
    ("no end", "lo: trace: each step", drop("trace", 7001)),
    ("a close of what failed", "refused: trace: each step",
     double("trace", 7507, "tcp.failed", event_name="tcp.close")),
    ("a FIN of what was reset", "reset: trace: each step",
     double("trace", 7107, "tcp.reset", event_name="tcp.fin_sent")),
    ("an end nobody saw", "lo: trace: recall",
     lambda stage: stage.trace.__setitem__(slice(None), [
         l for l in stage.trace
         if l["connection_id"] != find(stage.trace, 7001)["connection_id"]])),
    ("a SYN at another time", "lo: trace: time", trace(7001, shift_time(1), "tcp.connect")),
    ("an end that is told late, and nothing said to be lost", "refused: trace: time",
     trace(7507, seen_late, "tcp.failed")),
    ("an accept at another time", "lo: trace: time",
     trace(7001, shift_time(1), "tcp.accept", "server")),
    ("a reset at another time", "reset: trace: time", trace(7107, shift_time(1), "tcp.reset")),
    ("no line of a connect()", "timeout: trace: what is known",
     drop("trace", 7501, "tcp.connect")),
    ("a run that is not told", "timeout: recall", drop_all("conns", 7501)),
    ("no port at connect", "lo: trace: what is known", trace(7001, no_early_port, "tcp.connect")),
    ("no pid at accept", "lo: trace: what is known",
     trace(7001, {"process_pid": None}, "tcp.accept", "server")),
    ("no pid at connect without probes", "lo: trace: what is known",
     trace(7001, {"process_pid": None}, "tcp.connect"), "tracepoints"),
    ("the client's pid before accept", "lo: trace: no line",
     trace(7001, {"process_pid": 1}, "tcp.established", "server")),
    ("a port of 0 on the way", "lo: trace: no line",
     trace(7001, {"network_peer_port": 1}, "tcp.established", "server")),
    ("a role that comes to light later", "lo: trace: no line",
     trace(7001, {"role": "client"}, "tcp.established", "server")),
    ("an old connection in between", "lo: trace: no line",
     trace(7001, {"preexisting": True}, "tcp.established", "server")),
    ("two tracers at odds", "conns and trace agree",
     trace(7001, {"closed_by": "both"})),
    ("an unseen listener", "trace: tcp.listen",
     lambda stage: stage.trace.__setitem__(slice(None), [
         l for l in stage.trace if l["event_name"] != "tcp.listen"])),
    ("a listener of another", "trace: tcp.listen",
     lambda stage: apply([l for l in stage.trace if l["event_name"] == "tcp.listen"][0],
                         add("process_pid", 1))),
    ("a connection missing from the storm", "conns: storm", drop("conns", 7600)),
    ("a storm connection twice", "trace: storm", double("trace", 7600)),
    ("a storm connection of another process", "trace: storm",
     trace(7600, {"process_pid": 1}, nth=3)),
    ("two ends short with one event lost", "lo: recall",
     lose(1, drop("conns", 7001), drop("conns", 7001, role="server"))),
    ("a wrong fact with events lost", "lo: process",
     lose(9, conns(7001, add("process_pid", 1)))),
    ("a step twice with events lost", "lo: trace: each step",
     lose(9, double("trace", 7001, "tcp.connect"))),
    ("a key twice", "trace: every line is one",
     raw("trace.jsonl", first_line(lambda b: b[:-1] + b', "role": "client"}'))),
    ("half a line", "trace: every line is one", raw("trace.jsonl", lambda b: b[:-9])),
    ("two objects in a line", "conns: every line is one",
     raw("conns.jsonl", first_line(lambda b: b + b))),
    ("bytes that are no UTF-8", "conns: every line is one",
     raw("conns.jsonl", first_line(lambda b: b[:-1] + b', "x": "\xff"}'))),
    ("a raw control character", "conns: every line is one",
     raw("conns.jsonl", first_line(lambda b: b[:-1] + b', "x": "\x1b"}'))),
    ("a time of six digits", "conns: every line is one",
     conns(7001, lambda line: line.update(time=line["time"][:-4] + "Z"))),
    ("a pid of 0", "conns: unknown", conns(7001, {"process_pid": 0})),
    ("an empty string", "conns: unknown", conns(7001, {"container_id": ""})),
    ("an empty address", "trace: unknown",
     trace(7001, {"network_peer_address": "0.0.0.0"}, "tcp.connect")),
    ("the word unknown", "conns: unknown", conns(7001, {"process_source": "unknown"})),
    ("null", "conns: unknown", conns(7001, lambda line: line.update(cgroup=None))),
    ("an integer that a double cannot hold", "conns: unknown", conns(7001, {"x": 2**53})),
    ("a gap in seq", "trace: seq", seq_from("trace", 5, 1)),
    ("a seq that goes back", "conns: seq", seq_from("conns", 5, -2)),
    ("another host's name", "conns: every line names", conns(7001, {"host_name": "x"})),
    ("a field that the schema does not know", "conns: every line is valid",
     conns(7001, {"new_field": "x"})),
    ("a line that the schema forbids", "conns: every line is valid",
     conns(7001, {"process_source": "Connect"})),
    ("an escape in the table", "table:", table(lambda text: text + "\033[31m\n")),
    ("a C1 control in the table", "table:", table(lambda text: text + "\x9b31m\n")),
    ("a bidi override in the table", "table:", table(lambda text: text + "\u202e\n")),
    ("a tab in the table", "table:", table(lambda text: text + "\t\n")),
    ("bytes in the table that are no UTF-8", "table:", raw("table.txt", lambda b: b + b"\xc3(")),
    ("an empty table", "table:", table(lambda text: "")),
    ("a generator that failed", "driver", status(**{"gen.lo": "1"})),
    ("a tracer that failed", "driver", status(**{"exit.trace": "1"})),
    ("worse hooks than asked for", "driver", status(hooks="tracepoints")),
    ("a driver that gave up", "driver", lambda stage: stage.status.pop("complete")),
]

# (what is odd, the change, tier if not full)
PARDONED = [
    ("no life of one whose end was not seen without probes",
     both_tracers(7001, dict(END_UNSEEN, duration_us=None)), "tracepoints"),
    ("no port at connect without probes", trace(7001, no_early_port, "tcp.connect"),
     "tracepoints"),
    ("an absent handshake after a lost SYN+ACK without probes",
     conns(7402, {"handshake_us": None}, role="server"), "tracepoints"),
    ("no answer to who chose the listener's port without probes",
     both_tracers(7001, {"local_port_ephemeral": None}, role="server"), "tracepoints"),
    ("an end without its handshake with one event lost",
     lose(1, both_tracers(7001, {"handshake_us": None}, role="server"))),
    ("a missing end with one event lost", lose(1, drop("conns", 7001))),
    ("a run whose first steps are all lost", lose(99, drop_all("trace", 7501, "tcp.connect"))),
    ("a run of which all is lost", lose(99, drop_all("conns", 7501), drop_all("trace", 7501))),
    ("a lost line that is said to be lost", lose_storm_line),
    ("the listener's process for a connection nobody accepted",
     both_tracers(7113, lambda line: line.update(process_pid=line["closer_process_pid"]),
                  role="server")),
    ("data for an orphan whose user had it locked, whose RST nobody knows",
     closing("data_for_orphan", "client", dict.fromkeys(
         ("rst_sender", "rst_by", "rst_state", "rst_reason", "time_wait_end"),
         None) | {"error_type": "econnreset"})),
    ("an end whose step was skipped, told when its socket went",
     lose(1, conns(7507, seen_late, "tcp.failed"), trace(7507, seen_late, "tcp.failed"))),
    ("an accept() that was skipped, for which who closed stands in",
     lose(1, both_tracers(7102, stand_in, role="server"))),
    ("an orphan whose end was skipped", lose(1, closing("orphan", "client", unseen_end))),
    ("one U+FFFD per byte", conns(7099, {"process_executable_name": "\ufffd\ufffd(\u20ac"},
                                  nth=4)),
]
