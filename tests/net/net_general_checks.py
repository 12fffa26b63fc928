# SPDX-License-Identifier: GPL-2.0-or-later
"""
What must hold of the output as such, whatever the connections were: form,
sequence, what is lost, listeners, the storm's numbers, the table's bytes, and
that driver, generator and tracers came to their planned end.
"""
import os
import unicodedata
from collections import Counter

from net_checks import Check, comm_texts

# Numbers that are identities: they do not exist with the value 0.
NEVER_ZERO = {"network_local_port", "network_peer_port", "client_port", "server_port",
              "process_pid", "peer_process_pid", "netns", "seq", "schema_version"}
ANY_ADDRESS = {"0.0.0.0", "::"}


def absent_problem(record):
    """A field that says "unknown" instead of being absent, or None."""
    for name, value in record.fields.items():
        if name == "hooks_missing":  # in synfin.stats, known to be none
            continue
        if value is None or value == "" or value == {} or value == []:
            return "%s is %r" % (name, value)
        if value == 0 and value is not False and name in NEVER_ZERO:
            return "%s is 0" % name
        if isinstance(value, str) and value.lower() in ("unknown", "none", "n/a"):
            return "%s is %r" % (name, value)
        if name.endswith("_id") and isinstance(value, str) and set(value) == {"0"}:
            return "%s is %r" % (name, value)
        if name.endswith("_address") and value in ANY_ADDRESS and record.get("role") != "listener":
            return "%s is %r" % (name, value)
        if isinstance(value, int) and not -2**53 < value < 2**53:
            return "%s is beyond 2^53" % name
    return None


class LineChecks:
    """What must hold of every line of a tracer's output, whosever connection it is."""

    def __init__(self, name, status, schema):
        self.status = status
        self.schema = schema
        self.form = Check("%s: every line is one JSON object with unique keys" % name)
        self.absent = Check("%s: unknown is absent, never 0 or empty" % name)
        self.seq = Check("%s: seq has no gap unless events were lost" % name)
        self.head = Check("%s: every line names schema, host and boot" % name)
        self.valid = Check("%s: every line is valid by the schema" % name)
        if schema is None:
            self.valid.skip = "there is no schema file"
        self.last_seq = self.nr_skipped = 0  # the first line is number 1

    def see(self, record):
        self.form.total += 1
        problem = absent_problem(record)
        self.absent.that(problem is None, problem, "in", record)
        self.see_seq(record)
        self.see_head(record)
        if self.schema:
            problem = self.schema.problem(record.fields)
            self.valid.that(problem is None, problem, "in", record)

    def see_seq(self, record):
        seq = record.get("seq")
        if not self.seq.that(isinstance(seq, int), "no seq in", record):
            return
        self.seq.that(seq > self.last_seq, "after", self.last_seq, "comes", record)
        self.nr_skipped += max(0, seq - self.last_seq - 1)
        self.last_seq = seq

    def see_head(self, record):
        for field in ("schema_version", "host_name", "boot_id"):
            value = record.get(field)
            self.head.that(value is not None, "no", field, "in", record)
            if field in self.status:
                self.head.that(value == self.status[field], field, "is", self.status[field],
                               "not", record)

    def finish(self, output):
        """All checks, when the whole of the output has been seen."""
        for problem in output.bad:
            self.form.that(False, problem)
        self.form.that(output.records, "no lines of ours at all")
        self.seq.that(self.nr_skipped <= output.lost, self.nr_skipped, "numbers missing,",
                      output.lost, "events said to be lost")
        return [self.form, self.absent, self.seq, self.head, self.valid]


def check_listeners(ctx, trace):
    check = Check("trace: tcp.listen once for each listener")
    seen = Counter()
    where = {}
    for record in trace.records:
        if record.event == "tcp.listen":
            place = (record.get("netns"), record.get("network_local_port"))
            seen[place] += 1
            where[place] = record
    for listener in ctx.truth.listeners:
        place = (listener["netns"], listener["local_port"])
        if listener["scenario"] == "blocked":  # it listened before the tracer was there
            check.that(seen[place] == 0, "it was there before:", where.get(place))
            continue
        message = "%d times tcp.listen of %s" % (seen[place], listener["run"])
        check.that(seen[place] <= 1, message)
        if not check.there(place, seen[place], message):
            continue
        record = where[place]
        slack = ctx.truth.clock.slack_ns
        check.that(record.get("role") == "listener", "role is listener, not", record)
        check.that(record.get("process_pid") == listener["pid"], "pid is", listener["pid"],
                   "not", record)
        check.that(record.get("process_executable_name")
                   in comm_texts(bytes.fromhex(listener["comm_hex"])),
                   "name is", listener["comm"], "not", record)
        check.that(listener["listen_call_ns"] - slack <= record.at
                   <= listener["listen_return_ns"] + slack, "not during listen():", record)
        check.that(record.get("local_port_ephemeral") in (None, listener["ephemeral"]),
                   "ephemeral is", listener["ephemeral"], "not", record)
    return check


def check_storm(ctx, name, output):
    """seen + lost = happened; what is seen is right."""
    check = Check("%s: storm: all connections, or as many as are said to be lost" % name)
    want = {"client": Counter(), "server": Counter()}
    for worker in ctx.truth.storms:
        for port in worker["client_ports"]:
            want[worker["role"]][worker["pid"], port] += 1
    got = {"client": Counter(), "server": Counter()}
    for record in output.records:
        if record.get("netns") not in ctx.truth.storm_netns or record.event != "tcp.close":
            continue
        role = record.get("role")
        if check.that(role in got, "no role in", record):
            got[role][record.get("process_pid"), record.get("client_port")] += 1
    nr_missing = 0
    for role, wanted in want.items():
        for (pid, port), nr in (got[role] - wanted).items():
            check.that(False, "%d times too often: %s pid %s port %s" % (nr, role, pid, port))
        for who in (wanted - got[role]).elements():
            nr_missing += 1
            check.lacks((role, who, nr_missing), "missing %s (pid, port):" % role, who)
    total = sum(sum(c.values()) for c in want.values())
    check.total += total
    check.note = "%d/%d, %d said to be lost" % (total - nr_missing, total, output.lost)
    return check


def is_dangerous(char):
    """A code point a terminal may act on, or that shows nothing."""
    return char != "\n" and unicodedata.category(char) in ("Cc", "Cf", "Zl", "Zp", "Cs")


def check_table(ctx, path):
    check = Check("table: plain text that breaks no terminal, with the odd names' connections")
    with open(path, "rb") as file:
        data = file.read()
    for byte in set(data):
        check.that(byte >= 0x20 and byte != 0x7f or byte == 0x0a, "byte 0x%02x" % byte)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        check.that(False, "not UTF-8:", error)
        return check
    for char in set(text):
        check.that(not is_dangerous(char), "U+%04X in the table" % ord(char))
    for end in ctx.truth.runs.get("names", []):
        if end.role == "client":
            check.that(":%d" % end.local[1] in text, "no row of", end)
    check.that(ctx.truth.runs.get("names"), "the names scenario did not run")
    return check


def check_status(status, outdir, tier):
    check = Check("driver, generator and tracers came to their planned end")
    check.that(status.get("complete") == "yes", "the driver did not finish")
    check.that("failed" not in status, status.get("failed"))
    check.that(status.get("hooks") == tier, "synfin used the hooks", status.get("hooks"),
               "not", tier)
    runs = {k: v for k, v in status.items() if k.startswith("gen.")}
    check.that(runs, "no generator ran")
    for name, code in runs.items():
        check.that(code == "0", name, "exit status", code)
    for name in ("trace", "conns", "table")[:int(status.get("tracers", 3))]:
        check.that(status.get("exit." + name) == "0", name, "exit status",
                   status.get("exit." + name), tail(os.path.join(outdir, name + ".err")))
    return check


def tail(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()[-300:]
    except OSError as error:
        return str(error)
