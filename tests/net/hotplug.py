#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
#
# hotplug.py SYNFIN TIER: what SYNFIN says of connections while a CPU comes and goes: it begins
# without it. A line per check, "ok WHAT" or "not ok WHAT", and after that one what was wrong. For
# the guests only, whose CPUs are theirs: standard library only.
import collections
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True
from scene import wait_for  # noqa: E402

CPU = 1
ONLINE = "/sys/devices/system/cpu/cpu%d/online" % CPU
NR_EACH = 100
TURNING_S = 2
TURNS_MIN = 6


def switch(is_on):
    with open(ONLINE, "w", encoding="ascii") as file:
        file.write("%d\n" % is_on)


def dial(server, nr, made):
    """Connections whose client closes first."""
    for _ in range(nr):
        client = socket.create_connection(server.getsockname())
        end, _ = server.accept()
        made.append(client.getsockname()[1])
        client.close()
        end.close()


def there(server, nr, made):
    """By a thread that runs nowhere else: its connections begin and end there."""
    def may_run():
        try:
            os.sched_setaffinity(0, {CPU})
            return True
        except OSError:  # it has come, but not for everybody yet
            return False

    def run():
        wait_for("the CPU to take a thread", may_run)
        dial(server, nr, made)

    before = len(made)
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if len(made) != before + nr:
        raise TimeoutError("nothing ran there")


def come_and_go(is_over):
    """On and off again, until it is over; how often."""
    nr = 0
    while not is_over.is_set():
        switch(nr % 2 != 0)
        nr += 1
        time.sleep(0.02)
    switch(True)
    return nr


def phases(server):
    """Client ports: of connections made without it, there, while it came and went, after that."""
    made, turns, is_over = [], [], threading.Event()
    dial(server, NR_EACH, made)
    switch(True)
    there(server, NR_EACH, made)
    switcher = threading.Thread(target=lambda: turns.append(come_and_go(is_over)))
    switcher.start()
    end = time.monotonic() + TURNING_S
    while time.monotonic() < end:
        dial(server, 10, made)
    is_over.set()
    switcher.join()
    dial(server, NR_EACH, made)
    return made, turns[0]


def told(path):
    with open(path, encoding="utf-8") as lines:
        return [json.loads(line) for line in lines if line.endswith("\n")]


def watch(synfin, tier, directory):
    server = socket.create_server(("127.0.0.1", 0))
    output, log = (os.path.join(directory, name) for name in ("out", "err"))
    switch(False)
    with open(output, "wb") as out, open(log, "wb") as err, subprocess.Popen(
            [synfin, "conns", "-o", "json", "--hooks", tier, "port",
             str(server.getsockname()[1])], stdin=subprocess.DEVNULL, stdout=out,
            stderr=err) as tracer:
        try:
            wait_for("synfin to trace", lambda: "tracing with" in open(log).read())
            made, nr_turns = phases(server)
            tracer.send_signal(signal.SIGINT)
            tracer.wait(30)
        finally:
            tracer.kill()
            switch(True)
    return server.getsockname()[1], made, nr_turns, told(output)


def judge(server_port, made, nr_turns, events):
    if nr_turns < TURNS_MIN:
        yield "it came and went %d times only" % nr_turns
    ends = [event for event in events if event["event_name"] == "tcp.close"]
    made, nr_lacking = collections.Counter(made), 0
    for role in "server", "client":
        ports = collections.Counter(
            end["client_port"] for end in ends if "client_port" in end and
            (end["network_local_port"] == server_port) == (role == "server"))
        nr_lacking += (made - ports).total()
        if ports - made:
            yield "of %ss too many are told: %s" % (role, dict(ports - made))
    nr_lost = max(event["events_lost"] for event in events
                  if event["event_name"] == "synfin.stats")
    if nr_lacking > nr_lost:
        yield "%d ends are not told of %d, %d events lost" % (nr_lacking, 2 * made.total(), nr_lost)


def main(synfin, tier):
    with tempfile.TemporaryDirectory() as directory:
        try:
            problems = list(judge(*watch(synfin, tier, directory)))
        except (TimeoutError, subprocess.TimeoutExpired) as error:
            problems = [str(error)]
    print("%s a CPU that comes and goes, %s hooks" % ("not ok" if problems else "ok", tier))
    for problem in problems:
        print("# " + problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
