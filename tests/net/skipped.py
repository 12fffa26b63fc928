#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
#
# skipped.py SYNFIN: the end of a timewait socket whose hooks do not run, as when the kernel skips
# them: another one takes its address, and is not taken for it. A line, "ok WHAT" or "not ok WHAT",
# and after that one what was wrong. For the guests only, whose kprobes are disarmed for that time,
# in a network namespace of its own (`unshare -n`): standard library only.
import json
import os
import socket
import subprocess
import sys

sys.dont_write_bytecode = True
from scene import traced, verdict, wait_for  # noqa: E402

ARMED = "/sys/kernel/debug/kprobes/enabled"
FIN_WAIT2 = "05"  # include/net/tcp_states.h; the timewait socket is listed so
NR_AFTER = 64


def write(path, value):
    with open(path, "w", encoding="ascii") as file:
        file.write("%d\n" % value)


def state_of(port):
    """Of the end with this local port; None if there is none."""
    with open("/proc/net/tcp", encoding="ascii") as file:
        for line in file:
            words = line.split()
            if words[1].endswith(":%04X" % port):
                return words[3]
    return None


def connect(server):
    client = socket.create_connection(server.getsockname())
    return client, server.accept()[0]


def orphan(server):
    """A client that closed, whose wait for the peer's FIN ends behind our back. Its port."""
    client, end = connect(server)
    port = client.getsockname()[1]
    client.close()
    wait_for("FIN_WAIT2", lambda: state_of(port) == FIN_WAIT2)
    write(ARMED, 0)
    try:
        wait_for("its end", lambda: state_of(port) is None)
    finally:
        write(ARMED, 1)
    end.close()
    return port


def others(server):
    """Their clients' timewait sockets take free places, the last one first."""
    for _ in range(NR_AFTER):
        client, end = connect(server)
        client.close()
        assert end.recv(1) == b""
        end.close()


def problems(synfin):
    os.sched_setaffinity(0, {0})  # whose places they are
    subprocess.run(("ip", "link", "set", "lo", "up"), check=True)
    write("/proc/sys/net/ipv4/tcp_fin_timeout", 1)
    server = socket.create_server(("127.0.0.1", 0))
    with traced(synfin, "conns", "--hooks", "kprobe", "port",
                str(server.getsockname()[1])) as written:
        port = orphan(server)
        others(server)
        wait_for("its end to be told", lambda: ends(written.so_far(), port))
    for event in ends(written.all, port):
        if "close_reason" in event or "duration_us" in event or "fin_received_us" in event or \
                event.get("begin_unknown") is not True:
            yield "what nobody saw is told: " + json.dumps(event)
    if len(ends(written.all, port)) != 1:
        yield "told %d times" % len(ends(written.all, port))
    if not written.lost("lost_nested"):
        yield "nothing is said to be lost"


def ends(events, port):
    return [event for event in events
            if event["event_name"] == "tcp.close" and event["network_local_port"] == port]


def main(synfin):
    return verdict("a timewait socket at the place of one whose end was skipped",
                   lambda: problems(synfin))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
