import { test } from "node:test";
import { assertEquals, assertThrows } from "@std/assert";
import { IntervalSearch } from "../../lib/liveness/interval.ts";

/** Runs a search on a path that forgets connections which are quiet for more than `limit`. */
function learn(limit: number, range = { min: 100, max: 2_000 }): number[] {
  const search = new IntervalSearch(range), tried: number[] = [];
  for (let i = 0; i < 100; i++) {
    const { current } = search;
    if (tried.at(-1) !== current) tried.push(current);
    if (current <= limit) search.succeeded(current);
    else search.failed(current);
  }
  return tried;
}

test("IntervalSearch goes up step by step as long as the path holds, to the longest", () => {
  assertEquals(learn(Infinity), [100, 150, 225, 337.5, 506.25, 759.375, 1_139.0625, 1_708.59375, 2_000]);
});

test("IntervalSearch falls back below a failure, for good", () => {
  assertEquals(learn(400), [100, 150, 225, 337.5, 506.25, 337.5]);
});

test("IntervalSearch takes three successes for a step, and a failure between them does not count as one", () => {
  const search = new IntervalSearch({ min: 100, max: 1_000 });
  assertEquals([1, 2, 3].map(() => search.succeeded(100)), [false, false, true]);
  assertEquals(search.current, 150);
});

test("IntervalSearch learns nothing from shorter silences, nor from a failure at the shortest interval", () => {
  const search = new IntervalSearch({ min: 100, max: 1_000 });
  for (let i = 0; i < 10; i++) search.succeeded(99);
  search.failed(100);
  assertEquals(search.current, 100);
  for (let i = 0; i < 3; i++) search.succeeded(100);
  assertEquals(search.current, 150);
});

test("IntervalSearch goes further down when what held before breaks later", () => {
  const search = new IntervalSearch({ min: 100, max: 1_000 });
  for (let i = 0; i < 4; i++) search.succeeded(search.current);
  search.failed(search.current);
  assertEquals(search.current, 100);
});

test("IntervalSearch rejects what is no range", () => {
  assertThrows(() => new IntervalSearch({ min: 0, max: 1 }), RangeError, `"min" must be > 0`);
  assertThrows(() => new IntervalSearch({ min: 2, max: 1 }), RangeError, `"max" must be >= 2`);
  assertThrows(() => new IntervalSearch({ min: 2, max: Infinity }), RangeError, "current value is Infinity");
});
