import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { Outbox } from "../../lib/session/outbox.ts";

const bytes = (...values: number[]) => Uint8Array.from(values);

test("A new outbox keeps nothing", () => {
  const outbox = new Outbox();
  assertEquals([outbox.size, outbox.bytes, outbox.acknowledged, outbox.messages], [0, 0, 0, []]);
});

test("What is added is kept in order, and counted in bytes, until it is acknowledged", () => {
  const outbox = new Outbox();
  outbox.add([bytes(1)]);
  outbox.add([bytes(2, 2), bytes(2)]);
  outbox.add([bytes(3)]);
  assertEquals([outbox.size, outbox.bytes], [3, 5]);
  assert(outbox.acknowledge(2));
  assertEquals([outbox.size, outbox.bytes, outbox.acknowledged], [1, 1, 2]);
  assertEquals(outbox.messages, [[bytes(3)]]);
});

test("An acknowledgement may repeat the last one, and reach up to the last message, but no farther either way", () => {
  const outbox = new Outbox();
  for (let i = 0; i < 3; i++) outbox.add([bytes(i)]);
  assert(outbox.acknowledge(0));
  assert(outbox.acknowledge(1));
  assert(outbox.acknowledge(1));
  assert(!outbox.acknowledge(0));
  assert(!outbox.acknowledge(4));
  assertEquals([outbox.size, outbox.acknowledged], [2, 1]);
  assert(outbox.acknowledge(3));
  assertEquals([outbox.size, outbox.bytes, outbox.acknowledged], [0, 0, 3]);
  assert(!outbox.acknowledge(4));
});

test("An outbox goes on where another stopped", () => {
  const outbox = new Outbox(7, [[bytes(8)], [bytes(9)]]);
  assertEquals([outbox.acknowledged, outbox.size, outbox.bytes], [7, 2, 2]);
  assert(!outbox.acknowledge(6));
  assert(outbox.acknowledge(8));
  assertEquals(outbox.messages, [[bytes(9)]]);
  assert(!outbox.acknowledge(10));
});

test("clear() lets go of everything as acknowledged", () => {
  const outbox = new Outbox();
  outbox.add([bytes(1)]);
  outbox.add([bytes(2)]);
  outbox.clear();
  assertEquals([outbox.size, outbox.bytes, outbox.acknowledged], [0, 0, 2]);
});

test("A long queue that is never empty keeps its order, and its numbers", () => {
  const outbox = new Outbox();
  let sent = 0;
  const add = () => outbox.add([Uint8Array.from([sent >> 8, sent++ & 255])]);
  for (let i = 0; i < 1_500; i++) add();
  for (let acknowledged = 1; acknowledged <= 4_000; acknowledged++) {
    assert(outbox.acknowledge(acknowledged));
    add();
    assertEquals([outbox.size, outbox.bytes], [1_500, 3_000]);
  }
  const numbers = outbox.messages.map(([message]) => message![0]! << 8 | message![1]!);
  assertEquals(numbers, Array.from({ length: 1_500 }, (_, i) => 4_000 + i));
});
