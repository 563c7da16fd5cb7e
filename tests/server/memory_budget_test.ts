import { test } from "node:test";
import { assertEquals } from "@std/assert";
import { type Holder, MemoryBudget } from "../../lib/server/memory_budget.ts";
import { FakeClock } from "../../lib/testing/fake_clock.ts";
import { Wheel } from "../../lib/time/wheel.ts";

interface Fake extends Holder {
  heldBytes: number;
  messageAt: number;
}

/** A budget of 100 bytes. `shed` says who had to go, in order. */
function bench(holders: Record<string, [bytes: number, messageAt?: number]>, max = 100) {
  const clock = new FakeClock(), wheel = new Wheel(clock);
  const shed: string[] = [];
  const all = new Set<Fake>();
  const named: Record<string, Fake> = {};
  const budget = new MemoryBudget(max, all, { clock, wheel });
  const add = (name: string, heldBytes: number, messageAt = 0): Fake => {
    const holder: Fake = {
      heldBytes,
      messageAt,
      shed() {
        shed.push(name);
        all.delete(holder);
      },
    };
    all.add(named[name] = holder);
    budget.watch();
    return holder;
  };
  for (const [name, [bytes, messageAt]] of Object.entries(holders)) add(name, bytes, messageAt);
  return { clock, wheel, shed, all, named, budget, add };
}

test("Exactly the budget may be held, and not a byte more", () => {
  const { clock, shed, named } = bench({ a: [60], b: [40] });
  clock.advance(1_000);
  assertEquals(shed, []);
  named.b!.heldBytes = 41;
  clock.advance(1_000);
  assertEquals(shed, ["a"]);
});

test("The heaviest go first, and only as many as need to", () => {
  const { clock, shed } = bench({ a: [10], b: [90], c: [0], d: [60], e: [30] });
  clock.advance(100);
  assertEquals(shed, ["b"]);
  const more = bench({ a: [10], b: [90], c: [0], d: [61], e: [30] });
  more.clock.advance(100);
  assertEquals(more.shed, ["b", "d"]);
});

test("Of equals the one goes that has had no message for longest", () => {
  const { clock, shed } = bench({ a: [50, 30], b: [50, 10], c: [50, 20] });
  clock.advance(100);
  assertEquals(shed, ["b"]);
});

test("Nobody who holds nothing ever goes", () => {
  const { clock, shed, all } = bench({ a: [101], b: [0], c: [0] });
  clock.advance(1_000);
  assertEquals([shed, all.size], [["a"], 2]);
});

test("It looks every 100 ms, and every 20 ms while more than half is in use", () => {
  const { clock, shed, named } = bench({ a: [50] });
  clock.advance(100);
  named.a!.heldBytes = 101;
  clock.advance(99);
  assertEquals(shed, []);
  clock.advance(1);
  assertEquals(shed, ["a"]);

  const tense = bench({ a: [51] });
  tense.clock.advance(100);
  tense.named.a!.heldBytes = 101;
  tense.clock.advance(19);
  assertEquals(tense.shed, []);
  tense.clock.advance(1);
  assertEquals(tense.shed, ["a"]);
});

test("There is no timer while there is nobody, and none after the end", () => {
  const { clock, all, add, budget, shed } = bench({});
  clock.advance(1_000);
  assertEquals(clock.pending, 0);
  add("a", 1);
  assertEquals(clock.pending, 1);
  all.clear();
  clock.advance(1_000);
  assertEquals(clock.pending, 0);
  add("b", 101);
  clock.advance(100);
  assertEquals(shed, ["b"]);
  add("c", 1);
  budget.end();
  assertEquals(clock.pending, 0);
});
