#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
cases.py write FILE         lines of calls that no stage can be relied on to have, or not on this
                            kernel: each case is a service, whose port is its number in CASES
cases.py check FILE FOUND   what who-is-slow.sql made of them (FOUND, of an engine's runner) is what
                            is expected; prints what is not

The times of a call are in microseconds, as in calls.sql. Standard library only.
"""
import itertools
import json
import sys
import time

FAST = {"opened": 1000, "asked": 100, "answered": 1400,
        "accepted": 50, "read": 150, "replied": 300, "rtt": 1000, "srtt": 1000, "segments": 4}
# A host whose synfin sees dropped SYNs, and one whose synfin cannot.
SEES, BLIND = "sees", "blind"
NO_FIRST_BYTE = dict.fromkeys(("asked", "answered", "read", "replied"))


def call(verdict, slow=1, times=1, server=SEES, only=None, twice=False, drops=None, **changes):
    """slow: how many of its calls are; drops: its listener told so that many seconds before."""
    return {"verdict": verdict, "slow": slow, "parts": [(times, {**FAST, **changes})],
            "server": server, "only": only, "twice": twice, "drops": drops}


def one_of(verdict, nr, **changes):
    case = call(verdict, 1, nr - 1)
    case["parts"].append((1, {**FAST, **changes}))
    return case


SLOW_SERVER = {"answered": 301100, "replied": 300000}
SYN_LOST = {"opened": 1001000, "syns": 1}
SILENT = {"asked": 300000, "read": 300050, "replied": 300200, "answered": 301300}
CASES = {
    "fast": call("ok", 0, 20),
    "one of 21 is slow": one_of("ok", 21, **SLOW_SERVER),
    "one of 20 is slow": one_of("server", 20, **SLOW_SERVER),
    "asks late": call("client", **SILENT),
    "asks late, and its request takes less time than its ACK did": call(
        "client", **{**SILENT, "read": 290000, "replied": 290100}),
    "asks late, accepted not so late": call("client", **{**SILENT, "accepted": 250000}),
    "greets late": call("server", asked=301200, read=301300, replied=300000, answered=301000),
    "greets late, hears nothing": call("server", asked=250000, read=None, replied=300000,
                                       answered=301000),
    "accepted late": call("accept queue", accepted=300000, read=300050, replied=300200,
                          answered=301300),
    "never accepted": call("accept queue", asked=100, answered=None, accepted=None, read=None,
                           replied=None, unaccepted=5000000),
    "thinks": call("server", **SLOW_SERVER),
    "reads the request late": call("server", read=299000, **SLOW_SERVER),
    "request lost": call("network", requests=1, read=299900, **SLOW_SERVER),
    "answer lost": call("network", answers=1, answered=300000),
    "far": call("network", opened=150000, answered=150300, rtt=150000, srtt=151000),
    "reads the answer late": call("client", answered=300000),
    "reads the answer late, its ACK was late": call("client", answered=300000, srtt=6000),
    "reads it late, or an odd trip": call("unknown", answered=300000, srtt=20000),
    "reads it late, a long connection": call("unknown", answered=300000, segments=50),
    "SYN lost": call("network", **SYN_LOST),
    "SYN dropped by its queue": call("accept queue", drops=1, **SYN_LOST),
    "SYN lost, its queue was full long before": call("network", drops=60, **SYN_LOST),
    "SYN dropped, nobody looked": call("network or accept queue", server=BLIND, **SYN_LOST),
    "SYN dropped, no such host": call("network or accept queue", only="client", **SYN_LOST),
    "last ACK dropped by its queue": call("accept queue", drops=0, synacks=1, requests=1,
                                          answered=1001400),
    "no first bytes": call("unknown", 0, **NO_FIRST_BYTE),
    "no first bytes, accepted late": call("accept queue", **{**NO_FIRST_BYTE, "accepted": 300000}),
    "no first bytes, far": call("network", **{**NO_FIRST_BYTE, "opened": 150000}),
    "server only, fast": call("unknown", 0, only="server"),
    "server only, thinks": call("server", only="server", read=1000, replied=300000),
    "client only, fast": call("unknown", 0, only="client"),
    "client only, far": call("network", only="client", opened=150000, answered=150300, rtt=150000),
    "client only, answered late": call("unknown", only="client", answered=300000),
    "a stream without answer": call("unknown", 0, answered=None, replied=None),
    "told twice": call("server", twice=True, **SLOW_SERVER),
}
# What is older than a month ClickHouse does not keep.
NOW_S = time.time()
wire_ids = itertools.count(0x5f5f0001)
seqs = itertools.count(1)


def line(host, event, ago_s=0, **members):
    at = time.strftime("%Y-%m-%dT%H:%M:%S.123456789Z", time.gmtime(NOW_S - ago_s))
    return {"schema_version": 1, "time": at, "event_name": event, "seq": next(seqs),
            "host_name": host,
            **{key: value for key, value in members.items() if value is not None}}


def stats(host, missing):
    return line(host, "synfin.stats", events_sent=1, events_lost=0, lost_ring=0, lost_map=0,
                lost_nested=0, lost_requests=0, hooks_missing=missing)


def halves(case, part, port):
    common = {"wire_id": "%016x" % next(wire_ids), "connection_id": "00000000000000ab",
              "network_transport": "tcp", "server_port": port}
    get = part.get
    if case["only"] != "server":
        yield line("caller", "tcp.close", **common, role="client", server_address="192.0.2.1",
                   handshake_us=part["opened"], first_sent_us=part["asked"],
                   first_received_us=part["answered"], syn_retransmits=get("syns", 0),
                   retransmits=get("requests", 0), rtt_min_us=part["rtt"])
    if case["only"] != "client":
        yield line(case["server"], "tcp.close", **common, role="server",
                   server_address="198.51.100.1", accept_wait_us=part["accepted"],
                   never_accepted=True if get("unaccepted") else None,
                   duration_us=get("unaccepted", 5000), first_received_us=part["read"],
                   first_sent_us=part["replied"], synack_retransmits=get("synacks", 0),
                   retransmits=get("answers", 0), segments_sent=part["segments"],
                   rtt_min_us=part["rtt"], srtt_us=part["srtt"])


def lines():
    yield stats(SEES, [])
    yield stats(BLIND, ["syn_asked", "syn_answered"])
    # It goes on: no call yet.
    yield line("caller", "tcp.established", connection_id="00000000000000ef", role="client",
               network_transport="tcp", wire_id="00000000000000ef", server_port=9999)
    for port, case in enumerate(CASES.values(), 1):
        for times, part in case["parts"]:
            for _ in range(times):
                for half in halves(case, part, port):
                    yield half
                    if case["twice"]:
                        yield half
        if case["drops"] is not None:
            yield line(case["server"], "tcp.listen_overflow", case["drops"], connection_id="00000000000000cd",
                       network_transport="tcp", role="listener", server_port=port, syns_dropped=1,
                       acks_dropped=0, half_open_expired=0)


def check_total(rows):
    """Of a call that both sides told: no more and no less than from its SYN to its answer."""
    cases = list(CASES.items())
    for row in rows:
        name, case = cases[int(row["port"]) - 1]
        if not int(row["is_whole"]) or len(case["parts"]) > 1:
            continue
        part, total = case["parts"][0][1], int(row["total_us"])
        if total != part["opened"] + part["answered"]:
            yield "%s: %d us in all, not %d" % (name, total, part["opened"] + part["answered"])
        told = sum(int(row[key]) for key in ("client_us", "network_us", "queue_us", "server_us",
                                             "untold_us"))
        if told != total:
            yield "%s: its parts are %d us, not %d" % (name, told, total)


def check(found):
    rows = {int(row["port"]): row for row in found}
    wrong = [] if len(rows) == len(found) == len(CASES) else ["%d rows" % len(found)]
    for port, (name, case) in enumerate(CASES.items(), 1):
        nr = sum(times for times, _ in case["parts"])
        row = rows.get(port, {})
        want = [case["verdict"], str(case["slow"]), str(nr)]
        if [str(row.get(key)) for key in ("verdict", "slow", "calls")] != want:
            wrong.append("%s: want %s, have %s" % (name, want, row))
    return wrong


def main():
    if sys.argv[1] == "write":
        with open(sys.argv[2], "w", encoding="ascii") as file:
            file.writelines(json.dumps(one) + "\n" for one in lines())
        return 0
    with open(sys.argv[2], encoding="utf-8") as file:
        found = json.load(file)
    wrong = check(found["who-is-slow.sql"]) + list(check_total(found["all-parts.sql"]))
    print("\n".join(wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
