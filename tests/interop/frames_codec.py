"""The bytes of the frame protocol: both ways, and checked with its test vectors.

Written from docs/protocol.md alone, without a look at the TypeScript. See frames_peer.py, which uses it.
"""

import hashlib
import hmac
import json
import struct

PREAMBLE = bytes.fromhex("f0484601")
HELLO, DATA, PING, PONG, ACK, DRAIN, CLOSE = range(1, 8)
TEXT, MORE = 1, 2
KEYED, SESSION = 1, 2
MAX_COUNT = 2**53
PIECE = 16384
# The least and most bytes of payload for each type. A pong has two lengths, and only these.
LENGTHS = {HELLO: (33, 70), DATA: (0, 65535), PING: (8, 8), PONG: (8, 40), ACK: (8, 8), DRAIN: (8, 263), CLOSE: (6, 261)}


class ProtocolError(Exception):
    """The other side broke a rule. `code` is what the close must carry; None means: drop it without a word."""

    def __init__(self, rule, code=2):
        super().__init__(rule)
        self.rule = rule
        self.code = code


def frame(kind, payload=b"", flags=0):
    return struct.pack(">BH", kind << 4 | flags, len(payload)) + payload


def message_frames(message, piece=PIECE):
    """A str goes out as text, bytes as bytes. Only what is longer than a frame is cut."""
    text = TEXT if isinstance(message, str) else 0
    body = message.encode("utf-8") if text else message
    if len(body) <= 65535:
        return frame(DATA, body, text)
    pieces = [body[at : at + piece] for at in range(0, len(body), piece)]
    last = len(pieces) - 1
    return b"".join(frame(DATA, p, text | (MORE if i < last else 0)) for i, p in enumerate(pieces))


def proof_of(key, answerer, client_random, server_random, nonce):
    role = b"\x43" if answerer == "client" else b"\x53"
    said = b"holdfast heartbeat 1" + role + client_random + server_random + nonce
    return hmac.new(key, said, hashlib.sha256).digest()


def encode_hello(hello, sender):
    session = hello.get("session")
    flags = (KEYED if hello["keyed"] else 0) | (SESSION if session else 0)
    out = struct.pack(">B16s4I", flags, bytes.fromhex(hello["random"]), hello["sendEvery"], hello["hearEvery"],
                      hello["minPingGap"], hello["maxMessage"])
    if session:
        kind = {"new": 0, "resume": 1, "resumed": 1}[session["kind"]]
        out += bytes([kind])
        if session["kind"] != "new" or sender == "server":
            out += bytes.fromhex(session["id"]) + bytes.fromhex(session["secret"])
            out += struct.pack(">Q", session["received"])
        if sender == "server":
            out += struct.pack(">I", session["window"])
    return frame(HELLO, out)


def decode_hello(payload, sender):
    flags, rand, send_every, hear_every, gap, longest = struct.unpack_from(">B16s4I", payload)
    if flags & ~(KEYED | SESSION):
        raise ProtocolError("hello")
    hello = {"event": "hello", "keyed": bool(flags & KEYED), "random": rand.hex(), "sendEvery": send_every,
             "hearEvery": hear_every, "minPingGap": gap, "maxMessage": longest}
    rest = payload[33:]
    if not flags & SESSION:
        if rest:
            raise ProtocolError("hello")
        return hello
    if not rest or rest[0] > 1:
        raise ProtocolError("hello")
    wanted = 37 if sender == "server" else (1, 33)[rest[0]]
    if len(rest) != wanted:
        raise ProtocolError("hello")
    names = {"client": ("new", "resume"), "server": ("new", "resumed")}[sender]
    session = hello["session"] = {"kind": names[rest[0]]}
    if len(rest) > 1:
        session["id"], session["secret"] = rest[1:9].hex(), rest[9:25].hex()
        session["received"] = read_count(rest[25:33])
    if sender == "server":
        session["window"] = struct.unpack(">I", rest[33:])[0]
        if rest[0] == 0 and session["received"] != 0:
            raise ProtocolError("hello")
    return hello


def read_count(eight):
    count = struct.unpack(">Q", eight)[0]
    if count >= MAX_COUNT:
        raise ProtocolError("count")
    return count


def read_text(raw):
    try:
        return bytes(raw).decode("utf-8")
    except UnicodeDecodeError:
        raise ProtocolError("text") from None


class Receiver:
    """Turns the bytes of one direction into events, and says as early as can be what is wrong with them.

    `feed` puts events onto `events` and raises a ProtocolError; what came before the error is on `events` by then.
    """

    def __init__(self, sender, keyed=False, max_message=2**32 - 1, answered=True):
        self.sender = sender
        self.keyed = keyed
        self.answered = answered  # this end has sent its hello
        self.max_message = max_message
        self.events = []
        self.hello = None
        self.closed = False
        self.kept = bytearray()
        self.preamble_left = PREAMBLE
        self.header = None
        self.pieces = None  # the bytes of the message so far, None between messages
        self.pieces_text = 0

    def feed(self, data):
        self.kept += data
        while self._step():
            pass

    def unfinished(self):
        """True when a frame, a message or the greeting has begun and not ended; after a close nothing is."""
        begun = self.kept or self.header or self.pieces is not None or len(self.preamble_left) in (1, 2, 3)
        return not self.closed and bool(begun)

    def _take(self, count):
        taken = bytes(self.kept[:count])
        del self.kept[:count]
        return taken

    def _step(self):
        if not self.kept and self.header is None:
            return False
        if self.preamble_left:
            if self.kept[0] != self.preamble_left[0]:
                raise ProtocolError("version", 11) if len(self.preamble_left) == 1 else ProtocolError("preamble", None)
            self._take(1)
            self.preamble_left = self.preamble_left[1:]
            return True
        if self.header is None:
            if len(self.kept) < 3:
                # A type or flag that is wrong needs no second byte, but the page speaks of all three.
                return False
            first, length = struct.unpack(">BH", self._take(3))
            self.header = (first >> 4, first & 15, length)
            self._check(*self.header)
        kind, flags, length = self.header
        if len(self.kept) < length:
            return False
        self.header = None
        self._frame(kind, flags, self._take(length))
        return True

    def _check(self, kind, flags, length):
        """Everything that the header alone can tell."""
        if self.closed:
            raise ProtocolError("after close")
        if kind not in LENGTHS:
            raise ProtocolError("type")
        if flags & ~((TEXT | MORE) if kind == DATA else 0):
            raise ProtocolError("flags")
        low, high = LENGTHS[kind]
        if not low <= length <= high or (kind == PONG and length != (40 if self.keyed else 8)):
            raise ProtocolError("length")
        if kind == HELLO and self.hello:
            raise ProtocolError("order")
        if kind not in (HELLO, CLOSE) and not (self.hello and self.answered):
            raise ProtocolError("order")
        if kind == DATA:
            if flags & MORE and length == 0:
                raise ProtocolError("empty piece")
            if self.pieces is not None and flags & TEXT != self.pieces_text:
                raise ProtocolError("mixed pieces")
            if len(self.pieces or b"") + length > self.max_message:
                raise ProtocolError("too long")

    def _frame(self, kind, flags, payload):
        if kind == HELLO:
            self.hello = decode_hello(payload, self.sender)
            self.events.append(self.hello)
        elif kind == DATA:
            if self.pieces is None:
                self.pieces, self.pieces_text = bytearray(), flags & TEXT
            self.pieces += payload
            if not flags & MORE:
                body, self.pieces = bytes(self.pieces), None
                self.events.append({"event": "message", "text": read_text(body)} if flags & TEXT
                                   else {"event": "message", "bytes": body})
        elif kind == PING:
            self.events.append({"event": "ping", "nonce": payload.hex()})
        elif kind == PONG:
            event = {"event": "pong", "nonce": payload[:8].hex()}
            if self.keyed:
                event["proof"] = payload[8:].hex()
            self.events.append(event)
        elif kind == ACK:
            self.events.append({"event": "ack", "received": read_count(payload)})
        elif kind == DRAIN:
            within, after = struct.unpack_from(">2I", payload)
            self.events.append({"event": "drain", "within": within, "retryAfter": after, "place": read_text(payload[8:])})
        else:
            self.closed = True
            code, after = struct.unpack_from(">HI", payload)
            self.events.append({"event": "close", "code": code, "retryAfter": after, "reason": read_text(payload[6:])})


def encode(event, sender, key=None, randoms=None):
    """The bytes of one event, as `sender` sends it."""
    kind = event["event"]
    if kind == "hello":
        return encode_hello(event, sender)
    if kind == "message":
        body = event["text"] if "text" in event else event["bytes"]
        return message_frames(bytes.fromhex(body) if "bytes" in event and isinstance(body, str) else body)
    if kind == "ping":
        return frame(PING, bytes.fromhex(event["nonce"]))
    if kind == "pong":
        nonce = bytes.fromhex(event["nonce"])
        return frame(PONG, nonce + (proof_of(key, sender, *randoms, nonce) if key else b""))
    if kind == "ack":
        return frame(ACK, struct.pack(">Q", event["received"]))
    if kind == "drain":
        return frame(DRAIN, struct.pack(">2I", event["within"], event["retryAfter"]) + event["place"].encode("utf-8"))
    return frame(CLOSE, struct.pack(">HI", event["code"], event["retryAfter"]) + event["reason"].encode("utf-8"))


# The vectors


def unhex(parts):
    """Bytes as the vectors write them: hex, or "hex*count" for many times the same; a list is put together."""
    if isinstance(parts, list):
        return b"".join(unhex(part) for part in parts)
    digits, _, times = parts.partition("*")
    return bytes.fromhex(digits) * int(times or 1)


def check_vectors(path, say):
    with open(path, encoding="utf-8") as file:
        book = json.load(file)
    say(bool(book["vectors"]), "there are vectors", count=len(book["vectors"]))
    for vector in book["vectors"]:
        for what, check in (("at once", whole), ("byte by byte", trickled), ("as it is written", written)):
            try:
                good, seen = check(vector, book)
            except ProtocolError as error:
                good, seen = False, "ProtocolError: %s" % error.rule
            say(good, "%s, %s" % (vector["name"], what), **({} if good else {"seen": seen}))


def whole(vector, book):
    return read(vector, book, [unhex(vector["bytes"])])


def trickled(vector, book):
    stream = unhex(vector["bytes"])
    if len(stream) > 5000:
        cuts = [*range(0, 200), *range(200, len(stream), 1021), len(stream)]
    else:
        cuts = range(len(stream) + 1)
    return read(vector, book, [stream[a:b] for a, b in zip(cuts, [*cuts][1:])])


def read(vector, book, chunks):
    """Whether the receiver sees the events of a vector and, where there is an error, sees it in time."""
    sender = vector["from"]
    key = bytes.fromhex(vector["key"]) if "key" in vector else None
    receiver = Receiver(sender, key is not None, vector.get("maxMessage", 1 << 20), vector.get("answered", True))
    error, fed = None, 0
    try:
        for chunk in chunks:
            fed += len(chunk)
            receiver.feed(chunk)
    except ProtocolError as caught:
        error = caught
    pings = list(vector.get("asked", []))
    seen = [judged(event, sender, key, book, pings) for event in receiver.events]
    wanted = [{**e, "bytes": unhex(e["bytes"]).hex()} if "bytes" in e else e for e in vector["events"]]
    if "error" not in vector:
        return seen == wanted and error is None and not receiver.unfinished(), str((seen, error))
    rule, code, at = (vector["error"][name] for name in ("rule", "code", "at"))
    # Byte by byte it must be seen at once; what came in one chunk says nothing about when.
    in_time = len(chunks) == 1 or fed <= at or max(map(len, chunks)) > 1
    return seen == wanted and error is not None and (error.rule, error.code) == (rule, code) and in_time, str(
        (seen, error, fed))


def judged(event, sender, key, book, pings):
    if "bytes" in event:
        return {**event, "bytes": event["bytes"].hex()}
    if event["event"] != "pong":
        return event
    answers = event["nonce"] in pings
    if answers:
        del pings[: pings.index(event["nonce"]) + 1]
    event = {**event, "answers": answers}
    if key is not None:
        wanted = proof_of(key, sender, *randoms_of(book), bytes.fromhex(event["nonce"]))
        event["right"] = hmac.compare_digest(wanted.hex(), event["proof"])
    return event


def randoms_of(book):
    return tuple(bytes.fromhex(book["randoms"][end]) for end in ("client", "server"))


def written(vector, book):
    """Whether the events, written, give the bytes of the vector."""
    if "error" in vector or not vector.get("written", True):
        return True, ""
    key = bytes.fromhex(vector["key"]) if "key" in vector else None
    out = PREAMBLE
    for event in vector["events"]:
        if "bytes" in event:
            event = {**event, "bytes": unhex(event["bytes"])}
        out += encode(event, vector["from"], key, randoms_of(book))
    return out == unhex(vector["bytes"]), out.hex()[:400]
