import { test } from "node:test";
import fc from "fast-check";
import { assertEquals, assertThrows } from "@std/assert";
import { ProtocolError } from "../../lib/errors.ts";
import { packets, type PacketWire } from "../../lib/protocol/packets.ts";
import type { WireEvents } from "../../lib/protocol/protocol.ts";
import { splitAt } from "../support/feed.ts";

/** Packets that begin with two bytes for the length of what follows; one that is empty is a ping. */
const prefixed = (more: Partial<PacketWire<Uint8Array>> = {}): PacketWire<Uint8Array> => ({
  sizeOf: (bytes) => bytes.length < 2 ? bytes.length + 1 : 2 + (bytes[0]! << 8 | bytes[1]!),
  packet(bytes, events) {
    if (bytes.length === 2) events.ping();
    else events.message(bytes.subarray(2), bytes.length);
  },
  encode: (message) => Uint8Array.of(message.length >> 8, message.length & 255, ...message),
  ...more,
});

const protocol = (wire: PacketWire<Uint8Array> = prefixed(), maxPacketBytes = 70_000) =>
  packets({ name: "prefixed", answersPings: true, maxPacketBytes, open: () => wire });

/** What the wire makes of the chunks: messages, and "*" for a ping. Each chunk is overwritten when it has been given. */
function feed(chunks: readonly Uint8Array[], wire = protocol().open()) {
  const got: (number[] | "*")[] = [];
  const events: WireEvents<Uint8Array> = {
    message: (message) => void got.push([...message]),
    ping: () => void got.push("*"),
    pong: () => {},
  };
  for (const chunk of chunks) {
    const lent = chunk.slice();
    wire.receive(lent, events);
    lent.fill(255);
  }
  return { got, wire, events };
}

test("packets() finds the same packets however they are cut", () => {
  const messages = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 20 });
  fc.assert(fc.property(messages, fc.array(fc.nat()), (messages, cuts) => {
    const wire = prefixed();
    const stream = Uint8Array.from(messages.flatMap((message) => [...wire.encode(message) as Uint8Array]));
    const { got, wire: { unfinished } } = feed(splitAt(stream, cuts));
    assertEquals(got, messages.map((message) => message.length === 0 ? "*" : [...message]));
    assertEquals(unfinished, 0);
  }));
});

test("packets() asks for the size again only when as many bytes have come as it was told", () => {
  const asked: number[] = [];
  const { sizeOf } = prefixed();
  const wire = protocol(prefixed({
    sizeOf(bytes) {
      asked.push(bytes.length);
      return sizeOf(bytes);
    },
  })).open();
  const packet = new Uint8Array(1_002);
  packet.set([1_000 >> 8, 1_000 & 255]);
  const { got } = feed(splitAt(packet, Array.from({ length: 1_001 }, (_, i) => i + 1)), wire);
  assertEquals([asked, got.length], [[1, 2, 1_002], 1]);
});

test("packets() asks a wire that does not know the size once for each chunk, and gives on what follows", () => {
  const asked: number[] = [], line = "x".repeat(999);
  const wire = packets<string>({
    name: "lines",
    answersPings: false,
    open: () => ({
      sizeOf(bytes) {
        asked.push(bytes.length);
        const end = bytes.indexOf(10);
        return end < 0 ? bytes.length + 1 : end + 1;
      },
      packet: (bytes, events) => events.message(new TextDecoder().decode(bytes), bytes.length),
      encode: (message) => new TextEncoder().encode(message),
    }),
  }).open();
  const got: string[] = [];
  const chunks = splitAt(new TextEncoder().encode(`${line}\nab\nc`), [400, 800]);
  for (const chunk of chunks) {
    wire.receive(chunk, { message: (text) => got.push(text), ping() {}, pong() {} });
  }
  assertEquals(asked, [400, 800, 1_004, 4, 1]);
  assertEquals([got, wire.unfinished], [[`${line}\n`, "ab\n"], 1]);
});

test("packets() counts what has come of a packet, and takes no more memory for it than twice that", () => {
  let most = 0;
  const { sizeOf } = prefixed();
  const wire = protocol(prefixed({
    sizeOf(bytes) {
      most = Math.max(most, bytes.buffer.byteLength);
      return sizeOf(bytes);
    },
  })).open();
  feed([Uint8Array.of(255, 255, 1)], wire);
  assertEquals(wire.unfinished, 3);
  feed([new Uint8Array(97)], wire);
  assertEquals(wire.unfinished, 100);
  feed([Uint8Array.of(0)], protocol(prefixed({ sizeOf: (bytes) => bytes.length + 1 })).open());
  assertEquals(most <= 6, true);
});

test("packets() refuses what is too long before it comes, and what the end cuts off", () => {
  const wire = protocol(prefixed(), 10).open();
  assertEquals(feed([Uint8Array.of(0, 8, 1, 2, 3, 4, 5, 6, 7, 8)], wire).got.length, 1);
  assertThrows(
    () => feed([Uint8Array.of(0, 9)], wire),
    ProtocolError,
    "A packet must be <= 10 bytes: one has 11",
  );
  const cut = feed([Uint8Array.of(0, 8, 1)]);
  assertThrows(
    () => cut.wire.end(cut.events),
    ProtocolError,
    "The stream must not end amid a packet: 3 bytes of one have come",
  );
});

test("packets() stops when others should have a turn, after each packet, and is given the rest again", () => {
  for (const chunks of [[[0, 1, 7, 0, 1, 8, 0, 1, 9]], [[0], [1, 7, 0, 1, 8, 0, 1, 9]]]) {
    const got: number[] = [], { wire } = feed([]);
    const events: WireEvents<Uint8Array> = {
      enough: true,
      message: (message) => void got.push(message[0]!),
      ping: () => {},
      pong: () => {},
    };
    let turns = 0;
    for (const chunk of chunks) {
      for (let rest = Uint8Array.from(chunk); rest.length > 0; turns++) {
        rest = rest.slice(wire.receive(rest, events) ?? rest.length);
      }
    }
    assertEquals([got, turns], [[7, 8, 9], 2 + chunks.length]);
  }
});

test("packets() says what is wrong with a size that is none", () => {
  for (const size of [0, -1, 1.5, NaN]) {
    assertThrows(
      () => feed([Uint8Array.of(1)], protocol(prefixed({ sizeOf: () => size })).open()),
      RangeError,
      `Cannot read a packet as its size must be a whole number > 0: it is ${size}`,
    );
  }
  const fickle = protocol(prefixed({ sizeOf: (bytes) => bytes.length < 4 ? 4 : 3 })).open();
  assertThrows(
    () => feed([Uint8Array.of(1), Uint8Array.of(2, 3, 4)], fickle),
    RangeError,
    "Cannot read a packet as its size must be told alike each time: it is 3, after >= 4",
  );
  assertThrows(
    () => protocol(prefixed(), 0),
    RangeError,
    `Cannot use packets as "maxPacketBytes" must be a whole number >= 1: current value is 0`,
  );
});

test("packets() takes an end after our goodbye for the answer to it, unless its wire has a word of its own", () => {
  const farewells: (string | number)[] = [];
  const events: WireEvents<Uint8Array> = {
    message() {},
    ping() {},
    pong() {},
    farewell: ({ code, text }) => void farewells.push(code, text),
  };
  const goodbye = () => Uint8Array.of(0, 0), end = () => {};
  for (
    const [more, parts, expected] of [
      [{ goodbye }, true, [0, ""]],
      [{ goodbye }, false, []],
      [{ goodbye, end }, true, []],
    ] as const
  ) {
    const wire = protocol(prefixed(more)).open("client");
    if (parts) wire.goodbye!();
    wire.end(events);
    assertEquals(farewells.splice(0), [...expected]);
  }
});

test("packets() has of what is optional what its wire has", () => {
  const plain = protocol().open();
  assertEquals(Object.keys(plain).sort(), ["encode", "end", "receive", "unfinished"]);
  const seen: unknown[] = [];
  const answer = Uint8Array.of(1);
  const full = protocol(prefixed({
    ping: () => answer,
    pong: (payload, proof) => (seen.push("pong", payload, proof), answer),
    challenge: (payload, by) => (seen.push("challenge", payload, by), answer),
    goodbye: (farewell) => (seen.push("goodbye", farewell), answer),
    greet: (offer) => (seen.push("greet", offer), answer),
    ack: (count) => (seen.push("ack", count), answer),
    drain: (notice) => (seen.push("drain", notice), answer),
    end: (events) => void seen.push("end", events),
  })).open("client");
  const notice = { within: 1, retryAfter: 2, to: "" }, farewell = { code: 1, text: "", retryAfter: 0 };
  const offer = { sendEvery: 1, hearEvery: 2, minPingGap: 3 };
  const { events } = feed([]);
  full.end(events);
  const given = [
    full.ping!(),
    full.pong!(answer, answer),
    full.challenge!(answer, "us"),
    full.goodbye!(farewell),
  ];
  assertEquals([...given, full.greet!(offer), full.ack!(5), full.drain!(notice)], Array(7).fill(answer));
  assertEquals(seen, [
    ...["end", events, "pong", answer, answer, "challenge", answer, "us", "goodbye", farewell],
    ...["greet", offer, "ack", 5, "drain", notice],
  ]);
});
