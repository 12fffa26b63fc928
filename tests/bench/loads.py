# SPDX-License-Identifier: GPL-2.0-or-later
#
# The connections that are traced: of the loop of load.c, and of wrk to nginx with
# a new connection for each request. Both in a network namespace of the run's own:
# each finds it empty, and its TIME_WAITs go with it.
import contextlib
import ctypes
import fcntl
import json
import os
import re
import resource
import shutil
import signal
import socket
import struct
import subprocess
import time

from meter import Trouble, in_child, libc

CLONE_NEWNET = 0x40000000
SIOCSIFFLAGS, IFF_UP, IFF_RUNNING = 0x8914, 1, 0x40
WRK_PORT = 700  # below the ports that the kernel chooses
WRK_CONNECTIONS = 16
SYSCTLS = {"ip_local_port_range": "1024 65535", "tcp_tw_reuse": "1",
           # A full table would end sockets without a TIME_WAIT.
           "tcp_max_tw_buckets": "4000000"}
NGINX_CONF = """\
daemon off;
user root;
worker_processes {workers};
pid {directory}/nginx.pid;
error_log stderr error;
events {{ worker_connections 4096; }}
http {{
	access_log off;
	client_body_temp_path {directory}/body;
	proxy_temp_path {directory}/proxy;
	fastcgi_temp_path {directory}/fastcgi;
	uwsgi_temp_path {directory}/uwsgi;
	scgi_temp_path {directory}/scgi;
	server {{
		listen 127.0.0.1:{port} backlog=4096;
		location / {{ return 200 "{body}"; }}
	}}
}}
"""


def enter_netns():
    """We, and who is started from now on."""
    if libc.unshare(CLONE_NEWNET):
        raise Trouble(f"cannot unshare the network: {os.strerror(ctypes.get_errno())}")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        fcntl.ioctl(sock, SIOCSIFFLAGS, struct.pack("16sH22x", b"lo", IFF_UP | IFF_RUNNING))
    for name, value in SYSCTLS.items():
        with open(f"/proc/sys/net/ipv4/{name}", "w", encoding="ascii") as file:
            file.write(value)


def find(name):
    """A program, also where only root's PATH leads."""
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not found:
        raise Trouble(f"no {name}: make bench-deps installs it")
    return found


def run_loop(program, options, max_connections, max_ms):
    """Returns what load.c prints."""
    said = subprocess.run([program, str(options.pairs), str(options.bytes), str(max_connections),
                           str(max_ms)], capture_output=True, text=True, timeout=90, check=False)
    if said.returncode:
        raise Trouble(said.stderr.strip() or f"{program} failed")
    figures = json.loads(said.stdout)
    if not figures["connections"]:
        raise Trouble(f"no connection was made within {max_ms} ms")
    return figures


def children_cpu_us():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return int((usage.ru_utime + usage.ru_stime) * 1e6)


def accepts(port):
    with contextlib.closing(socket.socket()) as sock:
        return not sock.connect_ex(("127.0.0.1", port))


@contextlib.contextmanager
def nginx(directory, size, workers):
    """It serves size bytes for as long as the context lasts."""
    conf = os.path.join(directory, "nginx.conf")
    with open(conf, "w", encoding="ascii") as file:
        file.write(NGINX_CONF.format(directory=directory, workers=workers, port=WRK_PORT,
                                     body="x" * size))
    with subprocess.Popen([find("nginx"), "-c", conf, "-p", directory, "-e", "stderr"],
                          stderr=subprocess.PIPE, text=True, preexec_fn=in_child) as process:
        try:
            end = time.monotonic() + 10
            while not accepts(WRK_PORT):
                if process.poll() is not None or time.monotonic() > end:
                    raise Trouble(f"nginx does not serve: {process.stderr.read().strip()}")
                time.sleep(0.01)
            yield
        finally:
            process.terminate()


def run_wrk(directory, options, max_ms):
    """Returns the same figures as load.c; the CPU time is that of wrk and nginx."""
    before_us, cpus = children_cpu_us(), str(options.pairs)
    with nginx(directory, options.bytes, cpus):
        with subprocess.Popen([find("wrk"), "-t", cpus, "-c", str(WRK_CONNECTIONS), "-d", "60",
                               "-H", "Connection: close", f"http://127.0.0.1:{WRK_PORT}/"],
                              stdout=subprocess.PIPE, text=True, preexec_fn=in_child) as process:
            time.sleep(max_ms / 1000)
            process.send_signal(signal.SIGINT)  # its seconds are whole ones
            said = process.communicate(timeout=30)[0]
    requests = re.search(r"(\d+) requests in", said)
    rate = re.search(r"Requests/sec:\s*([\d.]+)", said)
    if not requests or not rate or not float(rate[1]):
        raise Trouble(f"wrk made no connection: {said.strip()}")
    made = int(requests[1])
    return {"connections": made, "ns": made / float(rate[1]) * 1e9,
            "cpu_us": children_cpu_us() - before_us}
