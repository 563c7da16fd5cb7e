import { test } from "node:test";
import fc from "fast-check";
import { assert, assertEquals, assertInstanceOf, assertLessOrEqual, assertStrictEquals } from "@std/assert";
import { ProtocolError } from "../../lib/errors.ts";
import { json } from "../../lib/protocol/json.ts";
import { lines } from "../../lib/protocol/lines.ts";
import { packets } from "../../lib/protocol/packets.ts";
import type { Protocol, WireEvents } from "../../lib/protocol/protocol.ts";
import { raw } from "../../lib/protocol/raw.ts";
import { decodeHello } from "../../lib/protocol/frames/hello.ts";
import { ProxyHeaderDecoder } from "../../lib/server/proxy_header.ts";
import { placeOf, targetOf } from "../../lib/session/place.ts";
import { splitAt, text } from "../support/feed.ts";
import { joined } from "./streams.ts";

// What frames() makes of bytes is in tests/protocol/frames_fuzz_test.ts.

const RUNS = 1_000;
const cuts = fc.array(fc.nat(400), { maxLength: 8 });

/** Bytes with parts in them that mean something. */
function bytesAround(...parts: readonly string[]): fc.Arbitrary<Uint8Array> {
  const piece = fc.oneof(fc.uint8Array({ maxLength: 40 }), fc.constantFrom(...parts).map(text));
  return fc.array(piece, { maxLength: 12 }).map(joined);
}

/** All that a wire tells of `chunks`, and how it ended. Nothing but a ProtocolError may be thrown. */
function hear(
  protocol: Protocol<string, never> | Protocol<Uint8Array, never> | Protocol<unknown, never>,
  chunks: readonly Uint8Array[],
  bound: number,
) {
  const wire = (protocol as Protocol<unknown, never>).open("server"), heard: string[] = [];
  let bytes = 0;
  const events: WireEvents<unknown> = {
    message(message, size) {
      bytes += size;
      heard.push(message instanceof Uint8Array ? `${[...message]}` : JSON.stringify(message));
    },
    ping: () => void heard.push("*"),
    pong: () => void heard.push("+"),
  };
  let error: unknown;
  try {
    for (const chunk of chunks) {
      wire.receive(chunk.slice(), events);
      assertLessOrEqual(wire.unfinished, bound);
    }
    wire.end(events);
  } catch (thrown) {
    assertInstanceOf(thrown, ProtocolError, `${(thrown as Error).stack}`);
    error = thrown.message;
  }
  return { heard, error: error !== undefined, bytes };
}

const each = (bytes: Uint8Array) => splitAt(bytes, [...bytes.keys()]);

test("lines() makes the same of any bytes in any splits", () => {
  const protocol = () => lines({ maxLineBytes: 60 }) as Protocol<string, never>;
  fc.assert(
    fc.property(bytesAround("PING\n", "PONG\r\n", "\n", "\r", "é", "\ufeff"), cuts, (bytes, places) => {
      const whole = hear(protocol(), [bytes], 61);
      assertEquals(hear(protocol(), splitAt(bytes, places), 61), whole);
      assertEquals(hear(protocol(), each(bytes), 61), whole);
    }),
    { numRuns: RUNS },
  );
});

test("packets() makes the same of any bytes in any splits", () => {
  const protocol = () =>
    packets<Uint8Array, never>({
      name: "short packets",
      answersPings: false,
      maxPacketBytes: 60,
      open: () => ({
        sizeOf: (bytes) => 1 + bytes[0]!,
        packet: (bytes, events) => events.message(bytes.subarray(1), bytes.length),
        encode: (message) => message,
      }),
    });
  fc.assert(
    fc.property(bytesAround("\0", "\x01x", "\x05abcde", "\x3c"), cuts, (bytes, places) => {
      const whole = hear(protocol(), [bytes], 60);
      assertEquals(hear(protocol(), splitAt(bytes, places), 60), whole);
      assertEquals(hear(protocol(), each(bytes), 60), whole);
    }),
    { numRuns: RUNS },
  );
});

test("raw() passes all bytes but tokens on, of any bytes in any splits", () => {
  for (const match of ["chunk", "anywhere"] as const) {
    const token = "heartbeat";
    fc.assert(
      fc.property(bytesAround(token, "heart", "beat", "h"), cuts, (bytes, places) => {
        for (const chunks of [[bytes], splitAt(bytes, places), each(bytes)]) {
          const { heard, error, bytes: count } = hear(
            raw({ token, match }) as Protocol<Uint8Array, never>,
            chunks,
            0,
          );
          const tokens = heard.filter((line) => line === "*").length;
          assertStrictEquals(error, false);
          assertStrictEquals(count + tokens * token.length, bytes.length);
        }
      }),
      { numRuns: RUNS },
    );
  }
});

test("json() over lines takes JSON and nothing else, of any bytes in any splits", () => {
  const protocol = () => json({ over: lines({ maxLineBytes: 200 }) }) as Protocol<unknown, never>;
  const some = fc.oneof(
    bytesAround("{}\n", "[1]\n", "1e999\n", '"\\ud800"\n', '{"__proto__":{"x":1}}\n', "[[[[", "PING\n"),
    fc.json({ maxDepth: 2 }).map((value) => text(`${value}\n`)),
  );
  fc.assert(
    fc.property(some, cuts, (bytes, places) => {
      const whole = hear(protocol(), [bytes], 201);
      assertEquals(hear(protocol(), splitAt(bytes, places), 201), whole);
      assertEquals(hear(protocol(), each(bytes), 201), whole);
    }),
    { numRuns: RUNS },
  );
  // Nor does what came leave a trace in what all objects share.
  assertStrictEquals(({} as { x?: number }).x, undefined);
});

test("json() reads what is nested deep, or refuses it", () => {
  const protocol = json({ over: lines({ maxLineBytes: 1 << 20 }) }) as Protocol<unknown, never>;
  const wire = protocol.open("server"), never: WireEvents<unknown> = { message() {}, ping() {}, pong() {} };
  for (const line of [`${"[".repeat(500_000)}\n`, `${"[".repeat(400_000)}${"]".repeat(400_000)}\n`]) {
    try {
      wire.receive(text(line), never);
    } catch (error) {
      assertInstanceOf(error, ProtocolError, `${(error as Error).stack}`);
    }
  }
  assertStrictEquals(wire.unfinished, 0);
});

test("a hello is read or refused with a ProtocolError, whatever it holds", () => {
  const sizes = fc.constantFrom(33, 34, 66, 70, 0, 1, 71);
  const payload = sizes.chain((length) => fc.uint8Array({ minLength: length, maxLength: length }));
  let read = 0;
  fc.assert(
    fc.property(
      payload,
      fc.nat(3),
      fc.nat(1),
      fc.constantFrom("client" as const, "server" as const),
      (bytes, flags, kind, role) => {
        if (bytes.length > 0) bytes[0] = flags;
        if (bytes.length > 33) bytes[33] = kind;
        try {
          const hello = decodeHello(role, bytes);
          read++;
          // What it holds is its own: the chunk is only lent.
          const before = JSON.stringify(hello);
          bytes.fill(0xff);
          assertStrictEquals(JSON.stringify(hello), before);
        } catch (error) {
          assertInstanceOf(error, ProtocolError, `${(error as Error).stack}`);
        }
      },
    ),
    { numRuns: RUNS },
  );
  assert(read > 10, `some must be read: ${read}`);
});

test("a PROXY header is the same in any splits, and takes no byte of what follows", () => {
  const body = fc.tuple(
    fc.constantFrom(0x20, 0x21, 0x22, 0x31),
    fc.constantFrom(0x00, 0x11, 0x21, 0x31, 0x12, 0x41),
    fc.uint8Array({ maxLength: 260 }),
    fc.integer({ min: -3, max: 3 }),
  ).map(([command, kind, bytes, lie]) => {
    const length = Math.max(0, bytes.length + lie);
    return joined([
      text("\r\n\r\n\0\r\nQUIT\n"),
      Uint8Array.of(command, kind, length >> 8, length & 255),
      bytes,
    ]);
  });
  const line = fc.tuple(
    fc.constantFrom("TCP4", "TCP6", "UNKNOWN", "UDP4"),
    fc.oneof(fc.ipV4(), fc.ipV6(), fc.string({ maxLength: 8 })),
    fc.oneof(fc.ipV4(), fc.ipV6()),
    fc.integer({ min: -1, max: 70_000 }),
    fc.constantFrom("\r\n", "\n", " \r\n"),
  ).map(([family, from, to, port, end]) => text(`PROXY ${family} ${from} ${to} ${port} 1${end}`));
  const read = (chunks: readonly Uint8Array[]) => {
    const decoder = new ProxyHeaderDecoder();
    let taken = 0;
    try {
      for (const chunk of chunks) taken += decoder.receive(chunk);
      return JSON.stringify([decoder.header, decoder.header === undefined ? 0 : taken]);
    } catch (error) {
      assertInstanceOf(error, ProtocolError, `${(error as Error).stack}`);
      return error.message;
    }
  };
  let headers = 0;
  fc.assert(
    fc.property(fc.oneof(body, line), fc.uint8Array({ maxLength: 20 }), cuts, (header, rest, places) => {
      const bytes = joined([header, rest]);
      const whole = read([bytes]);
      if (whole.startsWith("[{")) headers++;
      assertStrictEquals(read(splitAt(bytes, places)), whole);
      assertStrictEquals(read(each(bytes)), whole);
    }),
    { numRuns: RUNS },
  );
  assert(headers > 20, `some must be headers: ${headers}`);
});

test("a place is read as what it is written as, and any other text is none or one that is written so", () => {
  const target = fc.oneof(
    fc.record({
      hostname: fc.oneof(fc.ipV4(), fc.ipV6(), fc.domain()),
      port: fc.integer({ min: 1, max: 65_535 }),
    }),
    fc.record({ path: fc.string({ minLength: 1, maxLength: 60 }) }),
  );
  fc.assert(
    fc.property(target, (target) => assertEquals(targetOf(placeOf(target)), { ...target })),
    { numRuns: RUNS },
  );
  const some = fc.oneof(
    fc.string({ unit: "binary", maxLength: 40 }),
    fc.tuple(fc.string({ maxLength: 20 }), fc.integer({ min: -1, max: 99_999 })).map(([a, b]) => `${a}:${b}`),
    fc.string({ unit: fc.constantFrom("[", "]", ":", "1", "a", "/", "unix:", "\0", "."), maxLength: 12 }),
  );
  fc.assert(
    fc.property(some, (place) => {
      const target = targetOf(place);
      if (target !== undefined) assertEquals(targetOf(placeOf(target)), target);
    }),
    { numRuns: RUNS },
  );
});
