#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Situations that are rare, each made for real, and what `synfin stuck` says of them.

    stuck_rare.py SYNFIN NAME

In a network namespace of its own. Beside what is stuck there is a connection to the same port that
is well: of that nothing may be told. Prints what was told, exits 1 if that is not what was expected.
"""

import ctypes
import json
import os
import socket

import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../net")
sys.dont_write_bytecode = True

from scene import wait_for  # pylint: disable=wrong-import-position

CLONE_NEWNET = 0x40000000
HOST = "127.0.0.1"
PORT = 9001
TCP_REPAIR = 19
DEADLINE_S = 30
SHORT = ",".join(name + "=100ms" for name in (
    "syn_sent", "accept", "unacked", "zero_window", "unread", "fin", "close_wait")) + \
    ",fin_wait2=1h,idle=1h"


def run(*words):
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)


def enter():
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET):
        sys.exit("no network namespace: are you root?")
    run("ip", "link", "set", "lo", "up")
    run("nft", "add table inet t; add chain inet t in { type filter hook input priority 0; }; "
        "add chain inet t out { type filter hook output priority 0; }")


def drop(hook, *match):
    run("nft", "add", "rule", "inet", "t", hook, *map(str, match), "drop")


def info(sock, at):
    """A byte of struct tcp_info: 0 state, 2 retransmits, 3 probes."""
    return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 8)[at]


def listen(backlog=8, **options):
    sock = socket.socket()
    for name, value in options.items():
        sock.setsockopt(socket.SOL_SOCKET, getattr(socket, name), value)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("", PORT))
    sock.listen(backlog)
    return sock


def connect(listener):
    near = socket.create_connection((HOST, PORT))
    return near, listener.accept()[0]


def port_of(sock):
    return sock.getsockname()[1]


def begin_connect(port=0):
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setblocking(False)
    sock.bind((HOST, port))
    sock.connect_ex((HOST, PORT))
    return sock


def old_peer(keep):
    """The client forgot a connection that the server still has, and calls from the same port."""
    listener = listen()
    old, far = connect(listener)
    port = port_of(old)
    old.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
    old.close()  # without a FIN
    drop("in", "tcp", "sport", port, "tcp", "flags", "rst")
    again = begin_connect(port)
    wait_for("its SYN to be repeated", lambda: info(again, 2) >= 1)
    keep += [listener, far, again]
    return {(port, "syn_sent_old_peer", "peer_app")}


def queue_shared(keep):
    """Two listeners at one port: what falls to the one that is full is dropped."""
    full, roomy = listen(0, SO_REUSEPORT=1), listen(64, SO_REUSEPORT=1)
    callers = [begin_connect() for _ in range(24)]
    time.sleep(0.2)
    waiting = [sock for sock in callers if info(sock, 0) == 2]  # SYN_SENT
    for sock in waiting:
        wait_for("its SYN to be repeated", lambda one=sock: info(one, 2) >= 1)
    keep += [full, roomy, *callers]
    for _ in callers:  # those that are taken are well
        roomy.setblocking(False)
        try:
            keep.append(roomy.accept()[0])
        except BlockingIOError:
            break
    return {(port_of(sock), "syn_sent_queue_shared", "undetermined") for sock in waiting}


def window_contradicted(keep):
    """The reader has read all; that its window is open again does not get through."""
    listener = listen(SO_RCVBUF=16384)
    near, far = connect(listener)
    near.setblocking(False)
    nr = 0
    try:
        while True:
            nr += near.send(b"x" * 65536)
    except BlockingIOError:
        pass
    wait_for("a probe", lambda: info(near, 3) >= 1)
    drop("in", "tcp", "dport", port_of(near))
    far.setblocking(False)
    try:
        while far.recv(65536):
            pass
    except BlockingIOError:
        pass
    time.sleep(0.5)
    keep += [listener, near, far]
    return {(port_of(near), "zero_window_contradicted", "undetermined")}


def close_wait_not_leaving(keep):
    """The client has said that it sends no more; what the server sends is dropped as it leaves."""
    listener = listen()
    near, far = connect(listener)
    near.shutdown(socket.SHUT_WR)
    assert far.recv(1) == b""
    wait_for("FIN_WAIT2", lambda: info(near, 0) == 5)
    drop("out", "tcp", "dport", port_of(near))
    far.send(b"x" * 100)
    wait_for("three probes", lambda: info(far, 3) >= 3)
    keep += [listener, near, far]
    # of the other end nothing: it has half closed, and waits
    return {(PORT, "close_wait_not_leaving", "undetermined")}


def main(synfin, name):
    keep = []
    enter()
    expected = globals()[name](keep)
    if name == "queue_shared":
        twin = None
    else:
        listener = keep[0]
        twin = connect(listener)
        twin[0].send(b"x")
        twin[1].recv(1)
    time.sleep(0.3)  # older than SHORT
    said = subprocess.run(
        [synfin, "stuck", "-o", "json", "--netns", str(os.stat("/proc/self/ns/net").st_ino),
         "--threshold", SHORT], capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    lines = [json.loads(line) for line in said.stdout.splitlines()]
    told = {(line["network_local_port"], line["stuck_rule"], line["stuck_blame"])
            for line in lines if not line.get("stuck_notice")}
    print("told", sorted(told), "expected", sorted(expected))
    if name == "queue_shared":  # the one that is full, and what waits behind it
        told = {one for one in told if one[1] not in ("accept_queue_full", "not_accepted")}
    if twin and any(port_of(twin[0]) in (line["network_local_port"], line.get("network_peer_port"))
                    for line in lines):
        sys.exit("the one that is well is told of")
    if not expected or told != expected:
        sys.exit(said.stderr)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
