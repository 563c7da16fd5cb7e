#!/usr/bin/env python3
"""A small peer of the frame protocol, a client, for tests.

Written from docs/protocol.md alone, without a look at the TypeScript: it is the proof that the page is enough.
Needs Python 3.9 and nothing else.

    frames_peer.py HOST PORT SCENARIO [--key HEX] [--seed N]
                                                      runs a scenario against a server, one of hello, echo, ping,
                                                      heartbeat, drain, resume, malformed, stranger
    frames_peer.py --vectors FILE                     checks itself with docs/protocol-vectors.json

It prints one line of JSON for each finding and one at the end, and exits with 1 if a finding is bad. The server is
expected to send every message back as it came, and to drain when it gets the text "please drain". For `heartbeat` it
must have the key, for `drain` and `resume` it must offer sessions, otherwise neither; `resume` may have a key too. For
`ping` its hear-every should be under 2 s.
"""

import argparse
import hmac
import json
import os
import random
import select
import socket
import struct
import sys
import time

# Tests leave nothing behind.
sys.dont_write_bytecode = True

from frames_codec import (ACK, CLOSE, DATA, DRAIN, HELLO, MAX_COUNT, MORE, PING, PONG, PREAMBLE, SESSION, TEXT,
                          ProtocolError, Receiver, check_vectors, encode, encode_hello, frame, message_frames, proof_of)


def reset(sock):
    """Ends a TCP connection with a RST."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


class Cut(Exception):
    """The connection was cut: by this peer on purpose, or by the network."""


class Link:
    """One connection: greets, answers pings, checks pongs, and collects everything else in `inbox`."""

    def __init__(self, host, port, key=None, session=None, greet=True, wrong_key=False, **wishes):
        self.key = key
        self.answer_key = b"\x00" * 32 if wrong_key else key
        self.sock = socket.create_connection((host, port), timeout=10)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.setblocking(False)
        self.out = bytearray()
        self.sent = self.got = 0
        self.cut_out = self.cut_in = None
        self.before_cut = 0.003
        self.answer = True
        self.ended = self.was_reset = False
        self.inbox = []
        self.pings = []  # nonces that are out
        self.pongs = 0
        self.answered = []  # the pongs sent, as bytes
        self.theirs = None
        self.raw = bytearray()
        self.mine = {"keyed": key is not None, "random": os.urandom(16).hex(), "sendEvery": 0, "hearEvery": 0,
                     "minPingGap": 0, "maxMessage": 4 << 20, "session": session, **wishes}
        self.receiver = Receiver("server", key is not None, self.mine["maxMessage"])
        if greet:
            self.write(PREAMBLE + encode_hello(self.mine, "client"))

    def write(self, data):
        self.out += data

    def ping(self):
        nonce = os.urandom(8)
        self.pings.append(nonce.hex())
        self.write(frame(PING, nonce))

    def pump(self, seconds):
        """Moves bytes for at most so long; returns as soon as something came, or the end."""
        if self.ended:
            return
        readable, writable, _ = select.select([self.sock], [self.sock] if self.out else [], [], seconds)
        try:
            if writable:
                self._push()
            if readable:
                self._pull()
        except (ConnectionResetError, BrokenPipeError):
            self.ended = self.was_reset = True

    def _push(self):
        limit = min(len(self.out), 65536)
        if self.cut_out is not None:
            limit = min(limit, self.cut_out - self.sent)
        count = self.sock.send(bytes(self.out[:limit]))
        del self.out[:count]
        self.sent += count
        if self.cut_out is not None and self.sent >= self.cut_out:
            self.cut()

    def _pull(self):
        limit = 65536 if self.cut_in is None else max(1, min(65536, self.cut_in - self.got))
        data = self.sock.recv(limit)
        if not data:
            self.ended = True
            return
        self.got += len(data)
        if len(self.raw) < 65536:
            self.raw += data
        try:
            self.receiver.feed(data)
        finally:
            events, self.receiver.events = self.receiver.events, []
            for event in events:
                self._take(event)
        if self.cut_in is not None and self.got >= self.cut_in:
            self.cut()

    def cut(self):
        time.sleep(self.before_cut)
        reset(self.sock)
        self.ended = True
        raise Cut()

    def _take(self, event):
        kind = event["event"]
        if kind == "hello":
            self.theirs = event
            if event["keyed"] != (self.key is not None):
                raise ProtocolError("keyed", 15)
            if "session" in event and not self.mine["session"]:
                raise ProtocolError("hello")
            if self.key is not None:
                self.ping()
        if kind == "ping":
            nonce = bytes.fromhex(event["nonce"])
            proof = b""
            if self.key is not None:
                proof = self.proof("client", self.answer_key, event["nonce"])
            self.answered.append(frame(PONG, nonce + proof))
            if self.answer:
                self.write(self.answered[-1])
        elif kind == "pong":
            self._pong(event)
        self.inbox.append(event)

    def proof(self, answerer, key, nonce):
        randoms = (bytes.fromhex(hello["random"]) for hello in (self.mine, self.theirs))
        return proof_of(key, answerer, *randoms, bytes.fromhex(nonce))

    def _pong(self, event):
        if event["nonce"] not in self.pings:
            if self.key is not None:
                raise ProtocolError("pong", 6)
            return
        if self.key is not None:
            wanted = self.proof("server", self.key, event["nonce"])
            if not hmac.compare_digest(wanted.hex(), event["proof"]):
                raise ProtocolError("proof", 6)
        del self.pings[: self.pings.index(event["nonce"]) + 1]
        self.pongs += 1

    def until(self, done, seconds=15.0):
        """Pumps until done() is true; False when the time or the connection is over before."""
        end = time.monotonic() + seconds
        while not done():
            left = end - time.monotonic()
            if self.ended or left <= 0:
                return bool(done())
            self.pump(min(left, 0.05))
        return True

    def take(self, kind, seconds=15.0):
        """The next event of a kind, out of the inbox, or None."""
        self.until(lambda: any(e["event"] == kind for e in self.inbox), seconds)
        for at, event in enumerate(self.inbox):
            if event["event"] == kind:
                return self.inbox.pop(at)
        return None

    def goodbye(self, code=0, reason=""):
        """Close, FIN, and wait for the other end's. Gives back the close of the other end, or None."""
        self.answer = False  # nothing may follow a close
        self.write(encode({"event": "close", "code": code, "retryAfter": 0, "reason": reason}, "client"))
        self.until(lambda: not self.out)
        if not self.ended:
            self.sock.shutdown(socket.SHUT_WR)
            self.until(lambda: self.ended)
        self.sock.close()
        return self.take("close", 0)


class Findings:
    def __init__(self, scenario):
        self.scenario = scenario
        self.bad = 0

    def say(self, good, what, **more):
        self.bad += not good
        print(json.dumps({"ok": bool(good), "scenario": self.scenario, "what": what, **more}), flush=True)


def hello(at, say):
    link = Link(*at)
    theirs = link.take("hello")
    say(theirs is not None, "the server answers a hello with its own", hello=theirs)
    if theirs:
        say(theirs["random"] != link.mine["random"] and theirs["random"] != "00" * 16, "its random is its own")
        say("session" not in theirs, "it gives no session to who did not ask")
    other = Link(*at, session={"kind": "new"})
    theirs = other.take("hello")
    other.write(message_frames("without one"))
    back = other.take("message")
    say(theirs and "session" not in theirs and back and back.get("text") == "without one",
        "who asked for a session that is not given can do without")
    other.goodbye()
    close = link.goodbye()
    say(close is not None and close["code"] == 0 and not link.was_reset, "a close is answered with a close of code 0",
        close=close)


def echo(at, say):
    link = Link(*at)
    link.take("hello")
    sizes = (0, 1, 65534, 65535, 65536, 65537, 1 << 20)
    for size in sizes:
        body = random.Random(size).randbytes(size)
        link.write(message_frames(body))
        back = link.take("message")
        say(back is not None and back.get("bytes") == body, "bytes come back as they went", size=size)
    for text in ("", "a", "gr\u00fc\u00df \U0001f30d", "\ufeffa mark of byte order is text too", "\u20ac" * 30000):
        link.write(message_frames(text, 1000))
        back = link.take("message")
        say(back is not None and back.get("text") == text, "text comes back as it went", size=len(text.encode("utf-8")))
    body = random.Random(7).randbytes(100000)
    link.write(frame(DATA, body[:1], MORE) + frame(PING, b"between!"))
    link.pings.append(b"between!".hex())
    say(link.until(lambda: link.pongs == 1), "a ping between the pieces of a message is answered before it ends")
    link.write(frame(DATA, body[1:50000], MORE) + frame(DATA, body[50000:]))
    back = link.take("message")
    say(back is not None and back.get("bytes") == body, "a message with a ping in it comes back whole")
    for number in range(500):
        link.write(message_frames("n%d" % number))
    backs = [link.take("message") for _ in range(500)]
    say(all(b and b.get("text") == "n%d" % n for n, b in enumerate(backs)), "500 messages at once keep their order")
    link.goodbye()


def ping(at, say):
    link = Link(*at)
    gap = link.take("hello")["minPingGap"] / 1000
    for _ in range(4):
        link.ping()
        before = link.pongs
        say(link.until(lambda: link.pongs > before), "a ping is answered with its nonce")
        link.until(lambda: False, gap)
    link.until(lambda: False, 5 * gap)
    for _ in range(5):
        link.ping()
    say(link.until(lambda: not link.pings), "time that was saved up is good for five pings at once", pongs=link.pongs)
    link.write(frame(PONG, b"unknown!"))
    link.write(frame(ACK, struct.pack(">Q", 5)))
    link.write(message_frames("still there"))
    back = link.take("message")
    say(back and back.get("text") == "still there", "a pong for no ping is ignored, and so is an ack without a session")
    say(link.take("ping", 10), "the server asks an end that says nothing")
    before = len(link.answered)
    say(link.until(lambda: len(link.answered) >= before + 3, 15), "and goes on asking one that answers",
        answered=len(link.answered))
    link.goodbye()
    silent = Link(*at)
    silent.answer = False
    silent.take("hello")
    say(silent.until(lambda: silent.ended, 20) and not silent.take("close", 0),
        "one that does not is dropped without a close")
    hasty = Link(*at)
    hasty.take("hello")
    for _ in range(200):
        hasty.ping()
    close = hasty.take("close")
    say(close and close["code"] == 3, "who asks much too often gets code 3", close=close, pongs=hasty.pongs)


def heartbeat(at, say, key):
    link = Link(*at, key=key)
    theirs = link.take("hello")
    say(theirs is not None and theirs["keyed"], "the server's hello says keyed")
    say(link.take("ping", 5) is not None, "the server's first ping comes at once")
    say(link.until(lambda: link.pongs > 0), "the server's proof is right")
    link.write(message_frames("with a key"))
    back = link.take("message")
    say(back is not None and back.get("text") == "with a key", "with the right key messages go to and fro")
    replay = link.answered[0]
    link.write(replay)
    close = link.take("close")
    say(close is not None and close["code"] == 6, "a pong sent again ends the connection with code 6", close=close)
    forged = Link(*at, key=key, wrong_key=True)
    close = forged.take("close")
    say(close is not None and close["code"] == 6, "a wrong key ends the connection with code 6", close=close)
    plain = Link(*at)
    close = plain.take("close")
    say(close is not None and close["code"] == 15, "an end without a key gets code 15", close=close)


def drain(at, say):
    link, other, with_session = Link(*at), Link(*at), Link(*at, session={"kind": "new"})
    for one in (link, other, with_session):
        theirs = one.take("hello")
    say(theirs and theirs.get("session", {}).get("kind") == "new", "a session is granted")
    other.write(frame(DATA, b"under ", TEXT | MORE))
    other.until(lambda: not other.out)
    for number in range(20):
        link.write(message_frames("n%d" % number))
    link.write(message_frames("please drain"))
    told, there, third = (one.take("drain") for one in (link, other, with_session))
    begun = time.monotonic()
    other.write(frame(DATA, b"way", TEXT))
    say(told and there and third, "a drain comes, to all", drain=told)
    for number in range(20):
        back = link.take("message")
        if not back or back.get("text") != "n%d" % number:
            say(False, "what was sent before is still answered", number=number)
    back = other.take("message")
    say(back and back.get("text") == "under way", "a message that was under way is answered too", back=back)
    for one, codes in ((link, (1,)), (other, (1,)), (with_session, (1,))):
        close = one.take("close", 60)
        say(close and close["code"] in codes, "then the close comes", close=close, session=one is with_session)
        if told and told["within"]:
            say((time.monotonic() - begun) * 1000 <= told["within"] + 2000, "not later than it was said")
        one.goodbye()
        say(one.ended and not one.was_reset, "and the end is one in order")


class Session:
    """The client's side of a session: numbers, keeps and sends again."""

    def __init__(self):
        self.ticket = None
        self.window = 0
        self.next = 1
        self.kept = []  # (number, bytes of the frames)
        self.acked = 0
        self.received = 0
        self.told = 0
        self.messages = []
        self.lost = 0
        self.again = 0  # messages that were sent more than once

    def wish(self):
        if self.ticket is None:
            return {"kind": "new"}
        return {"kind": "resume", "id": self.ticket[0], "secret": self.ticket[1], "received": self.received}

    def send(self, link, message):
        data = message_frames(message, 3000)
        self.kept.append((self.next, data))
        self.next += 1
        if link is not None:
            link.write(data)

    def greeted(self, link, theirs):
        given = theirs.get("session")
        if given is None:
            raise ProtocolError("no session")
        if given["kind"] == "resumed":
            self.forget(given["received"])
        else:
            self.lost += self.ticket is not None
            self.next, self.kept, self.acked, self.received = 1, [], 0, 0
        self.told = self.received
        self.ticket = (given["id"], given["secret"])
        self.window = given["window"]
        self.again += len(self.kept)
        for _, data in self.kept:
            link.write(data)

    def forget(self, count):
        if not self.acked <= count < self.next:
            raise ProtocolError("count")
        self.acked = count
        self.kept = [one for one in self.kept if one[0] > count]

    def take(self, link):
        """Everything that came on the link; then the ack that is due."""
        events, link.inbox = link.inbox, []
        for event in events:
            if event["event"] == "message":
                self.received += 1
                self.messages.append(event["text"])
            elif event["event"] == "ack":
                self.forget(event["received"])
            elif event["event"] == "close":
                link.inbox.append(event)
        if self.received >= self.told + 16 or (self.received > self.told and not events):
            self.told = self.received
            link.write(frame(ACK, struct.pack(">Q", self.received)))


def resume(at, say, key, seed):
    dice = random.Random(seed)
    session = Session()
    total = 400
    made = cuts = 0
    end = time.monotonic() + 60
    while len(session.messages) < total and time.monotonic() < end and not session.lost:
        link = Link(*at, key=key, session=session.wish())
        # The first greeting must pass, or there is no ticket to come back with.
        if session.ticket is not None and cuts < 40:
            where = dice.choice(("out", "in", "out", "greeting out", "greeting in"))
            link.before_cut = dice.choice((0, 0.003))
            if where.startswith("greeting"):
                setattr(link, "cut_" + where[9:], dice.randrange(1, 70))
            else:
                setattr(link, "cut_" + where, dice.randrange(70, 20000))
        try:
            theirs = link.take("hello")
            if theirs is None:
                raise Cut()
            session.greeted(link, theirs)
            if cuts == 0:
                link.cut_out = link.sent + 2500
            while len(session.messages) < total and not link.ended and time.monotonic() < end:
                if made < total and len(session.kept) < 20:
                    made += 1
                    size = 70000 if made % 50 == 0 else dice.choice((0, 10, 700, 9000))
                    session.send(link, "%d:" % made + "x" * size)
                else:
                    link.pump(0.02)
                session.take(link)
                if made < total:
                    link.pump(0)
        except Cut:
            cuts += 1
            # What had come whole before the cut was taken off the wire, and counts.
            session.take(link)
    numbers = [int(m.split(":")[0]) for m in session.messages]
    say(cuts >= 20 and session.again > 0, "the connection was cut at odd places", cuts=cuts, again=session.again)
    say(session.lost == 0, "the server knew the session each time")
    say(numbers == list(range(1, total + 1)), "nothing is lost, doubled or out of order, there and back",
        messages=len(numbers))
    if session.ticket is None or link.ended:
        return
    say(link.until(lambda: session.take(link) or not session.kept, 5), "the server acknowledges all in the end",
        kept=len(session.kept))
    # A second connection of the same session takes over.
    other = Link(*at, key=key, session=session.wish())
    theirs = other.take("hello")
    say((theirs or {}).get("session", {}).get("kind") == "resumed", "a second connection takes the session over")
    close = link.take("close")
    say(close is not None and close["code"] == 5, "and the first one is closed with code 5", close=close)
    wrong = session.wish()
    wrong["secret"] = "00" * 16
    third = Link(*at, key=key, session=wrong)
    theirs = third.take("hello")
    given = (theirs or {}).get("session", {})
    say(given.get("kind") == "new" and given.get("id") != session.ticket[0], "a wrong secret gets another session")
    parted = third.goodbye()
    again = {"kind": "resume", "id": given.get("id"), "secret": given.get("secret"), "received": 0}
    fourth = Link(*at, key=key, session=again)
    theirs = fourth.take("hello")
    say((theirs or {}).get("session", {}).get("kind") == "new", "a close with code 0 ended that one: it is not resumed",
        hello=theirs, close=parted, again=fourth.take("close", 0))
    fourth.goodbye()
    ahead = session.wish()
    ahead["received"] += 1000
    fifth = Link(*at, key=key, session=ahead)
    close = fifth.take("close")
    say(close is not None and close["code"] == 2, "a received count that is too much ends with code 2", close=close)
    session.take(other)
    other.goodbye()


def greeting(**changes):
    base = {"keyed": False, "random": "11" * 16, "sendEvery": 0, "hearEvery": 0, "minPingGap": 0, "maxMessage": 65536}
    return encode_hello({**base, **changes}, "client")


def broken_hello(change):
    raw = bytearray(greeting())
    change(raw)
    raw[1:3] = struct.pack(">H", len(raw) - 3)
    return bytes(raw)


def malformed(at, say):
    probe = Link(*at)
    longest = probe.take("hello")["maxMessage"]
    probe.goodbye()

    def with_flag(flags, tail=b""):
        def change(raw):
            raw[3] = flags
            raw.extend(tail)
        return PREAMBLE + broken_hello(change)

    # What is wrong, the bytes before the server's hello, the bytes after it, the code of the close.
    many, rest = divmod(longest + 1, 65535)
    pieces = frame(DATA, b"\x00" * 65535, MORE) * many
    cases = [
        ("a frame before the hello", PREAMBLE + frame(PING, b"12345678"), b"", 2),
        ("a hello that is too short", PREAMBLE + broken_hello(lambda raw: raw.__delitem__(-1)), b"", 2),
        ("a hello that is too long", PREAMBLE + broken_hello(lambda raw: raw.extend(b"x")), b"", 2),
        ("the header of a hello of 71 bytes, alone", PREAMBLE + bytes([HELLO << 4, 0, 71]), b"", 2),
        ("an unknown flag in the hello", with_flag(4), b"", 2),
        ("a session part without the flag", with_flag(0, b"\x00"), b"", 2),
        ("the flag without a session part", with_flag(SESSION), b"", 2),
        ("a session of kind 2", with_flag(SESSION, b"\x02"), b"", 2),
        ("a session of kind 1 that is too short", with_flag(SESSION, b"\x01" + b"\x00" * 31), b"", 2),
        ("flags in the header of a hello", PREAMBLE + b"\x11" + greeting()[1:], b"", 2),
        ("another version", b"\xf0HF\x02" + greeting(), b"", 11),
        ("keyed where no key is", PREAMBLE + greeting(keyed=True), b"", 15),
        ("a second hello", PREAMBLE + greeting(), greeting(), 2),
        ("type 0", PREAMBLE + greeting(), frame(0), 2),
        ("type 8", PREAMBLE + greeting(), frame(8), 2),
        ("type 15", PREAMBLE + greeting(), frame(15, b"x"), 2),
        ("flags on a ping", PREAMBLE + greeting(), frame(PING, b"12345678", 1), 2),
        ("flag 4 on data", PREAMBLE + greeting(), frame(DATA, b"x", 4), 2),
        ("flag 8 on data", PREAMBLE + greeting(), frame(DATA, b"x", 8), 2),
        ("a ping of 7 bytes", PREAMBLE + greeting(), frame(PING, b"1234567"), 2),
        ("a pong of 9 bytes", PREAMBLE + greeting(), frame(PONG, b"123456789"), 2),
        ("a pong with a proof, without a key", PREAMBLE + greeting(), frame(PONG, b"1" * 40), 2),
        ("an ack of 7 bytes", PREAMBLE + greeting(), frame(ACK, b"1234567"), 2),
        ("a drain of 7 bytes", PREAMBLE + greeting(), frame(DRAIN, b"1234567"), 2),
        ("the header of a drain of 264 bytes, alone", PREAMBLE + greeting(), bytes([DRAIN << 4, 1, 8]), 2),
        ("a close of 5 bytes", PREAMBLE + greeting(), frame(CLOSE, b"12345"), 2),
        ("the header of a close of 262 bytes, alone", PREAMBLE + greeting(), bytes([CLOSE << 4, 1, 6]), 2),
        ("an empty piece", PREAMBLE + greeting(), frame(DATA, b"", MORE), 2),
        ("text after a piece of bytes", PREAMBLE + greeting(), frame(DATA, b"x", MORE) + frame(DATA, b"y", TEXT), 2),
        ("bytes after a piece of text", PREAMBLE + greeting(), frame(DATA, b"x", MORE | TEXT) + frame(DATA, b"y"), 2),
        ("text that is not UTF-8", PREAMBLE + greeting(), frame(DATA, b"\xc3(", TEXT), 2),
        ("text that ends in a character", PREAMBLE + greeting(), frame(DATA, b"\xe2\x82", TEXT), 2),
        ("half of a surrogate pair", PREAMBLE + greeting(), frame(DATA, b"\xed\xa0\x80", TEXT), 2),
        ("a place that is not UTF-8", PREAMBLE + greeting(), frame(DRAIN, b"\x00" * 8 + b"\xff"), 2),
        ("a count of 2^53", PREAMBLE + greeting(), frame(ACK, struct.pack(">Q", MAX_COUNT)), 2),
        ("the header of a piece that makes a message too long, alone", PREAMBLE + greeting(),
         pieces + struct.pack(">BH", DATA << 4, rest), 2),
    ]
    for what, before, after, code in cases:
        link = Link(*at, greet=False)
        link.write(before)
        if after:
            link.take("hello")
            link.write(after)
        close = link.take("close")
        if close is None:
            say(False, what, ended=link.ended, reset=link.was_reset, raw=link.raw.hex()[:200])
            continue
        answered = bytes(link.raw).startswith(PREAMBLE)
        begun = time.monotonic()
        say(close["code"] == code and answered and link.until(lambda: link.ended, 5), what, close=close,
            ended=round(time.monotonic() - begun, 2), reset=link.was_reset)
        link.sock.close()


def stranger(at, say):
    for what, data in (
        ("a request of HTTP", b"GET / HTTP/1.1\r\nHost: there\r\n\r\n"),
        ("a hello of TLS", bytes.fromhex("16030100c8010000c40303") + b"\x00" * 60),
        ("a wrong second byte", b"\xf0hF\x01"),
        ("a wrong third byte", b"\xf0Hf\x01"),
    ):
        link = Link(*at, greet=False)
        link.write(data)
        say(link.until(lambda: link.ended) and not link.raw, what + " is dropped without a word", raw=link.raw.hex()[:80])
        link.sock.close()


def main():
    parser = argparse.ArgumentParser(description="A peer of the frame protocol, for tests.")
    parser.add_argument("host", nargs="?")
    parser.add_argument("port", nargs="?", type=int)
    parser.add_argument("scenario", nargs="?", default="vectors")
    parser.add_argument("--key", type=bytes.fromhex)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--vectors")
    given = parser.parse_args()
    findings = Findings("vectors" if given.vectors else given.scenario)
    at = (given.host, given.port)
    scenarios = {"hello": hello, "echo": echo, "ping": ping, "drain": drain, "malformed": malformed, "stranger": stranger}
    try:
        if given.vectors:
            check_vectors(given.vectors, findings.say)
        elif given.scenario == "heartbeat":
            heartbeat(at, findings.say, given.key)
        elif given.scenario == "resume":
            resume(at, findings.say, given.key, given.seed)
        else:
            scenarios[given.scenario](at, findings.say)
    except (ProtocolError, OSError) as error:
        findings.say(False, "%s: %s" % (type(error).__name__, error))
    print(json.dumps({"done": True, "bad": findings.bad}))
    return 1 if findings.bad else 0


if __name__ == "__main__":
    sys.exit(main())
