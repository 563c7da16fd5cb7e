/**
 * What is lent to a handler just now, whichever transport lends it: a socket of another kind that has some of it wait to be
 * written makes a copy. (One of the same kind knows a cheaper way.)
 *
 * @module
 */

let lent: Uint8Array | undefined;

/** Says which memory is lent from now on; `undefined` for none. Returns what was lent before. */
export function lend(memory: Uint8Array | undefined): Uint8Array | undefined {
  const before = lent;
  lent = memory;
  return before;
}

/** `bytes`, or a copy if they are of memory that is lent. */
export function owned(bytes: Uint8Array): Uint8Array {
  return lent !== undefined && bytes.buffer === lent.buffer ? new Uint8Array(bytes) : bytes;
}
