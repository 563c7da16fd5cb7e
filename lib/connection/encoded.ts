/**
 * Messages that are encoded and kept, to be sent later, or more than once: they refer to nothing that others may change.
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

/** Bytes of a message. */
export function sizeOf(message: Encoded): number {
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
