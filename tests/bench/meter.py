# SPDX-License-Identifier: GPL-2.0-or-later
#
# Measures one tracer at work, from outside: what the kernel counts for its BPF
# programs, its own CPU time and memory (/proc), what it wrote and said it
# lost. Knows nothing of rounds and tables. Leaves nothing behind: BPF
# statistics and mounts last as long as this process.
import ctypes
import json
import os
import platform
import re
import signal
import subprocess
import time

NR_BPF = {"x86_64": 321, "aarch64": 280}  # the kernel's system call tables
BPF_PROG_GET_FD_BY_ID, BPF_OBJ_GET_INFO_BY_FD, BPF_ENABLE_STATS = 13, 15, 32
PROG_INFO_NAME = slice(64, 80)  # struct bpf_prog_info, since 4.15
CLONE_NEWNS = 0x20000
MS_REC, MS_PRIVATE = 0x4000, 0x40000
MNT_DETACH = 2
PR_SET_PDEATHSIG = 1
TRACEFS = "/sys/kernel/tracing"
# What synfin says at its end; what libbpf-tools and bpftrace say as it happens; tcpdump.
SENT = (r"(\d+) \w+ shown, \d+ events lost", r"(\d+) events recorded")
LOST = (r"(\d+) events lost", r"(?i)lost (\d+) events", r"(\d+) packets dropped by kernel")

libc = ctypes.CDLL(None, use_errno=True)


class Trouble(Exception):
    """The measurement cannot be made; the text says why."""


def bpf(command, attr):
    number = NR_BPF.get(platform.machine())
    if number is None:
        raise Trouble(f"no bpf() number for {platform.machine()}")
    r = libc.syscall(number, command, attr, len(attr))
    if r < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return r


def attr_of(*fields):
    """A union bpf_attr that begins with these (value, bytes)."""
    return ctypes.create_string_buffer(b"".join(v.to_bytes(n, "little") for v, n in fields), 128)


def enable_stats():
    """Run time statistics of all BPF programs are kept as long as the descriptor is open."""
    return bpf(BPF_ENABLE_STATS, attr_of((0, 4)))


def program_name(program_id):
    fd = bpf(BPF_PROG_GET_FD_BY_ID, attr_of((program_id, 4)))
    try:
        info = ctypes.create_string_buffer(128)
        bpf(BPF_OBJ_GET_INFO_BY_FD, attr_of((fd, 4), (128, 4), (ctypes.addressof(info), 8)))
        return info.raw[PROG_INFO_NAME].split(b"\0")[0].decode()
    finally:
        os.close(fd)


def mount(kind, where, options=b""):
    if libc.mount(b"bench", where.encode(), kind, 0, options):
        error = ctypes.get_errno()
        raise Trouble(f"cannot mount {kind.decode()} on {where}: {os.strerror(error)}")


def enter_mounts(directory):
    """
    A mount namespace of our own: tracefs, which the libbpf-tools need, is there, and directory is
    memory, so that the disk has no say.
    """
    if libc.unshare(CLONE_NEWNS) or libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None):
        raise Trouble(f"cannot unshare mounts: {os.strerror(ctypes.get_errno())}")
    if not os.path.exists(f"{TRACEFS}/events"):
        mount(b"tracefs", TRACEFS)
    mount(b"tmpfs", directory, b"size=60%")


def count_lines(path):
    lines = 0
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            lines += block.count(b"\n")
    return lines


def in_child():
    """Ends with us whatever ends us, and by SIGINT even where a shell made us ignore it."""
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Tracer:
    """
    A tracer that runs, with standard output and error in files of directory. FILE among its
    arguments becomes one more there. ready: what it says when it traces; without, its BPF links
    tell, or else its programs.
    """

    def __init__(self, argv, directory, ready=None):
        self.out, self.err, self.file = (os.path.join(directory, name)
                                         for name in ("out", "err", "file"))
        if os.path.exists(self.file):
            os.unlink(self.file)
        self.argv = [word.replace("FILE", self.file) for word in argv]
        self.ready = ready
        with open(self.out, "wb") as out, open(self.err, "wb") as err:
            self.process = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=out,
                                            stderr=err, preexec_fn=in_child)
        self.names = {}

    def said(self):
        with open(self.err, encoding="utf-8", errors="replace") as file:
            return file.read().strip()

    def why(self):
        return (self.said().splitlines() or ["it says nothing"])[-1]

    def proc(self, name):
        try:
            with open(f"/proc/{self.process.pid}/{name}", encoding="utf-8") as file:
                return file.read()
        except OSError:
            return ""

    def descriptors(self):
        """The fdinfo of each open descriptor, as a dictionary."""
        for fd in os.listdir(f"/proc/{self.process.pid}/fdinfo"):
            lines = self.proc(f"fdinfo/{fd}").splitlines()
            yield dict(re.split(r":\s*", line, maxsplit=1) for line in lines if ":" in line)

    def attached(self):
        """Grows until it traces."""
        if self.ready:
            return self.ready in self.said()
        infos = list(self.descriptors())
        return sum("link_type" in info for info in infos) or \
            sum("prog_id" in info for info in infos)

    def wait_attached(self, limit_s=15):
        """Waits until it says so, or until what is attached has not changed for a while."""
        before, since, end = None, 0, time.monotonic() + limit_s
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise Trouble(f"{self.argv[0]} ended: {self.why()}")
            found = self.attached()
            if found != before:
                before, since = found, time.monotonic()
            if found and (self.ready or time.monotonic() - since > 0.25):
                return
            time.sleep(0.02)
        raise Trouble(f"{self.argv[0]} attached nothing in {limit_s} s")

    def programs(self):
        """What the kernel has counted for each of its programs: {name: [ns, runs, misses]}."""
        sums, seen = {}, set()
        for info in self.descriptors():
            number = int(info.get("prog_id", 0))
            if "run_time_ns" not in info or number in seen:
                continue
            seen.add(number)
            if number not in self.names:
                self.names[number] = program_name(number)
            entry = sums.setdefault(self.names[number], [0, 0, 0])
            for i, key in enumerate(("run_time_ns", "run_cnt", "recursion_misses")):
                entry[i] += int(info.get(key, 0))
        return sums

    def map_bytes(self):
        maps = {info["map_id"]: int(info["memlock"]) for info in self.descriptors()
                if "map_type" in info}
        return sum(maps.values())

    def cpu_s(self):
        """All of its CPU time so far: sum_exec_runtime of the main thread and its peers."""
        total = 0
        for thread in os.listdir(f"/proc/{self.process.pid}/task"):
            total += int((self.proc(f"task/{thread}/schedstat") or "0").split()[0])
        return total / 1e9

    def user_s(self):
        """Its CPU time in user space, as ticks have it."""
        fields = self.proc("stat").rpartition(")")[2].split()
        return int(fields[11]) / os.sysconf("SC_CLK_TCK") if fields else 0.0

    def peak_rss_bytes(self):
        """(The most it ever had, of which buffers that the kernel fills)."""
        found = re.search(r"^VmHWM:\s*(\d+) kB", self.proc("status"), re.M)
        buffers, of_buffer = 0, False
        for line in self.proc("smaps").splitlines():
            if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
                of_buffer = line.endswith(("bpf-map", "[perf_event]"))
            elif of_buffer and line.startswith("Rss:"):
                buffers += int(line.split()[1])
        return int(found[1]) * 1024 if found else None, buffers * 1024

    def wait_idle(self, limit_s=5):
        """Waits until it has worked off what it was sent; returns its CPU time then."""
        before, end = self.cpu_s(), time.monotonic() + limit_s
        while True:
            time.sleep(0.15)
            now = self.cpu_s()
            if now - before < 0.002 or time.monotonic() > end:
                return now
            before = now

    def stop(self):
        """Ends it; returns the bytes and lines it wrote, and the events it says it sent and lost."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise Trouble(f"{self.argv[0]} did not end on SIGINT") from None
        if self.process.returncode:
            raise Trouble(f"{self.argv[0]} exited {self.process.returncode}: {self.why()}")
        paths = [path for path in (self.out, self.file) if os.path.exists(path)]
        written = {"bytes": sum(map(os.path.getsize, paths)),
                   "lines": sum(map(count_lines, paths))}
        for form in SENT:
            written["sent"] = sum(map(int, re.findall(form, self.said()))) or written.get("sent")
        written["lost"] = sum(sum(map(int, re.findall(form, self.said()))) for form in LOST)
        return written

    def end(self):
        """For the way out after trouble."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
