"""Joins two network namespaces by a path that delays, loses, doubles and reorders packets.

    python3 lossy_path.py NAMESPACE ADDRESS NAMESPACE ADDRESS DELAY JITTER LOSS DOUBLED SEED

Each namespace gets a TUN device with its address (of a /24); what is sent into one comes out of the other after DELAY
milliseconds. From a line `spoil` on standard input on it is plus or minus JITTER milliseconds, a share of LOSS does not come
out at all, and a share of DOUBLED twice. Prints {} when it works, and what it did since in answer to any other line,
{"passed": N, "lost": N, "doubled": N, "overtaken": N}.
"""

import ctypes
import fcntl
import heapq
import json
import os
import random
import select
import struct
import subprocess
import sys
import time

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 1, 0x1000
CLONE_NEWNET = 0x40000000

names, addresses = sys.argv[1:5:2], sys.argv[2:5:2]
delay, jitter, loss, doubled = (float(argument) for argument in sys.argv[5:9])
dice = random.Random(int(sys.argv[9]))
libc = ctypes.CDLL(None, use_errno=True)


def enter(path):
    file = os.open(path, os.O_RDONLY)
    if libc.setns(file, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), path)
    os.close(file)


def tunnel(name, address):
    """A device belongs to the namespace in which its file was opened."""
    enter("/run/netns/" + name)
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH", b"path", IFF_TUN | IFF_NO_PI))
    for command in (["addr", "add", address + "/24", "dev", "path"], ["link", "set", "path", "up"],
                    ["link", "set", "lo", "up"]):
        subprocess.run(["ip"] + command, check=True)
    return device


home = "/proc/%d/ns/net" % os.getpid()
own = os.open(home, os.O_RDONLY)
devices = [tunnel(*end) for end in zip(names, addresses)]
libc.setns(own, CLONE_NEWNET)

counts = {"passed": 0, "lost": 0, "doubled": 0, "overtaken": 0}
waiting, number, latest, bad = [], 0, {}, False
print("{}", flush=True)
while True:
    timeout = max(0, waiting[0][0] - time.monotonic()) if waiting else None
    for ready in select.select(devices + [0], [], [], timeout)[0]:
        if ready == 0:
            line = os.read(0, 4096)
            if not line:
                raise SystemExit
            if line == b"spoil\n":
                bad = True
            else:
                print(json.dumps(counts), flush=True)
            continue
        try:
            packet = os.read(ready, 65536)
        except BlockingIOError:
            continue
        other = devices[1 - devices.index(ready)]
        if bad and dice.random() < loss:
            counts["lost"] += 1
            continue
        copies = 1 + (bad and dice.random() < doubled)
        counts["doubled"] += copies - 1
        for _ in range(copies):
            number += 1
            due = time.monotonic() + (delay + (dice.uniform(-jitter, jitter) if bad else 0)) / 1000
            heapq.heappush(waiting, (due, number, other, packet))
    present = time.monotonic()
    while waiting and waiting[0][0] <= present:
        _, order, other, packet = heapq.heappop(waiting)
        counts["overtaken"] += order < latest.get(other, 0)
        latest[other] = max(order, latest.get(other, 0))
        counts["passed"] += bad
        try:
            os.write(other, packet)
        except OSError:
            pass
