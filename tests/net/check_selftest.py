#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
Tests the judge: it must accept what a faultless synfin would print for a
made-up truth, and report each of the faults put into it, by the right check.
check_selftest.py [OUTDIR]: with OUTDIR, only that it accepts what a faultless
synfin would have printed in the run that left its truth there. Prints TAP; needs no root.
"""
import contextlib
import copy
import json
import os
import shutil
import sys
import tempfile
from collections import defaultdict

import check
from net_faults import FAULTS, PARDONED
from net_ideal import Ideal
from net_sample import make_sample
from net_truth import Truth

KERNEL = "6.12.1"


def join(lines):
    """Each end that has the wire_id of another names it, as `conns` does."""
    ends = defaultdict(list)
    for line in lines:
        if line.get("wire_id"):
            ends[line["wire_id"]].append(line)
    for two in ends.values():
        for line, mate in (two, two[::-1]) if len(two) == 2 else ():
            for field in ("connection_id", "process_pid", "process_executable_name"):
                if field in mate:
                    line["peer_" + field] = mate[field]
            if mate.get("process_source") == "close":
                line["peer_process_source"] = "close"


class Stage:
    """Lines of a faultless run in a tier, to be spoiled and written."""

    def __init__(self, truth, status, tier="full"):
        ideal = Ideal(truth.clock, status["host_name"], status["boot_id"])
        self.truth = truth
        self.status = status
        self.trace = []
        for end in truth.ends:
            self.trace += ideal.lines(end)
        self.trace += [ideal.listener(l) for l in truth.listeners if l["scenario"] != "blocked"]
        for worker in truth.storms:
            self.trace += ideal.storm(worker)
        for line in truth.closing:
            self.trace += ideal.closing(line, tier != "tracepoints")
        self.conns = [dict(l) for l in self.trace
                      if l["event_name"] in ("tcp.close", "tcp.failed")]
        for line in self.conns:
            line.pop("first_sent_us", None)
            line.pop("first_received_us", None)
        join(self.conns)
        self.table = "".join("row 127.0.0.1:%d\n" % l["client_port"] for l in self.conns
                             if "client_port" in l)
        self.raw = {}  # file name -> function on its bytes

    def copy(self):
        """Deep where faults write, shared where they only read."""
        return copy.deepcopy(self, {id(self.truth): self.truth})

    def write(self, outdir):
        for name in ("trace", "conns"):
            lines = getattr(self, name)
            for seq, line in enumerate(lines, 1):
                line.setdefault("seq", seq)
            self.put(outdir, name + ".jsonl", "".join(json.dumps(l) + "\n" for l in lines))
        self.put(outdir, "table.txt", self.table)
        self.put(outdir, "status", "".join("%s=%s\n" % item for item in self.status.items()))

    def put(self, outdir, name, text):
        data = self.raw.get(name, bytes)(text.encode())
        with open(os.path.join(outdir, name), "wb") as file:
            file.write(data)


def sample_status():
    return {"complete": "yes", "gen.lo": "0", "exit.trace": "0", "exit.conns": "0",
            "exit.table": "0", "slow_link": "yes", "host_name": "host",
            "boot_id": "01234567-89ab-cdef-0123-456789abcdef"}


def failures(stage, outdir, tier="full"):
    """Names of the checks that fail, each with its first message."""
    stage.status.setdefault("hooks", tier)
    stage.write(outdir)
    return {c.name: c.bad[0] for c in check.judge(outdir, tier, KERNEL)
            if not c.skip and not c.is_ok}


def run(stages, outdir, is_sample):
    """Yields (name, problem or None). stages: by tier."""
    bad = failures(stages["full"].copy(), outdir)
    yield "a faultless run is accepted", None if not bad else bad
    if not is_sample:
        return
    for name, want, spoil, *tier in FAULTS:
        spoiled = stages[(tier or ["full"])[0]].copy()
        spoil(spoiled)
        bad = failures(spoiled, outdir, *tier)
        yield ("%s is reported" % name,
               None if any(want in n for n in bad) else "no '%s' in %s" % (want, bad))
    for name, spoil, *tier in PARDONED:
        spoiled = stages[(tier or ["full"])[0]].copy()
        spoil(spoiled)
        join(spoiled.conns)  # what the other end's line says of it follows
        bad = failures(spoiled, outdir, *tier)
        yield "%s is accepted" % name, None if not bad else bad


@contextlib.contextmanager
def staged(argv):
    with tempfile.TemporaryDirectory(prefix="sfcheck-") as outdir:
        path = os.path.join(outdir, "truth.jsonl")
        if len(argv) > 1:
            shutil.copy(os.path.join(argv[1], "truth.jsonl"), path)
        else:
            make_sample().write(path)
        truth = Truth(path)
        yield {t: Stage(truth, sample_status(), t) for t in ("full", "tracepoints")}, outdir


def main():
    failed = number = 0
    with staged(sys.argv) as (stages, outdir):
        for number, (name, problem) in enumerate(run(stages, outdir, len(sys.argv) == 1), 1):
            print("%s %d - %s" % ("not ok" if problem else "ok", number, name))
            if problem:
                failed += 1
                print("# %s" % str(problem)[:2000])
    print("1..%d" % number)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
