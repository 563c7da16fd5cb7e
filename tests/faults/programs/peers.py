"""Peers that nobody here wrote for the server: good ones, and bad ones. Plain sockets, standard library only.

    python3 peers.py KIND HOST PORT COUNT [ARGUMENT]

HOST may be followed by the address to come from, as 192.0.2.1/192.0.2.2.
Prints one JSON line once all COUNT connections are open, {"ports": [...]}, and another in answer to a line on
standard input. Then it ends, unless KIND says otherwise.

    polite     asks every ARGUMENT ms (20) and checks the answer; reports answer times and heartbeat gaps
    answering  says nothing but a heartbeat for every ARGUMENT-th heartbeat (1)
    talking    sends a heartbeat every ARGUMENT ms (100), and reads; good until it is stopped, killed or cut off
    deaf       asks for an endless stream, and sends heartbeats, but never reads
    flooding   sends data without pause, and never reads what comes back
    lines      as polite, of a server that speaks lines
    tokens     sends heartbeats at full speed for ARGUMENT seconds (2), and reads
    tiny       sends empty lines at full speed for ARGUMENT seconds (2), and reads only after that, for as long
    blocking   sends heartbeats, and says `block` when it is told to
    fin, rst   ends all connections, in that way, when it is told to
    churn      opens and ends COUNT connections in turn, in every way; its one line tells how many were answered
    returning  is told an answer on each connection before the first line, connects again when they are lost, and
               tells when all were answered again
    downloading  asks for a megabyte of numbers on each connection, and reads it slowly through a small window; its first
               line comes when all have begun to come, the second when all have ended
    server     not a client: listens, prints {"ports": [PORT]}, answers heartbeats ARGUMENT ms (0) later, and sends
               each line that it is given to the first peer
"""

import json
import os
import selectors
import socket
import struct
import sys
import time

TOKEN = b"heartbeat"
KIND, PORT, COUNT = sys.argv[1], int(sys.argv[3]), int(sys.argv[4])
HOST, _, SOURCE = sys.argv[2].partition("/")
ARGUMENT = float(sys.argv[5]) if len(sys.argv) > 5 else None

# A flood comes from another machine: here it must not take the processor from the server.
if KIND in ("flooding", "tokens", "tiny"):
    os.nice(10)

loop = selectors.DefaultSelector()
now = time.monotonic


def tell(what):
    print(json.dumps(what), flush=True)


class Peer:
    """One connection. Heartbeats are lower case, and answers have no lower case in them."""

    def __init__(self, sock=None):
        self.sock = sock if sock else socket.create_connection((HOST, PORT), 20, (SOURCE, 0))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.setblocking(False)
        self.open = True
        self.buffer = b""
        self.beats = []
        self.opened_at = now()
        self.asked_at = None
        self.question = b""
        self.number = 0
        self.times = []

    def read(self):
        """Takes what has come: returns how many heartbeats, and the rest."""
        try:
            data = self.sock.recv(1 << 18)
        except BlockingIOError:
            return 0, b""
        except OSError:
            data = b""
        if not data:
            self.lost()
            return 0, b""
        data = self.buffer + data
        parts = data.split(TOKEN)
        rest = b"".join(parts)
        self.buffer = b""
        for size in range(min(len(TOKEN) - 1, len(parts[-1])), 0, -1):
            if parts[-1].endswith(TOKEN[:size]):
                self.buffer = rest[len(rest) - size:]
                rest = rest[:-size]
                break
        self.beats += [now()] * (len(parts) - 1)
        return len(parts) - 1, rest

    def write(self, data):
        try:
            return self.sock.send(data)
        except BlockingIOError:
            return 0
        except OSError:
            self.lost()
            return 0

    def ask(self, end=b""):
        self.number += 1
        self.question = b"question %d" % self.number + end
        self.asked_at = now()
        self.answer = b""
        self.write(self.question)

    def answered(self, rest):
        if not rest or self.asked_at is None:
            return False
        self.answer += rest
        if len(self.answer) < len(self.question):
            return False
        if self.answer != self.question.upper():
            raise SystemExit("asked %r, was answered %r" % (self.question, self.answer))
        self.times.append(now() - self.asked_at)
        self.asked_at = None
        return True

    def lost(self):
        if self.open:
            self.open = False
            if self.sock in loop.get_map():
                loop.unregister(self.sock)
            self.sock.close()
            self.when_lost()

    def when_lost(self):
        pass


def open_all(readable=None):
    peers = [Peer() for _ in range(COUNT)]
    for peer in peers:
        if readable:
            loop.register(peer.sock, selectors.EVENT_READ, (readable, peer))
    loop.register(sys.stdin, selectors.EVENT_READ, None)
    tell({"ports": [peer.sock.getsockname()[1] for peer in peers]})
    return peers


def turn(until):
    """Handles what comes until an instant; false once there was a line on standard input."""
    told = False
    for key, _ in loop.select(max(0, until - now())):
        if key.data is None:
            if not sys.stdin.readline():
                raise SystemExit  # Whoever started this is gone.
            told = True
        else:
            key.data[0](key.data[1])
    return not told


def every(seconds, work):
    """Does `work` as often as that until there is a line on standard input."""
    due = now()
    while True:
        if now() >= due:
            work()
            due = max(due + seconds, now())
        if not turn(due):
            return


def most_at_once(beats, window=0.3):
    """Most heartbeats within so many seconds."""
    most = first = 0
    for last, at in enumerate(beats):
        while at - beats[first] > window:
            first += 1
        most = max(most, last - first + 1)
    return most


def summary(peers):
    gaps, times, end = [], [], now()
    for peer in peers:
        marks = [peer.opened_at] + peer.beats + [end]
        gaps.append(max((b - a for a, b in zip(marks, marks[1:])), default=0))
        times += peer.times + ([end - peer.asked_at] if peer.asked_at else [])
    times.sort()
    rank = lambda share: times[min(len(times) - 1, int(share * len(times)))] * 1000 if times else None
    return {
        "lost": sum(not peer.open for peer in peers),
        "answers": len(times),
        "p50": rank(0.5),
        "p99": rank(0.99),
        "max": rank(1),
        "gap": max(gaps) * 1000,
        "beats": min(len(peer.beats) for peer in peers),
        "burst": max(most_at_once(peer.beats) for peer in peers),
    }


def polite(end=b""):
    def readable(peer):
        rest = peer.read()[1]
        peer.answered(rest.replace(b"PING\n", b"") if end else rest)

    def work():
        for peer in peers:
            if peer.open and peer.asked_at is None:
                peer.ask(end)

    peers = open_all(readable)
    every((ARGUMENT or 20) / 1000, work)
    tell(summary(peers))


def answering():
    def readable(peer):
        before = len(peer.beats) // (ARGUMENT or 1)
        peer.read()
        if peer.open and len(peer.beats) // (ARGUMENT or 1) > before:
            peer.write(TOKEN)

    peers = open_all(readable)
    while turn(now() + 60):
        pass
    tell(summary(peers))


def talking():
    def work():
        for peer in peers:
            if peer.open:
                peer.write(TOKEN)

    peers = open_all(Peer.read)
    every((ARGUMENT or 100) / 1000, work)
    tell(summary(peers))


def deaf():
    def work():
        for peer in peers:
            if peer.open:
                peer.write(TOKEN)

    peers = open_all()
    for peer in peers:
        peer.write(b"stream")
    time.sleep(0.1)
    every(0.1, work)
    tell({"lost": sum(not peer.open for peer in peers)})


def flooding():
    block = b"data " * 13107

    def writable(peer):
        peer.number += peer.write(block)

    peers = open_all()
    for peer in peers:
        loop.register(peer.sock, selectors.EVENT_WRITE, (writable, peer))
    while turn(now() + 60):
        pass
    tell({"lost": sum(not peer.open for peer in peers), "sent": sum(peer.number for peer in peers)})


def tokens():
    block, rest, done = TOKEN * 7282, [0], now() + (ARGUMENT or 2)

    def readable(peer):
        rest[0] += len(peer.read()[1])

    peers = open_all(readable)
    sent = 0
    while now() < done:
        for peer in peers:
            # From where the last write stopped, so that every token is whole.
            sent += peer.write(block[sent % len(TOKEN):])
        turn(0)
    while sent % len(TOKEN):
        for peer in peers:
            sent += peer.write(TOKEN[sent % len(TOKEN):])
        turn(now() + 0.01)
    every(1, lambda: None)
    tell({"sent": sent, "echoed": rest[0], **summary(peers)})


def tiny():
    block, read = b"\n" * (1 << 18), [0]
    done = now() + (ARGUMENT or 2)

    def readable(peer):
        try:
            read[0] += len(peer.sock.recv(1 << 20))
        except OSError:
            pass

    peers = open_all()
    sent = 0
    while now() < done:
        sent += sum(peer.write(block) for peer in peers)
        turn(now() + 0.001)
    for peer in peers:
        if peer.open:
            loop.register(peer.sock, selectors.EVENT_READ, (readable, peer))
    done = now() + (ARGUMENT or 2)
    while now() < done:
        turn(done)
    tell({"sent": sent, "echoed": read[0], "lost": sum(not peer.open for peer in peers)})


def blocking():
    peers = open_all(Peer.read)
    # It must not be given up before it is told, however long that takes.
    every(0.3, lambda: peers[0].write(TOKEN))
    # On its own: what is glued to a heartbeat is another message.
    time.sleep(0.3)
    peers[0].write(b"block")
    tell({})
    # Gone at once it would send RST, which takes the message with it.
    while turn(now() + 60):
        pass


def ending(reset):
    peers = open_all(Peer.read)
    while turn(now() + 60):
        pass
    for peer in peers:
        if reset:
            peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.lost()
    tell({})


def churn():
    answered = 0
    for number in range(COUNT):
        peer = socket.create_connection((HOST, PORT), 20, (SOURCE, 0))
        way = number % 5
        if way > 0:
            peer.sendall(b"question")
        if way == 1:
            peer.shutdown(socket.SHUT_WR)
        if way in (1, 2, 3):
            answer = b""
            while len(answer) < 8:
                answer += peer.recv(100)
            answered += answer == b"QUESTION"
        if way in (3, 4):
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()
    tell({"ports": [], "answered": answered})


def returning():
    peers, waiting, served, slowest = {}, [], set(), [0]

    def readable(peer):
        beats, rest = peer.read()
        # Behind a question that the server has not read, a token would be taken for a part of it.
        if peer.open and beats and peer.place in served:
            peer.write(TOKEN * beats)
        if peer.answered(rest):
            served.add(peer.place)

    def lost(place):
        served.discard(place)
        waiting.append((now() + 0.05, place))

    def dial(place):
        began = now()
        try:
            peer = peers[place] = Peer()
        except OSError:
            return lost(place)
        slowest[0] = max(slowest[0], now() - began)
        peer.place = place
        peer.when_lost = lambda: lost(place)
        loop.register(peer.sock, selectors.EVENT_READ, (readable, peer))
        peer.ask()

    def until(condition):
        while not condition():
            turn(now() + 0.02)
            present = now()
            due = [place for at, place in waiting if at <= present]
            waiting[:] = [(at, place) for at, place in waiting if at > present]
            for place in due:
                dial(place)

    for place in range(COUNT):
        dial(place)
    until(lambda: len(served) == COUNT)
    tell({"ports": [peer.sock.getsockname()[1] for peer in peers.values()]})
    until(lambda: not served)
    slowest[0] = 0
    until(lambda: len(served) == COUNT)
    tell({"served": COUNT, "slowest": 1000 * slowest[0]})
    until(lambda: False)


def downloading():
    peers, total, wanted = [], 1 << 20, b"".join(number.to_bytes(4, "big") for number in range(1 << 18))
    for _ in range(COUNT):
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        sock.bind((SOURCE, 0))
        sock.connect((HOST, PORT))
        sock.sendall(b"megabyte")
        sock.setblocking(False)
        peers.append([sock, bytearray(), None])
    ports, said, beat, until = [sock.getsockname()[1] for sock, _, _ in peers], False, now(), now() + 30
    while any(end is None for _, _, end in peers) and now() < until:
        time.sleep(0.01)
        beats = now() >= beat + 0.3
        if beats:
            beat = now()
        for peer in peers:
            sock, got, end = peer
            if end is not None:
                continue
            try:
                # Those that are unread when the server closes must not cost what it has sent.
                if beats:
                    sock.send(TOKEN)
                data = sock.recv(8192)
                if not data:
                    peer[2] = "FIN"
                    sock.close()
                got += data
            except BlockingIOError:
                pass
            except OSError as error:
                peer[2] = str(error)
        if not said and all(got for _, got, _ in peers):
            said = True
            tell({"ports": ports})
    # The numbers are too small for a heartbeat to be found in them.
    clean = [bytes(got).replace(TOKEN, b"") for _, got, _ in peers]
    tell({"exact": sum(data == wanted for data in clean), "missing": sum(total - len(data) for data in clean),
          "fin": sum(end == "FIN" for _, _, end in peers), "ends": [end for _, _, end in peers]})


def server():
    peers, owed, delay = [], [], (ARGUMENT or 0) / 1000

    def accepted(listener):
        peer = Peer(listener.accept()[0])
        peers.append(peer)
        loop.register(peer.sock, selectors.EVENT_READ, (readable, peer))

    def readable(peer):
        beats, _ = peer.read()
        if beats:
            owed.append((now() + delay, peer, beats))

    def told(_):
        line = os.read(0, 4096)
        if not line:
            raise SystemExit
        peers[0].write(line.strip())

    with socket.create_server((HOST, PORT), backlog=64) as listener:
        loop.register(listener, selectors.EVENT_READ, (accepted, listener))
        loop.register(0, selectors.EVENT_READ, (told, None))
        tell({"ports": [listener.getsockname()[1]]})
        while True:
            turn(owed[0][0] if owed else now() + 60)
            while owed and owed[0][0] <= now():
                _, peer, beats = owed.pop(0)
                if peer.open:
                    peer.write(TOKEN * beats)


{
    "polite": polite,
    "lines": lambda: polite(b"\n"),
    "answering": answering,
    "talking": talking,
    "deaf": deaf,
    "flooding": flooding,
    "tokens": tokens,
    "tiny": tiny,
    "blocking": blocking,
    "fin": lambda: ending(False),
    "rst": lambda: ending(True),
    "churn": churn,
    "returning": returning,
    "downloading": downloading,
    "server": server,
}[KIND]()
