/**
 * The test vectors of the frame protocol, both ways: bytes to events and, where a sender of ours would say it so, events to
 * bytes. `docs/protocol.md` says how the file is read.
 *
 * @module
 */

import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { assert, assertEquals, assertGreater, assertInstanceOf, assertStrictEquals, fail } from "@std/assert";
import { ProtocolError } from "../../lib/errors.ts";
import { frames } from "../../lib/protocol/frames.ts";
import type { Hello, Offer, Role, SessionOffer, Wire, WireEvents } from "../../lib/protocol/protocol.ts";
import { lacking } from "../support/processes.ts";

const FILE = new URL("../../docs/protocol-vectors.json", import.meta.url);
const PEER = new URL("../interop/frames_peer.py", import.meta.url);

type Json = Readonly<Record<string, unknown>>;

interface Vector {
  readonly name: string;
  readonly from: Role;
  readonly key?: string;
  readonly asked?: readonly string[];
  readonly maxMessage?: number;
  readonly answered?: boolean;
  readonly written?: boolean;
  readonly bytes: readonly string[];
  readonly events: readonly (Json & { readonly event: string })[];
  readonly error?: {
    readonly rule: string;
    readonly code: number | null;
    readonly at: number;
    readonly header: boolean;
    readonly message: string;
  };
}

interface Book {
  readonly version: number;
  readonly randoms: Readonly<Record<Role, string>>;
  readonly vectors: readonly Vector[];
}

const book = JSON.parse(readFileSync(FILE, "utf8")) as Book;

const hexOf = (bytes: Uint8Array) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

/** Hex, or `hex*count`, which is so many times the same. */
function bytesOf(part: string): Uint8Array {
  const [hex = "", times = "1"] = part.split("*");
  const once = Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));
  const bytes = new Uint8Array(once.length * Number(times));
  for (let at = 0; at < bytes.length; at += once.length) bytes.set(once, at);
  return bytes;
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  parts.reduce((at, part) => (bytes.set(part, at), at + part.length), 0);
  return bytes;
}

const streamOf = (vector: Vector) => joined(vector.bytes.map(bytesOf));
const otherOf = (role: Role): Role => role === "client" ? "server" : "client";

const PLAIN: Offer = { sendEvery: 0, hearEvery: 0, minPingGap: 0 };

/** A wire that takes its random bytes from `queue`. */
function wireOf(role: Role, vector: Vector, maxMessageBytes: number, queue: readonly string[]) {
  const left = [...queue];
  const fillRandom = (bytes: Uint8Array) => {
    const next = bytesOf(left.shift() ?? fail("No random bytes are left"));
    assertStrictEquals(next.length, bytes.length);
    bytes.set(next);
  };
  const key = vector.key === undefined ? {} : { key: bytesOf(vector.key) };
  return frames({ ...key, maxMessageBytes, fillRandom }).open(role);
}

/** What a peer's hello says, as the vectors tell it. */
function told(hello: Hello, from: Role): Json {
  const { keyed, random } = hello as Hello & { keyed: boolean; random: Uint8Array };
  const { sendEvery, hearEvery, minPingGap, maxMessageBytes, session } = hello;
  const base = { event: "hello", keyed, random: hexOf(random), sendEvery, hearEvery, minPingGap };
  const said = { ...base, maxMessage: maxMessageBytes };
  return session === undefined ? said : { ...said, session: toldSession(session, from) };
}

function toldSession({ resumed, ticket, received, window }: SessionOffer, from: Role): Json {
  const kind = resumed ? (from === "client" ? "resume" : "resumed") : "new";
  if (ticket === undefined) return { kind };
  const said = { kind, id: hexOf(ticket.id), secret: hexOf(ticket.secret), received };
  return from === "client" ? said : { ...said, window };
}

class Listener implements WireEvents<Uint8Array | string> {
  readonly events: Json[] = [];
  /** Proofs as they came, and what they are proofs of. */
  readonly proofs: (readonly [at: number, proof: Uint8Array, challenge: Uint8Array])[] = [];
  readonly #wire: Wire<Uint8Array | string>;
  readonly #from: Role;

  constructor(wire: Wire<Uint8Array | string>, from: Role) {
    this.#wire = wire;
    this.#from = from;
  }

  message(message: Uint8Array | string): void {
    this.events.push({
      event: "message",
      ...(typeof message === "string" ? { text: message } : { bytes: hexOf(message) }),
    });
  }

  ping(nonce: Uint8Array): void {
    this.events.push({ event: "ping", nonce: hexOf(nonce) });
  }

  pong(nonce: Uint8Array, answers: boolean, proof?: Uint8Array): void {
    if (proof !== undefined) {
      this.proofs.push([this.events.length, proof, this.#wire.challenge!(nonce, "them")]);
    }
    const said = { event: "pong", nonce: hexOf(nonce) };
    this.events.push(
      proof === undefined ? { ...said, answers } : { ...said, proof: hexOf(proof), right: false, answers },
    );
  }

  hello(hello: Hello): void {
    this.events.push(told(hello, this.#from));
  }

  acked(received: number): void {
    this.events.push({ event: "ack", received });
  }

  draining({ within, retryAfter, to }: { within: number; retryAfter: number; to: string }): void {
    this.events.push({ event: "drain", within, retryAfter, place: to });
  }

  farewell({ code, retryAfter, text }: { code: number; retryAfter: number; text: string }): void {
    this.events.push({ event: "close", code, retryAfter, reason: text });
  }
}

const owned = (bytes: Uint8Array) => bytes as Uint8Array<ArrayBuffer>;
const HMAC = { name: "HMAC", hash: "SHA-256" };

async function prove(key: string, challenge: Uint8Array): Promise<Uint8Array> {
  const imported = await crypto.subtle.importKey("raw", owned(bytesOf(key)), HMAC, false, ["sign"]);
  return new Uint8Array(await crypto.subtle.sign(HMAC, imported, owned(challenge)));
}

interface Seen {
  readonly events: readonly Json[];
  readonly error: unknown;
  /** Bytes that had been given when the error came. */
  readonly fed: number;
}

/** Reads a vector as its receiver, in chunks of so many bytes. */
async function read(vector: Vector, chunkBytes: number): Promise<Seen> {
  const role = otherOf(vector.from), { asked = [], maxMessage = 1 << 20 } = vector;
  const wire = wireOf(role, vector, maxMessage, [book.randoms[role], ...asked]);
  if (vector.answered !== false) wire.greet!(PLAIN);
  for (const _ of asked) wire.ping!();
  const listener = new Listener(wire, vector.from);
  const stream = streamOf(vector);
  let fed = 0, error: unknown;
  try {
    while (fed < stream.length) {
      const chunk = stream.slice(fed, fed + chunkBytes);
      fed += chunk.length;
      wire.receive(chunk, listener);
      // A chunk is borrowed.
      chunk.fill(0xee);
    }
    wire.end(listener);
  } catch (caught) {
    error = caught;
  }
  for (const [at, proof, challenge] of listener.proofs) {
    const right = hexOf(await prove(vector.key!, challenge)) === hexOf(proof);
    listener.events[at] = { ...listener.events[at], right };
  }
  return { events: listener.events, error, fed };
}

/** The events of a vector, with their bytes in full. */
const wanted = ({ events }: Vector): readonly Json[] =>
  events.map((event) =>
    "bytes" in event ? { ...event, bytes: hexOf(bytesOf(event["bytes"] as string)) } : event
  );

async function checkRead(vector: Vector, chunkBytes: number): Promise<void> {
  const { events, error, fed } = await read(vector, chunkBytes);
  const { name } = vector;
  assertEquals(events, wanted(vector), name);
  if (vector.error === undefined) return assertStrictEquals(error, undefined, `${name}: ${error}`);
  assertInstanceOf(error, ProtocolError, name);
  if (chunkBytes > 1) {
    assert(error.message.startsWith(vector.error.message), `${name}: ${error.message}`);
  } else {
    // Not a byte later than it can be known, and not before either: no other rule was meant.
    assertStrictEquals(fed, vector.error.at, name);
  }
}

test("the decoder sees the events of each vector, and its error", async () => {
  assertGreater(book.vectors.length, 100);
  for (const vector of book.vectors) await checkRead(vector, Infinity);
});

test("the decoder sees them byte by byte too, and each error at the byte that makes it one", async () => {
  for (const vector of book.vectors) await checkRead(vector, 1);
});

test("errors that a header tells of are found before anything of the payload has come", async () => {
  const early = book.vectors.filter(({ error }) => error?.header === true);
  assertGreater(early.length, 30);
  for (const vector of early) {
    const { at } = vector.error!;
    // Cut just behind the header: the error must not wait for more.
    const alone = { ...vector, bytes: [hexOf(streamOf(vector).subarray(0, at))] };
    await checkRead(alone, Infinity);
  }
});

test("a vector that is cut anywhere is no error before, and none at its end if it was whole", async () => {
  for (const vector of book.vectors) {
    if (vector.error !== undefined || streamOf(vector).length > 1000) continue;
    const stream = streamOf(vector), role = otherOf(vector.from);
    for (let cut = 1; cut < stream.length; cut++) {
      const { maxMessage = 1 << 20, asked = [] } = vector;
      const wire = wireOf(role, vector, maxMessage, [book.randoms[role], ...asked]);
      wire.greet!(PLAIN);
      for (const _ of asked) wire.ping!();
      const listener = new Listener(wire, vector.from);
      wire.receive(stream.slice(0, cut), listener);
      assertEquals(listener.events.length <= vector.events.length, true, vector.name);
      wire.receive(stream.slice(cut), listener);
      assertStrictEquals(listener.events.length, vector.events.length, `${vector.name}, cut at ${cut}`);
      assertStrictEquals(wire.unfinished, 0, vector.name);
    }
  }
});

/** What a hello of a vector offers. */
function offerOf(event: Json): Offer {
  const { sendEvery, hearEvery, minPingGap } = event as unknown as Offer;
  const said = event["session"] as Json | undefined;
  if (said === undefined) return { sendEvery, hearEvery, minPingGap };
  const { kind, id, secret, received = 0, window = 0 } = said as Record<string, string & number>;
  const ticket = id === undefined ? undefined : { id: bytesOf(id), secret: bytesOf(secret!) };
  const resumed = kind !== "new";
  return { sendEvery, hearEvery, minPingGap, session: { resumed, ticket, received, window } };
}

/** The bytes of one event, as `wire` writes it. */
async function write(
  wire: Wire<Uint8Array | string>,
  event: Json,
  key: string | undefined,
): Promise<Uint8Array> {
  const number = (name: string) => event[name] as number, string = (name: string) => event[name] as string;
  switch (event["event"]) {
    case "hello":
      return wire.greet!(offerOf(event));
    case "message": {
      const encoded = wire.encode("text" in event ? string("text") : bytesOf(string("bytes")));
      if (encoded instanceof Uint8Array) return encoded;
      const pieces: Uint8Array[] = [];
      for (let piece = encoded.next(); piece !== undefined; piece = encoded.next()) pieces.push(piece);
      return joined(pieces);
    }
    case "ping":
      return wire.ping!();
    case "pong": {
      const nonce = bytesOf(string("nonce"));
      return wire.pong!(
        nonce,
        key === undefined ? undefined : await prove(key, wire.challenge!(nonce, "us")),
      );
    }
    case "ack":
      return wire.ack!(number("received"));
    case "drain":
      return wire.drain!({
        within: number("within"),
        retryAfter: number("retryAfter"),
        to: string("place"),
      });
    default:
      return wire.goodbye!({
        code: number("code"),
        retryAfter: number("retryAfter"),
        text: string("reason"),
      });
  }
}

test("the encoder writes exactly the bytes of each vector", async () => {
  let written = 0;
  for (const vector of book.vectors) {
    if (vector.error !== undefined || vector.written === false) continue;
    written++;
    const { name, from, events, key } = vector, other = otherOf(from);
    const pings = events.filter(({ event }) => event === "ping").map((event) => event["nonce"] as string);
    const hello = events.find(({ event }) => event === "hello");
    const longest = hello?.["maxMessage"] as number | undefined;
    const wire = wireOf(from, vector, longest ?? 1 << 20, [book.randoms[from], ...pings]);
    // The other end's hello, which the proofs are made with too.
    const peer = wireOf(other, vector, 1 << 20, [book.randoms[other]]);
    const quiet: WireEvents<unknown> = { message() {}, ping() {}, pong() {} };
    wire.receive(peer.greet!(PLAIN), quiet);
    const parts: Uint8Array[] = [];
    for (const event of events) parts.push(await write(wire, event, key));
    assertStrictEquals(hexOf(joined(parts)), hexOf(streamOf(vector)), name);
  }
  assertGreater(written, 35);
});

test(
  "a peer in another language, written from the page, agrees with the vectors",
  { timeout: 60_000 },
  () => {
    const skip = lacking("python3", "--version");
    if (skip) return console.log(`skipped: ${skip}`);
    const args = [fileURLToPath(PEER), "--vectors", fileURLToPath(FILE)];
    const { status, stdout, stderr } = spawnSync("python3", args, { encoding: "utf8" });
    const lines = stdout.split("\n").filter(Boolean).map((line) => JSON.parse(line) as Json);
    assertEquals(lines.pop(), { done: true, bad: 0 }, stderr);
    assertEquals(lines.filter(({ ok }) => ok !== true), [], stderr);
    assertStrictEquals(status, 0, stderr);
    assertStrictEquals(lines.length, 3 * book.vectors.length + 1);
  },
);
