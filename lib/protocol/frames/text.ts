/**
 * Text in frames, and what a peer says that does not speak frames.
 *
 * @module
 */

import { ProtocolError } from "../../errors.ts";
import { MAX_TEXT_BYTES, PREAMBLE } from "./layout.ts";

const encoder = /* @__PURE__ */ new TextEncoder();
const decoder = /* @__PURE__ */ new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The text that `bytes` are. @throws {ProtocolError} If they are not UTF-8; `what` is the subject of its message. */
export function decoded(bytes: Uint8Array, what: string): string {
  try {
    return decoder.decode(bytes);
  } catch (cause) {
    throw new ProtocolError(`${what} must be UTF-8`, { cause });
  }
}

/** As much of `text` as a frame may hold, as UTF-8. */
export function shortText(text: string): Uint8Array {
  const bytes = new Uint8Array(MAX_TEXT_BYTES);
  return bytes.subarray(0, encoder.encodeInto(text, bytes).written);
}

/** Says what a peer seems to speak that does not speak frames. */
export function strange(chunk: Uint8Array, at: number, byte: number): ProtocolError {
  const start = decoderOfAnything.decode(chunk.subarray(0, 8));
  const guess = at === PREAMBLE.length - 1
    ? `version ${byte} of frames`
    : /^[A-Z]{3,7} /.test(start) || start.startsWith("HTTP/")
    ? "HTTP"
    : chunk[0] === 0x16 && chunk[1] === 3
    ? "TLS"
    : undefined;
  const seen = guess === undefined ? `byte ${at} is ${byte}` : `the peer seems to speak ${guess}`;
  return new ProtocolError(`A peer must begin with F0 48 46 01 (frames, version 1): ${seen}`);
}

const decoderOfAnything = /* @__PURE__ */ new TextDecoder("latin1");
