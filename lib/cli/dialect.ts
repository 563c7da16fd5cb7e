/**
 * How messages of a protocol come from standard input and go to standard output.
 *
 * @module
 */

import { ProtocolError } from "../errors.ts";
import { lines } from "../protocol/lines.ts";
import type { Protocol } from "../protocol/protocol.ts";
import { raw } from "../protocol/raw.ts";
import { PING, PONG, TOKEN } from "./demo.ts";
import { Failure } from "./failure.ts";

/** One protocol, as the standard streams see it. */
export interface Dialect<In, Out> {
  /** To be given to `connect()`, once. */
  readonly protocol: Protocol<In, Out>;
  /** The messages in the next bytes of the input. @throws {Failure} If they cannot be messages. */
  split(bytes: Uint8Array): Iterable<Out>;
  /** The messages that the end of the input completes. @throws {Failure} If it completes none. */
  rest(): Iterable<Out>;
  /** A message as it is printed. */
  show(message: In): Uint8Array | string;
}

/** Bytes as they come. */
export function rawDialect(match: "chunk" | "anywhere"): Dialect<Uint8Array, Uint8Array | string> {
  return {
    protocol: raw({ token: TOKEN, match, answer: true }),
    split: (bytes) => [bytes],
    rest: () => [],
    show: (bytes) => bytes,
  };
}

/** Lines of text. */
export function linesDialect(): Dialect<string, string> {
  return { protocol: lines({ ping: PING, pong: PONG }), ...lineByLine(), show: (line) => `${line}\n` };
}

/** Each line of the input a message of text, each message a line. */
export function framesDialect(
  protocol: Protocol<Uint8Array | string>,
): Dialect<Uint8Array | string, Uint8Array | string> {
  return {
    protocol,
    ...lineByLine(),
    show: (message) => typeof message === "string" ? `${message}\n` : Uint8Array.of(...message, 10),
  };
}

/** Cuts input into lines. */
function lineByLine(): Pick<Dialect<never, string>, "split" | "rest"> {
  // Nothing in the input is a heartbeat.
  const wire = lines({ ping: false, pong: false }).open();
  const read = (feed: (take: (line: string) => void) => void): string[] => {
    const found: string[] = [];
    try {
      feed((line) => found.push(line));
    } catch (error) {
      throw error instanceof ProtocolError ? new Failure(`standard input: ${error.message}`) : error;
    }
    return found;
  };
  const unused = { ping() {}, pong() {} };
  return {
    split: (bytes) => read((message) => wire.receive(bytes, { ...unused, message })),
    rest: () => read((message) => wire.end({ ...unused, message })),
  };
}
