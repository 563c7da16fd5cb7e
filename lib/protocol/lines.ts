/**
 * Lines of UTF-8 text, with lines for ping and pong.
 *
 * A line ends with LF; a CR before it is not part of the line. This is the shape of IRC, NATS, Redis' inline
 * commands and of most protocols that people type into a terminal.
 *
 * @module
 */

import { ProtocolError } from "../errors.ts";
import { count } from "../checked.ts";
import type { Protocol, Wire, WireEvents } from "./protocol.ts";

/** Options for {@linkcode lines}. */
export interface LinesOptions {
  /** The line that asks for a sign of life; `false` for none. @default {"PING"} as IRC and NATS */
  readonly ping?: string | false;
  /** The line that answers; `false` for none. @default {"PONG"} */
  readonly pong?: string | false;
  /** Longest line in bytes, without its end. @default {65_536} */
  readonly maxLineBytes?: number;
}

const LF = 10;
const CR = 13;
const NOTHING = new Uint8Array(0);

/**
 * Lines of UTF-8 text. Messages are strings without their line end. A line that is too long, or is not
 * UTF-8, ends the connection with `protocol-error`.
 *
 * @throws {TypeError | RangeError} If an option is not what it may be.
 *
 * @example
 * ```ts
 * import { lines, serve } from "@holdfast/holdfast";
 *
 * const server = await serve({ port: 0, protocol: lines() }, async (connection) => {
 *   for await (const line of connection) await connection.send(`you said: ${line}`);
 * });
 * await server.drain();
 * ```
 */
export function lines(options: LinesOptions = {}): Protocol<string> {
  const { ping = "PING", pong = "PONG", maxLineBytes = 65_536 } = options;
  const rules: Rules = {
    ping: control("ping", ping),
    pong: control("pong", pong),
    sendPing: always(ping),
    sendPong: always(pong),
    maxLineBytes: count("use lines", "maxLineBytes", maxLineBytes),
  };
  if (rules.ping !== undefined && rules.ping === rules.pong) {
    throw new TypeError(
      `Cannot use lines as "ping" and "pong" must differ: current value is "${rules.ping}"`,
    );
  }
  return { name: "lines", answersPings: ping !== false && pong !== false, open: () => new LinesWire(rules) };
}

interface Rules {
  readonly ping: string | undefined;
  readonly pong: string | undefined;
  readonly sendPing: (() => Uint8Array) | undefined;
  readonly sendPong: (() => Uint8Array) | undefined;
  readonly maxLineBytes: number;
}

function control(name: string, line: string | false): string | undefined {
  if (line === false) return undefined;
  if (typeof line === "string" && line.length > 0 && !/[\r\n]/.test(line)) return line;
  throw new TypeError(
    `Cannot use lines as "${name}" must be a non-empty line or false: current value is ${
      JSON.stringify(line)
    }`,
  );
}

/** The bytes of a line that is the same each time, made once for all connections. */
function always(line: string | false): (() => Uint8Array) | undefined {
  if (line === false) return undefined;
  const bytes = encoder.encode(`${line}\n`);
  return () => bytes;
}

const encoder = /* @__PURE__ */ new TextEncoder();
const decoder = /* @__PURE__ */ new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

class LinesWire implements Wire<string> {
  readonly #rules: Rules;
  /** What came of a line that has not ended, at the front. One buffer that grows: a line may come byte by byte. */
  #buffer = NOTHING;
  #unfinished = 0;

  readonly ping?: () => Uint8Array;
  readonly pong?: () => Uint8Array;

  constructor(rules: Rules) {
    this.#rules = rules;
    const { sendPing, sendPong } = rules;
    if (sendPing !== undefined) this.ping = sendPing;
    if (sendPong !== undefined) this.pong = sendPong;
  }

  get unfinished(): number {
    return this.#unfinished;
  }

  receive(chunk: Uint8Array, events: WireEvents<string>): number | void {
    let from = 0;
    for (let end = chunk.indexOf(LF); end >= 0; end = chunk.indexOf(LF, from)) {
      const part = chunk.subarray(from, end);
      from = end + 1;
      this.#line(this.#unfinished === 0 ? part : this.#join(part), events);
      if (events.enough === true) return from;
    }
    if (from < chunk.length) this.#keep(chunk.subarray(from));
  }

  end(events: WireEvents<string>): void {
    if (this.#unfinished > 0) this.#line(this.#join(NOTHING), events);
  }

  encode(message: string): Uint8Array {
    if (typeof message !== "string" || /[\r\n]/.test(message)) {
      throw new TypeError(
        `Cannot send as a line must be a string without line ends: current value is ${
          JSON.stringify(message)
        }`,
      );
    }
    if (message === this.#rules.ping || message === this.#rules.pong) {
      throw new TypeError(
        `Cannot send as a line must not be that of a ping or pong: current value is "${message}"`,
      );
    }
    const bytes = encoder.encode(`${message}\n`);
    if (bytes.length - 1 > this.#rules.maxLineBytes) {
      throw new RangeError(
        `Cannot send as a line must be <= ${this.#rules.maxLineBytes} bytes: current length is ${
          bytes.length - 1
        }`,
      );
    }
    return bytes;
  }

  #line(bytes: Uint8Array, events: WireEvents<string>): void {
    const size = bytes.length > 0 && bytes[bytes.length - 1] === CR ? bytes.length - 1 : bytes.length;
    if (size > this.#rules.maxLineBytes) this.#tooLong(size);
    let line;
    try {
      line = decoder.decode(size === bytes.length ? bytes : bytes.subarray(0, size));
    } catch (cause) {
      throw new ProtocolError("A line must be UTF-8", { cause });
    }
    if (line === this.#rules.ping) events.ping();
    else if (line === this.#rules.pong) events.pong();
    else events.message(line, size);
  }

  /** Keeps a copy of `part` until its line ends. */
  #keep(part: Uint8Array): void {
    const size = this.#unfinished + part.length;
    // One byte more than the longest line may still be the CR of its end.
    if (size > this.#rules.maxLineBytes + 1) this.#tooLong(size);
    if (size > this.#buffer.length) {
      const grown = new Uint8Array(Math.max(size, Math.min(2 * size, this.#rules.maxLineBytes + 1)));
      grown.set(this.#buffer.subarray(0, this.#unfinished));
      this.#buffer = grown;
    }
    this.#buffer.set(part, this.#unfinished);
    this.#unfinished = size;
  }

  /** Returns what was kept, with `last` after it. */
  #join(last: Uint8Array): Uint8Array {
    const line = new Uint8Array(this.#unfinished + last.length);
    line.set(this.#buffer.subarray(0, this.#unfinished));
    line.set(last, this.#unfinished);
    this.#buffer = NOTHING;
    this.#unfinished = 0;
    return line;
  }

  #tooLong(size: number): never {
    throw new ProtocolError(`A line must be <= ${this.#rules.maxLineBytes} bytes: ${size} have come`);
  }
}
