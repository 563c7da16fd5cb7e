/**
 * Messages that were sent and are not known to have arrived: numbered, kept, sent again.
 *
 * @module
 */

import type { Pieces } from "../protocol/protocol.ts";

/** A message as it goes over the wire: one array, or the pieces of a long one. */
export type Encoded = readonly Uint8Array[];

/** Makes of what a wire encoded something that can be kept, and sent more than once. */
export function encoded(bytes: Uint8Array | Pieces): Encoded {
  if (bytes instanceof Uint8Array) return [bytes];
  const pieces: Uint8Array[] = [];
  for (let piece = bytes.next(); piece !== undefined; piece = bytes.next()) pieces.push(piece);
  return pieces;
}

/** Makes of what was kept something that can be sent. */
export function outgoing(message: Encoded): Uint8Array | Pieces {
  return message.length === 1 ? message[0]! : new KeptPieces(message);
}

/** What one end of a session has sent, and the other has not acknowledged. */
export class Outbox {
  /** The messages, from `#head` on. */
  #messages: Encoded[] = [];
  #head = 0;
  #acknowledged: number;
  #bytes = 0;

  /** @param acknowledged How many messages of the session have been acknowledged before these. */
  constructor(acknowledged = 0, messages: readonly Encoded[] = []) {
    this.#acknowledged = acknowledged;
    for (const message of messages) this.add(message);
  }

  /** Bytes that are kept. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Messages that are kept. */
  get size(): number {
    return this.#messages.length - this.#head;
  }

  /** How many messages of the session have been acknowledged. */
  get acknowledged(): number {
    return this.#acknowledged;
  }

  /** The messages that are kept, in order. */
  get messages(): readonly Encoded[] {
    return this.#messages.slice(this.#head);
  }

  /** Keeps a message. */
  add(message: Encoded): void {
    this.#messages.push(message);
    this.#bytes += sizeOf(message);
  }

  /**
   * Lets go of the messages up to number `count`.
   *
   * @returns `false`, and does nothing, if that is more than were sent, or less than were acknowledged before.
   */
  acknowledge(count: number): boolean {
    const acknowledged = count - this.#acknowledged;
    if (acknowledged < 0 || acknowledged > this.size) return false;
    for (let i = 0; i < acknowledged; i++) {
      this.#bytes -= sizeOf(this.#messages[this.#head]!);
      this.#messages[this.#head++] = GONE;
    }
    this.#acknowledged = count;
    if (this.#head === this.#messages.length) {
      this.#messages = [];
      this.#head = 0;
    } else if (this.#head >= 1024 && this.#head * 2 >= this.#messages.length) {
      this.#messages.splice(0, this.#head);
      this.#head = 0;
    }
    return true;
  }

  /** Lets go of everything, as sent and of no more concern. */
  clear(): void {
    this.acknowledge(this.#acknowledged + this.size);
  }
}

const GONE: Encoded = [];

function sizeOf(message: Encoded): number {
  let size = 0;
  for (const { length } of message) size += length;
  return size;
}

/** Pieces that are kept, given once more. */
class KeptPieces implements Pieces {
  readonly #pieces: Encoded;
  #at = 0;
  left: number;

  constructor(pieces: Encoded) {
    this.#pieces = pieces;
    this.left = sizeOf(pieces);
  }

  next(): Uint8Array | undefined {
    const piece = this.#pieces[this.#at++];
    this.left -= piece?.length ?? 0;
    return piece;
  }
}
