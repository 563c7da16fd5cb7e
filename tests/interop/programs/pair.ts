/**
 * What the two ends of a pair agree on.
 *
 * @module
 */

import type { ConnectionErrorCode, ErrorOrigin } from "../../../mod.ts";

/** How often each end of the raw server's connections owes the other a heartbeat, in milliseconds. */
export const SEND_EVERY = 100;

/** After how much silence each end of the lines server's connections asks the other, in milliseconds. */
export const INTERVAL = 100;

/** Bytes of the long message. */
export const SIZE = 8 * 1024 * 1024;

/** What one end tells of a connection that has ended. */
export interface EndReport {
  readonly code: ConnectionErrorCode;
  readonly origin: ErrorOrigin;
  readonly bytesReceived: number;
  readonly messagesReceived: number;
  readonly beatsReceived: number;
  readonly pongsReceived: number;
}

/** Where a server of a pair listens. */
export interface Ports {
  readonly raw: number;
  readonly lines: number;
}

/** `size` bytes without a pattern that a lost or doubled piece could hide in; a third of them are letters. */
export function payload(size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  for (let i = 0, state = 1; i < size; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

/** Turns the ASCII letters of `bytes` into upper case, in place. */
export function upperCase(bytes: Uint8Array): Uint8Array {
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i]!;
    if (byte >= 0x61 && byte <= 0x7a) bytes[i] = byte - 0x20;
  }
  return bytes;
}
