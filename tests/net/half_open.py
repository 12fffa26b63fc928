#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
#
# half_open.py SYNFIN TIER: more handshakes in progress than SYNFIN may keep: each is told of by its
# listener when it expires, or counted as lost. A line per check, "ok WHAT" or "not ok WHAT", and
# after that one what was wrong. Runs in a network namespace of its own (`unshare -n`), natively
# where there are hooks on kernel functions, and in the guests: standard library only.
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
from phantom import SYN, Phantom  # noqa: E402
from scene import wait_for  # noqa: E402

KEPT, NR, PORT = 64, 200, 7060


def sysctl(path, value):
    with open("/proc/sys/net/ipv4/" + path, "w", encoding="ascii") as file:
        file.write(str(value))


def nr_in_progress():
    """In SYN_RECV, include/net/tcp_states.h."""
    with open("/proc/net/tcp", encoding="ascii") as file:
        return sum(line.split()[3] == "03" for line in file)


def flood():
    """Each has a port of its own, answers no SYN+ACK, and expires after a second. How many began."""
    sysctl("tcp_syncookies", 0)
    sysctl("tcp_max_syn_backlog", 4 * NR)
    sysctl("tcp_synack_retries", 0)
    phantom = Phantom()
    listener = socket.socket()
    listener.bind((Phantom.KERNEL, PORT))
    listener.listen(4 * NR)
    for i in range(NR):
        phantom.send((Phantom.ADDRESS, 20000 + i), (Phantom.KERNEL, PORT), SYN, 1)
    wait_for("the handshakes to begin", nr_in_progress)
    wait_for("the handshakes to expire", lambda: not nr_in_progress())
    listener.close()


def watch(synfin, tier, directory):
    output, log = (os.path.join(directory, name) for name in ("out", "err"))
    with open(output, "wb") as out, open(log, "wb") as err, subprocess.Popen(
            [synfin, "trace", "-o", "json", "--hooks", tier, "--max-connections", str(KEPT),
             "--netns", str(os.stat("/proc/self/ns/net").st_ino)], stdin=subprocess.DEVNULL,
            stdout=out, stderr=err) as tracer:
        try:
            wait_for("synfin to trace", lambda: "tracing with" in open(log).read())
            flood()
            tracer.send_signal(signal.SIGINT)
            tracer.wait(30)
        finally:
            tracer.kill()
    with open(output, encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def judge(events):
    told = [event["half_open_expired"] for event in events
            if event["event_name"] == "tcp.listen_overflow"]
    lost = [event["lost_requests"] for event in events if event["event_name"] == "synfin.stats"][-1]
    nested = [event["lost_nested"] for event in events if event["event_name"] == "synfin.stats"][-1]
    if not told or not KEPT - nested <= told[-1] < NR:
        yield "told to have expired: %s" % told
    if lost + nested < NR - max(told, default=0) or lost > NR - KEPT:
        yield "%d were lost, of %d of which it may keep %d; %d hooks were skipped" % (
            lost, NR, KEPT, nested)


def main(synfin, tier):
    with tempfile.TemporaryDirectory() as directory:
        try:
            problems = list(judge(watch(synfin, tier, directory)))
        except (TimeoutError, subprocess.TimeoutExpired) as error:
            problems = [str(error)]
    print("%s more handshakes in progress than may be kept, %s hooks" %
          ("not ok" if problems else "ok", tier))
    for problem in problems:
        print("# " + problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
