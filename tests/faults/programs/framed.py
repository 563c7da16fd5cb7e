"""Peers that speak frames: a good one, and bad ones. Written on the codec that was written from docs/protocol.md alone.

    python3 framed.py KIND HOST PORT [ARGUMENT]

HOST may be followed by the address to come from, as 192.0.2.1/192.0.2.2. Prints {"port": ...} once greeted, and another line of JSON when it was cut, or when it is told to end. All times are in
milliseconds; `cut` is how long after its fault began it was cut.

    polite     asks every 20 ms and checks the answer, and answers pings
    asking     pings every 300 ms for ARGUMENT ms, whole and byte by byte, and answers pings
    mute       answers no ping
    forging    answers no ping, but sends pongs for pings that were never sent, every ARGUMENT ms
    flooding   pings at full speed
    oversize   announces a frame of ARGUMENT bytes, and sends none of it
    garbage    64 KiB seeded bytes after it has greeted
    stranger   64 KiB seeded bytes instead of greeting
    halved     half a frame, and then nothing
    trickling  a long frame, one byte every ARGUMENT ms
"""

import json
import os
import random
import select
import socket
import sys
import time

# Tests leave nothing behind.
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "interop"))

from frames_codec import DATA, PING, PONG, PREAMBLE, TEXT, ProtocolError, Receiver, encode_hello, frame, message_frames

KIND, PORT = sys.argv[1], int(sys.argv[3])
HOST, _, SOURCE = sys.argv[2].partition("/")
ARGUMENT = int(sys.argv[4]) if len(sys.argv) > 4 else 0
PATIENCE = 20

now = time.monotonic

# A flood comes from another machine: here it must not take the processor from the server.
if KIND == "flooding":
    os.nice(10)

sock = socket.create_connection((HOST, PORT), PATIENCE, (SOURCE, 0))
sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
receiver = Receiver("server")
events = receiver.events
told = False


class Cut(Exception):
    pass


def tell(what):
    print(json.dumps(what), flush=True)


def send(data):
    try:
        sock.setblocking(True)
        sock.sendall(data)
    except OSError:
        raise Cut from None


def pump(seconds):
    """Takes what comes for so long; returns at once when something has come."""
    global told
    for ready in select.select([sock, sys.stdin], [], [], max(0, seconds))[0]:
        if ready is sys.stdin:
            if not sys.stdin.readline():
                raise SystemExit  # Whoever started this is gone.
            told = True
            continue
        try:
            data = sock.recv(1 << 16)
        except OSError:
            data = b""
        if not data:
            raise Cut
        receiver.feed(data)


def take():
    taken = events[:]
    del events[:]
    return taken


def greet():
    send(PREAMBLE + encode_hello({"keyed": False, "random": os.urandom(16).hex(), "sendEvery": 0, "hearEvery": 0,
                                  "minPingGap": 0, "maxMessage": 1 << 20}, "client"))
    while not receiver.hello:
        pump(1)
    take()


def until_cut(work=lambda: None, every=1.0, answer=False):
    """Does `work` every so many seconds until it is cut; returns how long that took."""
    start = due = now()
    try:
        while now() < start + PATIENCE and not told:
            if now() >= due:
                work()
                due = max(due + every, now())
            pump(due - now())
            for event in take():
                if answer and event["event"] == "ping":
                    send(frame(PONG, bytes.fromhex(event["nonce"])))
    except (Cut, ProtocolError):
        return 1000 * (now() - start)
    return None


def polite():
    times, lost, number, due = [], 0, 0, now()
    asked = None
    try:
        while not told:
            if asked is None and now() >= due:
                number += 1
                asked = now()
                send(message_frames("question %d" % number))
            pump(0.2 if asked else due - now())
            for event in take():
                if event["event"] == "ping":
                    send(frame(PONG, bytes.fromhex(event["nonce"])))
                elif event["event"] == "message":
                    if event.get("text") != "QUESTION %d" % number:
                        raise SystemExit("answered %r to question %d" % (event, number))
                    times.append(now() - asked)
                    asked, due = None, asked + 0.02
    except Cut:
        lost = 1
    if asked:
        times.append(now() - asked)
    times.sort()
    rank = lambda share: times[min(len(times) - 1, int(share * len(times)))] * 1000
    return {"lost": lost, "answers": len(times), "p50": rank(0.5), "p99": rank(0.99), "max": rank(1), "gap": 0, "beats": 0,
            "burst": 0}


def asking():
    pongs, lost, slowest, wrong, until = 0, 0, 0, 0, now() + ARGUMENT / 1000
    try:
        while now() < until:
            nonce = os.urandom(8)
            whole = frame(PING, nonce)
            if pongs % 2:
                for at in range(len(whole)):
                    send(whole[at:at + 1])
            else:
                send(whole)
            asked, answered = now(), False
            while now() < asked + 0.3:
                pump(asked + 0.3 - now())
                for event in take():
                    if event["event"] == "ping":
                        send(frame(PONG, bytes.fromhex(event["nonce"])))
                    elif event["event"] == "pong":
                        wrong += event["nonce"] != nonce.hex()
                        answered = True
                        pongs += 1
                        slowest = max(slowest, 1000 * (now() - asked))
            wrong += not answered
    except Cut:
        lost = 1
    return {"pongs": pongs, "lost": lost, "slowest": slowest, "wrong": wrong}


def flooding():
    block, sent = frame(PING, b"floodish") * 5000, 0
    start = now()
    sock.setblocking(False)
    while now() < start + PATIENCE:
        try:
            sent += sock.send(block[sent % 11:])
        except BlockingIOError:
            pass
        except OSError:
            break
        try:
            while True:
                if not sock.recv(1 << 18):
                    return {"cut": 1000 * (now() - start), "pings": sent // 11}
        except BlockingIOError:
            pass
        except OSError:
            break
    return {"cut": 1000 * (now() - start), "pings": sent // 11}


def after(data):
    send(data)
    return {"cut": until_cut()}


def trickling():
    body = iter(frame(DATA, b"x" * 1000, TEXT))
    return {"cut": until_cut(lambda: send(bytes([next(body)])), ARGUMENT / 1000)}


def junk():
    return random.Random(7).randbytes(1 << 16)


if KIND != "stranger":
    greet()
tell({"port": sock.getsockname()[1]})
try:
    tell({
        "polite": polite,
        "asking": asking,
        "mute": lambda: {"cut": until_cut()},
        "forging": lambda: {"cut": until_cut(lambda: send(frame(PONG, os.urandom(8))), ARGUMENT / 1000)},
        "flooding": flooding,
        "oversize": lambda: after(bytes([DATA << 4]) + ARGUMENT.to_bytes(2, "big")),
        "garbage": lambda: after(junk()),
        "stranger": lambda: after(junk()),
        "halved": lambda: after(frame(DATA, b"x" * 1000, TEXT)[:500]),
        "trickling": trickling,
    }[KIND]())
except Cut:
    # While it was still sending: so soon that there was no time to measure.
    tell({"cut": 0})
