import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import type { Wire } from "../../lib/protocol/protocol.ts";
import { beginReceiving, endReceiving, TurnBatch } from "../../lib/connection/turn_batch.ts";

const SMALL = 16 * 1024;

function batch(): { batch: TurnBatch; sent: number[][]; sizes: number[] } {
  const sent: number[][] = [], sizes: number[] = [];
  const it = new TurnBatch({
    hand: (bytes) => {
      sizes.push(bytes.length);
      sent.push([...bytes.subarray(0, 8)]);
    },
  });
  return { batch: it, sent, sizes };
}

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

test("TurnBatch joins the small writes of one turn, in order", async () => {
  const { batch: it, sent } = batch();
  it.write(bytes(1, 2));
  it.write(bytes(3));
  it.write(bytes(4, 5));
  assertEquals([sent, it.bytes], [[], 5]);
  await undefined;
  assertEquals([sent, it.bytes], [[[1, 2, 3, 4, 5]], 0]);
  it.write(bytes(6));
  await undefined;
  assertEquals(sent, [[1, 2, 3, 4, 5], [6]]);
});

test("TurnBatch hands one small write over as it is", async () => {
  const handed: Uint8Array[] = [];
  const it = new TurnBatch({ hand: (bytes) => handed.push(bytes) });
  const own = bytes(1);
  it.write(own);
  await undefined;
  assertEquals(handed.length, 1);
  assertEquals(handed[0] === own, true);
});

test("TurnBatch sends a large write at once, after what came before it", () => {
  const { batch: it, sizes } = batch();
  it.write(bytes(1));
  it.write(new Uint8Array(SMALL + 1));
  assertEquals(sizes, [1, SMALL + 1]);
  assertEquals(it.bytes, 0);
});

test("TurnBatch does not let more than 16 KiB wait", () => {
  const { batch: it, sizes } = batch();
  it.write(new Uint8Array(SMALL));
  assertEquals(sizes, []);
  it.write(bytes(1));
  assertEquals(sizes, [SMALL + 1]);
});

test("TurnBatch.flush() sends at once, and the end of the turn sends nothing more", async () => {
  const { batch: it, sent } = batch();
  it.write(bytes(1));
  it.flush();
  it.flush();
  await undefined;
  assertEquals(sent, [[1]]);
});

test("TurnBatch.clear() drops what waits", async () => {
  const { batch: it, sent } = batch();
  it.write(bytes(1));
  it.clear();
  assertEquals(it.bytes, 0);
  await undefined;
  assertEquals(sent, []);
  it.write(bytes(2));
  await undefined;
  assertEquals(sent, [[2]]);
});

test("While a chunk is lent nothing is sent; at its end all batches are at once", async () => {
  const a = batch(), b = batch();
  beginReceiving();
  a.batch.write(bytes(1));
  b.batch.write(bytes(2));
  await undefined;
  assertEquals([a.sent, b.sent], [[], []]);
  endReceiving();
  assertEquals([a.sent, b.sent], [[[1]], [[2]]]);
});

test("A chunk that is lent while another is leaves at its own end, and what was written before it too", async () => {
  const a = batch(), b = batch(), c = batch();
  beginReceiving();
  a.batch.write(bytes(1));
  beginReceiving();
  b.batch.write(bytes(2));
  endReceiving();
  assertEquals([a.sent, b.sent], [[[1]], [[2]]]);
  c.batch.write(bytes(3));
  await undefined;
  assertEquals(c.sent, []);
  endReceiving();
  assertEquals(c.sent, [[3]]);
});

test("TurnBatch waits for more if there is to be more, but not for long", async () => {
  const { batch: it, sent } = batch();
  it.write(bytes(1), true);
  for (let i = 0; i < 4; i++) await undefined;
  assertEquals(sent, []);
  it.write(bytes(2), true);
  for (let i = 0; i < 4; i++) await undefined;
  assertEquals(sent, []);
  // The last one.
  it.write(bytes(3));
  await undefined;
  assertEquals(sent, [[1, 2, 3]]);
  // One after which nothing follows, whatever was said.
  it.write(bytes(4), true);
  for (let i = 0; i < 20; i++) await undefined;
  assertEquals([sent, it.bytes], [[[1, 2, 3], [4]], 0]);
});

test("A TurnBatch that waits for more holds no other up", async () => {
  const one = batch(), other = batch();
  one.batch.write(bytes(1), true);
  other.batch.write(bytes(2));
  await undefined;
  assertEquals([one.sent, other.sent], [[], [[2]]]);
  one.batch.flush();
  assertEquals(one.sent, [[1]]);
});

test("While a chunk is lent nobody waits for more, not even who did already", () => {
  const one = batch(), other = batch();
  one.batch.write(bytes(1), true);
  beginReceiving();
  one.batch.write(bytes(2), true);
  other.batch.write(bytes(3), true);
  endReceiving();
  assertEquals([one.sent, other.sent], [[[1, 2]], [[3]]]);
});

/** Writes a message as it is, if it has at most 1000 bytes. */
const plain: Wire<never, Uint8Array> = {
  unfinished: 0,
  receive() {},
  end() {},
  encode: (message) => message,
  encodeInto(message, space, at) {
    if (message.length > 1_000) return -1;
    space.set(message, at);
    return at + message.length;
  },
};

test("TurnBatch puts short messages side by side, in order with all else, and apart from other connections'", async () => {
  const one = batch(), other = batch();
  assertEquals(one.batch.put(plain, bytes(1, 2), false), 2);
  one.batch.put(plain, bytes(3), false);
  one.batch.write(bytes(4));
  one.batch.put(plain, bytes(5), false);
  other.batch.put(plain, bytes(9), false);
  one.batch.put(plain, bytes(6), false);
  assertEquals([one.batch.bytes, other.batch.bytes], [6, 1]);
  await undefined;
  assertEquals([one.sent, other.sent], [[[1, 2, 3, 4, 5, 6]], [[9]]]);
});

test("TurnBatch puts nothing that the wire refuses, and what was dropped does not come back", async () => {
  const { batch: it, sent } = batch();
  assertEquals(it.put(plain, new Uint8Array(1_001), false), -1);
  it.put(plain, bytes(1), false);
  it.clear();
  it.put(plain, bytes(2), false);
  it.flush();
  it.put(plain, bytes(3), false);
  await undefined;
  assertEquals(sent, [[2], [3]]);
});

test("What TurnBatch has given away is not written to again", () => {
  const given: Uint8Array[] = [];
  const it = new TurnBatch({ hand: (bytes) => void given.push(bytes) });
  for (let i = 0; i < 300; i++) {
    it.put(plain, new Uint8Array(1 + i % 999).fill(i), false);
    it.put(plain, new Uint8Array(1 + i * 7 % 999).fill(i), false);
    it.flush();
  }
  assertEquals(given.length, 300);
  given.forEach((bytes, i) => assertEquals(bytes, new Uint8Array(2 + i % 999 + i * 7 % 999).fill(i)));
});

test("TurnBatch sends what was put once it is much", () => {
  const { batch: it, sizes } = batch();
  for (let i = 0; i < 40; i++) {
    it.put(plain, new Uint8Array(1_000), false);
    it.settle();
  }
  it.flush();
  assertEquals(sizes.reduce((sum, size) => sum + size), 40_000);
  assert(sizes.every((size) => size <= SMALL + 1_000), `${sizes}`);
});
