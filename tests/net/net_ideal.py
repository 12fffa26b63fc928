# SPDX-License-Identifier: GPL-2.0-or-later
"""
What a faultless synfin would print for a given truth. The judge is tested
with it: it must accept this, and report each fault put into it.
"""
import hashlib
import time

from net_checks import REASONS, RST_REASONS, US, comm_texts, community_id
from net_closing import TIME_WAIT_ENDS, WAYS, Hooked



def format_time(real_ns):
    whole, fraction = divmod(real_ns, 1_000_000_000)
    return "%s.%09dZ" % (time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole)), fraction)


def comm_text(comm):
    return sorted(comm_texts(comm))[0]


MS = 1_000_000


class Ideal:
    """Turns ends into lines; numbers ids as they come."""

    def __init__(self, clock, host_name="host", boot_id="boot"):
        self.clock = clock
        self.host_name = host_name
        self.boot_id = boot_id
        self.next_id = 1

    def head(self, event, at):
        return {"schema_version": 1, "time": format_time(at + self.clock.offset_ns),
                "event_name": event, "host_name": self.host_name, "boot_id": self.boot_id}

    def wire_id(self, end):
        what = repr((end.dialer.key, end.dialer.begin)).encode()
        return hashlib.sha1(what).hexdigest()[:16]

    def lines(self, end):
        """All events of an end, in order; the last of them is its close or failed line."""
        story = Story(end)
        number = "%016x" % self.next_id
        self.next_id += 1
        result = []
        for event, at in story.events():
            line = self.head(event, at)
            line["connection_id"] = number
            line.update(story.facts(event))
            if end.is_up and event != "tcp.connect":
                line["wire_id"] = self.wire_id(end)
            result.append(line)
        return result

    def listener(self, line):
        at = line["listen_call_ns"] + 1
        result = self.head("tcp.listen", at)
        result.update({
            "connection_id": "%016x" % self.next_id, "role": "listener",
            "network_transport": "tcp", "network_type": line["family"],
            "network_local_address": line["local_address"],
            "network_local_port": line["local_port"], "process_pid": line["pid"],
            "process_executable_name": comm_text(bytes.fromhex(line["comm_hex"])),
            "process_owner_uid": line["uid"], "netns": line["netns"]})
        self.next_id += 1
        return result

    def closing(self, line, is_hooked):
        """The lines of one end of closing.c, of a kernel that gives reasons."""
        end = (line["variant"], line["role"])
        facts = WAYS[line["variant"]][line["role"] == "server"]
        if facts is None:
            return []
        ports = {"network_%s_%s" % (side, what): line["%s_%s" % (side, what)]
                 for side in ("local", "peer") for what in ("address", "port")}
        close = self.head("tcp.close", line["close_return_ns"])
        close.update(ports, connection_id="%016x" % self.next_id, role=line["role"],
                     network_transport="tcp", netns=line["netns"])
        self.next_id += 1
        for name, value in facts.items():
            if isinstance(value, Hooked):
                value = value.hooked if is_hooked else value.others
            value = value[0] if isinstance(value, tuple) else value
            if value is not None:
                close[name] = value
        if close.get("rst_reason") in ("tcp_abort_on_data", "tcp_abort_on_linger"):
            close["rst_reason_inferred"] = True
        for name in ("shutdown", "close"):
            close[name + "_call_us"] = (line[name + "_call_ns"] - self.began(line)) // US
        close.update(fin_received_us=1, first_sent_us=1, first_received_us=1)
        if not is_hooked:
            return [close]
        if end == ("closed_window", "client"):
            close["zero_window_probes"] = 1
        if end == ("orphan", "client"):
            close["duration_us"] = 5_000_000
        if end not in TIME_WAIT_ENDS:
            return [close]
        wait = dict(close, event_name="tcp.time_wait_end", time_wait_us=5,
                    time_wait_end=TIME_WAIT_ENDS[end])
        return [close, wait]

    @staticmethod
    def began(line):
        return line.get("connect_return_ns") or line["accept_return_ns"]

    def storm(self, worker):
        """The close lines of a storm worker."""
        result = []
        is_client = worker["role"] == "client"
        for port in worker["client_ports"]:
            line = self.head("tcp.close", 1)
            ports = (port, worker["server_port"])[::1 if is_client else -1]
            line.update({
                "connection_id": "%016x" % self.next_id, "role": worker["role"],
                "network_transport": "tcp",
                "netns": worker["netns"], "process_pid": worker["pid"], "client_port": port,
                "server_port": worker["server_port"], "network_local_port": ports[0],
                "network_peer_port": ports[1]})
            self.next_id += 1
            result.append(line)
        return result


class Story:
    """When the steps of an end may have been, chosen inside their bounds."""

    def __init__(self, end):
        self.end = end
        self.syn = end.begin + US
        if end.is_up:
            self.up = end.up - US
            if end.role == "server":
                self.up = min(self.up, max(end.mate.up, end.begin + end.rtt + US))
            self.handshake = min(end.handshake_bounds()[0] + 5 * US, end.handshake_bounds()[1])

    @property
    def ended(self):
        end = self.end
        if not end.is_up:
            return end.end_span[1] - 1
        ends = [end, end.mate] if end.mate else [end]
        pick = min if end.is_reset else max
        return pick(e.fin_span[0] for e in ends) + 2 * US

    @property
    def fin_sent(self):
        return self.end.fin_span[0] + US

    @property
    def fin_received(self):
        return self.end.mate.fin_span[0] + 2 * US + self.end.rtt

    def events(self):
        end = self.end
        result = []
        if end.role != "server" and end.outcome != "no_port":
            result.append(("tcp.connect", self.syn))
        if end.is_up:
            result.append(("tcp.established", self.up))
        if end.is_accepted:
            result.append(("tcp.accept", end.time("accept_return") - 1))
        if end.is_reset:
            sender = end if end.rst_sender == "local" else end.mate
            result.append(("tcp.reset", sender.fin_span[0] + US))
        elif end.is_up:
            result.append(("tcp.fin_sent", self.fin_sent))
            if end.closed_first == "peer":
                result.append(("tcp.fin_received", min(self.fin_received, end.fin_span[0])))
            elif end.mate:
                result.append(("tcp.fin_received", self.fin_received))
        result.append(("tcp.close" if end.is_up else "tcp.failed", self.ended))
        return sorted(result, key=lambda r: (r[0] in ("tcp.close", "tcp.failed"), r[1]))

    def facts(self, event):
        end = self.end
        line = {"role": end.role, "network_transport": "tcp", "network_type": end.family,
                "network_peer_address": end.peer[0], "network_peer_port": end.peer[1],
                "netns": end.netns}
        sides = (("client", end.local), ("server", end.peer))
        if end.role == "server":
            sides = (("client", end.peer), ("server", end.local))
        for side, (ip, port) in sides:
            if port:
                line.update({side + "_address": ip, side + "_port": port})
        if end.local_port:
            line.update({"network_local_address": end.local[0], "network_local_port": end.local[1],
                         "local_port_ephemeral": end.ephemeral,
                         "network_community_id": community_id(end)})
        if end.pid and (end.role != "server" or event in ("tcp.accept", "tcp.close")):
            line.update({"process_pid": end.pid, "process_executable_name": comm_text(end.comm),
                         "process_owner_uid": end.uid})
        if event == "tcp.close" and end.rst_sender != "peer" or end.outcome == "aborted":
            line["closer_process_pid"] = end.closer_pid
        if end.is_up and event != "tcp.connect":
            line["handshake_us"] = max(1, self.handshake // US)
        if end.is_accepted and event in ("tcp.accept", "tcp.close"):
            line["accept_wait_us"] = max(0, (end.time("accept_return") - self.up) // US)
        if event in ("tcp.close", "tcp.failed"):
            line.update(self.end_facts())
        return line

    def end_facts(self):
        end = self.end
        reason = REASONS.get(end.outcome) or ("reset" if end.is_reset else "fin")
        line = {"close_reason": reason, "duration_us": (self.ended - end.begin) // US}
        for name, value in (("error_type", (end.errno or end.read_errno or "").lower()),
                            ("closed_by", end.closed_first), ("rst_sender", end.rst_sender),
                            ("unread_bytes", end.unread_bytes), ("bytes_sent", end.bytes_sent),
                            ("bytes_received", end.bytes_received),
                            ("syn_retransmits", end.syn_retransmits),
                            ("synack_retransmits", end.line.get("synack_retransmits_min"))):
            if value not in (None, ""):
                line[name] = value
        if end.rst_sender == "local":
            line["rst_reason"] = RST_REASONS["l" if end.unread_bytes is None else "u"]
        if end.is_up:
            line["connect_to_close_us"] = (self.ended - end.begin) // US
        if end.is_up and not end.is_reset and end.role != "both":
            line.update(self.waves())
        return line

    def waves(self):
        end = self.end
        sent = (self.fin_sent - self.up) // US
        line = {"fin_sent_us": sent, "fin_acked_us": sent + end.rtt // US + 3}
        if end.closed_first == "peer":
            line["fin_received_us"] = (min(self.fin_received, end.fin_span[0]) - self.up) // US
        elif end.mate:
            line["fin_received_us"] = (self.fin_received - self.up) // US
        if end.mate.time("idle_call"):
            line["half_close_us"] = (end.time("close_call") - end.fin_span[0]) // US
        return line
