#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Does what is left on stay as it is? Churn, a service with every sink, a trace and a recording.

    soak.py --build DIR [--seconds N]

Makes connections for N seconds (default 20; three minutes in make check; an hour by hand):
bursts as fast as they come, and such as are refused, reset, half-closed, or end with their process.
Beside them run `serve` with a file that rotates, syslog over both transports, the journal, OTLP and
Prometheus, which is scraped; `trace` and a recording to pipes that are read. Prints a line now and then
and the figures at the end, as TAP: memory, descriptors and threads must be flat, what was lost or
dropped counted, every sink must have got its lines. Needs root; all it makes is gone with it.
"""

import argparse
import contextlib
import ctypes
import datetime
import http.server
import json
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../net")
sys.dont_write_bytecode = True

from net_schema import Schema  # pylint: disable=wrong-import-position

SCHEMA = os.path.dirname(os.path.abspath(__file__)) + "/../../user/dist/schema/synfin.schema.json"
CLONE_NEWNS = 0x20000
CLONE_NEWNET = 0x40000000
MS_REC, MS_PRIVATE = 0x4000, 0x40000
PR_SET_PDEATHSIG = 1
DEADLINE_S = 60
GROWN_MAX_KB = 1024  # from the second quarter to the last: a leak of 300 bytes a second in an hour
SINKS_WITH_LINES = 5

libc = ctypes.CDLL(None, use_errno=True)


def enter_network():
    """
    A network namespace of our own. What is stuck is looked for among all sockets, and a look takes
    memory for each: TIME_WAIT, which would fill for a minute and more, is kept few.
    """
    if libc.unshare(CLONE_NEWNET):
        sys.exit("no network namespace: are you root?")
    subprocess.run(("ip", "link", "set", "lo", "up"), check=True)
    with open("/proc/sys/net/ipv4/tcp_max_tw_buckets", "w", encoding="ascii") as file:
        file.write("4096")


def enter_mounts(folder):
    """A mount namespace of our own, where the journal's socket is ours."""
    if libc.unshare(CLONE_NEWNS) or libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None):
        sys.exit("no mount namespace: are you root?")
    for place in folder, "/run/systemd":
        os.makedirs(place, exist_ok=True)
        if libc.mount(b"soak", place.encode(), b"tmpfs", 0, b"size=256m"):
            sys.exit("cannot mount a tmpfs on " + place)
    os.makedirs("/run/systemd/journal")


class Receivers:
    """The other ends of the sinks: they take all there is, and count."""

    def __init__(self, folder):
        self.nr_bytes = dict.fromkeys(("journal", "unix", "tcp", "otlp"), 0)
        self.unix = folder + "/log"
        self.tcp = socket.create_server(("127.0.0.1", 0))
        receivers = self

        class Otlp(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):  # pylint: disable=invalid-name
                receivers.count("otlp", self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200)
                self.send_header("Content-Type", "application/x-protobuf")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Otlp)
        for target in self.http.serve_forever, self.take_tcp:
            threading.Thread(target=target, daemon=True).start()
        for name, path in ("journal", "/run/systemd/journal/socket"), ("unix", self.unix):
            place = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            place.bind(path)
            threading.Thread(target=self.take, args=(name, place), daemon=True).start()

    def count(self, name, data):
        self.nr_bytes[name] += len(data)

    def take(self, name, end):
        while data := end.recv(1 << 18):
            self.count(name, data)

    def take_tcp(self):
        while True:
            end = self.tcp.accept()[0]
            threading.Thread(target=self.take, args=("tcp", end), daemon=True).start()


def in_child():
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Synfin:
    """One of those that are left on."""

    def __init__(self, name, argv, folder, stdout):
        self.name = name
        self.samples = []  # (KiB, descriptors, threads)
        self.err = os.path.join(folder, name + ".err")
        with open(self.err, "wb") as err:
            # pylint: disable-next=consider-using-with,subprocess-popen-preexec-fn
            self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=stdout,
                                            stderr=err, preexec_fn=in_child, cwd=folder)
        end = time.monotonic() + DEADLINE_S
        while "synfin: tracing" not in self.said():
            if self.process.poll() is not None or time.monotonic() > end:
                sys.exit("%s did not start: %s" % (name, self.said()))
            time.sleep(0.05)

    def said(self):
        with open(self.err, encoding="utf-8", errors="replace") as file:
            return file.read()

    def sample(self):
        proc = "/proc/%d/" % self.process.pid
        with open(proc + "status", encoding="ascii", errors="replace") as file:
            memory = int(re.search(r"RssAnon:\s+(\d+)", file.read())[1])
        self.samples.append((memory, len(os.listdir(proc + "fd")), len(os.listdir(proc + "task"))))

    def quarters(self, what):
        """The medians of the second and of the last quarter."""
        quarter = max(1, len(self.samples) // 4)
        values = [sample[what] for sample in self.samples]
        return (statistics.median(values[quarter:2 * quarter]), statistics.median(values[-quarter:]))

    def end(self):
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(DEADLINE_S)


class Churn:
    """What makes the connections. Counts those whose number it knows."""

    SCENES = (("reset", "40"), ("refused", "40"), ("halfclose", "10"), ("exit", "20"),
              ("pairs", "200"))

    def __init__(self, build, folder):
        self.load = build + "/bench/load"
        self.sfgen = build + "/tests/sfgen"
        self.truth = folder + "/truth"
        self.nr = 0

    def run(self, *argv):
        # pylint: disable-next=subprocess-popen-preexec-fn
        return subprocess.run(argv, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              timeout=DEADLINE_S, preexec_fn=in_child).stdout

    def step(self, number):
        """About a second of it."""
        self.nr += json.loads(self.run(self.load, "2", "100", "10000000", "300"))["connections"]
        scene, count = self.SCENES[number % len(self.SCENES)]
        self.run(self.sfgen, scene, "--truth", self.truth, "--count", count)
        self.nr += int(count)
        os.truncate(self.truth, 0)


def scrape(path):
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as end:
        end.settimeout(DEADLINE_S)
        end.connect(path)
        end.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        page = b""
        while data := end.recv(65536):
            page += data
    return page


def start_all(synfin, folder, receivers):
    serve = [synfin, "serve", "--queue", "1M", "--watch", "--interval", "1s"]
    for sink in ("file:%s/lines,rotate=1M,keep=2" % folder, "syslog:unix:" + receivers.unix,
                 "syslog:tcp:127.0.0.1:%d" % receivers.tcp.getsockname()[1], "journald",
                 "otlp:http://127.0.0.1:%d" % receivers.http.server_port,
                 "prometheus:unix:%s/metrics" % folder):
        serve += ["--to", sink]
    return [Synfin("serve", serve, folder, subprocess.DEVNULL),
            Synfin("serve failures", [synfin, "serve", "--log", "failures", "--to", "file:failures"],
                   folder, subprocess.DEVNULL),
            Synfin("trace", [synfin, "trace", "-o", "json"], folder, drained()),
            Synfin("conns -w", [synfin, "conns", "-w", "-"], folder, drained())]


def drained():
    """A pipe that is read by nobody else, for a child."""
    reader, writer = os.pipe()
    threading.Thread(target=drain, args=(reader,), daemon=True).start()
    return writer


def drain(reader):
    while os.read(reader, 1 << 20):
        pass


class Tap:
    """Results."""

    def __init__(self):
        self.nr = self.nr_failed = 0

    def judge(self, holds, text):
        self.nr += 1
        self.nr_failed += not holds
        print("%s %d - %s" % ("ok" if holds else "not ok", self.nr, text), flush=True)


def judge(tap, synfin):
    for what, unit, grown_max in ((0, "KiB", GROWN_MAX_KB), (1, "descriptors", 0), (2, "threads", 0)):
        before, after = synfin.quarters(what)
        tap.judge(after - before <= grown_max, "%s: %d %s, then %d" % (synfin.name, before, unit, after))
    status = synfin.end()
    tap.judge(status == 0, "%s: exit status %d" % (synfin.name, status))


def judge_lines(tap, synfin, folder):
    """Each sink has sent or dropped as many lines as the others."""
    words = re.findall(r"^synfin: (\S+): (\d+) lines sent, (\d+) dropped$", synfin.said(), re.M)
    sums = {int(sent) + int(dropped) for _, sent, dropped in words}
    tap.judge(len(words) == SINKS_WITH_LINES and len(sums) == 1 and min(int(w[1]) for w in words) > 0,
              "sinks: " + "; ".join("%s %s sent, %s dropped" % (spec.split(":")[0], sent, dropped)
                                    for spec, sent, dropped in words))
    judge_files(tap, folder)
    sizes = [os.path.getsize(os.path.join(folder, name)) for name in os.listdir(folder)
             if name.startswith("lines")]
    tap.judge(max(sizes) <= 1 << 20 and len(sizes) <= 3, "files of lines: %s bytes" % sizes)


def judge_files(tap, folder):
    """Every line of the files is one that the schema takes; statistics come every ten seconds."""
    schema, wrong, times = Schema(SCHEMA), [], []
    for name in (name for name in os.listdir(folder) if name.startswith(("lines", "failures"))):
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            for line in map(json.loads, file):
                wrong += filter(None, [schema.problem(line)])
                if name == "failures" and line["event_name"] == "synfin.stats":
                    times.append(datetime.datetime.fromisoformat(line["time"][:26]))
    tap.judge(not wrong, "lines that the schema does not take: %d %s" % (len(wrong), wrong[:1]))
    # the last one is written at the end, whenever that is
    gaps = [(b - a).total_seconds() for a, b in zip(times, times[1:-1])]
    tap.judge(times and all(9.9 < gap < 12.5 for gap in gaps), "statistics every %s s" %
              ", ".join("%.1f" % gap for gap in gaps[:20]))


def soak(synfin, build, seconds):
    tap = Tap()
    with tempfile.TemporaryDirectory() as folder:
        enter_network()
        enter_mounts(folder)
        receivers = Receivers(folder)
        synfins = start_all(synfin, folder, receivers)
        churn = Churn(build, folder)
        begin, number, said = time.monotonic(), 0, 0
        while time.monotonic() - begin < seconds:
            churn.step(number)
            number += 1
            page = scrape(folder + "/metrics")
            for one in synfins:
                one.sample()
            if time.monotonic() - said > 60:
                said = time.monotonic()
                print("# %d s, %d connections, %s" % (said - begin, churn.nr, "; ".join(
                    "%s %d KiB" % (one.name, one.samples[-1][0]) for one in synfins)), flush=True)
        tap.judge(b"synfin_connections_ended_total" in page, "%d connections, %d scrapes" %
                  (churn.nr, number))
        for one in synfins:
            judge(tap, one)
        judge_lines(tap, synfins[0], folder)
        tap.judge(min(receivers.nr_bytes.values()) > 0, "received: %s bytes" % receivers.nr_bytes)
        libc.umount2(folder.encode(), 2)
    print("1..%d" % tap.nr)
    return int(bool(tap.nr_failed))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--build", default=".output", help="where the programs are")
    parser.add_argument("--seconds", type=float, default=20)
    options = parser.parse_args()
    build = os.path.abspath(options.build)
    return soak(os.environ.get("SYNFIN", build + "/synfin"), build, options.seconds)


if __name__ == "__main__":
    sys.exit(main())
