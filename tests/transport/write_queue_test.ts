/**
 * Bytes that wait: their order, their count, and what leaves together.
 *
 * @module
 */

import { test } from "node:test";
import { assertEquals, assertStrictEquals } from "@std/assert";
import { WriteQueue } from "../../lib/transport/write_queue.ts";

test("WriteQueue.shift() joins small chunks, and leaves a single one as it is", () => {
  const queue = new WriteQueue();
  const only = Uint8Array.of(1, 2);
  queue.push(only);
  assertStrictEquals(queue.shift(), only);
  queue.push(Uint8Array.of(1));
  queue.push(Uint8Array.of(2, 3));
  queue.push(Uint8Array.of(4));
  assertEquals(queue.bytes, 4);
  assertEquals(queue.shift(), Uint8Array.of(1, 2, 3, 4));
  assertEquals(queue.bytes, 0);
  assertEquals(queue.shift(), undefined);
});

test("WriteQueue.shift() joins up to 64 KiB, and copies nothing that is larger", () => {
  const queue = new WriteQueue();
  const large = new Uint8Array(64 * 1024 + 1);
  for (const length of [1, 64 * 1024 - 1, 1]) queue.push(new Uint8Array(length));
  queue.push(large);
  queue.push(new Uint8Array(5));
  assertEquals(queue.shift()!.length, 64 * 1024);
  assertEquals(queue.shift()!.length, 1);
  assertStrictEquals(queue.shift(), large);
  assertEquals(queue.shift()!.length, 5);
});

test("WriteQueue.unshift() puts a rest first", () => {
  const queue = new WriteQueue();
  queue.push(Uint8Array.of(1, 2, 3));
  queue.unshift(queue.shift()!.subarray(1));
  assertEquals(queue.bytes, 2);
  queue.push(Uint8Array.of(4));
  assertEquals(queue.shift(), Uint8Array.of(2, 3, 4));
});

test("WriteQueue.clear() drops all", () => {
  const queue = new WriteQueue();
  queue.push(new Uint8Array(10));
  queue.clear();
  assertEquals([queue.bytes, queue.shift()], [0, undefined]);
});

test("WriteQueue keeps the order of many chunks, whatever the kernel takes of them", () => {
  const queue = new WriteQueue();
  let seed = 1;
  const draw = (below: number) => (seed = seed * 48_271 % 0x7fffffff) % below;
  let pushed = 0;
  let sent = 0;
  let bytes = 0;
  const byteAt = (at: number) => (at * 31 ^ at >> 8) & 0xff;
  for (let round = 0; round < 30_000; round++) {
    if (round < 20_000) {
      const length = draw(200) === 0 ? draw(200_000) : draw(40);
      if (length > 0) queue.push(Uint8Array.from({ length }, (_, i) => byteAt(pushed + i)));
      pushed += length;
      bytes += length;
    }
    if (draw(3) > 0 && round < 20_000) continue;
    const next = queue.shift();
    if (next === undefined) continue;
    const taken = 1 + draw(next.length);
    for (let i = 0; i < taken; i++) {
      if (next[i] !== byteAt(sent + i)) throw new Error(`byte ${sent + i} is wrong`);
    }
    sent += taken;
    bytes -= taken;
    if (taken < next.length) queue.unshift(next.subarray(taken));
    assertEquals(queue.bytes, bytes);
  }
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) sent += next.length;
  assertEquals(sent, pushed);
});
