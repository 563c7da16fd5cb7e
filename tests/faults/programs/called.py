"""Servers in Python for clients of ours that come back. Standard library only.

    python3 called.py HOST PORT [DNS]

Prints {"port": ...} once it listens, and {"accepted": [...], "lost": [...], "open": N} in answer to each line on standard
input: the milliseconds since the line before at which connections were accepted and came to an end, and how many are
open. The word on the line is what it does from then on:

    serve      answers each heartbeat with one
    mute       answers none, but to those who connect from now on
    drop       ends all connections with RST at once, and serves
    slam       ends each connection with RST as soon as it is accepted
    report     as before
    look       as before, and what it tells is told again

With DNS, it is a name server at port PORT that says SERVFAIL until it is told `serve`, and then that every name is DNS;
it tells the questions for an IPv4 address as accepted.
"""

import json
import os
import selectors
import socket
import struct
import sys
import time

TOKEN = b"heartbeat"
HOST, PORT = sys.argv[1], int(sys.argv[2])
DNS = sys.argv[3] if len(sys.argv) > 3 else None

loop = selectors.DefaultSelector()
now = time.monotonic
mode, since = "serve", now()
accepted, lost, connections, muted = [], [], set(), set()


def tell(what):
    print(json.dumps(what), flush=True)


def passed():
    return round(1000 * (now() - since), 1)


def reset(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def forget(sock):
    loop.unregister(sock)
    connections.discard(sock)
    muted.discard(sock)


def accept(listener):
    try:
        sock = listener.accept()[0]
    except OSError:
        return
    accepted.append(passed())
    if mode == "slam":
        return reset(sock)
    sock.setblocking(False)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connections.add(sock)
    loop.register(sock, selectors.EVENT_READ, read)


def read(sock):
    try:
        data = sock.recv(1 << 16)
        if data and sock not in muted:
            # The clients say nothing but heartbeats, and those are never torn apart here.
            sock.send(TOKEN * (len(data) // len(TOKEN)))
    except BlockingIOError:
        return
    except OSError:
        data = b""
    if not data:
        lost.append(passed())
        forget(sock)
        sock.close()


def told(_):
    global mode, since
    words = os.read(0, 4096).decode().split()
    if not words:
        raise SystemExit
    for word in words:
        tell({"accepted": accepted[:], "lost": lost[:], "open": len(connections)})
        if word == "look":
            continue
        del accepted[:], lost[:]
        since = now()
        if word == "mute":
            muted.update(connections)
        if word == "drop":
            for sock in list(connections):
                forget(sock)
                reset(sock)
        if word != "report":
            mode = word


def answer(sock):
    question, peer = sock.recvfrom(512)
    end = 12
    while question[end]:
        end += question[end] + 1
    kind = struct.unpack(">H", question[end + 1:end + 3])[0]
    if kind == 1:
        accepted.append(passed())
    known = mode == "serve" and kind == 1
    # Answer, recursion desired and available; SERVFAIL is 2. Of other kinds than addresses the name has none.
    flags = 0x8180 | (0 if mode == "serve" else 2)
    reply = question[:2] + struct.pack(">HHHHH", flags, 1, int(known), 0, 0) + question[12:end + 5]
    if known:
        reply += b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 0, 4) + socket.inet_aton(DNS)
    sock.sendto(reply, peer)


if DNS:
    mode = "fail"
    listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    listener.bind((HOST, PORT))
    loop.register(listener, selectors.EVENT_READ, answer)
else:
    listener = socket.create_server((HOST, PORT), backlog=512)
    listener.setblocking(False)
    loop.register(listener, selectors.EVENT_READ, accept)
loop.register(0, selectors.EVENT_READ, told)
tell({"port": listener.getsockname()[1]})
while True:
    for key, _ in loop.select():
        # One that was read before may have dropped it meanwhile: a closed socket has the descriptor -1, which no map is
        # asked for.
        if key.fileobj == 0 or key.fileobj.fileno() >= 0:
            key.data(key.fileobj)
