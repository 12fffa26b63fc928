#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
#
# time_wait.py SYNFIN TIER: one connection, whose TIME_WAIT lasts its minute, and what SYNFIN says
# of its end. A line per check, "ok WHAT" or "not ok WHAT", and after that one what was wrong.
# Natively and in the guests: standard library only.
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
from scene import wait_for  # noqa: E402

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


def ends(path):
    """What is told of the ends of waits, line after line."""
    with open(path, encoding="utf-8") as lines:
        return [event for event in map(json.loads, lines)
                if event["event_name"] == "tcp.time_wait_end"]


def watch(synfin, tier, directory):
    server = socket.create_server(("127.0.0.1", 0))
    output, log = (os.path.join(directory, name) for name in ("out", "err"))
    with open(output, "wb") as out, open(log, "wb") as err, subprocess.Popen(
            [synfin, "trace", "-o", "json", "--hooks", tier, "port",
             str(server.getsockname()[1])], stdin=subprocess.DEVNULL, stdout=out,
            stderr=err) as tracer:
        try:
            wait_for("synfin to trace", lambda: "tracing with" in open(log).read())
            port = connection(server)
            wait_for("the end of TIME_WAIT", lambda: ends(output), 80)
            tracer.send_signal(signal.SIGINT)
            tracer.wait(30)
        finally:
            tracer.kill()
    return port, ends(output)


def judge(port, told):
    if len(told) != 1:
        yield "told %d times" % len(told)
    for event in told:
        if event["network_local_port"] != port or event["role"] != "client":
            yield "of another end"
        if event.get("time_wait_end") != "expired":
            yield "it was " + str(event.get("time_wait_end"))
        if not LEAST_US <= event.get("time_wait_us", 0) <= MOST_US:
            yield "it took %s us" % event.get("time_wait_us")


def main(synfin, tier):
    with tempfile.TemporaryDirectory() as directory:
        try:
            port, told = watch(synfin, tier, directory)
            problems = list(judge(port, told))
        except (TimeoutError, subprocess.TimeoutExpired) as error:
            told, problems = [], [str(error)]
    print("%s the end of TIME_WAIT after a minute, %s hooks" %
          ("not ok" if problems else "ok", tier))
    for problem in problems:
        print("# " + problem)
    for event in told if problems else ():
        print("# " + json.dumps(event))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
