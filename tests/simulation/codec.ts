/**
 * Messages that tell their own place, so that one that is lost, doubled, changed or out of order is seen.
 *
 * @module
 */

import { lines } from "../../lib/protocol/lines.ts";
import type { Protocol } from "../../lib/protocol/protocol.ts";
import { raw } from "../../lib/protocol/raw.ts";

/** What both ends of a connection agree on. */
export type Dialect = "lines" | "raw" | "chunk" | "anywhere" | "answered";

/** A message, whatever its protocol. */
export type Message = string | Uint8Array;

/** What a heartbeat in raw bytes looks like. None of its bytes is in a message. */
const TOKEN = "heartbeat";

/** The protocol that one side of a connection speaks. */
export function protocolOf(dialect: Dialect, side: "client" | "server"): Protocol<Message, Message> {
  const protocol = dialect === "lines" ? lines() : dialect === "raw" ? raw() : raw({
    token: TOKEN,
    // A token that is split by the network is data where only whole ones count, and nobody answers data.
    match: dialect === "chunk" ? "chunk" : "anywhere",
    answer: dialect === "answered" && side === "server",
  });
  return protocol as Protocol<unknown, unknown> as Protocol<Message, Message>;
}

/** What a ping looks like. */
export function pingOf(dialect: Dialect): string | undefined {
  return dialect === "lines" ? "PING\n" : dialect === "raw" ? undefined : TOKEN;
}

/** The messages of one direction, made and checked in the same order. */
export class Course {
  readonly #dialect: Dialect;
  /** How far it has come: messages of lines, bytes of raw. */
  place = 0;

  constructor(dialect: Dialect) {
    this.#dialect = dialect;
  }

  /** The next message, of about `size` bytes. */
  make(size: number): Message {
    if (this.#dialect === "lines") return `${this.place++} ${"x".repeat(size)}`;
    const bytes = new Uint8Array(size);
    for (let i = 0; i < size; i++) bytes[i] = byteAt(this.place++);
    return bytes;
  }

  /** Checks that `message` is the next. Returns what is wrong with it. */
  check(message: Message): string | undefined {
    if (typeof message === "string") {
      const place = Number.parseInt(message, 10);
      if (place !== this.place++) return `line ${place} came when ${this.place - 1} was due`;
      return undefined;
    }
    for (const byte of message) {
      if (byte >= 0x80) {
        if (byte !== byteAt(this.place++)) return `byte ${byte} came when ${byteAt(this.place - 1)} was due`;
      } else if (this.#dialect !== "chunk" || !TOKEN_BYTES.has(byte)) {
        // Where tokens count in chunks of their own only, those that TCP glued to data are data.
        return `byte ${byte} came, which nobody sent as data`;
      }
    }
    return undefined;
  }
}

/** Bytes on the wire that a message has taken, about. */
export function sizeOf(message: Message): number {
  return message.length + (typeof message === "string" ? 1 : 0);
}

/** A number for the bytes of a message, to see whether they were changed. */
export function sumOf(message: Message): number {
  if (typeof message === "string") return message.length;
  let sum = message.length;
  for (const byte of message) sum = Math.imul(sum, 31) + byte | 0;
  return sum;
}

const TOKEN_BYTES = new Set([...TOKEN].map((letter) => letter.charCodeAt(0)));

function byteAt(place: number): number {
  return 0x80 + place % 127;
}
