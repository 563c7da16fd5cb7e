/**
 * Messages that take more than one frame: cut on the way out, put together on the way in.
 *
 * @module
 */

import { ProtocolError } from "../../errors.ts";
import type { Pieces } from "../protocol.ts";
import { frame, HEADER_BYTES, MORE, TEXT, Type } from "./layout.ts";

/** Cuts a message into frames. It refers to the message until the last piece was taken. */
export class MessagePieces implements Pieces {
  readonly #message: Uint8Array;
  readonly #flags: number;
  readonly #size: number;
  #at = 0;

  /** @param size Bytes of the message in each piece. */
  constructor(message: Uint8Array, flags: number, size: number) {
    this.#message = message;
    this.#flags = flags;
    this.#size = size;
  }

  get left(): number {
    const left = this.#message.length - this.#at;
    return left + Math.ceil(left / this.#size) * HEADER_BYTES;
  }

  next(): Uint8Array | undefined {
    const from = this.#at, { length } = this.#message;
    if (from === length) return undefined;
    const to = this.#at = Math.min(from + this.#size, length);
    const piece = frame(Type.data, this.#flags | (to < length ? MORE : 0), to - from);
    piece.set(this.#message.subarray(from, to), HEADER_BYTES);
    return piece;
  }
}

const decoder = /* @__PURE__ */ new TextDecoder("utf-8", { ignoreBOM: true });

/** The message that was cut into `pieces`. */
export function readBack(pieces: readonly Uint8Array[]): Uint8Array | string {
  const assembly = new Assembly(Infinity);
  for (const piece of pieces) assembly.push(piece.subarray(HEADER_BYTES));
  const message = assembly.take();
  return (pieces[0]![0]! & TEXT) === 0 ? message : decoder.decode(message);
}

/** Puts a message together. It takes no more memory than twice what has come. */
export class Assembly {
  readonly #maxBytes: number;
  #buffer: Uint8Array = NOTHING;
  #length = 0;

  /** @param maxBytes Longest message. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Bytes that have come of the message. */
  get length(): number {
    return this.#length;
  }

  /** Refuses a message that would be too long, before anything is kept of the `size` bytes to come. */
  check(size: number): void {
    const total = this.#length + size;
    if (total <= this.#maxBytes) return;
    throw new ProtocolError(`A message must be <= ${this.#maxBytes} bytes: ${total} have been announced`);
  }

  /** Takes some more bytes, which {@linkcode check} has passed. They are copied. */
  push(bytes: Uint8Array): void {
    const total = this.#length + bytes.length;
    if (total > this.#buffer.length) {
      const grown = new Uint8Array(Math.max(total, Math.min(2 * total, this.#maxBytes)));
      grown.set(this.#buffer.subarray(0, this.#length));
      this.#buffer = grown;
    }
    this.#buffer.set(bytes, this.#length);
    this.#length = total;
  }

  /** Gives the message away, and starts the next. */
  take(): Uint8Array {
    const message = this.#buffer.subarray(0, this.#length);
    this.#buffer = NOTHING;
    this.#length = 0;
    return message;
  }
}

const NOTHING = /* @__PURE__ */ new Uint8Array(0);
