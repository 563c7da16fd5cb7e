/**
 * The frame protocol of Holdfast: messages with borders, negotiated heartbeats that can be keyed, sessions, and ends that
 * say why. `docs/protocol.md` describes it byte by byte, with test vectors.
 *
 * @module
 */

import { count } from "../checked.ts";
import type { Protocol } from "./protocol.ts";
import { readBack } from "./frames/pieces.ts";
import { FramesWire } from "./frames/wire.ts";

/** Options for {@linkcode frames}. Sizes are in bytes. */
export interface FramesOptions {
  /**
   * Longest message that is taken. The peer is told, and its longer ones are refused when it sends them.
   *
   * @default {1_048_576}
   */
  readonly maxMessageBytes?: number;
  /**
   * Messages of 64 KiB or more are sent in pieces of so many bytes, so that a ping never waits behind a long message; at
   * most 65 535.
   *
   * @default {16_384}
   */
  readonly pieceBytes?: number;
  /**
   * A secret of at least 16 bytes that both ends know. Then only a pong that proves it (HMAC-SHA-256) is a sign of life,
   * so that heartbeats cannot be forged, replayed or reflected. It protects the heartbeats, not the messages: that is
   * what TLS is for.
   */
  readonly key?: Uint8Array | string;
  /** Fills an array with random bytes; for tests. @default {crypto.getRandomValues} */
  readonly fillRandom?: (bytes: Uint8Array) => void;
}

/** Shortest key. RFC 2104 wants no less than the hash is long for full strength; 16 bytes cannot be guessed. */
const MIN_KEY_BYTES = 16;

/** Fewest bytes in a piece: smaller ones would be more header than message. */
const MIN_PIECE_BYTES = 64;

/**
 * Messages in frames: `Uint8Array` and strings arrive as what they were sent as.
 *
 * Both ends must speak it. They greet first, so `connect()` is fulfilled, and a server's handler called, once the peer has
 * said hello. A peer that breaks the rules, or speaks something else, ends with `protocol-error`.
 *
 * @throws {TypeError | RangeError} If an option is not what it may be.
 *
 * @example
 * ```ts
 * import { connect, frames, serve } from "@holdfast/holdfast";
 * import { strictEqual } from "node:assert/strict";
 *
 * await using server = await serve({ port: 0, protocol: frames() }, (connection) => {
 *   connection.onMessage = (message) => connection.send(message);
 * });
 * await using connection = await connect(server.address, { protocol: frames() });
 * await connection.send("hello");
 * for await (const message of connection) {
 *   strictEqual(message, "hello");
 *   break;
 * }
 * ```
 */
export function frames(options: FramesOptions = {}): Protocol<Uint8Array | string> {
  const { maxMessageBytes = 1 << 20, pieceBytes = 16 << 10, fillRandom = systemRandom } = options;
  const rules = {
    maxMessageBytes: count("use frames", "maxMessageBytes", maxMessageBytes),
    pieceBytes: count("use frames", "pieceBytes", pieceBytes, MIN_PIECE_BYTES),
    key: keyOf(options.key),
    fillRandom,
  };
  if (pieceBytes > 0xffff) {
    throw new RangeError(
      `Cannot use frames as "pieceBytes" must be <= 65535: current value is ${pieceBytes}`,
    );
  }
  return {
    name: "frames",
    answersPings: true,
    greets: true,
    key: rules.key,
    fillRandom,
    readBack,
    open: (role = "client") => new FramesWire(role, rules),
  };
}

function keyOf(key: Uint8Array | string | undefined): Uint8Array | undefined {
  if (key === undefined) return undefined;
  if (typeof key !== "string" && !(key instanceof Uint8Array)) {
    throw new TypeError(`Cannot use frames as "key" must be a Uint8Array or a string: it is ${typeof key}`);
  }
  const bytes = typeof key === "string" ? new TextEncoder().encode(key) : Uint8Array.from(key);
  if (bytes.length >= MIN_KEY_BYTES) return bytes;
  throw new RangeError(
    `Cannot use frames as "key" must be >= ${MIN_KEY_BYTES} bytes long: current length is ${bytes.length}`,
  );
}

function systemRandom(bytes: Uint8Array): void {
  crypto.getRandomValues(bytes as Uint8Array<ArrayBuffer>);
}
