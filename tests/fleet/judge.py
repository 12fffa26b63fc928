#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
judge.py WHAT FOLDER FOUND: what an engine made (FOUND, of its runner) of what stage.py left in FOLDER,
against what the programs on that stage did. WHAT is

    lines      each line that a synfin wrote is a row, and it wrote as many as it said
    calls      each connection is one call with both its sides, through NAT too
    times      no part of a call is longer than it was, and the delay that was made is where it belongs
    verdicts   each service is told to be slow where it was made so, the good one is not accused
    hosts      what hosts.sql says of each

Prints what is wrong; exit status 1 if anything is. Standard library only.
"""
import json
import os
import re
import sys

sys.dont_write_bytecode = True
from stage import (CLOSED, LINK, PROGRAM, SERVICES, SLOW_S, TRIP_US, address_of,  # noqa: E402
                   callers, nr_calls)

SLOW_US = int(SLOW_S * 1e6)
# A handshake's begin is computed from TCP's round trip on some kernels.
ROUNDING_US = 1000
VERDICTS = {"good": "ok", "far": "network", "unaccepted": "accept queue", "thinker": "server",
            "silent": "client", "unread": "client", "greeter": "server"}


class Judge:
    def __init__(self, folder, found):
        self.folder, self.problems = folder, []
        with open(found, encoding="utf-8") as file:
            self.found = json.load(file)
        with open(os.path.join(folder, "truth.json"), encoding="ascii") as file:
            self.truth = json.load(file)
        self.calls = {(row["client_host"], int(row["caller_port"]), int(row["called_port"])): row
                      for row in self.rows("all-calls.sql") if row["client_host"]}

    def rows(self, script):
        return self.found[script]

    def check(self, holds, *message):
        if not holds:
            self.problems.append(" ".join(str(part) for part in message))

    def said(self, host):
        """(sent, dropped), as its synfin said in the end."""
        with open("%s/%s.said" % (self.folder, host), encoding="utf-8") as file:
            words = re.findall(r"(\d+) lines sent, (\d+) dropped$", file.read(), re.M)
        return tuple(map(int, words[0]))

    def lost(self, host):
        """As its last line has it: on a busy host the kernel may have skipped a hook."""
        with open("%s/%s.jsonl" % (self.folder, host), encoding="utf-8") as file:
            return json.loads(list(file)[-1])["events_lost"]

    def call_of(self, record):
        key = record["host"], record["port"], address_of(record["service"], record["host"])[1]
        return self.calls.get(key)

    # ---- what is judged ----

    def lines(self):
        rows = {row["host_name"]: int(row["lines"]) for row in self.rows("hosts.sql")}
        self.check(sorted(rows) == ["db", "gw", "web"], "hosts:", rows)
        for host, nr in rows.items():
            with open("%s/%s.jsonl" % (self.folder, host), encoding="utf-8") as file:
                written = sum(1 for _ in file)
            sent, dropped = self.said(host)
            self.check(nr == sent == written and not dropped, host, "said", sent, "and", dropped,
                       "dropped, wrote", written, "rows", nr)

    def hosts(self):
        rows = {row["host_name"]: row for row in self.rows("hosts.sql")}
        nr_web, nr_gw = (sum(call["host"] == host for call in self.truth["calls"])
                         for host in ("web", "gw"))
        for host, nr, failed in (("web", nr_web, 1), ("gw", nr_gw, 0), ("db", nr_web + nr_gw, 0)):
            row = rows[host]
            have = [int(row[name]) for name in ("ended", "joined", "failed", "events_lost")]
            want = [nr, nr, failed, self.lost(host)]
            self.check(have == want, host, "has", have, "want", want)

    def each_call(self):
        nr = sum(len(callers(service)) * nr_calls(service) for service in SERVICES)
        self.check(len(self.truth["calls"]) == len(self.truth["answers"]) == nr, "the stage made",
                   len(self.truth["calls"]), "calls")
        self.check(len(self.rows("all-calls.sql")) == len(self.calls) == nr, "rows:",
                   len(self.rows("all-calls.sql")))
        for record in self.truth["calls"]:
            row = self.call_of(record)
            self.check(row and row["server_host"], "not on both sides:", record, row)
            if row:
                yield record, row

    def check_nat(self, record, row):
        address, port = address_of(record["service"], record["host"])
        is_far = address == LINK["far"] + ".1"
        want = [address, port, LINK["db"] + ".2", SERVICES[record["service"]], LINK["db"] + ".1"]
        have = [row["called_address"], int(row["called_port"]), row["service_address"],
                int(row["service_port"]), row["source_address"]]
        self.check(have == want, have, "want", want)
        if record["host"] == "web":
            self.check(row["caller_address"] == LINK["far" if is_far else "web"] + ".2", row)
            self.check(20000 <= int(row["source_port"]) < 30000 and
                       row["source_port"] != row["caller_port"], "no NAT:", row)

    def calls_(self):
        for record, row in self.each_call():
            self.check_nat(record, row)

    def times(self):
        """Lengths of one clock, whose ends are on both sides of a call that the program made."""
        answers = {(answer["service"], answer["port"]): answer for answer in self.truth["answers"]}
        least = {"far": ("network_us", 4 * TRIP_US), "silent": ("client_us", SLOW_US),
                 "unaccepted": ("queue_us", SLOW_US), "greeter": ("server_us", SLOW_US),
                 "thinker": ("server_us", SLOW_US), "good": ("total_us", 0), "full": ("total_us", 0)}
        parts = {row["wire_id"]: row for row in self.rows("all-parts.sql")}
        for record, row in self.each_call():
            part = {key: int(value or 0) for key, value in parts[row["wire_id"]].items()
                    if key.endswith("_us")}
            took = (record["answer_ns"] - record["begin_ns"]) / 1000
            self.check(part["total_us"] <= took + ROUNDING_US, "of", took, "us:", part)
            told = sum(part[name] for name in ("client_us", "network_us", "queue_us", "server_us",
                                               "untold_us"))
            self.check(abs(told - part["total_us"]) <= 10, "do not add up:", part)
            name, us = least.get(record["service"], ("total_us", SLOW_US))
            self.check(part[name] >= us - ROUNDING_US, record["service"], "has less than", us, part)
            answer = answers[record["service"], int(row["source_port"])]
            served = (answer["reply_ns"] - answer["turn_ns"]) / 1000
            self.check(part["server_us"] >= served - ROUNDING_US, "served in", served, part)

    def verdicts(self):
        blind = [row for row in self.rows("blind.sql") if row["host_name"] == "db"]
        # Where nobody looks a full queue is what it may have been; its server accepts late besides.
        full = {"accept queue", "network or accept queue"} if blind else {"accept queue"}
        want = {"full": full, **{service: {verdict} for service, verdict in VERDICTS.items()}}
        rows = {int(row["port"]): row for row in self.rows("who-is-slow.sql")}
        self.check(len(rows) == len(SERVICES), rows)
        for service, port in SERVICES.items():
            row = rows[port]
            nr_callers = len(callers(service))
            self.check(row["verdict"] in want[service], service, "want", want[service], row)
            self.check(row["service"] == "db" and row["process"] == PROGRAM, row)
            self.check(int(row["callers"]) == nr_callers, row)
            self.check(int(row["calls"]) == int(row["whole"]) == nr_callers * nr_calls(service), row)
        self.check(CLOSED not in rows, "what failed is no call")


def main():
    what, folder, found = sys.argv[1:]
    judge = Judge(folder, found)
    getattr(judge, {"calls": "calls_"}.get(what, what))()
    print("\n".join(judge.problems))
    return 1 if judge.problems else 0


if __name__ == "__main__":
    sys.exit(main())
