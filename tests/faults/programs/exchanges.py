"""Exchanges of one peer with the server, each on a connection of its own. Standard library only.

    python3 exchanges.py KIND HOST PORT [ARGUMENT]

Prints one line of JSON with what it found, and ends. All times are in milliseconds.

    beats      collects ARGUMENT heartbeats, and asks something now and then
    glued      sends heartbeats that are merged and torn apart, alone and with data
    garbage    200 000 seeded bytes, and characters of several bytes that are torn apart; all must come back
    transfer   8 MiB there and back
    half       64 KiB, then FIN: the whole answer must come, and then FIN
    narrow     sends up to 256 MiB through a small window and reads nothing, until it is cut
    silent     ARGUMENT connections on which nothing is said
    lines      speaks lines: one connection that answers PING, and one that does not
    gone       connects, and tells whether that was refused
"""

import json
import os
import random
import select
import socket
import sys
import time

TOKEN = b"heartbeat"
KIND, HOST, PORT = sys.argv[1], sys.argv[2], int(sys.argv[3])
ARGUMENT = int(sys.argv[4]) if len(sys.argv) > 4 else 1
PATIENCE = 20

now = time.monotonic


def dial(receive=None):
    sock = socket.socket()
    if receive:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
    sock.settimeout(PATIENCE)
    sock.connect((HOST, PORT))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def swap(sock, pieces, wanted):
    """Sends all pieces while it reads, until as many bytes have come back, heartbeats not counted."""
    sock.setblocking(False)
    pieces, got, until = list(pieces), bytearray(), now() + PATIENCE
    while now() < until:
        readable, writable, _ = select.select([sock], [sock] if pieces else [], [], 0.2)
        if writable:
            sent = sock.send(pieces[0])
            pieces[0] = pieces[0][sent:]
            if not pieces[0]:
                del pieces[0]
        if readable:
            data = sock.recv(1 << 18)
            if not data:
                break
            got += data
        if len(got) >= wanted and not pieces:
            # A heartbeat may be torn apart at the end.
            clean = bytes(got).replace(TOKEN, b"")
            if len(clean) == wanted:
                return clean
    return bytes(got).replace(TOKEN, b"")


def beats():
    sock = dial()
    times, echoes, question, buffer = [], [], None, b""
    strays, next_question = 0, now()
    while len(times) < ARGUMENT:
        if question is None and now() >= next_question:
            question = now()
            sock.send(b"hello")
        sock.settimeout(0.05)
        try:
            data = sock.recv(4096)
        except TimeoutError:
            continue
        at = now()
        if not data:
            break
        buffer += data
        while buffer.startswith((TOKEN, b"HELLO")):
            if buffer.startswith(TOKEN):
                times.append(at)
                buffer = buffer[len(TOKEN):]
            else:
                echoes.append(at - question)
                question, next_question = None, at + 0.3
                buffer = buffer[5:]
        if buffer and not (TOKEN + b" HELLO").startswith(buffer) and not b"HELLO".startswith(buffer):
            strays += 1
            break
    gaps = [b - a for a, b in zip(times, times[1:])]
    return {"beats": len(times), "mean": 1000 * (times[-1] - times[0]) / (len(times) - 1), "gap": 1000 * max(gaps),
            "grid": [1000 * (at - times[0]) for at in times], "echo": 1000 * max(echoes), "strays": strays}


def upper(data):
    return data.translate(bytes.maketrans(bytes(range(97, 123)), bytes(range(65, 91))))


def glued():
    wrong, cases = [], (
        ([TOKEN * 2], b""),
        ([TOKEN + b"heart", b"beat"], b""),
        ([TOKEN + b"hello"], b"HEARTBEATHELLO"),
        ([b"hello" + TOKEN], b"HELLOHEARTBEAT"),
        ([b"heart", b"beat"], b"HEARTBEAT"),
        ([TOKEN + b"heart", b"hello"], b"HEARTHELLO"),
    )
    for pieces, wanted in cases:
        sock = dial()
        for piece in pieces:
            sock.sendall(piece)
            time.sleep(0.1)
        sock.sendall(b".")
        back = b""
        while not back.endswith(b"."):
            data = sock.recv(4096)
            if not data:
                break
            back += data
        back = back.replace(TOKEN, b"")
        # The network, or a busy server, may glue the pieces together. Then they are data, whole.
        if back not in (wanted + b".", upper(b"".join(pieces)) + b"."):
            wrong.append([[piece.decode() for piece in pieces], back.decode()])
        sock.close()
    return {"wrong": wrong, "tried": len(cases)}


def garbage():
    dice = random.Random(5)
    data = dice.randbytes(200_000) + "žluťoučký 😀 ß ".encode() * 500
    pieces, at = [], 0
    while at < len(data):
        size = dice.choice((1, 2, 3, 7, 500, 5000))
        pieces.append(data[at:at + size])
        at += size
    back = swap(dial(), pieces, len(data))
    wrong = sum(a != b for a, b in zip(back, upper(data))) + abs(len(back) - len(data))
    return {"bytes": len(data), "wrong": wrong}


def transfer():
    data = random.Random(6).randbytes(1 << 20) * 8
    sock, start = dial(), now()
    back = swap(sock, [data], len(data))
    return {"bytes": len(back), "exact": back == upper(data), "time": 1000 * (now() - start)}


def half():
    sock, data = dial(), os.urandom(1 << 16)
    sock.sendall(data)
    sock.shutdown(socket.SHUT_WR)
    start, back, end = now(), b"", "FIN"
    try:
        while True:
            chunk = sock.recv(1 << 16)
            if not chunk:
                break
            back += chunk
    except OSError as error:
        end = str(error)
    return {"exact": back.replace(TOKEN, b"") == upper(data), "end": end, "time": 1000 * (now() - start)}


def narrow():
    os.nice(10)
    sock, sent, moved, block = dial(8192), 0, now(), b"data " * 13107
    sock.setblocking(False)
    while sent < 256 << 20 and now() < moved + PATIENCE:
        try:
            sent += sock.send(block)
            moved = now()
        except BlockingIOError:
            time.sleep(0.01)
        except OSError:
            return {"sent": sent, "cut": 1000 * (now() - moved)}
    return {"sent": sent, "cut": None}


def silent():
    start = now()
    left = {dial(): None for _ in range(ARGUMENT)}
    times = []
    while left and now() < start + PATIENCE:
        for sock in select.select(list(left), [], [], 0.2)[0]:
            try:
                ended = not sock.recv(4096)
            except OSError:
                ended = True
            if ended:
                times.append(1000 * (now() - start))
                del left[sock]
    return {"times": times}


def lines():
    good, bad, start = dial(), dial(), now()
    for sock in (good, bad):
        sock.sendall(b"hello\n")
    buffers, pings, cut, lost, echo = {good: b"", bad: b""}, 0, None, False, None
    heard = now()
    while now() < start + (ARGUMENT / 1000):
        for sock in select.select([sock for sock in buffers], [], [], 0.05)[0]:
            try:
                data = sock.recv(4096)
            except OSError:
                data = b""
            if not data:
                del buffers[sock]
                if sock is bad:
                    cut = 1000 * (now() - heard)
                else:
                    lost = True
                continue
            *whole, buffers[sock] = (buffers[sock] + data).split(b"\n")
            for line in whole:
                if line == b"PING" and sock is good:
                    pings += 1
                    sock.sendall(b"PONG\n")
                elif line == b"HELLO":
                    echo = 1000 * (now() - start)
    return {"pings": pings, "cut": cut, "lost": lost, "echo": echo}


def gone():
    try:
        dial().close()
        return {"refused": False}
    except ConnectionRefusedError:
        return {"refused": True}


print(json.dumps({"beats": beats, "glued": glued, "garbage": garbage, "transfer": transfer, "half": half,
                  "narrow": narrow, "silent": silent, "lines": lines, "gone": gone}[KIND]()), flush=True)
