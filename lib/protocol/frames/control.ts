/**
 * The frames that are no messages, as bytes.
 *
 * @module
 */

import type { DrainNotice, Farewell, Role } from "../protocol.ts";
import {
  frame,
  HEADER_BYTES,
  NONCE_BYTES,
  putUint32,
  putUint64,
  RANDOM_BYTES,
  Type,
  wireDuration,
} from "./layout.ts";
import { shortText } from "./text.ts";

/** Asks, with a nonce. */
export function pingFrame(nonce: Uint8Array): Uint8Array {
  const bytes = frame(Type.ping, 0, NONCE_BYTES);
  bytes.set(nonce, HEADER_BYTES);
  return bytes;
}

/** Answers a nonce, with a proof if there is a key. */
export function pongFrame(nonce: Uint8Array, proof: Uint8Array | undefined): Uint8Array {
  const bytes = frame(Type.pong, 0, NONCE_BYTES + (proof?.length ?? 0));
  bytes.set(nonce, HEADER_BYTES);
  if (proof !== undefined) bytes.set(proof, HEADER_BYTES + NONCE_BYTES);
  return bytes;
}

/** Acknowledges `count` messages. */
export function ackFrame(count: number): Uint8Array {
  const bytes = frame(Type.ack, 0, 8);
  putUint64(bytes, HEADER_BYTES, count);
  return bytes;
}

/** Sends the peer elsewhere. */
export function drainFrame({ within, retryAfter, to }: DrainNotice): Uint8Array {
  const text = shortText(to);
  const bytes = frame(Type.drain, 0, 8 + text.length);
  putUint32(bytes, HEADER_BYTES, wireDuration(within));
  putUint32(bytes, HEADER_BYTES + 4, wireDuration(retryAfter));
  bytes.set(text, HEADER_BYTES + 8);
  return bytes;
}

/** Ends. */
export function closeFrame({ code, text, retryAfter }: Farewell): Uint8Array {
  const words = shortText(text);
  const bytes = frame(Type.close, 0, 6 + words.length);
  bytes[HEADER_BYTES] = code >> 8;
  bytes[HEADER_BYTES + 1] = code;
  putUint32(bytes, HEADER_BYTES + 2, wireDuration(retryAfter));
  bytes.set(words, HEADER_BYTES + 6);
  return bytes;
}

/** What the proof of a heartbeat is computed over begins with this, so that it is good for nothing else. */
const LABEL = /* @__PURE__ */ new TextEncoder().encode("holdfast heartbeat 1");

/** What the answer of `by` to `nonce` proves the key with, on the connection that both randoms name. */
export function challengeOf(by: Role, client: Uint8Array, server: Uint8Array, nonce: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(LABEL.length + 1 + 2 * RANDOM_BYTES + NONCE_BYTES);
  bytes.set(LABEL);
  let at = LABEL.length;
  bytes[at++] = by === "client" ? 0x43 : 0x53;
  bytes.set(client, at);
  bytes.set(server, at + RANDOM_BYTES);
  bytes.set(nonce, at + 2 * RANDOM_BYTES);
  return bytes;
}
