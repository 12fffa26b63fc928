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
ETH_P_IP, ETH_P_IPV6 = 0x0800, 0x86dd


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


class Segment:
    """A TCP segment: ports, sequence numbers and flags of a packet of IPv4 or IPv6."""

    def __init__(self, source, dest, flags, seq=0, ack=0, data=b"", packet=b"",
                 window=64000):
        self.source, self.dest = source, dest  # (address, port)
        self.window = window
        self.flags, self.seq, self.ack, self.data = flags, seq, ack, data
        self.packet = packet  # as it came

    @classmethod
    def parse(cls, packet):
        """None if it is of something else; behind an IPv6 extension header is something else."""
        if packet[0] >> 4 == 6:
            family, addresses, protocol, header = socket.AF_INET6, packet[8:40], packet[6], 40
            end = header + struct.unpack("!H", packet[4:6])[0]
        else:
            family, addresses, protocol = socket.AF_INET, packet[12:20], packet[9]
            header, end = (packet[0] & 15) * 4, struct.unpack("!H", packet[2:4])[0]
        if protocol != socket.IPPROTO_TCP or len(packet) < header + 20:
            return None
        tcp, half = packet[header:end], len(addresses) // 2
        sport, dport, seq, ack, offset, flags = struct.unpack("!HHIIBB", tcp[:14])
        return cls((socket.inet_ntop(family, addresses[:half]), sport),
                   (socket.inet_ntop(family, addresses[half:]), dport),
                   flags & 31, seq, ack, tcp[(offset >> 4) * 4:], packet)

    def pack(self):
        family = family_of(self.source[0])
        addresses = b"".join(socket.inet_pton(family, end[0]) for end in (self.source, self.dest))
        tcp = struct.pack("!HHIIBBHHH", self.source[1], self.dest[1], self.seq, self.ack,
                          5 << 4, self.flags, self.window, 0, 0) + self.data
        # IPv6 has wider fields there (RFC 8200, 8.1), whose sum is the same.
        pseudo = addresses + struct.pack("!BBH", 0, socket.IPPROTO_TCP, len(tcp))
        tcp = tcp[:16] + struct.pack("!H", checksum(pseudo + tcp)) + tcp[18:]
        if family == socket.AF_INET6:
            return struct.pack("!IHBB", 6 << 28, len(tcp), socket.IPPROTO_TCP, 64) + addresses + tcp
        ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), 0, 0, 64,
                         socket.IPPROTO_TCP, 0) + addresses
        return ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:] + tcp


def packets(protocol):
    """What comes to its end of the link."""
    end = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(protocol))
    end.setsockopt(socket.SOL_SOCKET, 33, 32 << 20)  # SO_RCVBUFFORCE: a flood
    end.bind(("sfp", 0))
    return end


class Phantom:
    """The addresses that end in 9, on a link to which the kernel has 1, both made here."""

    KERNEL, KERNEL6 = "10.66.0.1", "fd00:66::1"
    ADDRESS, ADDRESS6 = "10.66.0.9", "fd00:66::9"

    def __init__(self):
        kernel_mac, own_mac = "02:00:00:00:66:01", "02:00:00:00:66:09"
        ip("link", "add", "sfk", "address", kernel_mac, "type", "veth",
           "peer", "name", "sfp", "address", own_mac)
        for device in ("lo", "sfk", "sfp"):
            ip("link", "set", device, "up")
        ip("addr", "add", self.KERNEL + "/24", "dev", "sfk")
        ip("addr", "add", self.KERNEL6 + "/64", "dev", "sfk", "nodad")
        for address in self.ADDRESS, self.ADDRESS6:
            ip("neigh", "add", address, "lladdr", own_mac, "dev", "sfk", "nud", "permanent")
        self.macs = bytes.fromhex((kernel_mac + own_mac).replace(":", ""))
        self.socket, self.socket6 = packets(ETH_P_IP), packets(ETH_P_IPV6)

    def kernel_of(self, peer):
        """The address of the kernel's that a peer, (address, port), talks to."""
        return self.KERNEL6 if family_of(peer[0]) == socket.AF_INET6 else self.KERNEL

    def send_packet(self, packet):
        is_ipv6 = packet[0] >> 4 == 6
        end, protocol = (self.socket6, ETH_P_IPV6) if is_ipv6 else (self.socket, ETH_P_IP)
        end.send(self.macs + struct.pack("!H", protocol) + packet)

    def send(self, *segment, **named):
        packet = Segment(*segment, **named).pack()
        while True:
            try:
                self.send_packet(packet)
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
        self.send_packet(header + icmp)

    def receive(self, source, dest, flags, deadline_s=5):
        """The next segment from source to dest with just these flags."""
        came = self.socket6 if family_of(dest[0]) == socket.AF_INET6 else self.socket
        end = time.monotonic() + deadline_s
        while True:
            left = end - time.monotonic()
            if left <= 0 or not select.select([came], [], [], left)[0]:
                raise TimeoutError("no segment %s -> %s with flags %d" % (source, dest, flags))
            segment = Segment.parse(came.recv(65536)[14:])
            if segment and (segment.source, segment.dest) == (source, dest) and \
                    segment.flags == flags:
                return segment

    def close(self):
        self.socket.close()
        self.socket6.close()


def ip(*words):
    subprocess.run(("ip",) + words, check=True, stdin=subprocess.DEVNULL)
