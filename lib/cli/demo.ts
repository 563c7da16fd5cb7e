/**
 * What the demo's two ends agree on, and what its server does with what it receives.
 *
 * @module
 */

/** The heartbeat of the raw protocol, with nothing around it. */
export const TOKEN = "heartbeat";
/** The line that asks for a sign of life. */
export const PING = "PING";
/** The line that answers. */
export const PONG = "PONG";

const A = 0x61, Z = 0x7a, CASE = 0x20;

/**
 * Turns the ASCII letters of `bytes` into upper case, in place, and returns `bytes`. Letters of other alphabets
 * stay as they are, and so does a UTF-8 character of which only a part is here: none of its bytes is ASCII.
 */
export function upperCase(bytes: Uint8Array): Uint8Array {
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i]!;
    if (byte >= A && byte <= Z) bytes[i] = byte - CASE;
  }
  return bytes;
}

/** Turns the ASCII letters of `line` into upper case, and nothing else. */
export function upperCaseLine(line: string): string {
  return line.replace(/[a-z]+/g, (letters) => letters.toUpperCase());
}
