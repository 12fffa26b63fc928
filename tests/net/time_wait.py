#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
#
# time_wait.py SYNFIN TIER: one connection, whose TIME_WAIT lasts its minute, and what SYNFIN says
# of its end. A line, "ok WHAT" or "not ok WHAT", and after that one what was wrong. Natively and in
# the guests: standard library only.
import json
import socket
import sys

sys.dont_write_bytecode = True
from scene import traced, verdict, wait_for  # noqa: E402

# include/net/tcp.h TCP_TIMEWAIT_LEN; its timer is late by up to 512 ticks of 4 ms, more with other
# ticks (kernel/time/timer.c: LVL_GRAN), and what handles it by what else the host does.
LEAST_US, MOST_US = 60_000_000, 66_000_000


def connection(server):
    """Its client closes first, and is in TIME_WAIT then. Its port."""
    client = socket.create_connection(server.getsockname())
    end, _ = server.accept()
    port = client.getsockname()[1]
    client.close()
    assert end.recv(1) == b""
    end.close()
    return port


def ends(events):
    """What is told of the ends of waits."""
    return [event for event in events if event["event_name"] == "tcp.time_wait_end"]


def problems(synfin, tier):
    server = socket.create_server(("127.0.0.1", 0))
    with traced(synfin, "trace", "--hooks", tier, "port",
                str(server.getsockname()[1])) as written:
        port = connection(server)
        wait_for("the end of TIME_WAIT", lambda: ends(written.so_far()), 80)
    told = ends(written.all)
    if len(told) != 1:
        yield "told %d times" % len(told)
    for event in told:
        if event["network_local_port"] != port or event["role"] != "client":
            yield "of another end: " + json.dumps(event)
        if event.get("time_wait_end") != "expired":
            yield "it was %s: %s" % (event.get("time_wait_end"), json.dumps(event))
        if not LEAST_US <= event.get("time_wait_us", 0) <= MOST_US:
            yield "it took %s us: %s" % (event.get("time_wait_us"), json.dumps(event))


def main(synfin, tier):
    return verdict("the end of TIME_WAIT after a minute, %s hooks" % tier,
                   lambda: problems(synfin, tier))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
