/**
 * Bytes as they come, with a heartbeat token among them.
 *
 * A token in the stream is ambiguous by nature: TCP glues and splits what was written, and the payload may
 * hold the same bytes. So a plain comparison of chunks is not enough, and there are two rules to choose from.
 *
 * - `chunk`: heartbeats are only runs of whole tokens that begin a chunk and fill it. A run whose last token is
 *   split goes on in the next chunk. A chunk with anything else in it is data, whole, as it came; so is a part of
 *   a token on its own, since a request must never hang on a guess.
 * - `anywhere`: every occurrence is a heartbeat, across chunks too. Only for streams whose payload cannot hold the
 *   token; bytes which may be the beginning of one wait for the byte that decides.
 *
 * Nothing is dropped or reordered, however the bytes are split.
 *
 * @module
 */

import type { Protocol, Wire, WireEvents } from "./protocol.ts";

/** Options for {@linkcode raw}. */
export interface RawOptions {
  /** What a heartbeat looks like. Without it all bytes are data, and there is nothing to ask a peer with. */
  readonly token?: string | Uint8Array;
  /** Where a token counts as one. @default {"chunk"} */
  readonly match?: "chunk" | "anywhere";
  /**
   * Answer a token with a token, unless data was sent within the last 200 ms: a token glued to data would be data to the
   * peer. For clients of servers that give silent peers up. At one end only: two ends that answer each other never stop.
   *
   * @default {false}
   */
  readonly answer?: boolean;
}

/** Longest token. It is held in memory for each connection that waits for the rest of one. */
const MAX_TOKEN_BYTES = 1024;

/**
 * Bytes as they come, with an in-band heartbeat token if one is given. Messages are chunks: their borders mean
 * nothing.
 *
 * @throws {TypeError | RangeError} If an option is not what it may be.
 *
 * @example
 * ```ts
 * import { raw, serve } from "@holdfast/holdfast";
 *
 * const server = await serve({ port: 0, protocol: raw({ token: "heartbeat" }) }, async (connection) => {
 *   for await (const bytes of connection) await connection.send(bytes);
 * });
 * await server.drain();
 * ```
 */
export function raw(options: RawOptions = {}): Protocol<Uint8Array, Uint8Array | string> {
  const { token, match = "chunk", answer = false } = options;
  if (match !== "chunk" && match !== "anywhere") {
    throw new TypeError(
      `Cannot use raw bytes as "match" must be "chunk" or "anywhere": current value is ${match}`,
    );
  }
  if (token === undefined) {
    if (answer) {
      throw new TypeError(`Cannot use raw bytes as "answer" needs a "token": current value is undefined`);
    }
    return { name: "raw", answersPings: false, open: () => new RawWire() };
  }
  const bytes = typeof token === "string" ? new TextEncoder().encode(token) : Uint8Array.from(token);
  if (bytes.length === 0 || bytes.length > MAX_TOKEN_BYTES) {
    throw new RangeError(
      `Cannot use raw bytes as "token" must be 1 to ${MAX_TOKEN_BYTES} bytes long: current length is ${bytes.length}`,
    );
  }
  if (match === "chunk") {
    return {
      name: "raw",
      answersPings: false,
      open: () => new ChunkWire(bytes, answer),
    };
  }
  const borders = bordersOf(bytes);
  return { name: "raw", answersPings: false, open: () => new AnywhereWire(bytes, answer, borders) };
}

const encoder = /* @__PURE__ */ new TextEncoder();

/** All bytes are data. */
class RawWire implements Wire<Uint8Array, Uint8Array | string> {
  readonly unfinished = 0;

  receive(chunk: Uint8Array, events: WireEvents<Uint8Array>): number | void {
    events.message(chunk, chunk.length);
  }

  end(_events: WireEvents<Uint8Array>): void {}

  encode(message: Uint8Array | string): Uint8Array {
    if (message instanceof Uint8Array) return message;
    if (typeof message === "string") return encoder.encode(message);
    throw new TypeError(
      `Cannot send as a raw message must be a Uint8Array or a string: current value is ${message}`,
    );
  }
}

/** Some bytes are tokens. */
abstract class TokenWire extends RawWire {
  readonly #token: Uint8Array;
  /** Answers a token with a token, if that was asked for. */
  readonly pong?: () => Uint8Array;
  /** How many bytes of a token are held back. */
  protected held = 0;

  constructor(token: Uint8Array, answer: boolean) {
    super();
    this.#token = token;
    if (answer) this.pong = this.ping;
  }

  protected get token(): Uint8Array {
    return this.#token;
  }

  ping(): Uint8Array {
    return this.#token;
  }

  override end(events: WireEvents<Uint8Array>): void {
    this.release(this.held, events);
    this.held = 0;
  }

  /** Reports the first `size` bytes of what was held as data. A copy, since the receiver may change it. */
  protected release(size: number, events: WireEvents<Uint8Array>): void {
    if (size > 0) events.message(this.#token.slice(0, size), size);
  }
}

class ChunkWire extends TokenWire {
  override receive(chunk: Uint8Array, events: WireEvents<Uint8Array>): void {
    const token = this.token, { length } = token;
    // Most chunks are data, and most data differs from the token in its first byte.
    for (let i = 0, at = this.held; i < chunk.length; i++) {
      if (chunk[i] !== token[at]) return this.#data(chunk, events);
      at = at + 1 === length ? 0 : at + 1;
    }
    const total = this.held + chunk.length;
    if (total < length && this.held === 0) return this.#data(chunk, events);
    this.held = total % length;
    for (let n = Math.floor(total / length); n > 0; n--) events.ping();
  }

  #data(chunk: Uint8Array, events: WireEvents<Uint8Array>): void {
    const { held } = this;
    this.held = 0;
    if (held > 0) this.release(held, events);
    events.message(chunk, chunk.length);
  }
}

class AnywhereWire extends TokenWire {
  readonly #borders: Uint16Array;

  constructor(token: Uint8Array, answer: boolean, borders: Uint16Array) {
    super(token, answer);
    this.#borders = borders;
  }

  // Knuth, Morris and Pratt: `at` bytes of the token have matched up to here. Those of them that came with
  // earlier chunks stand before index 0.
  override receive(chunk: Uint8Array, events: WireEvents<Uint8Array>): number | void {
    const token = this.token, borders = this.#borders;
    let at = this.held, from = -at;
    for (let i = 0; i < chunk.length; i++) {
      if (at === 0) {
        i = chunk.indexOf(token[0]!, i);
        if (i < 0) break;
      }
      while (at > 0 && chunk[i] !== token[at]) at = borders[at - 1]!;
      if (chunk[i] === token[at]) at++;
      if (at < token.length) continue;
      this.#data(from, i + 1 - at, chunk, events);
      events.ping();
      from = i + 1;
      at = 0;
      if (events.enough !== true) continue;
      this.held = 0;
      return from;
    }
    this.#data(from, chunk.length - at, chunk, events);
    this.held = at;
  }

  /** Reports what lies from index `from` to index `to`; below 0 it is a part of the token that was held back. */
  #data(from: number, to: number, chunk: Uint8Array, events: WireEvents<Uint8Array>): void {
    if (from < 0 && to > from) this.release(Math.min(to, 0) - from, events);
    const start = Math.max(from, 0);
    if (to > start) events.message(chunk.subarray(start, to), to - start);
  }
}

/** For each beginning of the token, how long its longest proper border is. */
function bordersOf(token: Uint8Array): Uint16Array {
  const borders = new Uint16Array(token.length);
  for (let i = 1, at = 0; i < token.length; i++) {
    while (at > 0 && token[i] !== token[at]) at = borders[at - 1]!;
    if (token[i] === token[at]) at++;
    borders[i] = at;
  }
  return borders;
}
