#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
#
# half_open.py SYNFIN TIER: more handshakes in progress than SYNFIN may keep: each is told of by its
# listener when it expires, or counted as lost. A line, "ok WHAT" or "not ok WHAT", and after that
# one what was wrong. Runs in a network namespace of its own (`unshare -n`), natively
# where there are hooks on kernel functions, and in the guests: standard library only.
import os
import socket
import sys

sys.dont_write_bytecode = True
from phantom import SYN, Phantom  # noqa: E402
from scene import traced, verdict, wait_for  # noqa: E402

KEPT, NR, PORT = 64, 200, 7060


def sysctl(path, value):
    with open("/proc/sys/net/ipv4/" + path, "w", encoding="ascii") as file:
        file.write(str(value))


def nr_in_progress():
    """In SYN_RECV, include/net/tcp_states.h."""
    with open("/proc/net/tcp", encoding="ascii") as file:
        return sum(line.split()[3] == "03" for line in file)


def flood():
    """Each has a port of its own, answers no SYN+ACK, and expires after a second."""
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


def problems(synfin, tier):
    with traced(synfin, "trace", "--hooks", tier, "--max-connections", str(KEPT), "--netns",
                str(os.stat("/proc/self/ns/net").st_ino)) as written:
        flood()
    told = max((event["half_open_expired"] for event in written.all
                if event["event_name"] == "tcp.listen_overflow"), default=0)
    lost, skipped = (written.lost(name) for name in ("lost_requests", "lost_nested"))
    if not KEPT - skipped <= told < NR:
        yield "%d are told to have expired" % told
    if lost + skipped < NR - told or lost > NR - KEPT:
        yield "%d were lost, of %d of which it may keep %d; %d hooks were skipped" % (
            lost, NR, KEPT, skipped)


def main(synfin, tier):
    return verdict("more handshakes in progress than may be kept, %s hooks" % tier,
                   lambda: problems(synfin, tier))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
