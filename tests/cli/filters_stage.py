#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
filters_stage.py SYNFIN trace|conns: one synfin per filter, all beside the same traffic: a client
and a server with names of their own over IPv4 and IPv6 in one network namespace, a call that is
refused in another. Prints a line per filter: ok or not ok, the filter, what it let through, and how
many events the kernel side sent for how many lines. Exit status 1 if one was wrong. Needs root.
"""
import json
import os
import signal
import subprocess
import sys
import tempfile
import time

PORT4, PORT6 = 7901, 7902
DEADLINE_S = 60
# the ends there are, named by role, IP version and program
ENDS = {"client 4 sf-cli", "client 6 sf-cli", "server 4 sf-srv", "server 6 sf-srv",
        "client 4 sf-far"}

SERVER = """
import socket, sys
open("/proc/self/comm", "w").write("sf-srv")
servers = [socket.create_server(("127.0.0.1", %d)),
           socket.create_server(("::1", %d), family=socket.AF_INET6)]
print("listens", flush=True)
sys.stdin.readline()
for server in servers:
    end, _ = server.accept()
    while end.recv(100):
        pass
    end.close()
""" % (PORT4, PORT6)

CLIENT = """
import socket, sys
open("/proc/self/comm", "w").write("sf-cli")
sys.stdin.readline()
for address in (("127.0.0.1", %d), ("::1", %d)):
    end = socket.create_connection(address)
    end.sendall(b"hello")
    end.close()
""" % (PORT4, PORT6)

FAR = """
import socket
open("/proc/self/comm", "w").write("sf-far")
socket.socket().connect_ex(("127.0.0.1", %d))
""" % PORT4


def filters(pids, namespaces):
    """(arguments, the ends they let through); the last shows that nothing else gets through."""
    inode = str(os.stat("/run/netns/" + namespaces[1]).st_ino)
    return (
        (["--pid", str(pids["cli"])], ends_of("sf-cli")),
        (["--pid", str(pids["srv"])], ends_of("sf-srv")),
        (["pid", str(pids["srv"]), "and", "ip6"], {"server 6 sf-srv"}),
        (["--comm", "sf-cli"], ends_of("sf-cli")),
        (["--comm", "sf-srv"], ends_of("sf-srv")),
        (["--port", str(PORT4)], ends_of(" 4 ")),
        (["--lport", str(PORT4)], {"server 4 sf-srv"}),
        (["--rport", str(PORT6)], {"client 6 sf-cli"}),
        (["--role", "client"], ends_of("client")),
        (["--role", "server"], ends_of("server")),
        (["-4"], ends_of(" 4 ")),
        (["-6"], ends_of(" 6 ")),
        (["--host", "::1"], ends_of(" 6 ")),
        (["--host", "127.0.0.0/8"], ends_of(" 4 ")),
        (["--netns", namespaces[0]], ENDS - {"client 4 sf-far"}),
        (["--netns", inode], {"client 4 sf-far"}),
        (["--port", "7999"], set()),
    )


def ends_of(part):
    return {end for end in ENDS if part in end}


def spawn(namespace, program):
    return subprocess.Popen(["ip", "netns", "exec", namespace, sys.executable, "-c", program],
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def wait_for(what, holds):
    end = time.monotonic() + DEADLINE_S
    while not holds():
        if time.monotonic() > end:
            sys.exit("waited for " + what)
        time.sleep(0.05)


class Traced:
    """A synfin with a filter."""

    def __init__(self, synfin, command, args):
        self.args = args
        self.out = tempfile.TemporaryFile("w+")  # a pipe that nobody reads would hold it up
        # pylint: disable-next=consider-using-with
        self.process = subprocess.Popen(
            [synfin, command, "-o", "json", "--max-connections", "16384", "--buffer", "4M", *args],
            stdin=subprocess.DEVNULL, stdout=self.out, stderr=subprocess.PIPE, text=True)
        line = self.process.stderr.readline()
        if not line.startswith("synfin: tracing"):
            sys.exit("%s: %s" % (args, line))

    def end(self):
        self.process.send_signal(signal.SIGINT)
        self.process.communicate(timeout=DEADLINE_S)
        self.out.seek(0)
        events = [json.loads(line) for line in self.out]
        stats = [e for e in events if e["event_name"] == "synfin.stats"][-1]
        told = [e for e in events if e["event_name"] in ("tcp.close", "tcp.failed")]
        return ({end_of(e) for e in told if e.get("server_port") in (PORT4, PORT6)},
                stats["events_sent"], sum(e["event_name"] != "synfin.stats" for e in events))


def end_of(event):
    return "%s %s %s" % (event.get("role"), event["network_type"][-1],
                         event.get("process_executable_name"))


def main(synfin, command):
    namespaces = ["sf-filter-%d-%d" % (os.getpid(), i) for i in range(2)]
    for namespace in namespaces:
        subprocess.run(["ip", "netns", "add", namespace], check=True)
        subprocess.run(["ip", "-n", namespace, "link", "set", "lo", "up"], check=True)
    failed = False
    children = []
    try:
        server, client = spawn(namespaces[0], SERVER), spawn(namespaces[0], CLIENT)
        children = [server, client]
        server.stdout.readline()
        pids = {"srv": server.pid, "cli": client.pid}
        for name, child in (("sf-srv", server), ("sf-cli", client)):
            wait_for(name, lambda c=child, n=name: open("/proc/%d/comm" % c.pid).read().strip() == n)
        wanted = filters(pids, namespaces)
        tracers = [Traced(synfin, command, args) for args, _ in wanted]
        for child in (server, client):
            child.stdin.write("go\n")
            child.stdin.flush()
        client.wait(DEADLINE_S)
        server.wait(DEADLINE_S)
        spawn(namespaces[1], FAR).wait(DEADLINE_S)
        time.sleep(0.5)  # the last socket may end a little later
        for tracer, (args, ends) in zip(tracers, wanted):
            got, sent, lines = tracer.end()
            # what is not asked for is cut in the kernel; conns holds back what begins, too
            holds = got == ends and (sent == lines if command == "trace" else sent <= lines)
            failed |= not holds
            print("%s %s %s: %s; %d events sent for %d lines" %
                  ("ok" if holds else "not ok", command, " ".join(args), sorted(got), sent, lines))
    finally:
        for child in children:
            child.kill()
        for namespace in namespaces:
            subprocess.run(["ip", "netns", "del", namespace], check=False)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
