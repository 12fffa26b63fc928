#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Judges what synfin stuck said of one port of stuck_stage.py.

    stuck_judge.py STUCK.JSONL STAGE PORT

STAGE is what stuck_stage.py printed. Every line about the port must be
expected here, and what is expected must be there: so the end that is well is
not accused. Notices count where one is expected, or nothing at all; else they
are passed over.
"""

import json
import sys

# Port: its lines as (end, rule, blame, process, other process), "" = none is told. An end is its
# address, or "listener".
A, B, C, D = "10.99.0.1", "10.99.0.2", "127.0.0.1", "10.66.0.1"
EXPECTED = {
    8001: [(A, "syn_sent_unanswered", "network", "client", "")],
    8002: [(A, "syn_sent_lost_here", "undetermined", "client", "server")],
    8003: [("listener", "accept_queue_full", "local_app", "server", ""),
           (A, "syn_sent_queue_full", "peer_app", "client", "server"),
           (A, "syn_sent_queue_full", "peer_app", "client", "server")],
    8004: [(A, "syn_sent_lost_here", "undetermined", "client", "server"),
           (B, "syn_recv_lost_here", "undetermined", "", "client")],
    8005: [(B, "not_accepted", "local_app", "", "server")],
    8006: [(B, "not_reading", "local_app", "stopped", "client"),
           (A, "peer_not_reading_local", "peer_app", "client", "stopped")],
    8007: [(A, "unacked_local", "config", "client", "server")],
    8008: [(A, "unacked", "network", "client", "")],
    8009: [(A, "fin_wait1_local", "config", "client", "server")],
    8010: [(A, "fin_wait1", "network", "client", "")],
    8011: [(A, "fin_wait2_local", "peer_app", "client", "server"),
           (B, "close_wait_many", "local_app", "server", "client")],
    8012: [(A, "fin_wait2_orphan", "peer_app", "", "server")] * 20
    + [(B, "close_wait_many", "local_app", "server", "")] * 20,
    8013: [(A, "closing_local", "config", "client", "server"),
           (B, "fin_wait1_local", "config", "server", "client")],
    8014: [(A, "fin_wait2_lost", "config", "client", "server"),
           (B, "last_ack_local", "config", "server", "client")],
    8015: [(B, "unread", "local_app", "server", "client")],
    8016: [(A, "idle_no_keepalive", "undetermined", "client", "server"),
           (B, "idle_no_keepalive", "undetermined", "server", "client")],
    8017: [],
    8018: [(A, "fin_wait2_local", "peer_app", "client", "server"),
           (B, "close_wait_unacked_local", "undetermined", "server", "client")],
    8019: [(B, "not_leaving", "config", "server", "client")],
    8020: [(B, "close_wait", "local_app", "holder", "")],
    8021: [(A, "syn_sent_not_leaving", "config", "client", "")],
    8022: [(A, "unacked_not_leaving", "config", "client", "server")],
    8023: [(A, "fin_not_leaving", "config", "client", "server")],
    8024: [(A, "fin_wait2_local", "peer_app", "client", "server"),
           (B, "close_wait_unacked_not_leaving", "undetermined", "server", "client")],
    8025: [(A, "syn_sent_held", "undetermined", "client", "")],
    8026: [(A, "unacked_held", "undetermined", "client", "server")],
    8027: [(A, "syn_sent_no_route", "config", "client", "")],
    8028: [(A, "unacked_no_route", "config", "client", "server")],
    8029: [(A, "syn_sent_unreachable", "undetermined", "client", "")],
    8030: [(A, "unacked_unreachable", "undetermined", "client", "server")],
    8201: [(D, "unacked_full", "undetermined", "ghost", "")],
    8202: [(D, "syn_sent_odd_answer", "peer_app", "ghost", "")],
    8203: [(D, "syn_recv_deferred", "peer_app", "", "ghost")],
    8204: [("listener", "accept_queue_full", "local_app", "ghost", ""),
           (D, "syn_recv_queue_full", "local_app", "", "ghost")],
    8205: [(D, "syn_recv_many", "undetermined", "", "ghost")] * 70,
    8206: [(D, "zero_window_silent", "undetermined", "ghost", "")],
    8207: [(D, "peer_not_reading", "peer_app", "ghost", "")],
    8208: [(D, "last_ack", "network", "ghost", "")],
    8209: [(D, "fin_wait2", "peer_app", "ghost", "")],
    8210: [(D, "syn_recv_unanswered", "network", "", "ghost")],
    8211: [(D, "closing", "network", "ghost", "")],
    8213: [(D, "close_wait_unacked", "undetermined", "ghost", "")],
    8214: [(D, "send_buffer_limited", "config", "ghost", "")],
    8215: [],
    8216: [(D, "loss_limited", "network", "ghost", "")],
    8217: [(D, "unacked_large", "network", "ghost", "")],
    8031: [(B, "not_accepted", "local_app", "", "")] * 12,
    8032: [("listener", "accept_queue_full", "local_app", "server", ""),
           (A, "syn_sent_lost_here", "undetermined", "client", "holder")],
    8033: [("listener", "accept_queue_full", "local_app", "server", ""),
           (B, "not_accepted", "local_app", "", "holder")],
    8034: [("listener", "accept_queue_full", "local_app", "server", ""),
           (A, "syn_sent_queue_full", "peer_app", "client", "server")],
    8100: [(C, "ports_exhausted", "config", "caller", "")],
}


def service_port(line):
    return line.get("server_port", line["network_local_port"] if line["role"] == "listener" else 0)


def said(line, names):
    end = "listener" if line["role"] == "listener" else line["network_local_address"]
    other = line.get("peer_process_pid", line.get("listener_process_pid"))
    if line["stuck_rule"] == "not_accepted":
        other = line.get("listener_process_pid")
    return (end, line["stuck_rule"], line["stuck_blame"],
            names.get(line.get("process_pid"), ""), names.get(other, ""))


def check_line(line):
    assert line["event_name"] == "tcp.stuck"
    assert line["stuck_evidence"], "no numbers"
    assert "  # " in line["stuck_advice"]
    assert ("stuck_sides" in line) == (line["stuck_blame"] == "undetermined")
    if line["stuck_rule"] != "ports_exhausted":
        assert 100_000 <= line["stuck_age_us"] < 3600_000_000, line["stuck_age_us"]


def main():
    with open(sys.argv[2], encoding="ascii") as file:
        pairs = [line.split() for line in file if line != "ready\n"]
    names = {int(pid): key for key, pid in pairs}
    port = int(sys.argv[3])
    with open(sys.argv[1], encoding="utf-8") as file:
        lines = [json.loads(line) for line in file]
    want = sorted(EXPECTED[port])
    rules = {rule for _, rule, *_ in want}
    # Another stage may be set at the same time.
    lines = [line for line in lines if names.get(line["netns"]) == "netns"
             and service_port(line) == port
             and (not want or line["stuck_rule"] in rules or "stuck_notice" not in line)]
    for line in lines:
        check_line(line)
    have = sorted(said(line, names) for line in lines)
    assert have == want, "said %s, expected %s" % (have, want)
    if port == 8020:
        holders = lines[0]["process_holders"]
        assert {names[holder["pid"]] for holder in holders} == {"holder"}
        assert len({holder["pid"] for holder in holders}) == 3, holders
    if port == 8100:
        evidence = lines[0]["stuck_evidence"]
        assert "network_connection_state" not in lines[0], lines[0]
        assert evidence == {"ports_used": 9, "ports_time_wait": 0, "ports_free": 1}, evidence


main()
