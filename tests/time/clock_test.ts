import { test } from "node:test";
import { assert, assertEquals, assertGreaterOrEqual, assertLess } from "@std/assert";
import { systemClock } from "../../lib/time/clock.ts";
import { start } from "../support/runtime.ts";

const after = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Puts `value` in the place of a global function for as long as `body` runs. */
function instead<T>(name: "Date" | "setTimeout", value: unknown, body: () => T): T {
  const own = Object.getOwnPropertyDescriptor(globalThis, name)!;
  Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  try {
    return body();
  } finally {
    Object.defineProperty(globalThis, name, own);
  }
}

test("systemClock goes on evenly while the wall clock jumps", () => {
  for (const jump of [3_600_000, -3_600_000]) {
    const wall = Date.now(), before = systemClock.now();
    class Jumped extends Date {
      constructor() {
        super(wall + jump);
      }
      static override now(): number {
        return wall + jump;
      }
    }
    const now = instead("Date", Jumped, () => {
      assertEquals(Date.now(), wall + jump);
      return systemClock.now();
    });
    assertGreaterOrEqual(now, before);
    assertLess(now - before, 60_000);
  }
});

test("systemClock.wakeAfter() wakes once, when the time has come", async () => {
  const before = systemClock.now();
  let wakes = 0, at = 0;
  systemClock.wakeAfter(30, () => {
    wakes++;
    at = systemClock.now();
  });
  systemClock.wakeAfter(-5, () => wakes++);
  await after(300);
  assertEquals(wakes, 2);
  assertGreaterOrEqual(at - before, 29);
});

test("systemClock.wakeAfter() does not wake at once for delays past 2 ** 31 ms", async () => {
  let wakes = 0;
  const all = [2 ** 31, 2 ** 32 + 1, 1e15, Infinity].map((delay) =>
    systemClock.wakeAfter(delay, () => wakes++)
  );
  await after(100);
  for (const wake of all) wake.cancel();
  assertEquals(wakes, 0);
});

test("A wake-up that was taken back does not come; taking it back again does nothing", async () => {
  let wakes = 0;
  const wake = systemClock.wakeAfter(10, () => wakes++);
  wake.cancel();
  wake.cancel();
  await after(100);
  assertEquals(wakes, 0);
});

test("systemClock makes do with timers that cannot be unref'ed", () => {
  const asked: number[] = [];
  const plain = (_: unknown, delay: number) => asked.push(delay);
  instead("setTimeout", plain, () => systemClock.wakeAfter(70, () => {}));
  assertEquals(asked, [70]);
});

test("A wake-up does not keep the process alive", async () => {
  const program = start(new URL("programs/asleep.ts", import.meta.url));
  assertEquals(await program.line(), "asleep");
  assertEquals(await program.ended(), 0, program.stderr());
});

test("systemClock.afterTurn() comes later, after everything that waits for promises only", async () => {
  const log: string[] = [];
  await new Promise<void>((resolve) => {
    systemClock.afterTurn(() => {
      log.push("after");
      resolve();
    });
    log.push("now");
    void (async () => {
      for (let i = 0; i < 100; i++) await undefined;
      log.push("promises");
    })();
  });
  assertEquals(log, ["now", "promises", "after"]);
});

test("systemClock.random() draws from 0 up to 1", () => {
  const draws = Array.from({ length: 100 }, () => systemClock.random());
  assert(draws.every((draw) => draw >= 0 && draw < 1));
  assert(new Set(draws).size > 90);
});
