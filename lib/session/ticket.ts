/**
 * Tickets of sessions: who has one may come back.
 *
 * @module
 */

import type { SessionTicket } from "../protocol/protocol.ts";

const ID_BYTES = 8;
const SECRET_BYTES = 16;

/** Fills an array with random bytes. */
export type FillRandom = (bytes: Uint8Array) => void;

/** Makes a ticket that nobody can guess. */
export function newTicket(fillRandom: FillRandom = systemRandom): SessionTicket {
  const id = new Uint8Array(ID_BYTES), secret = new Uint8Array(SECRET_BYTES);
  fillRandom(id);
  fillRandom(secret);
  return { id, secret };
}

/** By what a session is found: the id of its ticket in hexadecimal. */
export function nameOf({ id }: SessionTicket): string {
  let name = "";
  for (const byte of id) name += byte.toString(16).padStart(2, "0");
  return name;
}

/** Whether two secrets are the same. Takes as long whichever byte differs. */
export function sameSecret(a: Uint8Array, b: Uint8Array): boolean {
  let difference = a.length ^ b.length;
  for (let i = 0; i < a.length; i++) difference |= a[i]! ^ b[i % b.length]!;
  return difference === 0;
}

function systemRandom(bytes: Uint8Array): void {
  crypto.getRandomValues(bytes as Uint8Array<ArrayBuffer>);
}
