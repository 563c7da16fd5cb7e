/**
 * A read buffer grows, shrinks, and never touches what was kept.
 *
 * @module
 */

import { test } from "node:test";
import { assert, assertEquals, assertNotStrictEquals, assertStrictEquals } from "@std/assert";
import { ReadBuffer } from "../../lib/transport/read_buffer.ts";

const KiB = 1024;

test("ReadBuffer is small at first, and grows on full reads up to 64 KiB", () => {
  const buffer = new ReadBuffer();
  const sizes = [];
  for (let i = 0; i < 5; i++) {
    sizes.push(buffer.space.length);
    buffer.reuse(buffer.space.length);
  }
  assertEquals(sizes, [KiB, 4 * KiB, 16 * KiB, 64 * KiB, 64 * KiB]);
});

test("ReadBuffer reuses its memory while the size fits", () => {
  const buffer = new ReadBuffer();
  const { space } = buffer;
  for (let i = 0; i < 100; i++) buffer.reuse(1 + i);
  assertStrictEquals(buffer.space, space);
});

test("ReadBuffer shrinks after four small reads in a row, and not before", () => {
  const buffer = grown();
  for (let i = 0; i < 3; i++) buffer.reuse(8 * KiB);
  buffer.reuse(8 * KiB + 1);
  for (let i = 0; i < 3; i++) buffer.reuse(8 * KiB);
  assertEquals(buffer.space.length, 64 * KiB);
  buffer.reuse(8 * KiB);
  assertEquals(buffer.space.length, 16 * KiB);
  for (let i = 0; i < 8; i++) buffer.reuse(9);
  assertEquals(buffer.space.length, KiB);
});

test("ReadBuffer does not shrink to a size that the reads would fill", () => {
  const buffer = new ReadBuffer();
  buffer.reuse(KiB);
  for (let i = 0; i < 20; i++) buffer.reuse(KiB);
  assertEquals(buffer.space.length, 4 * KiB);
});

test("ReadBuffer.keep() goes on behind what was kept, and takes new memory in time", () => {
  const buffer = new ReadBuffer();
  const first = buffer.chunk(100);
  buffer.keep(100);
  assertStrictEquals(buffer.space.buffer, first.buffer);
  assertEquals([buffer.space.byteOffset, buffer.space.length], [100, KiB - 100]);
  buffer.keep(700);
  assertNotStrictEquals(buffer.space.buffer, first.buffer);
  assertEquals(buffer.space.length, KiB);
});

test("ReadBuffer keeps what was kept, whatever is read next", () => {
  const buffer = new ReadBuffer();
  const kept: [Uint8Array, number][] = [];
  let seed = 7;
  for (let i = 0; i < 5_000; i++) {
    seed = seed * 48_271 % 0x7fffffff;
    const most = buffer.space.length;
    assert(most > 0);
    const size = seed % 5 === 0 ? most : 1 + seed % Math.min(most, 300);
    buffer.space.fill(i, 0, size);
    if (seed % 3 === 0) {
      kept.push([buffer.chunk(size), i & 0xff]);
      buffer.keep(size);
    } else {
      buffer.reuse(size);
    }
  }
  for (const [chunk, value] of kept) assert(chunk.every((byte) => byte === value));
});

test("ReadBuffer.renew() leaves all memory to others", () => {
  const buffer = new ReadBuffer();
  const { space } = buffer;
  buffer.renew();
  assertNotStrictEquals(buffer.space.buffer, space.buffer);
});

function grown(): ReadBuffer {
  const buffer = new ReadBuffer();
  for (let i = 0; i < 3; i++) buffer.reuse(buffer.space.length);
  assertEquals(buffer.space.length, 64 * KiB);
  return buffer;
}
