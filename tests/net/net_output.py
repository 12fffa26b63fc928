# SPDX-License-Identifier: GPL-2.0-or-later
"""
What synfin printed: JSON lines, read strictly, and found again by tuple and
time. What is wrong with a line itself is collected here; whether it is true
is for net_checks.py to say.
"""
import bisect
import calendar
import json
import re
import time
from collections import defaultdict

TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.(\d{9})Z\Z")
EVENTS = {"tcp." + name for name in (
    "listen connect established accept fin_sent fin_received reset failed close time_wait_end "
    "stuck listen_overflow").split()} | {"synfin.stats"}
LAST = {"tcp.close", "tcp.failed"}


class DuplicateKey(ValueError):
    pass


def unique_pairs(pairs):
    result = dict(pairs)
    if len(result) != len(pairs):
        raise DuplicateKey("a key twice")
    return result


def parse_time(text):
    """RFC 3339 UTC with nine digits to ns since 1970, or None."""
    match = TIME.match(text) if isinstance(text, str) else None
    if not match:
        return None
    whole = calendar.timegm(time.strptime(match.group(1), "%Y-%m-%dT%H:%M:%S"))
    return whole * 1_000_000_000 + int(match.group(2))


class Record:
    """A line; .at is its time as boot time, None if it has none."""

    def __init__(self, fields, line_number, clock):
        self.fields = fields
        self.line_number = line_number
        real = parse_time(fields.get("time"))
        self.at = clock.to_boot(real) if real is not None else None

    def get(self, name):
        return self.fields.get(name)

    @property
    def event(self):
        return self.fields.get("event_name")

    @property
    def key(self):
        get = self.fields.get
        port = get("network_local_port")
        return (get("netns"), (get("network_local_address"), port) if port else None,
                (get("network_peer_address"), get("network_peer_port")))

    def __str__(self):
        return "line %d: %s" % (self.line_number, json.dumps(self.fields, ensure_ascii=True))


class Output:
    """
    A file of JSON lines: .records, those of the namespaces of interest; .bad,
    what could not be read as a line; .lost, how many events synfin says it
    lost. see() is called with every record: on a busy host most are of others
    and not kept.
    """

    def __init__(self, path, clock, netns, see):
        self.records = []
        self.bad = []
        self.lost = 0
        with open(path, "rb") as file:
            for number, line in enumerate(file, 1):
                record = self.read(line, number, clock)
                if record is None:
                    continue
                see(record)
                self.lost = max(self.lost, record.get("events_lost") or 0)
                if record.get("netns") in netns:
                    self.records.append(record)

    def read(self, line, number, clock):
        try:
            if not line.endswith(b"\n"):
                raise ValueError("the last line has no end")
            fields = json.loads(line.decode("utf-8"), object_pairs_hook=unique_pairs,
                                parse_constant=bad_constant)
            if not isinstance(fields, dict):
                raise ValueError("not an object")
        except ValueError as error:
            self.bad.append("line %d: %s: %r" % (number, error, line[:200]))
            return None
        record = Record(fields, number, clock)
        if record.at is None or record.event not in EVENTS:
            self.bad.append("no time or no known event: %s" % record)
            return None
        return record


def bad_constant(name):
    raise ValueError("not JSON: " + name)


class Life:
    """The lines of one connection_id, in order: one end of one connection."""

    def __init__(self, records):
        self.records = records
        self.by_event = defaultdict(list)
        for record in records:
            self.by_event[record.event].append(record)

    @property
    def last(self):
        """The line that ends it, or its last one."""
        ends = [r for r in self.records if r.event in LAST]
        return ends[0] if ends else self.records[-1]

    def get(self, name):
        return self.last.get(name)

    @property
    def key(self):
        return self.last.key

    @property
    def at(self):
        return self.last.at

    def __str__(self):
        return str(self.last)


def lives(records):
    """Lines of connections, listeners and stats aside, by connection_id."""
    groups = defaultdict(list)
    for record in records:
        if record.get("role") != "listener" and record.get("connection_id"):
            groups[record.get("connection_id")].append(record)
    return [Life(group) for group in groups.values()]


def match(ends, found, slack_ns):
    """
    Finds the ends in what was found, by tuple and time. Returns (pairs,
    missing ends, extra finds). The lives of one tuple follow each other, so
    equal numbers pair off in order; else a find belongs to the last life that
    had begun to end by then.
    """
    by_key = defaultdict(lambda: ([], []))
    for end in ends:
        by_key[end.key][0].append(end)
    for one in found:
        by_key[one.key][1].append(one)
    taken = {}
    extra = []
    for lives_here, finds in by_key.values():
        lives_here.sort(key=lambda e: e.end_span)
        finds.sort(key=lambda f: f.at)
        starts = [end.end_span[0] - slack_ns for end in lives_here]
        for index, one in enumerate(finds):
            if len(finds) != len(lives_here):
                index = bisect.bisect_right(starts, one.at) - 1
            if index < 0 or id(lives_here[index]) in taken:
                extra.append(one)
            else:
                taken[id(lives_here[index])] = one
    pairs = [(end, taken[id(end)]) for end in ends if id(end) in taken]
    missing = [end for end in ends if id(end) not in taken]
    return pairs, missing, extra
