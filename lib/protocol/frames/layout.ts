/**
 * The bytes of the frame protocol: what a frame begins with, its types and their bounds. `docs/protocol.md` tells it all.
 *
 * @module
 */

/** Magic and version, the first bytes of each direction. The first is neither text, nor TLS, nor the start of a frame. */
export const PREAMBLE: Uint8Array = /* @__PURE__ */ Uint8Array.of(0xf0, 0x48, 0x46, 1);

/** Type and flags in one byte, the length of what follows in two, the larger first. */
export const HEADER_BYTES = 3;

/** Longest payload of a frame. No ping waits behind more than this. */
export const MAX_PAYLOAD = 0xffff;

/** A frame's type, in the upper half of its first byte. */
export const Type = {
  hello: 1,
  data: 2,
  ping: 3,
  pong: 4,
  ack: 5,
  drain: 6,
  close: 7,
} as const;

/** Flags of a data frame, in the lower half of its first byte: the message is text; this is not its last piece. */
export const TEXT = 1;
export const MORE = 2;

/** Bytes of a nonce, of a proof, of what each end adds to the name of the connection, and of a session's ticket. */
export const NONCE_BYTES = 8;
export const PROOF_BYTES = 32;
export const RANDOM_BYTES = 16;
export const TICKET_ID_BYTES = 8;
export const TICKET_SECRET_BYTES = 16;

/** Longest text in a drain or close frame. */
export const MAX_TEXT_BYTES = 255;

/** Longest duration that a frame can tell, in milliseconds: 49 days. */
export const MAX_DURATION = 0xffff_ffff;

/** Makes a frame with room for `size` bytes of payload. */
export function frame(type: number, flags: number, size: number): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + size);
  putHeader(bytes, 0, type, flags, size);
  return bytes;
}

/** Writes the header of a frame with `size` bytes of payload. */
export function putHeader(bytes: Uint8Array, at: number, type: number, flags: number, size: number): void {
  bytes[at] = type << 4 | flags;
  bytes[at + 1] = size >> 8;
  bytes[at + 2] = size & 0xff;
}

/** Writes a number of 32 bits, the largest byte first. */
export function putUint32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

/** Reads a number of 32 bits. */
export function uint32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! * 0x100_0000) + (bytes[at + 1]! << 16 | bytes[at + 2]! << 8 | bytes[at + 3]!);
}

/** Writes a number of 64 bits, of which no more than 53 are used. */
export function putUint64(bytes: Uint8Array, at: number, value: number): void {
  putUint32(bytes, at, Math.floor(value / 2 ** 32));
  putUint32(bytes, at + 4, value % 2 ** 32);
}

/** Reads a number of 64 bits; one that does not fit a JavaScript number comes out as `Infinity`. */
export function uint64(bytes: Uint8Array, at: number): number {
  const high = uint32(bytes, at);
  return high >= 2 ** 21 ? Infinity : high * 2 ** 32 + uint32(bytes, at + 4);
}

/** A duration as a frame tells it: whole milliseconds, `0` for never. */
export function wireDuration(duration: number): number {
  if (!(duration < Infinity)) return 0;
  return Math.min(Math.max(Math.ceil(duration), 0), MAX_DURATION);
}
