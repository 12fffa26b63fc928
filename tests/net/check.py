#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
check.py OUTDIR TIER KERNEL: judges what drive.sh left in OUTDIR. TIER is full,
kprobe or tracepoints, KERNEL as uname -r has it. One TAP line per check, the
first counterexamples of a failed one as comments. Exit 1 if any failed, 2 if
there is nothing to judge.
"""
import os
import sys

from net_checks import Check, Context, conns_checks, settle
from net_closing import closing_checks
from net_general_checks import (LineChecks, check_listeners, check_status, check_storm,
                                check_table)
from net_output import Output
from net_trace_checks import check_same, trace_checks
from net_truth import Truth, TruthError

SCHEMA = "../../user/dist/schema/synfin.schema.json"
TIERS = ("full", "kprobe", "tracepoints")
SHOWN = 3
SHOWN_CHARS = 1500


def load_status(path):
    with open(path, encoding="utf-8") as file:
        return dict(line.rstrip("\n").split("=", 1) for line in file)


def load_schema(path):
    """The schema, compiled once; None if it is not there."""
    if not os.path.exists(path):
        return None
    from net_schema import Schema  # needs python3-jsonschema
    return Schema(path)


def settled(checks, nr_lost):
    checks = list(checks)
    settle(checks, nr_lost)
    return checks


def judge(outdir, tier, kernel):
    """Yields every Check of the run in outdir."""
    status = load_status(os.path.join(outdir, "status"))
    yield check_status(status, outdir, tier)
    truth = Truth(os.path.join(outdir, "truth.jsonl"))
    ctx = Context(truth, tier, kernel, status)
    schema = load_schema(os.path.join(os.path.dirname(os.path.abspath(__file__)), SCHEMA))
    outputs = []
    for name in ("conns", "trace"):
        lines = LineChecks(name, status, schema)
        outputs.append(Output(os.path.join(outdir, name + ".jsonl"), truth.clock,
                              truth.netns | truth.storm_netns | truth.closing_netns,
                              lines.see))
        yield from lines.finish(outputs[-1])
    conns, trace = outputs
    yield from settled([*conns_checks(ctx, conns), check_storm(ctx, "conns", conns)], conns.lost)
    yield from settled([*trace_checks(ctx, trace), check_storm(ctx, "trace", trace),
                        check_listeners(ctx, trace)], trace.lost)
    yield from settled([check_same(ctx, conns, trace)], conns.lost + trace.lost)
    if truth.closing or "gen.closing" in status:
        yield from settled(closing_checks(ctx, conns, trace), conns.lost + trace.lost)
    if status.get("tracers") != "2":
        yield check_table(ctx, os.path.join(outdir, "table.txt"))
    if status.get("slow_link") != "yes":
        check = Check("slow link: handshakes and waves no shorter than it")
        check.skip = status.get("slow_link", "not set up")
        yield check


def report(checks, out=sys.stdout):
    """Prints TAP; returns how many failed."""
    number = failed = 0
    for number, check in enumerate(checks, 1):
        note = check.note or "%d looked at" % check.total
        if check.skip:
            print("ok %d - %s # SKIP %s" % (number, check.name, check.skip), file=out)
        elif check.is_ok:
            print("ok %d - %s (%s)" % (number, check.name, note), file=out)
        else:
            failed += 1
            print("not ok %d - %s (%s; %d wrong)" % (number, check.name, note, len(check.bad)),
                  file=out)
            for message in check.bad[:SHOWN]:
                print("# %s" % message.replace("\n", " ")[:SHOWN_CHARS], file=out)
    print("1..%d" % number, file=out)
    return failed


def main():
    if len(sys.argv) != 4 or sys.argv[2] not in TIERS:
        print("usage: check.py OUTDIR full|kprobe|tracepoints KERNEL", file=sys.stderr)
        return 2
    try:
        return 1 if report(judge(*sys.argv[1:])) else 0
    except (OSError, TruthError) as error:
        print("Bail out! %s" % error)
        return 2


if __name__ == "__main__":
    sys.exit(main())
