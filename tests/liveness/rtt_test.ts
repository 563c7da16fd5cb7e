import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { RoundTrip } from "../../lib/liveness/rtt.ts";

function sampled(...samples: number[]): RoundTrip {
  const roundTrip = new RoundTrip();
  for (const rtt of samples) {
    roundTrip.asked(1_000);
    roundTrip.answered(1_000 + rtt);
  }
  return roundTrip;
}

test("RoundTrip starts as RFC 6298 has it: the deviation is half of the first round trip", () => {
  assertEquals(sampled(100).times, { smoothed: 100, deviation: 50, min: 100, latest: 100 });
});

test("RoundTrip smooths as RFC 6298 has it", () => {
  const { times } = sampled(100, 200);
  assertEquals(times!.smoothed, 112.5);
  assertEquals(times!.deviation, 62.5);
  assertEquals([times!.min, times!.latest], [100, 200]);
});

test("RoundTrip.timeout() stays within its bounds, and is the upper one before anything is known", () => {
  assertEquals(new RoundTrip().timeout(10, 5_000), 5_000);
  assertEquals(sampled(100).timeout(10, 5_000), 300);
  assertEquals(sampled(1).timeout(1_000, 5_000), 1_000);
  assertEquals(sampled(4_000).timeout(1_000, 5_000), 5_000);
});

test("RoundTrip.timeout() follows a path that becomes steady", () => {
  const timeout = sampled(...Array<number>(100).fill(100)).timeout(10, 5_000);
  assert(timeout >= 100 && timeout < 110, `${timeout}`);
});

test("A pong that nobody asked for, or that comes twice, answers nothing and measures nothing", () => {
  const roundTrip = new RoundTrip();
  assertEquals(roundTrip.answered(50), false);
  roundTrip.asked(100);
  assertEquals(roundTrip.answered(130), true);
  assertEquals(roundTrip.answered(999), false);
  assertEquals(roundTrip.times!.latest, 30);
});

test("A pong after several pings answers all of them, and measures nothing (Karn)", () => {
  const roundTrip = new RoundTrip();
  roundTrip.asked(0);
  roundTrip.asked(10);
  assertEquals(roundTrip.answered(15), true);
  assertEquals(roundTrip.times, undefined);
  assertEquals(roundTrip.answered(16), false);
});

test("A round trip across a pause of ours measures nothing", () => {
  const roundTrip = new RoundTrip();
  roundTrip.asked(100);
  assertEquals(roundTrip.answered(6_100, 6_000), true);
  assertEquals(roundTrip.times, undefined);
  roundTrip.asked(6_200);
  roundTrip.answered(6_230, 6_000);
  assertEquals(roundTrip.times!.latest, 30);
});
