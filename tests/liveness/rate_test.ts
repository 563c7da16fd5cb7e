import { test } from "node:test";
import { assertEquals, assertThrows } from "@std/assert";
import { TokenBucket } from "../../lib/liveness/rate.ts";

test("TokenBucket lets a burst through, then keeps the rate, to the millisecond", () => {
  const bucket = new TokenBucket(0, { perSecond: 10, burst: 3 });
  assertEquals([0, 0, 0, 0].map((now) => bucket.take(now)), [true, true, true, false]);
  assertEquals([99, 100, 199, 200].map((now) => bucket.take(now)), [false, true, false, true]);
});

test("TokenBucket saves up no more than a burst", () => {
  const bucket = new TokenBucket(0, { perSecond: 1_000, burst: 2 });
  assertEquals([1e9, 1e9, 1e9].map((now) => bucket.take(now)), [true, true, false]);
});

test("TokenBucket holds a second's worth unless told otherwise, and at least one", () => {
  const taken = (perSecond: number) => {
    const bucket = new TokenBucket(0, { perSecond });
    let n = 0;
    while (bucket.take(0)) n++;
    return n;
  };
  assertEquals([taken(5), taken(0.1)], [5, 1]);
});

test("TokenBucket keeps its rate over many small steps", () => {
  const bucket = new TokenBucket(0, { perSecond: 100, burst: 1 });
  let taken = 0;
  for (let i = 1; i <= 100_000; i++) if (bucket.take(i * 0.7)) taken++;
  assertEquals(Math.abs(taken - 7_000) <= 70 * 10, true, `${taken}`);
});

test("TokenBucket rejects what is no rate", () => {
  assertThrows(() => new TokenBucket(0, { perSecond: 0 }), RangeError, `"perSecond" must be > 0`);
  assertThrows(() => new TokenBucket(0, { perSecond: 1, burst: 0.5 }), RangeError, `"burst" must be >= 1`);
});
