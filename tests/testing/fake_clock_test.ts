import { test } from "node:test";
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { FakeClock } from "../../lib/testing/fake_clock.ts";

test("run() wakes each at its instant, and lets promises settle in between", async () => {
  const clock = new FakeClock(), log: string[] = [];
  const later = async (name: string, delay: number) => {
    await new Promise<void>((resolve) => clock.wakeAfter(delay, resolve));
    for (let i = 0; i < 100; i++) await undefined;
    log.push(`${name} ${clock.now()}`);
  };
  void later("b", 20).then(() => later("c", 5));
  void later("a", 10);
  void later("d", 26);
  await clock.run(25);
  assertEquals(log, ["a 10", "b 20", "c 25"]);
  assertEquals([clock.now(), clock.nextAt], [25, 26]);
});

test("run() runs what waits for a turn, before time moves", async () => {
  const clock = new FakeClock(100), log: number[] = [];
  clock.wakeAfter(1, () => log.push(clock.now()));
  clock.afterTurn(() => {
    log.push(clock.now());
    clock.afterTurn(() => log.push(clock.now()));
  });
  await clock.run(0);
  assertEquals(log, [100, 100]);
  await clock.run(1);
  assertEquals(log, [100, 100, 101]);
});

test("until() stops at the instant at which the promise settles, and gives what it gives", async () => {
  const clock = new FakeClock();
  clock.wakeAfter(5_000, () => {});
  const promise = new Promise<string>((resolve) => clock.wakeAfter(1_000, () => resolve("done")));
  assertEquals(await clock.until(promise), "done");
  assertEquals(clock.now(), 1_000);
});

test("until() rejects with what the promise rejects with", async () => {
  const clock = new FakeClock();
  const promise = new Promise((_, reject) => clock.wakeAfter(1, () => reject(new TypeError("no"))));
  await assertRejects(() => clock.until(promise), TypeError, "no");
});

test("until() gives up after its limit, and where nothing is due any more", async () => {
  const clock = new FakeClock(), never = new Promise<never>(() => {});
  const again = () => void clock.wakeAfter(10, again);
  await assertRejects(() => clock.until(never), Error, "nothing is due any more");
  again();
  await assertRejects(() => clock.until(never, 100), Error, "100 ms have passed");
  assertEquals(clock.now(), 100);
});

test("advance() wakes in order without letting promises settle, sleep() wakes late", () => {
  const clock = new FakeClock(), log: number[] = [];
  for (const delay of [20, 10]) {
    clock.wakeAfter(delay, () => {
      log.push(clock.now());
      void Promise.resolve().then(() => log.push(-1));
    });
  }
  clock.advance(30);
  assertEquals(log, [10, 20]);
  clock.wakeAfter(5, () => log.push(clock.now()));
  clock.sleep(1_000);
  assertEquals(log, [10, 20, 1_030]);
});

test("Time is moved by what can be", async () => {
  const clock = new FakeClock(5);
  for (const ms of [-1, NaN, Infinity]) {
    await assertRejects(() => clock.run(ms), RangeError, `current value is ${ms}`);
    await assertRejects(() => clock.until(Promise.resolve(), ms), RangeError, `current value is ${ms}`);
    assertThrows(() => clock.advance(ms), RangeError, `current value is ${ms}`);
    assertThrows(() => clock.sleep(ms), RangeError, `current value is ${ms}`);
  }
  assertEquals(clock.now(), 5);
});
