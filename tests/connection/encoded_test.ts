import { test } from "node:test";
import { assertEquals, assertStrictEquals } from "@std/assert";
import { encoded, outgoing } from "../../lib/connection/encoded.ts";
import type { Pieces } from "../../lib/protocol/protocol.ts";

const bytes = (...values: number[]) => Uint8Array.from(values);

/** Pieces as a wire gives them. */
function pieces(...parts: Uint8Array[]): Pieces {
  let at = 0;
  return {
    get left() {
      return parts.slice(at).reduce((sum, { length }) => sum + length, 0);
    },
    next: () => parts[at++],
  };
}

/** All that `message` has to give. */
function drained(message: Pieces): number[][] {
  const all: number[][] = [];
  for (let piece = message.next(); piece !== undefined; piece = message.next()) all.push([...piece]);
  return all;
}

test("A message in one goes out as it is, one in pieces as pieces, and both as often as need be", () => {
  const one = bytes(1, 2);
  assertStrictEquals(outgoing(encoded(one)), one);
  const several = encoded(pieces(bytes(1), bytes(2, 3)));
  assertEquals(several, [bytes(1), bytes(2, 3)]);
  for (let i = 0; i < 2; i++) {
    const again = outgoing(several) as Pieces;
    assertEquals(again.left, 3);
    again.next();
    assertEquals(again.left, 2);
    assertEquals(drained(again), [[2, 3]]);
    assertEquals([again.left, again.next()], [0, undefined]);
  }
});
