import { test } from "node:test";
import { assert, assertEquals, assertLess } from "@std/assert";
import { WriteStall } from "../../lib/liveness/write_stall.ts";
import { type Pause, pauseBetween } from "../../lib/time/pause.ts";

/** A stall clock with a limit of 1000, under which something waits since 0. */
function stalled(): WriteStall {
  const stall = new WriteStall(1_000);
  stall.waiting(0);
  return stall;
}

test("WriteStall has no deadline while nothing waits", () => {
  const stall = new WriteStall(1_000);
  assertEquals(stall.deadline(), Infinity);
  assertEquals(stall.deadline({ end: 5_000, length: 5_000 }), Infinity);
});

test("WriteStall counts from the first byte that waits, not from those which join it", () => {
  const stall = stalled();
  stall.waiting(900);
  assertEquals(stall.deadline(), 1_000);
});

test("WriteStall starts again with every progress, and stops when nothing is left", () => {
  const stall = stalled();
  stall.progress(600, 1);
  assertEquals(stall.deadline(), 1_600);
  stall.progress(700, 0);
  assertEquals(stall.deadline(), Infinity);
  stall.waiting(800);
  assertEquals(stall.deadline(), 1_800);
});

test("WriteStall does not count a short pause of ours, and forgets those before the wait", () => {
  assertEquals(stalled().deadline({ end: 500, length: 240 }), 1_240);
  assertEquals(stalled().deadline({ end: 0, length: 240 }), 1_000);
  assertEquals(stalled().deadline({ end: 800, length: 210, before: { end: 500, length: 240 } }), 1_450);
});

test("WriteStall gives the whole limit after a long pause, once", () => {
  assertEquals(stalled().deadline({ end: 6_000, length: 5_100 }), 7_000);
  const second = { end: 6_500, length: 400, before: { end: 6_000, length: 5_100 } };
  assertEquals(stalled().deadline(second), 7_400);
});

test("WriteStall finds a peer that takes nothing although this process stutters for ever", () => {
  for (const length of [210, 400]) {
    const stall = stalled();
    let pause: Pause | undefined, now = 0;
    while (now < stall.deadline(pause)) {
      now += 500;
      pause = pauseBetween(now - length, now, 10, pause);
      assertLess(now, 20_000, "it was never found");
    }
    assert(now >= 1_000 + length);
  }
});
