# SPDX-License-Identifier: GPL-2.0-or-later
"""
What the scenes share: what a synfin beside them says, and the checks that a
scene collects; and what the single checks of the guests share, each a program
of its own. Standard library only, as it runs in the guests, too.
"""
import contextlib
import json
import os
import signal
import socket
import subprocess
import tempfile
import time

DEADLINE_S = 60
OWN_NETNS = os.stat("/proc/self/ns/net").st_ino


class Tracer:
    """What a synfin that somebody else runs writes: the events of our namespace."""

    OURS = b'"netns":%d,' % OWN_NETNS

    def __init__(self, path):
        self.path = path
        self.known, self.nr_bytes = [], 0

    def events(self):
        """All so far; each line is read once."""
        with open(self.path, "rb") as file:
            file.seek(self.nr_bytes)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                self.nr_bytes += len(line)
                if self.OURS in line:
                    self.known.append(json.loads(line))
        return self.known

    def nr_lost(self):
        """How many it says it lost, of all namespaces."""
        with open(self.path, "rb") as file:
            return max((json.loads(line)["events_lost"] for line in file
                        if b'"synfin.stats"' in line and line.endswith(b"\n")), default=0)


def wait_for(what, holds, deadline_s=DEADLINE_S):
    end = time.monotonic() + deadline_s
    while not holds():
        if time.monotonic() > end:
            raise TimeoutError("waited for " + what)
        time.sleep(0.02)


class Written:
    """What a synfin writes: its events so far, and all of them once it has ended."""

    def __init__(self, path):
        self.path, self.all = path, None

    def so_far(self):
        with open(self.path, encoding="utf-8") as file:
            return [json.loads(line) for line in file if line.endswith("\n")]

    def lost(self, counter="events_lost"):
        """What it said last of what it lost."""
        return [event[counter] for event in self.all if event["event_name"] == "synfin.stats"][-1]


@contextlib.contextmanager
def traced(synfin, command, *options):
    """A synfin beside us until all is done, and what it writes."""
    with tempfile.TemporaryDirectory() as directory:
        written, log = Written(os.path.join(directory, "out")), os.path.join(directory, "err")

        def said():
            with open(log, encoding="utf-8") as file:
                return file.read()

        with open(written.path, "wb") as out, open(log, "wb") as err, subprocess.Popen(
                [synfin, command, "-o", "json", *options], stdin=subprocess.DEVNULL, stdout=out,
                stderr=err) as tracer:
            try:
                wait_for("synfin to trace", lambda: "tracing with" in said())
                yield written
                tracer.send_signal(signal.SIGINT)
                tracer.wait(30)
            finally:
                tracer.kill()
        written.all = written.so_far()


def verdict(what, problems):
    """A line, "ok WHAT" or "not ok WHAT", and what was wrong; problems: gives that. Exit status."""
    try:
        found = list(problems())
    except (TimeoutError, subprocess.TimeoutExpired) as error:
        found = [str(error)]
    print("%s %s" % ("not ok" if found else "ok", what))
    for problem in found:
        print("# %s" % problem)
    return 1 if found else 0


class Missing(Exception):
    """An event that did not come."""


class Scene:
    """One of the functions below: what it must lead to, collected as checks."""

    def __init__(self, name, tier, tracers):
        self.name = name
        self.tier = tier
        self.tracers = tracers
        self.begin = {command: len(tracer.events()) for command, tracer in tracers.items()}
        self.problems = []
        self.lacking = []  # what may have been lost
        self.at_end = []  # checks of what holds when all is told
        self.nr_checks = 0

    @property
    def is_probing(self):
        """Are there hooks on kernel functions?"""
        return self.tier != "tracepoints"

    def check(self, holds, *message):
        self.nr_checks += 1
        if not holds:
            self.problems.append(" ".join(str(part) for part in message))

    def lacks(self, *message):
        self.nr_checks += 1
        self.lacking.append(" ".join(str(part) for part in message))

    def settle(self):
        """What lacks is a problem."""
        self.problems += self.lacking
        self.lacking = []

    def end(self):
        """The tracers have ended: all is told."""
        try:
            for check in self.at_end:
                check()
        finally:
            self.settle()

    def is_(self, event, field, want):
        """want: a value, None for absent, or a function that judges it."""
        have = event.get(field)
        holds = want(have) if callable(want) else have == want and type(have) is type(want)
        if holds or have is not None:
            self.check(holds, field, "is", repr(have), "in", json.dumps(event))
        else:
            self.lacks("no", field, "in", json.dumps(event))

    def matches(self, event, **wanted):
        for field, want in wanted.items():
            self.is_(event, field, want)

    def find(self, name, command="trace", **fields):
        """The events of this name with these fields since it began, all of which are known."""
        return [event for event in self.tracers[command].events()[self.begin[command]:]
                if event["event_name"] == name and
                all(event.get(field) == value for field, value in fields.items())]

    def wait(self, name, number=1, command="trace", **fields):
        """The one event, or the last one, that must come."""
        try:
            wait_for("%s %s" % (name, fields),
                     lambda: len(self.find(name, command, **fields)) >= number)
        except TimeoutError as error:
            raise Missing(str(error)) from None
        return self.find(name, command, **fields)[-1]

    def probed(self, name, fields, **wanted):
        """An event with these fields, as wanted; without hooks on functions there is none, ever."""
        if self.is_probing:
            self.matches(self.wait(name, **fields), **wanted)
        else:
            self.at_end.append(lambda: self.check(not self.find(name, **fields),
                                                  "told without a hook:", name, fields))


class SlowReader:
    """A connection on loopback: one end sends what it can, the other reads little, or nothing."""

    def __init__(self, port=0):
        self.listener = socket.create_server(("127.0.0.1", port))
        self.port = self.listener.getsockname()[1]
        self.writer = socket.create_connection(("127.0.0.1", self.port))
        self.reader, _ = self.listener.accept()
        self.writer.setblocking(False)

    def live(self, seconds, nr_bytes):
        """So many bytes are read every tenth of a second."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                self.writer.send(b"x" * 65536)
            except BlockingIOError:
                pass
            if nr_bytes:
                self.reader.recv(nr_bytes)
            time.sleep(0.1)
