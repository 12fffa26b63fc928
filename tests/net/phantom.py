# SPDX-License-Identifier: GPL-2.0-or-later
"""
A host that is not there: it speaks TCP by hand at one end of a veth, segment by
segment, so that a test says exactly which ones arrive. The kernel's end is in
the same network namespace. Needs root and nothing but the standard library: it
runs in the guests, too.
"""
import errno
import select
import socket
import struct
import subprocess
import time

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
ETH_P_IP = 0x0800


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


class Segment:
    """A TCP segment: ports, sequence numbers and flags of an IPv4 packet."""

    def __init__(self, source, dest, flags, seq=0, ack=0, data=b"", packet=b"",
                 window=64000):
        self.source, self.dest = source, dest  # (address, port)
        self.window = window
        self.flags, self.seq, self.ack, self.data = flags, seq, ack, data
        self.packet = packet  # as it came

    @classmethod
    def parse(cls, packet):
        header = (packet[0] & 15) * 4
        if packet[9] != socket.IPPROTO_TCP or len(packet) < header + 20:
            return None
        tcp = packet[header:struct.unpack("!H", packet[2:4])[0]]
        sport, dport, seq, ack, offset, flags = struct.unpack("!HHIIBB", tcp[:14])
        return cls((socket.inet_ntoa(packet[12:16]), sport),
                   (socket.inet_ntoa(packet[16:20]), dport),
                   flags & 31, seq, ack, tcp[(offset >> 4) * 4:], packet)

    def pack(self):
        addresses = socket.inet_aton(self.source[0]) + socket.inet_aton(self.dest[0])
        tcp = struct.pack("!HHIIBBHHH", self.source[1], self.dest[1], self.seq, self.ack,
                          5 << 4, self.flags, self.window, 0, 0) + self.data
        pseudo = addresses + struct.pack("!BBH", 0, socket.IPPROTO_TCP, len(tcp))
        tcp = tcp[:16] + struct.pack("!H", checksum(pseudo + tcp)) + tcp[18:]
        ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), 0, 0, 64,
                         socket.IPPROTO_TCP, 0) + addresses
        return ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:] + tcp


class Phantom:
    """The address .9 on a link to which the kernel has .1, both made here."""

    KERNEL = "10.66.0.1"
    ADDRESS = "10.66.0.9"

    def __init__(self):
        kernel_mac, own_mac = "02:00:00:00:66:01", "02:00:00:00:66:09"
        ip("link", "add", "sfk", "address", kernel_mac, "type", "veth",
           "peer", "name", "sfp", "address", own_mac)
        for device in ("lo", "sfk", "sfp"):
            ip("link", "set", device, "up")
        ip("addr", "add", self.KERNEL + "/24", "dev", "sfk")
        ip("neigh", "add", self.ADDRESS, "lladdr", own_mac, "dev", "sfk", "nud", "permanent")
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_IP))
        self.socket.setsockopt(socket.SOL_SOCKET, 33, 32 << 20)  # SO_RCVBUFFORCE: a flood
        self.socket.bind(("sfp", 0))
        self.head = bytes.fromhex((kernel_mac + own_mac).replace(":", "")) + struct.pack(
            "!H", ETH_P_IP)

    def send(self, *segment, **named):
        packet = self.head + Segment(*segment, **named).pack()
        while True:
            try:
                self.socket.send(packet)
                return
            except OSError as error:  # a flood: the other end has no time to take it
                if error.errno != errno.ENOBUFS:
                    raise
                time.sleep(0.001)

    def refuse(self, segment, code):
        """Answers a segment by ICMP, destination unreachable (RFC 792)."""
        icmp = struct.pack("!BBHI", 3, code, 0, 0) + segment.packet[:28]
        icmp = icmp[:2] + struct.pack("!H", checksum(icmp)) + icmp[4:]
        header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(icmp), 0, 0, 64,
                             socket.IPPROTO_ICMP, 0) + socket.inet_aton(self.ADDRESS) + \
            socket.inet_aton(self.KERNEL)
        header = header[:10] + struct.pack("!H", checksum(header)) + header[12:]
        self.socket.send(self.head + header + icmp)

    def receive(self, source, dest, flags, deadline_s=5):
        """The next segment from source to dest with just these flags."""
        end = time.monotonic() + deadline_s
        while True:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.socket], [], [], left)[0]:
                raise TimeoutError("no segment %s -> %s with flags %d" % (source, dest, flags))
            segment = Segment.parse(self.socket.recv(65536)[14:])
            if segment and (segment.source, segment.dest) == (source, dest) and \
                    segment.flags == flags:
                return segment

    def close(self):
        self.socket.close()


def ip(*words):
    subprocess.run(("ip",) + words, check=True, stdin=subprocess.DEVNULL)
