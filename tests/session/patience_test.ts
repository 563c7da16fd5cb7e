import { test } from "node:test";
import { assertEquals } from "@std/assert";
import { Patience } from "../../lib/session/patience.ts";
import { FakeClock } from "../../lib/testing/fake_clock.ts";
import { Wheel } from "../../lib/time/wheel.ts";

function waiting(timeout = 1_000) {
  const clock = new FakeClock(), wheel = new Wheel(clock);
  const late: number[] = [];
  const wait = new Patience({ clock, wheel }, timeout, () => late.push(clock.now()));
  return { clock, wheel, wait, late };
}

test("Nothing is waited for before it has begun", () => {
  const { clock, wheel, late } = waiting();
  clock.advance(10_000);
  assertEquals([late, wheel.size, clock.pending], [[], 0, 0]);
});

test("Without progress it is too late after the timeout, once", () => {
  const { clock, wait, late } = waiting();
  wait.begin(0);
  clock.advance(999);
  assertEquals(late, []);
  clock.advance(1);
  assertEquals(late, [1_000]);
  clock.advance(10_000);
  assertEquals(late, [1_000]);
});

test("Progress begins it anew; the same again does not", () => {
  const { clock, wait, late } = waiting();
  wait.begin(3);
  clock.advance(900);
  wait.begin(4);
  clock.advance(900);
  wait.begin(4);
  clock.advance(90);
  assertEquals(late, []);
  clock.advance(10);
  assertEquals(late, [1_900]);
});

test("end() leaves nothing on the wheel, and may come twice or without a beginning", () => {
  const { clock, wheel, wait, late } = waiting();
  wait.end();
  wait.begin(0);
  wait.end();
  wait.end();
  assertEquals([wheel.size, clock.pending], [0, 0]);
  clock.advance(10_000);
  assertEquals(late, []);
});

test("After end() the same progress is waited for anew", () => {
  const { clock, wait, late } = waiting();
  wait.begin(3);
  clock.advance(900);
  wait.end();
  wait.begin(3);
  clock.advance(999);
  assertEquals(late, []);
  clock.advance(1);
  assertEquals(late, [1_900]);
});

test("A timeout of Infinity waits for ever", () => {
  const { clock, wait, late } = waiting(Infinity);
  wait.begin(0);
  clock.advance(1e9);
  assertEquals(late, []);
  wait.end();
  assertEquals(clock.pending, 0);
});
