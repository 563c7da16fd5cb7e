/**
 * What the demo server does with what it receives.
 *
 * @module
 */

import { test } from "node:test";
import { assertEquals, assertStrictEquals } from "@std/assert";
import { upperCase, upperCaseLine } from "../../lib/cli/demo.ts";

test("upperCase() changes the 26 letters, in place, and no other byte", () => {
  const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
  const expected = bytes.map((byte) => byte >= 97 && byte <= 122 ? byte - 32 : byte);
  assertStrictEquals(upperCase(bytes), bytes);
  assertEquals(bytes, expected);
});

test("upperCase() leaves a split UTF-8 character whole", () => {
  const bytes = new TextEncoder().encode("straße é 心");
  const halves = [bytes.slice(0, 5), bytes.slice(5, 10), bytes.slice(10)].map(upperCase);
  const joined = new Uint8Array(halves.flatMap((half) => [...half]));
  assertStrictEquals(new TextDecoder("utf-8", { fatal: true }).decode(joined), "STRAßE é 心");
});

test("upperCaseLine() changes ASCII letters only", () => {
  assertStrictEquals(upperCaseLine("az AZ 09 straße é ŉ"), "AZ AZ 09 STRAßE é ŉ");
});
