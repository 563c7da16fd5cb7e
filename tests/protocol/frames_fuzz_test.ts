/**
 * Properties of the frame protocol that must hold for any bytes, in any splits.
 *
 * @module
 */

import { test } from "node:test";
import fc from "fast-check";
import { assert, assertEquals, assertInstanceOf, assertLessOrEqual, assertStrictEquals } from "@std/assert";
import { ProtocolError } from "../../lib/errors.ts";
import { frames } from "../../lib/protocol/frames.ts";
import { json } from "../../lib/protocol/json.ts";
import type {
  Farewell,
  Hello,
  Offer,
  Protocol,
  Role,
  Wire,
  WireEvents,
} from "../../lib/protocol/protocol.ts";
import { splitAt } from "../support/feed.ts";

const OFFER: Offer = { sendEvery: 0, hearEvery: 0, minPingGap: 0 };
const RUNS = 300;
/** Bound of a message here, low enough that random lengths pass it. */
const MOST = 300;
/** Bytes that a wire may hold besides, of frames that are no data and of headers. */
const SMALL = 300;

const hex = (bytes: Uint8Array | undefined) => bytes === undefined ? "" : Array.from(bytes).join(" ");

/** Writes down what comes. */
class Scribe<T> implements WireEvents<T> {
  readonly lines: string[] = [];

  message(message: T, size: number): void {
    this.lines.push(
      `message ${message instanceof Uint8Array ? hex(message) : JSON.stringify(message)} ${size}`,
    );
  }
  ping(nonce?: Uint8Array): void {
    this.lines.push(`ping ${hex(nonce)}`);
  }
  pong(nonce?: Uint8Array, asked?: boolean, proof?: Uint8Array): void {
    this.lines.push(`pong ${hex(nonce)} ${asked} ${hex(proof)}`);
  }
  hello(hello: Hello): void {
    this.lines.push(`hello ${JSON.stringify(hello)}`);
  }
  acked(count: number): void {
    this.lines.push(`ack ${count}`);
  }
  draining(notice: unknown): void {
    this.lines.push(`drain ${JSON.stringify(notice)}`);
  }
  farewell(farewell: Farewell): void {
    this.lines.push(`close ${JSON.stringify(farewell)}`);
  }
}

/** Sizes of the arrays that the code under test makes while `act` runs, in order. */
function allocations(act: () => void): number[] {
  const { Uint8Array } = globalThis, sizes: number[] = [];
  globalThis.Uint8Array = new Proxy(Uint8Array, {
    construct(target, args, newTarget) {
      if (typeof args[0] === "number") sizes.push(args[0]);
      return Reflect.construct(target, args, newTarget) as object;
    },
  });
  try {
    act();
  } finally {
    globalThis.Uint8Array = Uint8Array;
  }
  return sizes;
}

interface Heard {
  readonly lines: readonly string[];
  /** Why it ended, if it did. */
  readonly error: string | undefined;
}

/** Random bytes that are the same in each run. */
function steady(): (bytes: Uint8Array) => void {
  let next = 0;
  return (bytes) => void bytes.forEach((_, i) => bytes[i] = next++);
}

/** Runs chunks through a wire, which has said hello and has pings out. */
function hear<T>(protocol: Protocol<T>, role: Role, chunks: readonly Uint8Array[], ended = false): Heard {
  const wire = protocol.open(role), scribe = new Scribe<T>();
  wire.greet!(OFFER);
  for (let i = 0; i < 3; i++) wire.ping!();
  let fed = 0;
  try {
    for (const chunk of chunks) {
      const own = chunk.slice();
      fed += own.length;
      wire.receive(own, scribe);
      // A chunk is borrowed: what a wire keeps of it must be a copy.
      own.fill(0xff);
      // One more than the bytes, for a message that has begun.
      assertLessOrEqual(wire.unfinished, Math.min(fed, MOST + SMALL) + 1);
    }
    if (ended) wire.end(scribe);
  } catch (error) {
    assertInstanceOf(error, ProtocolError, `${(error as Error).stack}`);
    // What a stranger seems to speak can only be told from what is there.
    return { lines: scribe.lines, error: error.message.replace(/^(A peer must begin).*/, "$1") };
  }
  return { lines: scribe.lines, error: undefined };
}

const KEY = "sixteen bytes at least";
const rules = () => ({ maxMessageBytes: MOST, pieceBytes: 64, fillRandom: steady() });
const protocolOf = (keyed: boolean) =>
  frames(keyed ? { ...rules(), key: KEY } : rules()) as Protocol<unknown>;
const jsonOf = (keyed: boolean) =>
  json({ over: protocolOf(keyed) as Protocol<Uint8Array | string>, validate: picky }) as Protocol<unknown>;

/** Takes most values. */
function picky(value: unknown): unknown {
  if (typeof value === "number" && value < 0) throw new RangeError("It must not be negative");
  return value;
}

// What comes.

const role = fc.constantFrom<Role>("client", "server");
const cuts = fc.array(fc.nat(600), { maxLength: 30 });

function greetingOf(role: Role, keyed: boolean): Uint8Array {
  return protocolOf(keyed).open(role === "client" ? "server" : "client").greet!(OFFER);
}

/** Something like a frame: often one that is in order, and often not. */
const frameish: fc.Arbitrary<Uint8Array> = fc.tuple(
  fc.oneof({ weight: 8, arbitrary: fc.integer({ min: 2, max: 7 }) }, { weight: 1, arbitrary: fc.nat(15) }),
  fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, { weight: 3, arbitrary: fc.nat(3) }, {
    weight: 1,
    arbitrary: fc.nat(15),
  }),
  fc.oneof(
    fc.uint8Array({ maxLength: 150 }),
    fc.constantFrom(8, 40, 6).chain((length) => fc.uint8Array({ minLength: length, maxLength: length })),
    fc.json({ maxDepth: 1 }).map((text) => new TextEncoder().encode(text)),
  ),
  fc.oneof({ weight: 9, arbitrary: fc.constant(0) }, {
    weight: 1,
    arbitrary: fc.integer({ min: -3, max: 600 }),
  }),
).map(([type, flags, payload, lie]) => {
  const size = Math.max(0, payload.length + lie);
  return Uint8Array.of(
    type << 4 | (type === 2 ? flags : flags > 3 ? flags : 0),
    size >> 8,
    size & 255,
    ...payload,
  );
});

const joined = (parts: readonly Uint8Array[]) => Uint8Array.from(parts.flatMap((part) => [...part]));

/** Bytes behind a greeting, or in its place. */
const stream = fc.tuple(
  role,
  fc.boolean(),
  fc.oneof(
    { weight: 1, arbitrary: fc.constant(false) },
    { weight: 9, arbitrary: fc.constant(true) },
  ),
  fc.oneof(fc.uint8Array({ maxLength: 400 }), fc.array(frameish, { maxLength: 12 }).map(joined)),
).map(([role, keyed, greets, rest]) => ({
  role,
  keyed,
  bytes: greets ? joined([greetingOf(role, keyed), rest]) : rest,
}));

/** What a sender may do, and what is heard of it. */
type Act = (wire: Wire<Uint8Array | string>) => readonly [bytes: readonly Uint8Array[], heard: string];

const small = fc.uint8Array({ maxLength: 255 });
const eight = fc.uint8Array({ minLength: 8, maxLength: 8 });
const word = fc.string({ unit: "grapheme", maxLength: 20 });

const act: fc.Arbitrary<Act> = fc.oneof(
  small.map((message): Act => (wire) => [
    [wire.encode(message) as Uint8Array],
    `message ${hex(message)} ${message.length + 3}`,
  ]),
  word.map((message): Act => (wire) => {
    const bytes = wire.encode(message) as Uint8Array;
    return [[bytes], `message ${JSON.stringify(message)} ${bytes.length}`];
  }),
  fc.tuple(small, fc.integer({ min: 1, max: 40 })).map(([message, size]): Act => () => [
    cut(message, size),
    `message ${hex(message)} ${message.length + 3}`,
  ]),
  fc.constant<Act>((wire) => {
    const bytes = wire.ping!();
    return [[bytes], `ping ${hex(bytes.subarray(3))}`];
  }),
  eight.map((nonce): Act => (wire) => [[wire.pong!(nonce)], `pong ${hex(nonce)} false `]),
  fc.maxSafeNat().map((count): Act => (wire) => [[wire.ack!(count)], `ack ${count}`]),
  fc.tuple(fc.nat(), fc.nat(), word).map(([within, retryAfter, to]): Act => (wire) => [
    [wire.drain!({ within, retryAfter, to })],
    `drain ${JSON.stringify({ within, retryAfter, to })}`,
  ]),
);

/** The frames of a message in pieces of so many bytes, as a peer may send it. */
function cut(message: Uint8Array, size: number): Uint8Array[] {
  const pieces = [];
  for (let at = 0; at === 0 || at < message.length; at += size) {
    const piece = message.subarray(at, at + size), more = at + size < message.length ? 2 : 0;
    pieces.push(Uint8Array.of(0x20 | more, piece.length >> 8, piece.length & 255, ...piece));
  }
  return pieces;
}

/** All that a sender does, with what is not data between the pieces of messages, and what is heard of it in which order. */
function perform(acts: readonly Act[], role: Role, mix: number) {
  const wire = frames({ ...rules(), maxMessageBytes: 1 << 20 }).open(role);
  const bytes: Uint8Array[] = [], heard: string[] = [];
  const pending: (readonly [bytes: readonly Uint8Array[], heard: string])[] = acts.map((act) => act(wire));
  while (pending.length > 0) {
    const [parts, line] = pending.shift()!;
    parts.forEach((part, i) => {
      bytes.push(part);
      const [next] = pending;
      // Only what is no data may stand between pieces.
      if (
        i < parts.length - 1 && (mix + i) % 3 === 0 && next !== undefined && !next[1].startsWith("message")
      ) {
        bytes.push(...next[0]);
        heard.push(next[1]);
        pending.shift();
      }
    });
    heard.push(line);
  }
  return { bytes: joined(bytes), heard };
}

const acts = fc.array(act, { maxLength: 25 });

// What must hold.

for (const [name, of] of [["frames()", protocolOf], ["json()", jsonOf]] as const) {
  test(`${name} hears the same of any bytes in any splits, and throws nothing but a ProtocolError`, () => {
    fc.assert(
      fc.property(stream, cuts, fc.boolean(), ({ role, keyed, bytes }, places, ended) => {
        const whole = hear(of(keyed), role, [bytes], ended);
        assertEquals(hear(of(keyed), role, splitAt(bytes, places), ended), whole);
        assertEquals(hear(of(keyed), role, splitAt(bytes, [...bytes.keys()]), ended), whole);
      }),
      { numRuns: RUNS },
    );
  });

  test(`${name} hears the same of a valid stream with some bytes changed`, () => {
    const change = fc.tuple(fc.nat(), fc.constantFrom("set", "drop", "add"), fc.nat(255));
    fc.assert(
      fc.property(
        acts,
        role,
        fc.array(change, { minLength: 1, maxLength: 4 }),
        cuts,
        (acts, role, changes, places) => {
          const sender = role === "client" ? "server" : "client";
          const bytes = [...greetingOf(role, false), ...perform(acts, sender, 1).bytes];
          for (const [where, what, byte] of changes) {
            const at = where % bytes.length;
            if (what === "set") bytes[at] = byte;
            else bytes.splice(at, what === "drop" ? 1 : 0, ...(what === "add" ? [byte] : []));
          }
          const changed = Uint8Array.from(bytes);
          const whole = hear(of(false), role, [changed]);
          assertEquals(hear(of(false), role, splitAt(changed, places)), whole);
          assertEquals(hear(of(false), role, splitAt(changed, [...changed.keys()])), whole);
        },
      ),
      { numRuns: RUNS },
    );
  });
}

test("frames() hears what was sent, in any splits", () => {
  fc.assert(
    fc.property(acts, role, fc.nat(2), cuts, (acts, role, mix, places) => {
      const sent = perform(acts, role === "client" ? "server" : "client", mix);
      const bytes = joined([greetingOf(role, false), sent.bytes]);
      const { lines, error } = hear(protocolOf(false), role, splitAt(bytes, places), true);
      assertStrictEquals(error, undefined);
      assertEquals(lines.slice(1), sent.heard);
    }),
    { numRuns: RUNS },
  );
});

test("json() hears the values that were sent, in any splits", () => {
  fc.assert(
    fc.property(fc.array(fc.jsonValue({ maxDepth: 2 }), { maxLength: 10 }), cuts, (values, places) => {
      const protocol = json(), client = protocol.open("client"), server = protocol.open("server");
      const heard: unknown[] = [];
      const events: WireEvents<unknown> = { message: (value) => heard.push(value), ping() {}, pong() {} };
      server.receive(client.greet!(OFFER), events);
      server.greet!(OFFER);
      const bytes = joined(values.map((value) => client.encode(value) as Uint8Array));
      for (const chunk of splitAt(bytes, places)) server.receive(chunk, events);
      // As JSON has it, which knows no -0.
      assertEquals(heard, JSON.parse(JSON.stringify(values)));
    }),
    { numRuns: RUNS },
  );
});

test("frames() never makes room for more than twice the longest message", () => {
  let most = 0;
  const tail = fc.array(frameish, { maxLength: 4 });
  fc.assert(
    fc.property(acts, tail, role, cuts, (acts, tail, role, places) => {
      const sent = perform(acts, role === "client" ? "server" : "client", 1).bytes;
      const wire = protocolOf(false).open(role), scribe = new Scribe();
      const chunks = splitAt(joined([greetingOf(role, false), sent, ...tail]), places);
      wire.greet!(OFFER);
      const sizes = allocations(() => {
        try {
          for (const chunk of chunks) wire.receive(chunk, scribe);
        } catch (error) {
          assertInstanceOf(error, ProtocolError);
        }
      });
      // While a buffer grows both it and the next are there, and neither is longer than a message may be.
      for (const size of sizes) assertLessOrEqual(size, MOST);
      most = Math.max(most, ...sizes);
    }),
    { numRuns: RUNS },
  );
  assert(most > 100, `something must have been kept: ${most}`);
});

test("frames() makes room for a trickled message as it comes, not as it is announced", () => {
  const most = 60_000, wire = frames({ maxMessageBytes: most }).open("server"), scribe = new Scribe();
  wire.receive(greetingOf("server", false), scribe);
  wire.greet!(OFFER);
  const sizes = allocations(() => {
    wire.receive(Uint8Array.of(0x22, most >> 8, most & 255), scribe);
    for (let i = 0; i < 1000; i++) wire.receive(Uint8Array.of(1), scribe);
  });
  const room = sizes.filter((size) => size > 1);
  assertLessOrEqual(Math.max(...room), 2000);
  // It doubles: a thousand bytes must not be a thousand copies.
  assertLessOrEqual(room.length, 12);
  assertStrictEquals(wire.unfinished, 1003);
});

test("frames() carries long messages both ways, in any splits", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 65_000, max: 70_000 }),
      fc.integer({ min: 64, max: 65_535 }),
      fc.array(fc.nat(70_000), { maxLength: 10 }),
      (size, pieceBytes, places) => {
        const protocol = frames({ pieceBytes }),
          client = protocol.open("client"),
          server = protocol.open("server");
        const message = Uint8Array.from({ length: size }, (_, i) => i * 7 + (i >> 8));
        const heard: Uint8Array[] = [];
        const events: WireEvents<unknown> = {
          message: (value) => heard.push((value as Uint8Array).slice()),
          ping() {},
          pong() {},
        };
        server.receive(client.greet!(OFFER), events);
        client.receive(server.greet!(OFFER), events);
        for (const [from, to] of [[client, server], [server, client]] as const) {
          const encoded = from.encode(message), parts: Uint8Array[] = [];
          if (encoded instanceof Uint8Array) parts.push(encoded);
          else {for (let piece = encoded.next(); piece !== undefined; piece = encoded.next()) {
              parts.push(piece);
            }}
          const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
          parts.reduce((at, part) => (bytes.set(part, at), at + part.length), 0);
          for (const chunk of splitAt(bytes, places)) to.receive(chunk, events);
        }
        assertStrictEquals(heard.length, 2);
        for (const one of heard) assert(one.length === size && one.every((byte, i) => byte === message[i]));
      },
    ),
    { numRuns: 15 },
  );
});

test("A message that is written into memory at hand is the one that would be encoded, or is left alone", () => {
  const wire = frames({ maxMessageBytes: MOST }).open("client");
  const message = fc.oneof(fc.uint8Array({ maxLength: 1_100 }), fc.string());
  fc.assert(
    fc.property(message, fc.nat(64), fc.nat(1_300), (message, at, size) => {
      const space = new Uint8Array(size).fill(0xee);
      const end = wire.encodeInto!(message, space, at);
      const outside = (from: number, to: number) => space.subarray(from, to).every((byte) => byte === 0xee);
      if (end < 0) return assert(outside(0, size), "refused, but written");
      assertEquals(space.subarray(at, end), wire.encode(message) as Uint8Array);
      assert(outside(0, at) && outside(end, size), "written past its place");
    }),
    { numRuns: RUNS },
  );
});
