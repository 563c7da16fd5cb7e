/**
 * Streams that servers are fed with: right ones, almost right ones, and wrong ones.
 *
 * @module
 */

import fc from "fast-check";
import { frames } from "../../lib/protocol/frames.ts";
import type { Offer } from "../../lib/protocol/protocol.ts";
import { clientHello } from "./client_hello.ts";
import { TOKEN, type Tongue } from "./setting.ts";

/** A stream: what opens it, and what may follow once the server has answered. */
export interface Stream {
  readonly opening: Uint8Array;
  readonly rest: Uint8Array;
}

const encoder = new TextEncoder();
const bytesOf = (text: string) => encoder.encode(text);

/** All of `parts`, one after the other. */
export function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  parts.reduce((at, part) => (whole.set(part, at), at + part.length), 0);
  return whole;
}

const NOTHING = new Uint8Array(0);
const OFFER: Offer = { sendEvery: 0, hearEvery: 0, minPingGap: 0 };

/** A wrong key of a right length: the hello is as it must be, and no pong proves anything. */
const WRONG_KEY = "not what it should be";

/** What a client of frames says first. */
export function greeting(keyed: boolean, session?: Offer["session"]): Uint8Array {
  const wire = frames(keyed ? { key: WRONG_KEY } : {}).open("client");
  return wire.greet!({ ...OFFER, session });
}

/** Makes frames, as a client that has greeted. */
export function speaker() {
  const wire = frames().open("client");
  wire.greet!(OFFER);
  return {
    data: (message: Uint8Array | string) => wire.encode(message) as Uint8Array,
    ping: () => wire.ping!(),
    pong: (nonce: Uint8Array) => wire.pong!(nonce),
    ack: (count: number) => wire.ack!(count),
    drain: () => wire.drain!({ within: 10, retryAfter: 0, to: "127.0.0.1:1" }),
    close: (code: number) => wire.goodbye!({ code, text: "so it is", retryAfter: 0 }),
    piece: (bytes: Uint8Array) => Uint8Array.of(0x22, bytes.length >> 8, bytes.length & 255, ...bytes),
  };
}

const eight = fc.uint8Array({ minLength: 8, maxLength: 8 });
const few = fc.uint8Array({ maxLength: 60 });
const word = fc.string({ unit: "grapheme", maxLength: 20 });

function frameOf(say: ReturnType<typeof speaker>): fc.Arbitrary<Uint8Array> {
  return fc.oneof(
    { weight: 6, arbitrary: few.map(say.data) },
    { weight: 3, arbitrary: word.map(say.data) },
    { weight: 3, arbitrary: fc.json({ maxDepth: 1 }).map(say.data) },
    // JSON that a parser may read and a writer may not write.
    { weight: 1, arbitrary: fc.nat(20_000).map((depth) => say.data("[".repeat(depth) + "]".repeat(depth))) },
    { weight: 2, arbitrary: few.filter(({ length }) => length > 0).map(say.piece) },
    { weight: 2, arbitrary: fc.constant(0).map(() => say.ping()) },
    { weight: 1, arbitrary: eight.map(say.pong) },
    { weight: 1, arbitrary: fc.integer({ min: 0, max: 1_000 }).map(say.ack) },
    { weight: 1, arbitrary: fc.constant(0).map(() => say.drain()) },
    { weight: 1, arbitrary: fc.nat(0xffff).map(say.close) },
  );
}

const line: fc.Arbitrary<Uint8Array> = fc.tuple(
  fc.oneof(word.map((text) => text.replaceAll(/[\r\n]/g, "")), fc.constantFrom("PING", "PONG", "")),
  fc.constantFrom("\n", "\r\n"),
).map(([text, end]) => bytesOf(text + end));

const header: fc.Arbitrary<Uint8Array> = fc.oneof(
  fc.constantFrom(
    "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n",
    "PROXY TCP6 2001:db8::1 ::1 65535 0\r\n",
    "PROXY UNKNOWN\r\n",
  ).map(bytesOf),
  fc.uint8Array({ minLength: 12, maxLength: 12 }).map((addresses) =>
    joined([bytesOf("\r\n\r\n\0\r\nQUIT\n"), Uint8Array.of(0x21, 0x11, 0, 12), addresses])
  ),
);

const session: fc.Arbitrary<Offer["session"]> = fc.option(
  fc.record({
    resumed: fc.constant(true),
    ticket: fc.record({ id: eight, secret: fc.uint8Array({ minLength: 16, maxLength: 16 }) }),
    received: fc.nat(1_000),
    window: fc.constant(0),
  }).map((offer): Offer["session"] => offer),
  { nil: { resumed: false, received: 0, window: 0 } },
);

/** Streams that are right, in `tongue`. */
export function rightStream(tongue: Tongue): fc.Arbitrary<Stream> {
  const list = (one: fc.Arbitrary<Uint8Array>) => fc.array(one, { maxLength: 20 }).map(joined);
  switch (tongue) {
    case "raw":
      return list(fc.oneof(few, fc.constant(bytesOf(TOKEN)))).map((rest) => ({ opening: NOTHING, rest }));
    case "lines":
      return list(line).map((rest) => ({ opening: NOTHING, rest }));
    case "proxied":
      return fc.record({ opening: header, rest: list(line) });
    case "tls":
      return fc.record({
        opening: fc.constant(0).map(() => clientHello()),
        // Records of every kind that may follow, with nothing right in them.
        rest: list(
          fc.tuple(fc.integer({ min: 20, max: 24 }), few).map(([type, bytes]) =>
            Uint8Array.of(type, 3, 3, 0, bytes.length, ...bytes)
          ),
        ),
      });
    default:
      return fc.record({
        opening: fc.option(session, { nil: undefined }).map((offer) => greeting(tongue === "keyed", offer)),
        rest: list(frameOf(speaker())),
      });
  }
}

/** A change of a stream: where, what, and the byte. */
const change = fc.tuple(fc.nat(), fc.constantFrom("set", "drop", "add", "flip"), fc.nat(255));

/** Changes some bytes of `bytes`. */
function changed(bytes: Uint8Array, changes: readonly (readonly [number, string, number])[]): Uint8Array {
  const list = [...bytes];
  for (const [where, what, byte] of changes) {
    const at = list.length === 0 ? 0 : where % list.length;
    if (what === "set") list[at] = byte;
    else if (what === "flip") list[at] = (list[at] ?? 0) ^ 1 << byte % 8;
    else list.splice(at, what === "drop" ? 1 : 0, ...(what === "add" ? [byte] : []));
  }
  return Uint8Array.from(list);
}

/** Streams that were right, with some bytes changed: of their opening, or of what follows. */
export function almostRightStream(tongue: Tongue): fc.Arbitrary<Stream> {
  return fc.tuple(rightStream(tongue), fc.array(change, { minLength: 1, maxLength: 3 }), fc.nat(2)).map(
    ([{ opening, rest }, changes, where]) =>
      where === 0 && opening.length > 0
        ? { opening: changed(opening, changes), rest }
        : { opening, rest: changed(rest, changes) },
  );
}

/** Anything, now and then with a beginning that several protocols have. */
export const noise: fc.Arbitrary<Uint8Array> = fc.oneof(
  fc.uint8Array({ maxLength: 600 }),
  fc.uint8Array({ minLength: 2_000, maxLength: 20_000 }),
  fc.tuple(
    fc.constantFrom(
      "GET / HTTP/1.1\r\nHost: ",
      "\x16\x03\x01",
      "SSH-2.0-",
      "PROXY ",
      "\xf0HF\x01",
      "\xf0HF\x02",
      "{",
      "[[[",
    ),
    fc.uint8Array({ maxLength: 300 }),
  ).map(([start, rest]) => joined([Uint8Array.from(start, (char) => char.charCodeAt(0)), rest])),
);

/** Where to cut a stream into writes. */
export const cuts: fc.Arbitrary<number[]> = fc.array(fc.nat(400), { maxLength: 4 });
