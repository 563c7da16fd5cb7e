"""A client of the demo server that nobody here wrote for it: plain sockets, standard library only.

    python3 plain_client.py PORT SCENARIO [ARGUMENT]

Prints one JSON value at the end. A PORT that is a path is that of a Unix socket.
"""

import json
import random
import socket
import struct
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

PATIENCE = 20
WHERE = sys.argv[1]


def dial(buffer=None):
    family = socket.AF_INET if WHERE.isdigit() else socket.AF_UNIX
    peer = socket.socket(family, socket.SOCK_STREAM)
    peer.settimeout(PATIENCE)
    if family == socket.AF_INET:
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if buffer is not None:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    peer.connect(("127.0.0.1", int(WHERE)) if family == socket.AF_INET else WHERE)
    return peer


def exactly(peer, size):
    """The next `size` bytes, or fewer if the stream ends before."""
    parts = []
    while size > 0:
        part = peer.recv(min(size, 1 << 18))
        if not part:
            break
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def within(peer, seconds):
    """All that comes within `seconds`."""
    parts, until = [], time.monotonic() + seconds
    while True:
        left = until - time.monotonic()
        if left <= 0:
            break
        peer.settimeout(left)
        try:
            part = peer.recv(65536)
        except socket.timeout:
            break
        if not part:
            parts.append(b"<FIN>")
            break
        parts.append(part)
    peer.settimeout(PATIENCE)
    return b"".join(parts)


def ask(*segments, wait=0.3):
    """What comes back for `segments`, each a write of its own that the server reads on its own."""
    with dial() as peer:
        for segment in segments:
            peer.sendall(segment)
            time.sleep(0.05)
        return within(peer, wait).decode("utf-8", "replace")


def payload(size):
    """Bytes in which no lost or doubled piece can hide. They are the same each time."""
    return random.Random(size).randbytes(size)


def requests(count):
    answered = 0
    with dial() as peer:
        for number in range(int(count)):
            request = b"request %d" % number
            peer.sendall(request)
            answered += exactly(peer, len(request)) == request.upper()
    return answered


def clients(count):
    """So many at once: all are connected before the first asks, and ask before the first is answered."""
    peers = [dial() for _ in range(int(count))]
    for number, peer in enumerate(peers):
        peer.sendall(b"client %d" % number)
    answered = 0
    for number, peer in enumerate(peers):
        expected = b"CLIENT %d" % number
        answered += exactly(peer, len(expected)) == expected
        peer.close()
    return answered


def tokens(_=None):
    cases = {
        "heartbeat": [b"heartbeat"],
        "heartbeatheartbeat": [b"heartbeatheartbeat"],
        "heart beat": [b"heart", b"beat"],
        "heartbeathe artbeat": [b"heartbeathe", b"artbeat"],
        "xheartbeaty": [b"xheartbeaty"],
        "heartbeat, then data": [b"heartbeat", b"data"],
    }
    with ThreadPoolExecutor(len(cases)) as pool:
        return dict(zip(cases, pool.map(lambda segments: ask(*segments), cases.values())))


def utf8(_=None):
    character = "é心".encode()
    return ask(b"caf" + character[:1], character[1:3], character[3:] + b"z")


def bulk(size):
    """All of it in one go, and read at the same time."""
    data = payload(int(size))
    with dial() as peer:
        sender = threading.Thread(target=peer.sendall, args=(data,))
        sender.start()
        answer = exactly(peer, len(data))
        sender.join()
    return answer == data.upper()


def half_close(size):
    data = payload(int(size))
    with dial() as peer:
        peer.sendall(data)
        peer.shutdown(socket.SHUT_WR)
        answer = exactly(peer, len(data) + 1)
        return {"whole": answer == data.upper(), "fin": peer.recv(1) == b""}


def beats(count):
    """Instants of so many beats, in seconds, and whether they held nothing else."""
    token, times, clean = b"heartbeat", [], True
    with dial() as peer:
        for _ in range(int(count)):
            clean = clean and exactly(peer, len(token)) == token
            times.append(time.monotonic())
    return {"times": times, "clean": clean}


def silent(_=None):
    """How long a client lives that never says anything, in seconds."""
    with dial() as peer:
        start = time.monotonic()
        try:
            while peer.recv(65536):
                pass
        except ConnectionResetError:
            pass
        return time.monotonic() - start


def drain(count):
    """So many connections with 1 MiB each under way while the server is told to go."""
    data = payload(1 << 20)
    count = int(count)
    peers = [dial(buffer=8192) for _ in range(count)]
    sent = [0] * count
    results = [None] * count

    def send(i):
        for at in range(0, len(data), 32768):
            peers[i].sendall(data[at:at + 32768])
            sent[i] = at + 32768
            time.sleep(0.03)

    def receive(i):
        try:
            parts = []
            while part := peers[i].recv(16384):
                parts.append(part)
            results[i] = "whole" if b"".join(parts) == data.upper() else "%d bytes" % sum(map(len, parts))
        except OSError as error:
            results[i] = str(error)
        # Only now: the server's FIN must not wait for ours.
        peers[i].close()

    threads = [threading.Thread(target=job, args=(i,)) for i in range(count) for job in (send, receive)]
    for thread in threads:
        thread.start()
    while min(sent) < 131072:
        time.sleep(0.005)
    print("under way", flush=True)
    sys.stdin.readline()  # The signal has been sent.
    left = len(data) - max(sent)
    refused = False
    until = time.monotonic() + 5
    while not refused and time.monotonic() < until:
        try:
            dial().close()
            time.sleep(0.02)
        except OSError:
            refused = True
    for thread in threads:
        thread.join()
    return {"results": results, "left": left, "refused": refused}


def stuck(size):
    """Sends and never reads, until the server lets go."""
    peer = dial(buffer=8192)
    peer.setblocking(False)
    data, sent, idle = payload(int(size)), 0, 0
    while sent < len(data) and idle < 10:
        try:
            sent += peer.send(data[sent:sent + 65536])
            idle = 0
        except BlockingIOError:
            idle += 1
            time.sleep(0.02)
    print("stuck", flush=True)
    sys.stdin.readline()
    return sent


def lines(_=None):
    with dial() as peer:
        peer.sendall(b"hello\nPING\nping\nstra\xc3\x9fe\r\n")
        return within(peer, 0.5).decode()


def reset_server(_=None):
    """Not a client: accepts one connection, reads a little, and resets it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        print(server.getsockname()[1], flush=True)
        server.settimeout(PATIENCE)
        peer, _ = server.accept()
        peer.recv(1)
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()
    return True


def full_server(_=None):
    """Not a client: accepts nobody, and its backlog is full, so that callers wait for ever."""
    server = socket.socket()
    server.bind(("127.0.0.1", 0))
    server.listen(0)
    waiting = [socket.socket() for _ in range(3)]
    for peer in waiting:
        peer.setblocking(False)
        peer.connect_ex(server.getsockname())
    time.sleep(0.2)
    print(server.getsockname()[1], flush=True)
    sys.stdin.readline()


def mute_server(_=None):
    """Not a client: accepts one connection, says nothing before FIN, answers late, and ends."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        print(server.getsockname()[1], flush=True)
        server.settimeout(PATIENCE)
        peer, _ = server.accept()
        peer.settimeout(PATIENCE)
        received = 0
        while part := peer.recv(65536):
            received += len(part)
        time.sleep(0.3)
        peer.sendall(b"%d bytes" % received)
        peer.close()
    return received


print(json.dumps(globals()[sys.argv[2]](*sys.argv[3:])), flush=True)
