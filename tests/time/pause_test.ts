import { test } from "node:test";
import { assertEquals, assertGreaterOrEqual } from "@std/assert";
import { firstSince, lostSince, MEMORY, type Pause, pauseBetween } from "../../lib/time/pause.ts";

test("A wake-up that comes more than 200 ms late betrays a pause", () => {
  assertEquals(pauseBetween(1_000, 1_000, 10), undefined);
  assertEquals(pauseBetween(1_000, 1_200, 10), undefined);
  assertEquals(pauseBetween(1_000, 1_201, 10), { end: 1_201, length: 201 });
});

test("Where ticks are long, two of them are no pause", () => {
  assertEquals(pauseBetween(1_000, 2_000, 500), undefined);
  assertEquals(pauseBetween(1_000, 2_001, 500), { end: 2_001, length: 1_001 });
});

test("A wake-up that is not set, or early, betrays nothing", () => {
  assertEquals(pauseBetween(Infinity, 1_000, 10), undefined);
  assertEquals(pauseBetween(2_000, 1_000, 10), undefined);
});

/** Pauses of 300 ms that end at 1000, 2000 and so on. */
function pauses(n: number): Pause {
  let pause: Pause | undefined;
  for (let end = 1_000; end <= n * 1_000; end += 1_000) pause = pauseBetween(end - 300, end, 10, pause);
  return pause!;
}

test("lostSince() adds up what was lost after an instant", () => {
  assertEquals([0, 999, 1_000, 2_500, 3_000, Infinity].map((at) => lostSince(at, pauses(3))), [
    900,
    900,
    600,
    300,
    0,
    0,
  ]);
  assertEquals(lostSince(0, undefined), 0);
});

test("firstSince() finds the pause in which something fell due", () => {
  assertEquals([0, 1_000, 1_001, 3_000, 3_001].map((at) => firstSince(at, pauses(3))?.end), [
    1_000,
    1_000,
    2_000,
    3_000,
    undefined,
  ]);
  assertEquals(firstSince(0, undefined), undefined);
});

test("Pauses are remembered for a while, and not for ever", () => {
  let depth = 0;
  for (let p: Pause | undefined = pauses(10_000); p !== undefined; p = p.before) depth++;
  assertEquals(depth, 32);
  // The shortest pauses, one straight after the other.
  let pause: Pause | undefined;
  for (let end = 201; end < 100_000; end += 201) pause = pauseBetween(end - 201, end, 10, pause);
  assertGreaterOrEqual(pause!.end - firstSince(0, pause)!.end, MEMORY);
});
