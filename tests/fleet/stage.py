#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
stage.py SYNFIN SFGEN FOLDER: three hosts, each a network namespace with a host name and a synfin of
its own, that looks at this namespace only: web calls services, db has them, gw between them is a
router with NAT. Each service is slow in its own way, or is not.

Leaves in FOLDER: HOST.jsonl (what its synfin wrote), HOST.said (its standard error), truth.json:
{"calls": [...], "answers": [...]}, what the two ends of each connection did, times in ns of
CLOCK_MONOTONIC. Nothing waits by time but what is meant to be slow. Needs root. Standard library only.
"""
import contextlib
import json
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import threading
import time

DEADLINE_S = 40
NR, NR_GOOD = 12, 40  # calls of a host to each service, and to the good one
SLOW_S = 0.6
TRIP_US = 150000  # each way, on the far path
LINK = {"web": "10.90.1", "db": "10.90.2", "far": "10.90.3"}
SERVER = LINK["db"] + ".2"
# Service: the port it has; what web calls is 1000 above that, at the router.
SERVICES = {
    "good": 7001,
    "far": 7002,  # behind a path of 300 ms
    "unaccepted": 7003,  # accept() comes late
    "thinker": 7004,  # answers late
    "silent": 7005,  # its client asks late
    "unread": 7006,  # its client reads late
    "greeter": 7007,  # speaks first, and late
    "full": 7008,  # its queue has no room for most SYNs
}
CLOSED = 7099
PROGRAM = "sf-fleet"  # the servers' name
BACKLOG = {"full": 1}
GREETERS = {"greeter"}
LISTENERS = {}


def nr_calls(service):
    return NR_GOOD if service == "good" else NR


def callers(service):
    return ("web", "gw") if service == "good" else ("web",)


def address_of(service, host):
    """Where host calls it."""
    if host == "gw":
        return SERVER, SERVICES[service]
    return LINK["far" if service == "far" else "web"] + ".1", SERVICES[service] + 1000


def wait_for(what, holds):
    end = time.monotonic() + DEADLINE_S
    while not holds():
        if time.monotonic() > end:
            raise TimeoutError("waited for " + what)
        time.sleep(0.01)


# ---- on db ----

def answer(end, service, accepted_ns, answers):
    with end:
        record = {"service": service, "port": end.getpeername()[1], "accepted_ns": accepted_ns}
        if service not in GREETERS:
            end.recv(16)
        record["turn_ns"] = time.monotonic_ns()
        if service in ("thinker", "greeter"):
            time.sleep(SLOW_S)
        record["reply_ns"] = time.monotonic_ns()
        end.sendall(b"answer")
        while end.recv(16):
            pass
        answers.append(record)


def serve(service, nr, folder):
    """A process for each service: none waits for another's."""
    listener, held_ns = LISTENERS[service], time.monotonic_ns()
    if service in ("unaccepted", "full"):
        wait_for("all to be connected", lambda: os.path.exists(folder + "/" + service))
        held_ns = time.monotonic_ns()
        if service == "unaccepted":
            time.sleep(SLOW_S)
        listener.listen(64)
    answers, threads = [], []
    for _ in range(nr):
        end, _ = listener.accept()
        threads.append(threading.Thread(target=answer, args=(end, service, held_ns, answers)))
        threads[-1].start()
    for thread in threads:
        thread.join()
    return answers


def serve_all(folder):
    with open("/proc/self/comm", "w", encoding="ascii") as file:
        file.write(PROGRAM)
    for service, port in SERVICES.items():
        LISTENERS[service] = socket.create_server((SERVER, port), backlog=BACKLOG.get(service, 64))
    work = [(service, len(callers(service)) * nr_calls(service), folder) for service in SERVICES]
    with multiprocessing.Pool(len(work)) as pool:
        print("listening", flush=True)
        answers = pool.starmap(serve, work, 1)
    print(json.dumps(sum(answers, [])), flush=True)


# ---- on web and gw ----

def call(service, host, connected, calls):
    with socket.socket() as end:
        record = {"service": service, "host": host, "begin_ns": time.monotonic_ns()}
        end.connect(address_of(service, host))
        record["open_ns"] = time.monotonic_ns()
        record["port"] = end.getsockname()[1]
        connected.append(end)
        if service == "silent":
            time.sleep(SLOW_S)
        record["ask_ns"] = time.monotonic_ns()
        if service not in GREETERS:
            end.sendall(b"request")
        if service == "unread":
            time.sleep(SLOW_S)
        record["late_ns"] = time.monotonic_ns()
        end.recv(16)
        record["answer_ns"] = time.monotonic_ns()
        calls.append(record)


def nr_dialling(port):
    """Sockets of this namespace in SYN_SENT to that port."""
    with open("/proc/net/tcp", encoding="ascii") as file:
        rows = [line.split() for line in file][1:]
    return sum(row[3] == "02" and row[2].endswith(":%04X" % port) for row in rows)


def wait_unanswered(port, connected):
    """Most of the SYNs to that port were dropped: it has been so for a while."""
    looks = []

    def unanswered():
        looks.append(nr_dialling(port))
        return looks[-1] == NR - len(connected) > NR / 2 and looks[-5:] == looks[-1:] * 5
    wait_for("SYNs that are not answered", unanswered)


def touch(path):
    with open(path, "w", encoding="ascii"):
        pass


def call_service(service, host, folder):
    connected, calls, threads = [], [], []
    for _ in range(nr_calls(service)):
        threads.append(threading.Thread(target=call, args=(service, host, connected, calls)))
        threads[-1].start()
        if service == "good":
            threads[-1].join()
    if service == "unaccepted":
        wait_for("its connections", lambda: len(connected) == NR)
        touch(folder + "/" + service)
    if service == "full":
        wait_unanswered(address_of(service, host)[1], connected)
        touch(folder + "/" + service)
    for thread in threads:
        thread.join()
    return calls


def call_all(folder, host):
    work = [(service, host, folder) for service in SERVICES if host in callers(service)]
    with multiprocessing.Pool(len(work)) as pool:
        calls = pool.starmap(call_service, work, 1)
    if host == "web":
        with socket.socket() as end:
            assert end.connect_ex((LINK["web"] + ".1", CLOSED + 1000)) != 0
    print(json.dumps(sum(calls, [])), flush=True)


# ---- the hosts ----

def run(*words, **more):
    subprocess.run(words, check=True, **more)


class Stage:
    def __init__(self, synfin, sfgen, folder, stack):
        self.synfin, self.sfgen, self.folder, self.stack = synfin, sfgen, folder, stack
        self.tracers = {}

    def netns(self, host):
        return "sff%d-%s" % (os.getpid(), host)

    def begin(self, host, *words, **more):
        """In the host's network namespace and with its name; ended with the stage."""
        process = subprocess.Popen(
            ("nsenter", "--net=/run/netns/" + self.netns(host), "unshare", "--uts", "sh", "-c",
             'echo "$0" >/proc/sys/kernel/hostname; exec "$@"', host) + words,
            stdin=subprocess.DEVNULL, **more)
        self.stack.callback(process.wait)
        self.stack.callback(process.kill)
        return process

    def make_hosts(self):
        for host in ("web", "gw", "db"):
            run("ip", "netns", "add", self.netns(host))
            self.stack.callback(run, "ip", "netns", "del", self.netns(host))
            run("ip", "-n", self.netns(host), "link", "set", "lo", "up")
        for host in ("web", "db"):
            run("ip", "link", "add", "uplink", "netns", self.netns(host), "type", "veth", "peer",
                "name", host, "netns", self.netns("gw"))
            self.give(host, "uplink", LINK[host] + ".2")
            self.give("gw", host, LINK[host] + ".1")
        self.make_far_path()
        self.make_router()

    def give(self, host, device, address):
        run("ip", "-n", self.netns(host), "addr", "add", address + "/24", "dev", device)
        run("ip", "-n", self.netns(host), "link", "set", device, "up")

    def make_far_path(self):
        """From web to gw by way of a process that holds each packet."""
        ready = self.folder + "/relay"
        relay = subprocess.Popen(
            (self.sfgen, "relay", "--netns-client", self.netns("web"), "--netns-server",
             self.netns("gw"), "--there-us", str(TRIP_US), "--back-us", str(TRIP_US), "--ready",
             ready, "--deadline", str(2 * DEADLINE_S)))
        self.stack.callback(relay.wait)
        self.stack.callback(relay.kill)
        wait_for("the relay", lambda: os.path.exists(ready))
        self.give("web", "sftun", LINK["far"] + ".2")
        self.give("gw", "sftun", LINK["far"] + ".1")

    def make_router(self):
        """Whom web calls is the router; whom db sees is the router, and other ports than web's."""
        rules = ["tcp dport %d dnat to %s:%d" % (port + 1000, SERVER, port)
                 for port in [*SERVICES.values(), CLOSED]]
        run("nsenter", "--net=/run/netns/" + self.netns("gw"), "sh", "-ec",
            "echo 1 >/proc/sys/net/ipv4/ip_forward; nft -f -", text=True, input="""
            table ip nat {
                chain to { type nat hook prerouting priority dstnat; %s; }
                chain from {
                    type nat hook postrouting priority srcnat;
                    ip saddr { %s.0/24, %s.0/24 } meta l4proto tcp masquerade to :20000-29999
                }
            }""" % ("; ".join(rules), LINK["web"], LINK["far"]))

    def trace(self, host):
        said = "%s/%s.said" % (self.folder, host)
        with open(said, "w", encoding="utf-8") as file:
            self.tracers[host] = self.begin(
                host, self.synfin, "serve", "--to", "file:%s/%s.jsonl" % (self.folder, host),
                "--first-byte", "--netns", "/proc/self/ns/net", stderr=file)

    def wait_traced(self, host):
        def traces():
            assert self.tracers[host].poll() is None, "synfin of %s ended" % host
            with open("%s/%s.said" % (self.folder, host), encoding="utf-8") as file:
                return "\nsynfin: tracing" in "\n" + file.read()
        wait_for("synfin of " + host, traces)

    def act(self):
        """Everyone plays; returns the truth."""
        me = os.path.abspath(__file__)
        more = {"stdout": subprocess.PIPE, "text": True}
        server = self.begin("db", me, "serve", self.folder, **more)
        assert server.stdout.readline() == "listening\n"
        callers = [self.begin(host, me, "call", self.folder, host, **more)
                   for host in ("web", "gw")]
        calls = [record for caller in callers for record in json.loads(caller.stdout.read())]
        return {"calls": calls, "answers": json.loads(server.stdout.read())}

    def wait_ended(self, host, nr):
        def ended():
            with open("%s/%s.jsonl" % (self.folder, host), encoding="utf-8") as file:
                return sum('"event_name":"tcp.close"' in line for line in file) >= nr
        wait_for("the ends of %s" % host, ended)

    def play(self):
        self.make_hosts()
        for host in ("web", "gw", "db"):
            self.trace(host)
        for host in ("web", "gw", "db"):
            self.wait_traced(host)
        truth = self.act()
        for host in ("web", "gw"):
            self.wait_ended(host, sum(call["host"] == host for call in truth["calls"]))
        self.wait_ended("db", len(truth["answers"]))
        for tracer in self.tracers.values():
            tracer.send_signal(signal.SIGTERM)
        for host, tracer in self.tracers.items():
            assert tracer.wait(DEADLINE_S) == 0, "synfin of %s failed" % host
        with open(self.folder + "/truth.json", "w", encoding="ascii") as file:
            json.dump(truth, file)


def main():
    if sys.argv[1] == "serve":
        serve_all(sys.argv[2])
    elif sys.argv[1] == "call":
        call_all(*sys.argv[2:])
    else:
        with contextlib.ExitStack() as stack:
            Stage(*sys.argv[1:], stack).play()


if __name__ == "__main__":
    main()
