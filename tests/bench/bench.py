#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What tracing costs, beside other tracers and beside programs that do (almost)
# nothing: `make bench`. Judges nothing and fails only when it cannot measure
# synfin; which other tracer does not run here, and why, is told. Tracers take
# turns within a round, and each rate is a share of the untraced rates just
# before and after it, so that whatever else the machine does falls on all of
# them alike. The same share of CPU time (load and tracer together) hardly feels
# other work: what the rate is on a quiet machine.
import argparse
import json
import os
import platform
import random
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import typing

sys.dont_write_bytecode = True  # the tree may be another user's
import loads  # noqa: E402
import meter  # noqa: E402
import snapshots  # noqa: E402
import table  # noqa: E402

LIBBPF_TOOLS = ("{}", "{}-libbpf", "bpf-{}")  # Debian, Ubuntu, Fedora
BPFTRACE = """tracepoint:sock:inet_sock_set_state /args->protocol == 6/ {
	printf("%d %s %d %d %d %d\\n", pid, comm, args->sport, args->dport, args->oldstate,
	       args->newstate); }"""
TCPDUMP = ["-i", "lo", "-n", "-Z", "root", "-w", "FILE",
           "tcp[tcpflags] & (tcp-syn | tcp-fin | tcp-rst) != 0"]
PARTS = ("kernel", "loop", "wrk", "snapshot")
PARTS_UNTIL = {"kernel": 0.2, "loop": 0.65, "wrk": 1}  # of the time there is; snapshot: as needed


class Row(typing.NamedTuple):
    """A tracer. What is another's need not be here."""
    argv: list
    parts: str
    is_ours: bool = True
    ready: typing.Optional[str] = None  # what it says when it traces


def arguments():
    parser = argparse.ArgumentParser(
        description="What tracing costs per TCP connection. Needs root.",
        epilog="Kernel times are the run times of all BPF programs of a tracer, as the kernel "
               "counts them; both ends of each connection are on this host.")
    parser.add_argument("--build", default=".output", help="folder of the build (.output)")
    parser.add_argument("--json", metavar="FILE", help="all figures, to this file too; - for "
                        "standard output instead of the table")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="of each part (5)")
    parser.add_argument("--connections", type=int, default=20000, metavar="N",
                        help="per run for kernel times (20000)")
    parser.add_argument("--seconds", type=float, default=1.2, metavar="S",
                        help="per run for rates (1.2)")
    parser.add_argument("--pairs", type=int, default=2, metavar="N",
                        help="client and server threads, each pair on one CPU (2)")
    parser.add_argument("--bytes", type=int, default=64, metavar="N", help="each way (64)")
    parser.add_argument("--sockets", default="1000,10000,100000", metavar="N,...",
                        help="of the snapshots (1000,10000,100000)")
    parser.add_argument("--limit", type=float, default=600, metavar="S",
                        help="begin no round that would end later (600)")
    parser.add_argument("--hooks", metavar="TIER", help="synfin's --hooks")
    parser.add_argument("--only", metavar="NAME,...", help="of the rows, only these")
    parser.add_argument("--parts", default=",".join(PARTS), help=f"of {','.join(PARTS)}")
    parser.add_argument("--also", action="append", default=[], metavar="NAME=SYNFIN",
                        help="another synfin, its conns and trace as more rows; may be repeated")
    parser.add_argument("--programs", action="store_true",
                        help="also each BPF program: its share, runs per connection, ns per run")
    options = parser.parse_args()
    options.parts = options.parts.split(",")
    for part in options.parts:
        if part not in PARTS:
            parser.error(f"no such part: {part}; there are {', '.join(PARTS)}")
    return options


def find_first(*names):
    for name in names[:-1]:
        if shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin"):
            return loads.find(name)
    return loads.find(names[-1])


def synfin_row(program, options, words, parts="kernel,loop,wrk"):
    argv = [program] + words + (["--hooks", options.hooks] if options.hooks else [])
    return Row(argv, parts, ready="tracing with")


def peers(absent):
    """The others, {row: Row}. Those that are not installed: why, in absent."""
    def libbpf_tool(name):
        return [find_first(*(form.format(name) for form in LIBBPF_TOOLS))]

    asked = {"tcpstates": lambda: Row(libbpf_tool("tcpstates"), "kernel,loop,wrk", False),
             "tcplife": lambda: Row(libbpf_tool("tcplife"), "kernel,loop,wrk", False),
             "bpftrace": lambda: Row([loads.find("bpftrace"), "-e", BPFTRACE], "kernel,loop,wrk",
                                     False),
             "tcpdump": lambda: Row([loads.find("tcpdump")] + TCPDUMP, "loop,wrk", False,
                                    "listening on")}
    found = {}
    for name, ask in asked.items():
        try:
            found[name] = ask()
        except meter.Trouble as trouble:
            absent[name] = str(trouble)
    return found


def make_rows(options, absent):
    """{row: Row}, in the order of the table."""
    bench, synfin = os.path.join(options.build, "bench"), f"{options.build}/synfin"
    rows = {f"floor {kind}": Row([f"{bench}/floor", f"{bench}/floor.bpf.o", kind], "kernel,loop")
            for kind in ("empty", "submit", "record")}
    programs = {"synfin": synfin, **dict(also.split("=", 1) for also in options.also)}
    for name, program in programs.items():
        for command in ("conns", "trace"):
            rows[f"{name} {command}"] = synfin_row(program, options, [command, "-o", "json"])
    rows["synfin -w"] = synfin_row(synfin, options, ["conns", "-w", "FILE"], "loop")
    rows["synfin serve"] = synfin_row(synfin, options, ["serve", "--to", "file:FILE"], "loop")
    rows.update(peers(absent))
    if options.only:
        wanted = options.only.split(",")
        unknown = [name for name in wanted if name not in rows and name not in absent]
        if unknown:
            raise meter.Trouble(f"no such row: {', '.join(unknown)}; there are {', '.join(rows)}")
        rows = {name: row for name, row in rows.items() if name in wanted}
    return rows


class Bench:
    """The rounds, and what came of them: {part: {row: [figures of each run]}}."""

    def __init__(self, options, directory):
        self.options = options
        self.directory = directory
        self.absent = {}
        self.rows = make_rows(options, self.absent)
        self.runs = {part: {name: [] for name, row in self.rows.items()
                            if part in row.parts.split(",")} for part in PARTS[:3]}
        self.untraced = {"loop": [], "wrk": []}
        self.snapshots = {}
        self.tier = None
        self.started = time.monotonic()

    def load(self, part, max_connections, max_ms):
        if part == "wrk":
            return loads.run_wrk(self.directory, self.options, max_ms)
        return loads.run_loop(os.path.join(self.options.build, "bench/load"), self.options,
                              max_connections, max_ms)

    def tracer(self, name):
        row = self.rows[name]
        return meter.Tracer(row.argv, self.directory, row.ready)

    def note_tier(self, tracer):
        found = re.search(r"tracing with (\w+) hooks", tracer.said())
        if found:
            self.tier = found[1]

    def measure_kernel(self, name):
        loads.enter_netns()
        tracer = self.tracer(name)
        try:
            tracer.wait_attached()
            before = tracer.programs()
            load = self.load("loop", self.options.connections, 10000)
            after = tracer.programs()
            self.note_tier(tracer)
            tracer.wait_idle()
            written = tracer.stop()
        finally:
            tracer.end()
        made = load["connections"]
        programs = {program: {"ns": (after[program][0] - ns) / made,
                              "runs": (after[program][1] - runs) / made,
                              "missed": after[program][2] - missed}
                    for program, (ns, runs, missed) in before.items()}
        self.runs["kernel"][name].append({
            "connections": made, "ns": sum(p["ns"] for p in programs.values()),
            "runs": sum(p["runs"] for p in programs.values()), "programs": programs, **written})

    def measure_untraced(self, part):
        loads.enter_netns()
        load = self.load(part, 2**32 - 1, int(self.options.seconds * 1000))
        made = load["connections"]
        self.untraced[part].append({"connections": made, "rate": made / load["ns"] * 1e9,
                                    "cpu_us": load["cpu_us"] / made})
        return self.untraced[part][-1]

    def measure_rate(self, part, name, before):
        """Returns the untraced run after it; before: the one before it."""
        loads.enter_netns()
        tracer = self.tracer(name)
        try:
            tracer.wait_attached()
            cpu_s, user_s = tracer.cpu_s(), tracer.user_s()
            load = self.load(part, 2**32 - 1, int(self.options.seconds * 1000))
            cpu_s, user_s = tracer.wait_idle() - cpu_s, tracer.user_s() - user_s
            (rss, buffers), maps = tracer.peak_rss_bytes(), tracer.map_bytes()
            self.note_tier(tracer)
            written = tracer.stop()
        finally:
            tracer.end()
        after = self.measure_untraced(part)
        made = load["connections"]
        rate = made / load["ns"] * 1e9
        cpu_us = load["cpu_us"] / made + cpu_s * 1e6 / made
        self.runs[part][name].append({
            "connections": made, "rate": rate, "cpu_us": cpu_us,
            "rate_share": rate / ((before["rate"] + after["rate"]) / 2),
            "cpu_share": (before["cpu_us"] + after["cpu_us"]) / 2 / cpu_us,
            "cpu_s_per_100k": cpu_s / made * 1e5, "user_s_per_100k": user_s / made * 1e5,
            "peak_rss_bytes": rss, "buffer_bytes": buffers, "map_bytes": maps, **written})
        return after

    def measure(self, part, name, untraced):
        """Returns the untraced run after it, if there is one in this part."""
        try:
            if part == "kernel":
                return self.measure_kernel(name)
            return self.measure_rate(part, name, untraced)
        except meter.Trouble as trouble:
            if self.rows[name].is_ours:
                raise
            self.absent[name] = str(trouble)
            for runs in self.runs.values():
                runs.pop(name, None)
            return self.measure_untraced(part) if part != "kernel" else None

    def run_rounds(self, part):
        """Rounds of one part in an order that differs from round to round."""
        shuffle, longest = random.Random(1), 0
        until_s = self.options.limit * PARTS_UNTIL[part]
        for number in range(self.options.rounds):
            begun, names = time.monotonic(), list(self.runs[part])
            if begun - self.started + longest > until_s:
                say(f"{part}: {number} rounds in the time there is")
                break
            shuffle.shuffle(names)
            say(f"{part}: round {number + 1} of {self.options.rounds}")
            untraced = self.measure_untraced(part) if part != "kernel" else None
            for name in names:
                untraced = self.measure(part, name, untraced)
            longest = max(longest, time.monotonic() - begun)

    def run(self):
        if "kernel" in self.options.parts:
            stats = meter.enable_stats()
            self.run_rounds("kernel")
            os.close(stats)
        for part in ("loop", "wrk"):
            if part in self.options.parts:
                self.run_rounds(part)
        if "snapshot" in self.options.parts:
            say("snapshots")
            sizes = [int(size) for size in self.options.sockets.split(",")]
            self.snapshots = snapshots.measure(f"{self.options.build}/synfin", sizes,
                                               min(self.options.rounds, 3))


# ---- figures ----

def spread(values):
    values = [v for v in values if v is not None]
    if not values:
        return None
    return {"median": statistics.median(values), "min": min(values), "max": max(values),
            "runs": len(values)}


def lost_share(run):
    """Of the events there were, how many are missing in the output."""
    sent = run.get("sent") or run["lines"]
    return run["lost"] / (sent + run["lost"]) if run["lost"] else 0.0


def figures_of(bench, name):
    runs = {part: bench.runs[part].get(name, []) for part in bench.runs}
    row = {"kernel_ns": spread([run["ns"] for run in runs["kernel"]])}
    for key in ("rate", "rate_share", "cpu_us", "cpu_share", "cpu_s_per_100k", "user_s_per_100k",
                "peak_rss_bytes", "buffer_bytes", "map_bytes"):
        row[key] = spread([run[key] for run in runs["loop"]])
        row[f"wrk_{key}"] = spread([run[key] for run in runs["wrk"]])
    told = runs["loop"] or runs["kernel"]
    for key in ("bytes", "lines"):
        row[f"{key}_per_connection"] = spread([run[key] / run["connections"] for run in told])
    row["lost_share"] = spread([lost_share(run) for run in told])
    row["programs"] = {}
    for program in {p for run in runs["kernel"] for p in run["programs"]}:
        each = [run["programs"][program] for run in runs["kernel"] if program in run["programs"]]
        row["programs"][program] = {
            key: statistics.median([p[key] for p in each]) for key in ("ns", "runs", "missed")}
    return row


def version_of(argv):
    try:
        said = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
    return said.split("\n")[0].strip() or None


def versions(bench):
    found = {"synfin": version_of([f"{bench.options.build}/synfin", "--version"])}
    for name, query in (("dpkg", ["dpkg-query", "-W", "-f", "${Version}"]),
                        ("rpm", ["rpm", "-q", "--qf", "%{VERSION}-%{RELEASE}"])):
        if shutil.which(name):
            for package in ("libbpf-tools", "bpftrace", "tcpdump", "nginx", "wrk"):
                found[package] = version_of(query + [package])
            break
    return found


def report_of(bench, load_average):
    options = bench.options
    return {
        "kernel": platform.release(), "machine": platform.machine(), "cpus": os.cpu_count(),
        "cpu_model": cpu_model(), "tier": bench.tier, "versions": versions(bench),
        "load_average_before": load_average, "pairs": options.pairs, "bytes": options.bytes,
        "connections": options.connections, "seconds": options.seconds,
        "took_s": time.monotonic() - bench.started, "absent": bench.absent,
        "untraced": {part: {key: spread([run[key] for run in runs]) for key in ("rate", "cpu_us")}
                     for part, runs in bench.untraced.items()},
        "date": time.strftime("%Y-%m-%d %H:%M %Z"), "arguments": " ".join(
            arg for arg in sys.argv[1:] if arg not in ("--build", options.build)),
        "rows": {name: figures_of(bench, name) for name in bench.rows
                 if name not in bench.absent},
        "snapshots": {size: {command: {key: spread([run[key] for run in runs]) for key in runs[0]}
                             for command, runs in commands.items()}
                      for size, commands in bench.snapshots.items()},
        "runs": bench.runs, "untraced_runs": bench.untraced}


def cpu_model():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        found = re.search(r"^model name\s*:\s*(.*)", file.read(), re.M)
    return found[1] if found else None


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


def tell(report, options):
    if options.json == "-":
        json.dump(report, sys.stdout, indent=1)
        print()
        return
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(report, file, indent=1)
    table.print_table(report)
    if options.programs:
        table.print_programs(report)


def main():
    options = arguments()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    if os.geteuid():
        raise meter.Trouble("needs root: it loads BPF programs and makes a network namespace")
    load_average, trouble = os.getloadavg()[0], None
    directory = tempfile.mkdtemp(prefix="synfin-bench-")
    try:
        meter.enter_mounts(directory)
        bench = Bench(options, directory)
        try:
            bench.run()
        except meter.Trouble as error:
            if not any(runs for part in bench.runs.values() for runs in part.values()):
                raise
            trouble = error  # what was measured before it is still told
    finally:
        # The memory mounted there goes with our mounts; the folder itself is outside of them.
        meter.libc.umount2(directory.encode(), meter.MNT_DETACH)
        os.rmdir(directory)
    tell(report_of(bench, load_average), options)
    if trouble:
        raise meter.Trouble(f"incomplete: {trouble}")


if __name__ == "__main__":
    try:
        main()
    except (meter.Trouble, OSError) as trouble:
        sys.exit(f"bench: {trouble}")
    except KeyboardInterrupt:
        sys.exit("bench: interrupted")
