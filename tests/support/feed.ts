/**
 * Feeds decoders.
 *
 * @module
 */

import type { Wire } from "../../lib/protocol/protocol.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** The UTF-8 bytes of `string`. */
export const text = (string: string): Uint8Array => encoder.encode(string);

/** Cuts `bytes` at the places in `cuts`, as far as they lie inside. */
export function splitAt(bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const places = [...new Set([0, ...cuts.filter((at) => at < bytes.length), bytes.length])].sort((a, b) =>
    a - b
  );
  return places.slice(1).map((to, i) => bytes.slice(places[i]!, to)).filter(({ length }) => length > 0);
}

/** Runs chunks through a wire, and its end: messages as text, "*" for a ping, "+" for a pong. */
export function feed<In extends Uint8Array | string>(
  wire: Wire<In, never>,
  chunks: readonly Uint8Array[],
): string[] {
  const out: string[] = [];
  const events = {
    message: (message: In, size: number) => {
      const string = typeof message === "string" ? message : decoder.decode(message);
      if (typeof message !== "string" && size !== message.length) throw new Error(`size is ${size}`);
      out.push(string);
    },
    ping: () => void out.push("*"),
    pong: () => void out.push("+"),
  };
  for (const chunk of chunks) {
    wire.receive(chunk, events);
    // A chunk is borrowed: what a wire keeps of it must be a copy.
    chunk.fill(0xff);
  }
  wire.end(events);
  return out;
}
