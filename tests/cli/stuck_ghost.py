# SPDX-License-Identifier: GPL-2.0-or-later
"""
Situations for stuck_stage.py whose other end is on no kernel: a phantom answers
what each asks for, and nothing else.
"""
import os
import socket
import struct
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../net"))
# pylint: disable=wrong-import-position
from phantom import ACK, FIN, SYN, Phantom, Segment, ip  # noqa: E402

MANY = 70
DEADLINE_S = 20
TCP_DEFER_ACCEPT, TCP_CONGESTION, SO_MAX_PACING_RATE = 9, 13, 47
TOTAL_RETRANS, BUSY, SNDBUF_LIMITED = 100, 168, 184  # struct tcp_info: the last two __u64, in us


def info(sock, offset):
    return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, offset + 1)[offset]


class Reader:
    """
    The phantom's end of a transfer that never ends: every 50 ms it acknowledges what has come, of
    which it loses each segment number `loses`, the first time. The program's end keeps its send
    buffer full, and sends no faster than `rate`: so the kernel sees that it is full when it sends.
    """

    def __init__(self, ghost, port, window, buffer, loses=0, rate=0):
        self.window, self.loses = window, loses
        self.sock, self.local, self.remote, self.begin = ghost.connect(port, window)
        self.sock.setsockopt(socket.IPPROTO_TCP, TCP_CONGESTION, b"reno")
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer)
        if rate:
            self.sock.setsockopt(socket.SOL_SOCKET, SO_MAX_PACING_RATE, rate)
        self.next, self.nr_new, self.highest = 0, 0, -1
        self.early, self.answers = {}, []
        ghost.readers[self.remote] = self

    def take(self, segment):
        begin = segment.seq - self.begin & 0xffffffff
        if begin > self.highest:
            self.highest = begin
            self.nr_new += 1
            if self.loses and self.nr_new % self.loses == 0:
                return
        self.early[begin] = begin + len(segment.data)
        for start in sorted(self.early):
            if start <= self.next:
                self.next = max(self.next, self.early.pop(start))
        self.answers.append(self.next)

    def tick(self, ghost):
        # One is kept back: something is under way at any time.
        for acked in self.answers[:-1]:
            ghost.send(self.remote, self.local, ACK, seq=1001, ack=self.begin + acked & 0xffffffff,
                       window=self.window)
        del self.answers[:-1]
        try:
            while True:
                self.sock.send(b"x" * 4096)
        except BlockingIOError:
            pass


class Ghost(Phantom):
    """What it holds at the kernel's end is kept."""

    def __init__(self):
        super().__init__()
        self.keep, self.readers, self.next_tick = [], {}, 0
        self.window = 60000
        ip("link", "set", "sfk", "gso_max_segs", "1")  # what is lost is one segment
        self.next_port = 50000

    def begin(self, port):
        """A socket that calls the phantom: itself, its ends, its SYN."""
        sock = socket.socket()
        sock.setblocking(False)
        sock.connect_ex((self.ADDRESS, port))
        self.keep.append(sock)
        local, remote = (self.KERNEL, sock.getsockname()[1]), (self.ADDRESS, port)
        return sock, local, remote, self.receive(local, remote, SYN)

    def connect(self, port, window=64000):
        sock, local, remote, syn = self.begin(port)
        self.send(remote, local, SYN | ACK, seq=1000, ack=syn.seq + 1, window=window)
        self.receive(local, remote, ACK)
        return sock, local, remote, syn.seq + 1

    def listen(self, port, backlog, defer=0):
        sock = socket.socket()
        if defer:
            sock.setsockopt(socket.IPPROTO_TCP, TCP_DEFER_ACCEPT, defer)
        sock.bind((self.KERNEL, port))
        sock.listen(backlog)
        self.keep.append(sock)

    def call(self, port):
        """Its SYN, answered: what the last ACK is to be."""
        self.next_port += 1
        local, remote = (self.KERNEL, port), (self.ADDRESS, self.next_port)
        self.send(remote, local, SYN, seq=1000)
        return remote, local, self.receive(local, remote, SYN | ACK).seq + 1

    def complete(self, called):
        remote, local, ack = called
        self.send(remote, local, ACK, seq=1001, ack=ack)

    def set_up_handshakes(self):
        # The SYN is answered by a plain ACK.
        _, local, remote, syn = self.begin(8202)
        self.send(remote, local, ACK, seq=5000, ack=syn.seq + 1)
        # The last ACK has no data; finds a full queue; does not come, of one and of many.
        self.listen(8203, 16, defer=30)
        self.complete(self.call(8203))
        self.listen(8204, 4)
        for _ in range(4):
            self.complete(self.call(8204))
        last, late = self.call(8204), self.call(8204)
        self.complete(last)
        self.complete(late)
        self.listen(8205, 128)
        for _ in range(MANY):
            self.call(8205)
        self.listen(8210, 128)
        self.call(8210)

    def set_up(self):
        self.set_up_handshakes()
        waits = [(self.keep[0], 2, 1)]  # the SYN that is answered oddly
        # Small data is acknowledged, large is not.
        sock, local, remote, seq = self.connect(8201)
        sock.send(b"x" * 50)
        self.send(remote, local, ACK, seq=1001, ack=seq + 50)
        time.sleep(0.2)
        sock.send(b"x" * 20000)
        waits.append((sock, 2, 3))
        # Nothing of it is, while ACKs of what came before go on to come.
        sock, *self.updated = self.connect(8217)
        sock.send(b"x" * 5000)
        waits.append((sock, 2, 3))
        # The window is shut from the beginning: probes are not answered, and are.
        for port in 8206, 8207:
            sock, local, remote, seq = self.connect(port, window=0)
            sock.send(b"x" * 5000)
            if port == 8206:
                waits.append((sock, 3, 3))
        # The peer's FIN: ours is not acknowledged, nor data.
        for port in 8208, 8213:
            sock, local, remote, seq = self.connect(port)
            self.send(remote, local, FIN | ACK, seq=1001, ack=seq)
            self.receive(local, remote, ACK)
            if port == 8208:
                sock.shutdown(socket.SHUT_WR)
                waits.append((sock, 2, 1))
            else:
                sock.send(b"x" * 100)
                waits.append((sock, 2, 3))
        # Our FIN is acknowledged and no more comes; is crossed by the peer's.
        for port in 8209, 8211:
            sock, local, remote, seq = self.connect(port)
            sock.shutdown(socket.SHUT_WR)
            self.receive(local, remote, FIN | ACK)
            if port == 8209:
                self.send(remote, local, ACK, seq=1001, ack=seq + 1)
            else:
                self.send(remote, local, FIN | ACK, seq=1001, ack=seq)
                waits.append((sock, 2, 1))
        # Half a second, in steps of 65 ms, and by far the most of the time; twelve segments again.
        self.slow = Reader(self, 8214, 64000, 1, rate=500000).sock
        waits.append((self.slow, SNDBUF_LIMITED + 2, 8))
        Reader(self, 8215, 8000, 100000)
        waits.append((Reader(self, 8216, 64000, 100000, loses=10).sock, TOTAL_RETRANS, 12))
        return waits

    def is_limited(self):
        data = self.slow.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, SNDBUF_LIMITED + 8)
        busy, limited = (struct.unpack_from("=Q", data, at)[0] for at in (BUSY, SNDBUF_LIMITED))
        return limited > busy * 0.6

    def tick(self):
        """The turn, every 50 ms, of the readers and of one that only says how much room it has."""
        if time.monotonic() >= self.next_tick:
            self.next_tick = time.monotonic() + 0.05
            local, remote, seq = self.updated
            self.window ^= 1
            self.send(remote, local, ACK, seq=1001, ack=seq, window=self.window)
            for reader in self.readers.values():
                reader.tick(self)

    def answer(self, port, until):
        """
        Answers what is sent to this port, as one whose window is shut, and the readers' peers,
        until that holds.
        """
        self.socket.settimeout(0.05)
        while not until():
            self.tick()
            try:
                segment = Segment.parse(self.socket.recv(65536)[14:])
            except socket.timeout:
                continue
            reader = self.readers.get(segment.dest) if segment else None
            if reader and segment.data:
                reader.take(segment)
            elif segment and segment.dest == (self.ADDRESS, port):
                self.send(segment.dest, segment.source, ACK, seq=1001, ack=segment.seq + 1,
                          window=0)


def haunt(pipe):
    """Sets it up, says so into the pipe, and answers until it is killed."""
    ghost = Ghost()
    waits = ghost.set_up()
    begun = time.monotonic()

    def is_set():
        if time.monotonic() > begun + DEADLINE_S:
            raise TimeoutError([info(sock, at) for sock, at, _ in waits])
        # a second and more: every SYN+ACK is repeated
        return time.monotonic() > begun + 1.5 and ghost.is_limited() and all(
            info(sock, at) >= least for sock, at, least in waits)

    ghost.answer(8207, is_set)
    pipe.send("set")
    ghost.answer(8207, lambda: False)
