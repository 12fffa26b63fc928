#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A receiver of OTLP logs on OpenTelemetry's own classes, and the judge of what it got.

    otlp_server.py serve PORT          in the current folder; PORT 0: any, written to port
    otlp_server.py same SCHEMA LOG     is what arrived what stands in the lines of LOG?
    otlp_server.py seqs                each seq that arrived, as often as it did

For each request it does what stands in the file mode, at that time: ok, "503 SECONDS" (or any
status; SECONDS: Retry-After, may be left out), "partial N" (so many are not taken), warn (all are
taken, with a message), "html" (a 200 that is no OTLP) or hang (never answers). What it takes is
appended to stored, a request per line; when a request came, and what was answered, to asked.
"""
import datetime
import gzip
import json
import os
import socketserver
import sys
import time
from http.server import BaseHTTPRequestHandler

from opentelemetry.proto.collector.logs.v1 import logs_service_pb2


def plain(any_value):
    """An AnyValue as JSON has it."""
    kind = any_value.WhichOneof("value")
    value = getattr(any_value, kind)
    if kind == "array_value":
        return [plain(element) for element in value.values]
    if kind == "kvlist_value":
        return attributes(value.values)
    return value


def attributes(pairs):
    got = {pair.key: plain(pair.value) for pair in pairs}
    assert len(got) == len(pairs), "a key twice"
    return got


def decode(body):
    request = logs_service_pb2.ExportLogsServiceRequest()
    request.ParseFromString(body)
    request.DiscardUnknownFields()
    # byte for byte what the official encoder makes of it: nothing unknown, nothing longer
    assert request.SerializeToString(deterministic=True) == body, "not canonical"
    records = []
    for of_resource in request.resource_logs:
        resource = attributes(of_resource.resource.attributes)
        for of_scope in of_resource.scope_logs:
            for record in of_scope.log_records:
                records.append({
                    "resource": resource,
                    "scope": [of_scope.scope.name, of_scope.scope.version],
                    "time": record.time_unix_nano,
                    "observed": record.observed_time_unix_nano,
                    "severity": [record.severity_number, record.severity_text],
                    "event_name": record.event_name,
                    "body": plain(record.body),
                    "attributes": attributes(record.attributes),
                })
    return records


def append(name, text):
    fd = os.open(name, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(fd, text.encode())
    os.close(fd)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def answer(self, status, message=None, more=(), kind="application/x-protobuf"):
        body = message if isinstance(message, bytes) else b""
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in more:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        packed = self.rfile.read(int(self.headers["Content-Length"]))
        mode = open("mode").read().split()
        append("asked", f"{time.monotonic():.3f} {' '.join(mode)}\n")
        assert self.headers["Content-Type"] == "application/x-protobuf"
        assert self.headers["Content-Encoding"] == "gzip"
        assert self.headers["User-Agent"].startswith("synfin/")
        assert self.path == "/v1/logs", self.path
        body = gzip.decompress(packed)
        assert len(packed) < len(body)
        records = decode(body)
        response = logs_service_pb2.ExportLogsServiceResponse()
        if mode[0] == "hang":
            time.sleep(100)
        if mode[0] == "partial":
            refused = min(int(mode[1]), len(records))
            records = records[refused:]
            response.partial_success.rejected_log_records = refused
            response.partial_success.error_message = "too old\x1b[2J"
        if mode[0] == "warn":
            response.partial_success.error_message = "slow down"
        if mode[0].isdigit():
            more = [("Retry-After", mode[1])] if len(mode) > 1 else []
            # google.rpc.Status: code 3, message "no thanks"
            self.answer(int(mode[0]), b"\x08\x03\x12\x09no thanks", more)
            return
        append("stored", json.dumps(records) + "\n")
        if mode[0] == "html":
            self.answer(200, b"\n\x06\x08\x05\x12\x02no", kind="text/html")
        else:
            self.answer(200, response.SerializeToString())


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, client_address):
        error = sys.exc_info()[1]
        if not isinstance(error, ConnectionError):
            append("errors", f"{type(error).__name__}: {error}\n")


def serve(port):
    with Server(("127.0.0.1", int(port)), Handler) as server:
        append("port.new", f"{server.server_address[1]}\n")
        os.rename("port.new", "port")
        server.serve_forever()


def stored():
    return [record for line in open("stored") for record in json.loads(line)]


def nanoseconds(text):
    seconds, fraction = text[:-1].split(".")
    when = datetime.datetime.fromisoformat(seconds + "+00:00")
    return int(when.timestamp()) * 10**9 + int(fraction)


def same(schema_name, log_name):
    """By the schema, which says what OpenTelemetry calls a field; not by the program's table."""
    otel = {key: value["x-otel"] for key, value in
            json.load(open(schema_name))["properties"].items() if "x-otel" in value}
    lines = [json.loads(line) for line in open(log_name)]
    records = stored()
    assert len(lines) == len(records), (len(lines), len(records))
    met = set()
    for line, record in zip(lines, records):
        resource = {"service.name": "synfin", "service.version": record["scope"][1]}
        for key in ("host_name", "host_id", "boot_id"):
            if key in line:
                resource[otel.get(key, "synfin." + key)] = line.pop(key)
        assert record["resource"] == resource, (record["resource"], resource)
        assert record["scope"][0] == "synfin" and record["scope"][1]
        assert record["time"] == nanoseconds(line.pop("time"))
        assert 0 <= record["observed"] - record["time"] < 60 * 10**9
        name = line.pop("event_name")
        assert record["event_name"] == name
        assert record["body"].startswith(name) and "{" not in record["body"]
        bad = name in ("tcp.failed", "tcp.reset", "tcp.stuck") or line.get("close_reason", "fin") != "fin" \
            or line.get("events_lost", 0) != 0
        assert record["severity"] == ([13, "WARN"] if bad else [9, "INFO"]), record
        want = {otel.get(key, "synfin." + key): value for key, value in line.items()}
        assert record["attributes"] == want, (record["attributes"], want)
        # 1 == True: the types must be the same, too
        assert json.dumps(record["attributes"], sort_keys=True) == json.dumps(want, sort_keys=True)
        met |= set(record["attributes"]) | set(record["resource"])
    absent = set(otel.values()) - met - {"host.id"}
    assert not absent, f"no line had {absent}"


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(sys.argv[2])
    elif sys.argv[1] == "same":
        same(*sys.argv[2:])
    else:
        for record in stored():
            print(record["attributes"]["synfin.seq"])
