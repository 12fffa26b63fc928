#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs synfin with a pipe as its standard output that nobody reads.

    stalled.py [--both] [--terminal] [--keep=FILE] [SIGNAL...] -- SYNFIN ARGUMENTS...

Makes connections until the pipe is full, sends the signals, waits for the end.
Prints its exit status, the milliseconds from the last signal (or, without one,
from when the pipe was full) to its end, and how many whole lines the pipe held.
--both: standard error is the same pipe. --terminal: a terminal stopped by
Ctrl-S is both, and nothing is sent. --keep: the pipe takes 256 KiB, and what it
held is left in the file. The rest of standard error comes through.
"""

import fcntl
import os
import pty
import select
import signal
import socket
import subprocess
import sys
import termios
import time

DEADLINE_S = 30


def knock():
    with socket.socket() as sock:
        sock.connect_ex(("127.0.0.1", 1))


def is_full(writer):
    poll = select.poll()
    poll.register(writer, select.POLLOUT)
    return not poll.poll(0)


def fill(writer):
    end = time.monotonic() + DEADLINE_S
    while not is_full(writer):
        if time.monotonic() > end:
            sys.exit("the pipe did not fill")
        knock()
    for _ in range(100):  # some that certainly find it full
        knock()


def kept_in(flags):
    return next((flag[len("--keep="):] for flag in flags if flag.startswith("--keep=")), None)


def open_output(flags):
    if "--terminal" in flags:
        reader, writer = pty.openpty()
        termios.tcflow(writer, termios.TCOOFF)
    else:
        reader, writer = os.pipe()
        fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 262144 if kept_in(flags) else 4096)
    return reader, writer


def main():
    cut = sys.argv.index("--")
    flags = [arg for arg in sys.argv[1:cut] if arg.startswith("--")]
    signals = [getattr(signal, arg) for arg in sys.argv[1:cut] if not arg.startswith("--")]
    reader, writer = open_output(flags)
    stderr = writer if {"--both", "--terminal"} & set(flags) else None
    child = subprocess.Popen(sys.argv[cut + 1 :], stdin=subprocess.DEVNULL, stdout=writer, stderr=stderr)
    if "--terminal" not in flags:
        fill(writer)
    begin = time.monotonic()
    for number in signals:
        child.send_signal(number)
    try:
        status = child.wait(DEADLINE_S)
    except subprocess.TimeoutExpired:
        child.kill()
        sys.exit("it did not end")
    took_ms = int((time.monotonic() - begin) * 1000)
    if "--terminal" in flags:
        lines = 0
    else:
        held = os.read(reader, 262144)
        lines = held.count(b"\n")
        if kept_in(flags):
            with open(kept_in(flags), "wb") as file:
                file.write(held)
    print(status, took_ms, lines)


main()
