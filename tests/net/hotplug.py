#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
#
# hotplug.py SYNFIN TIER: what SYNFIN says of connections while a CPU comes and goes: it begins
# without it. A line, "ok WHAT" or "not ok WHAT", and after that one what was wrong. For the guests only,
# whose CPUs are theirs: standard library only.
import collections
import os
import socket
import sys
import threading
import time

sys.dont_write_bytecode = True
from scene import traced, verdict, wait_for  # noqa: E402

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


def problems(synfin, tier):
    server = socket.create_server(("127.0.0.1", 0))
    server_port = server.getsockname()[1]
    switch(False)
    try:
        with traced(synfin, "conns", "--hooks", tier, "port", str(server_port)) as written:
            made, nr_turns = phases(server)
    finally:
        switch(True)
    if nr_turns < TURNS_MIN:
        yield "it came and went %d times only" % nr_turns
    ends = [event for event in written.all if event["event_name"] == "tcp.close"]
    made, nr_lacking = collections.Counter(made), 0
    for role in "server", "client":
        ports = collections.Counter(
            end["client_port"] for end in ends if "client_port" in end and
            (end["network_local_port"] == server_port) == (role == "server"))
        nr_lacking += (made - ports).total()
        if ports - made:
            yield "of %ss too many are told: %s" % (role, dict(ports - made))
    if nr_lacking > written.lost():
        yield "%d ends are not told of %d, %d events lost" % (
            nr_lacking, 2 * made.total(), written.lost())


def main(synfin, tier):
    return verdict("a CPU that comes and goes, %s hooks" % tier, lambda: problems(synfin, tier))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
