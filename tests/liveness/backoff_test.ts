import { test } from "node:test";
import { assert, assertEquals, assertGreater, assertThrows } from "@std/assert";
import { backoff, type BackoffOptions } from "../../lib/liveness/backoff.ts";
import { seeded } from "../../lib/testing/seeded.ts";

/** The first delays without chance. */
const steps = (options: BackoffOptions, n: number): number[] =>
  Array.from({ length: n }, (_, attempt) => backoff(attempt, { jitter: 0, ...options }, () => 0.5));

test("backoff() doubles from 500 ms to 30 s unless told otherwise", () => {
  assertEquals(steps({}, 9), [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
});

test("backoff() takes other steps, and never exceeds the cap", () => {
  assertEquals(steps({ initial: 100, max: 1_000, factor: 3 }, 4), [100, 300, 900, 1_000]);
  assertEquals(steps({ initial: 100, max: 50 }, 2), [50, 50]);
  assertEquals(backoff(5_000, { jitter: 0 }, () => 0), 30_000, "2 ** 5000 is no number any more");
});

test("backoff() draws its jitter after the cap: at the tenth attempt the delays are still spread", () => {
  const random = seeded(33);
  const draws = Array.from({ length: 1_000 }, () => backoff(10, {}, random));
  assertGreater(new Set(draws).size, 500);
  assert(draws.every((delay) => delay > 0 && delay <= 30_000));
  const third = draws.filter((delay) => delay <= 10_000).length;
  assert(third > 250 && third < 420, `${third} of 1000 fell into the first third`);
});

test("backoff() leaves the share to chance that was asked for", () => {
  assertEquals([0, 0.5, 0.999].map((draw) => backoff(0, { initial: 1_000 }, () => draw)), [
    1_000,
    500,
    1_000 * (1 - 0.999),
  ]);
  assertEquals(backoff(0, { initial: 1_000, jitter: 0.2 }, () => 0.5), 900);
});

test("backoff() rejects what it cannot use", () => {
  const with_ = (options: BackoffOptions, attempt = 0) => () => backoff(attempt, options, () => 0);
  assertThrows(with_({}, -1), RangeError, `"attempt" must be a whole number >= 0: current value is -1`);
  assertThrows(with_({}, 1.5), RangeError, `"attempt" must be a whole number >= 0: current value is 1.5`);
  assertThrows(with_({ initial: 0 }), RangeError, `"initial" must be > 0: current value is 0`);
  assertThrows(with_({ max: NaN }), RangeError, `"max" must be > 0: current value is NaN`);
  assertThrows(with_({ factor: 0.9 }), RangeError, `"factor" must be >= 1: current value is 0.9`);
  assertThrows(with_({ factor: NaN }), RangeError, `"factor" must be >= 1: current value is NaN`);
  assertThrows(with_({ jitter: 1.1 }), RangeError, `"jitter" must be from 0 to 1: current value is 1.1`);
  assertThrows(with_({ jitter: -0.1 }), RangeError, `"jitter" must be from 0 to 1: current value is -0.1`);
});
