import { test } from "node:test";
import { assert, assertEquals, assertLessOrEqual, assertStrictEquals, assertThrows } from "@std/assert";
import { ProtocolError } from "../../lib/errors.ts";
import { frames, type FramesOptions } from "../../lib/protocol/frames.ts";
import type { Farewell, Hello, Offer, Pieces, Role, Wire, WireEvents } from "../../lib/protocol/protocol.ts";
import { text } from "../support/feed.ts";

type FramesWire = Wire<Uint8Array | string>;

const OFFER: Offer = { sendEvery: 0, hearEvery: 0, minPingGap: 0 };

/** Takes what comes, as short strings: a message as what it is, bytes in brackets. */
class Ear implements WireEvents<Uint8Array | string> {
  readonly heard: string[] = [];
  readonly pings: Uint8Array[] = [];
  readonly asked: (boolean | undefined)[] = [];
  greeting: Hello | undefined;

  message(message: Uint8Array | string): void {
    this.heard.push(typeof message === "string" ? message : `[${message.join(" ")}]`);
  }
  ping(nonce?: Uint8Array): void {
    this.pings.push(nonce!);
    this.heard.push("ping");
  }
  pong(_nonce?: Uint8Array, asked?: boolean): void {
    this.asked.push(asked);
    this.heard.push("pong");
  }
  hello(hello: Hello): void {
    this.greeting = hello;
    this.heard.push("hello");
  }
  acked(count: number): void {
    this.heard.push(`ack ${count}`);
  }
  draining({ within, retryAfter, to }: { within: number; retryAfter: number; to: string }): void {
    this.heard.push(`drain ${within} ${retryAfter} ${to}`);
  }
  farewell({ code, text }: Farewell): void {
    this.heard.push(`close ${code} ${text}`);
  }
}

/** Bytes of pieces. */
function all(encoded: Uint8Array | Pieces): Uint8Array[] {
  if (encoded instanceof Uint8Array) return [encoded];
  const pieces = [];
  for (let piece = encoded.next(); piece !== undefined; piece = encoded.next()) pieces.push(piece);
  return pieces;
}

/** Two ends that have greeted. */
function greeted(options: FramesOptions = {}, serverOptions = options) {
  const client = frames(options).open("client"), server = frames(serverOptions).open("server");
  const [clientEar, serverEar] = [new Ear(), new Ear()];
  server.receive(client.greet!(OFFER), serverEar);
  client.receive(server.greet!(OFFER), clientEar);
  return { client, server, clientEar, serverEar };
}

/** A server that has greeted, and a client's bytes to it after its hello. */
function talking(options: FramesOptions = {}) {
  const { server, serverEar } = greeted(options);
  serverEar.heard.length = 0;
  return { wire: server, ear: serverEar };
}

const hello = (role: Role = "client") => frames().open(role).greet!(OFFER);
const bytes = (...list: number[]) => Uint8Array.from(list);

test("frames() takes no options that it cannot keep to", () => {
  assertThrows(
    () => frames({ maxMessageBytes: 0 }),
    RangeError,
    '"maxMessageBytes" must be a whole number >= 1',
  );
  assertThrows(() => frames({ pieceBytes: 63 }), RangeError, '"pieceBytes" must be a whole number >= 64');
  assertThrows(() => frames({ pieceBytes: 65_536 }), RangeError, '"pieceBytes" must be <= 65535');
  assertThrows(
    () => frames({ key: "too short" }),
    RangeError,
    '"key" must be >= 16 bytes long: current length is 9',
  );
  assertThrows(() => frames({ key: new Uint8Array(15) }), RangeError, '"key" must be >= 16 bytes long');
  assertThrows(
    () => frames({ key: 1 as never }),
    TypeError,
    '"key" must be a Uint8Array or a string: it is number',
  );
});

test("frames() keeps a copy of its key", () => {
  const key = new Uint8Array(16).fill(7), protocol = frames({ key });
  key.fill(0);
  assertEquals(protocol.key, new Uint8Array(16).fill(7));
  assertStrictEquals(frames().key, undefined);
});

test("both ends learn from the hellos what the other offers", () => {
  const client = frames({ maxMessageBytes: 5000 }).open(), server = frames().open("server");
  const ear = new Ear();
  server.receive(client.greet!({ sendEvery: 1.2, hearEvery: Infinity, minPingGap: 0 }), ear);
  const { sendEvery, hearEvery, minPingGap, maxMessageBytes, session } = ear.greeting!;
  // Whole milliseconds, and never shorter than what was wished.
  assertEquals([sendEvery, hearEvery, minPingGap, maxMessageBytes, session], [2, 0, 0, 5000, undefined]);
});

test("a message that the peer would not take is not sent", () => {
  const { client } = greeted({}, { maxMessageBytes: 100 });
  assertEquals(all(client.encode(new Uint8Array(100)))[0]!.length, 103);
  assertThrows(
    () => client.encode(new Uint8Array(101)),
    RangeError,
    "Cannot send as the peer takes messages of <= 100 bytes: current length is 101",
  );
  // What counts are bytes, not characters.
  assertThrows(() => client.encode("é".repeat(51)), RangeError, "current length is 102");
  assertThrows(() => client.encode(1 as never), TypeError, "must be a Uint8Array or a string");
});

test("a message under 64 KiB costs at most 6 bytes", () => {
  const { client } = greeted();
  for (const length of [0, 1, 100, 16_384, 16_385, 65_535]) {
    for (const message of [new Uint8Array(length), "a".repeat(length)]) {
      const sent = all(client.encode(message)).reduce((sum, piece) => sum + piece.length, 0);
      assertLessOrEqual(sent - length, 6, `${length} bytes`);
    }
  }
});

test("a longer message goes out in pieces, between which a ping passes", () => {
  const { client, server, serverEar } = greeted({ pieceBytes: 30_000 });
  const message = Uint8Array.from({ length: 65_536 }, (_, i) => i % 251);
  const pieces = client.encode(message) as Pieces;
  assertStrictEquals(pieces.left, 65_536 + 3 * 3);
  const first = pieces.next()!;
  assertStrictEquals(first.length, 30_003);
  assertStrictEquals(pieces.left, 35_536 + 2 * 3);
  server.receive(first, serverEar);
  server.receive(client.ping!(), serverEar);
  assertEquals(serverEar.heard, ["hello", "ping"]);
  for (const piece of all(pieces)) server.receive(piece, serverEar);
  assertStrictEquals(pieces.left, 0);
  assertStrictEquals(pieces.next(), undefined);
  assertEquals(serverEar.heard[2], `[${message.join(" ")}]`);
});

test("text in pieces may be cut inside a character", () => {
  const { client, server, serverEar } = greeted({ pieceBytes: 64 });
  const message = "€".repeat(22_000);
  for (const piece of all(client.encode(message))) server.receive(piece, serverEar);
  assertStrictEquals(serverEar.heard[1], message);
});

test("the first frame is a hello, and there is one", () => {
  const wire = frames().open("server"), ear = new Ear();
  const message = frames().open().encode("x") as Uint8Array;
  wire.receive(hello().subarray(0, 4), ear);
  assertThrows(() => wire.receive(message, ear), ProtocolError, "A hello must come first: type 2 does");
  const { wire: other } = talking();
  assertThrows(() => other.receive(hello().subarray(4), ear), ProtocolError, "A hello must come once");
  assertEquals(ear.heard, []);
});

test("a client waits for the server's hello", () => {
  const wire = frames().open("server"), ear = new Ear();
  const sent = new Uint8Array([...hello(), ...frames().open().encode("x") as Uint8Array]);
  assertThrows(
    () => wire.receive(sent, ear),
    ProtocolError,
    "A client must wait for the server's hello: type 2",
  );
  assertEquals(ear.heard, ["hello"]);
});

test("nothing follows a close, and what had begun before it has no end", () => {
  const { wire, ear } = talking();
  const { client } = greeted();
  wire.receive(bytes(0x22, 0, 2, 1, 2), ear);
  assertStrictEquals(wire.unfinished, 3);
  wire.receive(client.goodbye!({ code: 4001, text: "bye", retryAfter: 0 }), ear);
  assertEquals(ear.heard, ["close 4001 bye"]);
  assertStrictEquals(wire.unfinished, 0);
  wire.end(ear);
  assertThrows(
    () => wire.receive(client.ping!(), ear),
    ProtocolError,
    "Nothing must follow a close: a frame of type 3",
  );
});

test("a server may close instead of saying hello, and so may a client", () => {
  for (const role of ["client", "server"] as const) {
    const refuses = frames().open(role), wire = frames().open(role === "client" ? "server" : "client");
    if (role === "server") refuses.receive(wire.greet!(OFFER), new Ear());
    // A client that has not greeted speaks to nobody yet, so this one is made by hand.
    const sent = role === "server"
      ? refuses.goodbye!({ code: 4, text: "full", retryAfter: 0 })
      : bytes(0xf0, 0x48, 0x46, 1, 0x70, 0, 6, 0, 4, 0, 0, 0, 0);
    const ear = new Ear();
    wire.receive(sent, ear);
    wire.end(ear);
    assertEquals(ear.heard, [role === "server" ? "close 4 full" : "close 4 "]);
  }
});

test("a bound is kept before anything of a message is", () => {
  const { wire, ear } = talking({ maxMessageBytes: 1000 });
  assertThrows(
    () => wire.receive(bytes(0x20, 0x03, 0xe9), ear),
    ProtocolError,
    "A message must be <= 1000 bytes: 1001 have been announced",
  );
  const { wire: other } = talking({ maxMessageBytes: 1000 });
  other.receive(new Uint8Array([0x22, 0x01, 0xf4, ...new Uint8Array(500)]), ear);
  other.receive(new Uint8Array([0x22, 0x01, 0xf4, ...new Uint8Array(500)]), ear);
  assertStrictEquals(other.unfinished, 1001);
  assertThrows(() => other.receive(bytes(0x20, 0, 1), ear), ProtocolError, "1001 have been announced");
  assertStrictEquals(ear.heard.length, 0);
});

test("strangers are recognised", () => {
  const say = (data: Uint8Array | string, role: Role = "server") => {
    const wire = frames().open(role);
    const chunk = typeof data === "string" ? text(data) : data;
    return () => wire.receive(chunk, new Ear());
  };
  const rule = "A peer must begin with F0 48 46 01 (frames, version 1): ";
  assertThrows(say("GET / HTTP/1.1\r\n"), ProtocolError, `${rule}the peer seems to speak HTTP`);
  assertThrows(say("OPTIONS * HTTP/1.1\r\n"), ProtocolError, `${rule}the peer seems to speak HTTP`);
  assertThrows(say("HTTP/1.1 400 Bad", "client"), ProtocolError, `${rule}the peer seems to speak HTTP`);
  assertThrows(say(bytes(22, 3, 1, 2, 0, 1)), ProtocolError, `${rule}the peer seems to speak TLS`);
  assertThrows(say(bytes(22, 4)), ProtocolError, `${rule}byte 0 is 22`);
  assertThrows(say("SSH-2.0"), ProtocolError, `${rule}byte 0 is 83`);
  assertThrows(say(bytes(0xf0, 0x48, 0x47)), ProtocolError, `${rule}byte 2 is 71`);
  assertThrows(
    say(bytes(0xf0, 0x48, 0x46, 9)),
    ProtocolError,
    `${rule}the peer seems to speak version 9 of frames`,
  );
});

test("unfinished counts what has begun, and only grows while it does", () => {
  const { wire, ear } = talking({ pieceBytes: 64 });
  const { client } = greeted({ pieceBytes: 64 });
  const stream = all(client.encode(new Uint8Array(65_536))).slice(0, 10).concat(client.ping!()).slice(0, 10);
  let last = 0;
  const sent = new Uint8Array(stream.flatMap((piece) => [...piece]));
  for (let at = 0; at < sent.length; at++) {
    wire.receive(sent.subarray(at, at + 1), ear);
    const { unfinished } = wire;
    // A header that turns out to be whole is a frame's no more.
    assert(unfinished >= last - 3, `${last} bytes, then ${unfinished} at ${at}`);
    assertLessOrEqual(unfinished, at + 2);
    last = Math.max(last, unfinished);
  }
  assertStrictEquals(wire.unfinished, 10 * 64 + 1);
  // Where a stream is cut is nobody's fault: it lacks its close, which is what counts.
  wire.end(ear);

  const { wire: other } = talking();
  const counts = [...bytes(0x20, 0, 2, 7, 8), ...bytes(0x50, 0, 8, 0, 0, 0, 0, 0, 0, 0, 1)].map((byte) => {
    other.receive(bytes(byte), ear);
    return other.unfinished;
  });
  assertEquals(counts, [1, 2, 3, 4, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 0]);

  const greeting = frames().open("server");
  assertEquals(
    [0xf0, 0x48, 0x46, 1].map((byte) => (greeting.receive(bytes(byte), ear), greeting.unfinished)),
    [1, 2, 3, 0],
  );
});

test("who has not shown that it speaks frames is not spoken to", () => {
  const bye = { code: 10, text: "late", retryAfter: 0 };
  const server = () => frames().open("server");
  assertEquals(server().goodbye!(bye), bytes());
  const stranger = server();
  assertThrows(() => stranger.receive(text("GET /"), new Ear()), ProtocolError);
  assertEquals(stranger.goodbye!(bye), bytes());
  const almost = server();
  assertThrows(() => almost.receive(bytes(0xf0, 0x48, 0x47), new Ear()), ProtocolError);
  assertEquals(almost.goodbye!(bye), bytes());
});

test("who speaks another version is told so", () => {
  const wire = frames().open("server");
  assertThrows(() => wire.receive(bytes(0xf0, 0x48, 0x46, 2), new Ear()), ProtocolError);
  const said = wire.goodbye!({ code: 2, text: "x", retryAfter: 0 });
  assertEquals(said, bytes(0xf0, 0x48, 0x46, 1, 0x70, 0, 7, 0, 11, 0, 0, 0, 0, 120));
  // One whose version has not come is not of another.
  const slow = frames().open("server");
  slow.receive(bytes(0xf0, 0x48, 0x46), new Ear());
  assertEquals(
    slow.goodbye!({ code: 10, text: "", retryAfter: 0 }),
    bytes(0xf0, 0x48, 0x46, 1, 0x70, 0, 6, 0, 10, 0, 0, 0, 0),
  );
});

test("a goodbye before the hello brings the preamble, one after it does not", () => {
  const wire = frames().open("server"), ear = new Ear();
  wire.receive(hello(), ear);
  const refusal = wire.goodbye!({ code: 12, text: "", retryAfter: 300 });
  assertEquals(refusal, bytes(0xf0, 0x48, 0x46, 1, 0x70, 0, 6, 0, 12, 0, 0, 1, 44));
  const { server } = greeted();
  assertEquals(server.goodbye!(), bytes(0x70, 0, 6, 0, 0, 0, 0, 0, 0));
});

test("a text that is too long is cut, and not inside a character", () => {
  const { server, clientEar, client } = greeted();
  client.receive(server.drain!({ within: Infinity, retryAfter: 0.5, to: "é".repeat(200) }), clientEar);
  client.receive(server.goodbye!({ code: 1, text: "€".repeat(100), retryAfter: 1e12 }), clientEar);
  assertEquals(clientEar.heard.slice(1), [`drain 0 1 ${"é".repeat(127)}`, `close 1 ${"€".repeat(85)}`]);
});

test("a ping gets its own bytes back, once, and they answer the earlier ones too", () => {
  const { client, server, serverEar, clientEar } = greeted();
  for (let i = 0; i < 3; i++) server.receive(client.ping!(), serverEar);
  const [first, second, third] = serverEar.pings as [Uint8Array, Uint8Array, Uint8Array];
  for (const nonce of [second, second, first, third, third]) client.receive(server.pong!(nonce), clientEar);
  assertEquals(clientEar.asked, [true, false, false, true, false]);
  client.receive(server.pong!(new Uint8Array(8)), clientEar);
  assertStrictEquals(clientEar.asked.at(-1), false);
});

test("many pings may be out, as on a path that stalls", () => {
  const { client, server, serverEar, clientEar } = greeted();
  for (let i = 0; i < 500; i++) server.receive(client.ping!(), serverEar);
  for (const nonce of serverEar.pings) client.receive(server.pong!(nonce), clientEar);
  assertEquals(clientEar.asked, new Array(500).fill(true));
});

test("nothing of a ping is borrowed, since its answer may have to wait", () => {
  const { client, wire, ear } = { ...greeted(), ...talking() };
  const ping = client.ping!(), nonce = ping.slice(3);
  wire.receive(ping, ear);
  ping.fill(0);
  assertEquals(ear.pings, [nonce]);
});

test("nothing of a hello is borrowed either", () => {
  const wire = frames({ key: "a key of sixteen" }).open("server"), ear = new Ear();
  const ticket = { id: new Uint8Array(8).fill(1), secret: new Uint8Array(16).fill(2) };
  const session = { resumed: true, ticket, received: 3, window: 0 };
  const said = frames({ key: "a key of sixteen" }).open("client").greet!({ ...OFFER, session });
  wire.receive(said, ear);
  wire.greet!(OFFER);
  const proved = wire.challenge!(new Uint8Array(8), "us");
  said.fill(0);
  assertEquals(wire.challenge!(new Uint8Array(8), "us"), proved);
  assertEquals(ear.greeting!.session, session);
});

test("both ends prove the same thing, and no answer is good for the other direction", () => {
  const { client, server } = greeted({ key: "a key of sixteen" });
  const nonce = bytes(1, 2, 3, 4, 5, 6, 7, 8);
  assertEquals(client.challenge!(nonce, "us"), server.challenge!(nonce, "them"));
  assertEquals(client.challenge!(nonce, "them"), server.challenge!(nonce, "us"));
  assert(client.challenge!(nonce, "us").join() !== client.challenge!(nonce, "them").join());
  const { client: another } = greeted({ key: "a key of sixteen" });
  assert(client.challenge!(nonce, "us").join() !== another.challenge!(nonce, "us").join());
});

test("with a key a pong brings a proof, without one it does not", () => {
  const { client, server, clientEar } = greeted({ key: "a key of sixteen" });
  client.receive(server.pong!(new Uint8Array(8), new Uint8Array(32)), clientEar);
  assertThrows(
    () => client.receive(server.pong!(new Uint8Array(8)).subarray(0, 3), clientEar),
    ProtocolError,
    "A pong must bring a proof: it has 8 bytes",
  );
  const { wire, ear } = talking();
  assertThrows(
    () => wire.receive(bytes(0x40, 0, 40), ear),
    ProtocolError,
    "A pong must not bring a proof: it has 40 bytes",
  );
});

test("randoms and nonces are new each time", () => {
  const protocol = frames();
  const randoms = Array.from({ length: 50 }, () => protocol.open("client").greet!(OFFER).slice(8, 24).join());
  const wire: FramesWire = protocol.open("client");
  const nonces = Array.from({ length: 50 }, () => wire.ping!().join());
  assertStrictEquals(new Set([...randoms, ...nonces]).size, 100);
});

test("text that breaks off inside a character spoils no text after it", () => {
  const { wire: broken } = talking(), { wire, ear } = talking();
  assertThrows(
    () => broken.receive(bytes(0x21, 0, 2, 0xe2, 0x82), new Ear()),
    ProtocolError,
    "A text message must be UTF-8",
  );
  // All wires share a decoder.
  wire.receive(new Uint8Array([0x21, 0, 3, ...text("€")]), ear);
  wire.receive(new Uint8Array([0x21, 0, 1, ...text("a")]), ear);
  assertEquals(ear.heard, ["€", "a"]);
});

test("lone halves of a pair go out as replacement characters, not as something that breaks the connection", () => {
  const { client, server, serverEar } = greeted();
  server.receive(client.encode("\ud800x") as Uint8Array, serverEar);
  assertEquals(serverEar.heard, ["hello", "\ufffdx"]);
});

test("what was sent can be read back from its frames", () => {
  const { client } = greeted({ pieceBytes: 64 }), { readBack } = frames();
  for (
    const message of [
      "",
      "grüße",
      "\ufeffx",
      "€".repeat(30_000),
      bytes(),
      bytes(1, 2, 3),
      new Uint8Array(70_000).fill(9),
    ]
  ) {
    assertEquals(readBack!(all(client.encode(message))), message);
  }
});
