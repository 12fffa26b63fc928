# SPDX-License-Identifier: GPL-2.0-or-later
#
# How long looking at all sockets takes, and with how much memory, beside ss:
# idle connections on loopback, both ends held here, in a network namespace of
# their own.
import contextlib
import os
import resource
import signal
import socket
import subprocess
import time

from loads import enter_netns, find
from meter import Trouble, in_child

PER_ADDRESS = 25000


def hold_connections(number, count, ready):
    """A child's work: its connections, to an address of its own, until it is killed."""
    in_child()
    address = f"127.0.{1 + number // 250}.{1 + number % 250}"
    ends = []
    with socket.create_server((address, 80), backlog=4096) as listener:
        for _ in range(count):
            client = socket.socket()
            client.connect((address, 80))
            ends += [client, listener.accept()[0]]
        os.write(ready, b"x")
        os.close(ready)
        signal.pause()


@contextlib.contextmanager
def idle_connections(count):
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    share = min(PER_ADDRESS, (hard - 100) // 2)
    enter_netns()
    made, ready = os.pipe()
    pids = []
    try:
        for start in range(0, count, share):
            pid = os.fork()
            if not pid:
                try:
                    hold_connections(len(pids), min(share, count - start), ready)
                finally:
                    os._exit(1)
            pids.append(pid)
        os.close(ready)
        if sum(len(os.read(made, 1)) for _ in pids) != len(pids):
            raise Trouble(f"cannot hold {count} connections")
        yield
    finally:
        os.close(made)
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def look(argv):
    """One run: seconds, those of the processor, and the most memory it had."""
    begin = time.monotonic()
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                          preexec_fn=in_child) as process:
        said = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 3):  # 3: something is stuck
        raise Trouble(f"{argv[0]} exited {process.returncode}: {said.strip()}")
    return {"seconds": time.monotonic() - begin, "cpu_seconds": usage.ru_utime + usage.ru_stime,
            "rss_bytes": usage.ru_maxrss * 1024}


def measure(synfin, sizes, rounds):
    """{sockets: {command: [runs]}}"""
    commands = {"synfin stuck": [synfin, "stuck", "-o", "json"],
                "ss -tanpoi": [find("ss"), "-tanpoi"]}
    found = {}
    for size in sizes:
        runs = found[size] = {name: [] for name in commands}
        with idle_connections(size // 2):
            for _ in range(rounds):
                for name, argv in commands.items():
                    runs[name].append(look(argv))
    return found
