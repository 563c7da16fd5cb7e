import { test } from "node:test";
import { assertEquals, assertStrictEquals } from "@std/assert";
import { memoryStore, type SessionRecord } from "../../lib/session/store.ts";
import { FakeClock } from "../../lib/testing/fake_clock.ts";

const record = (id: string): SessionRecord => ({
  id,
  secret: new Uint8Array(16),
  received: 1,
  acknowledged: 2,
  unacknowledged: [],
});

test("A session that was put is taken once", () => {
  const store = memoryStore(new FakeClock()), kept = record("a");
  void store.put(kept, 1_000);
  assertEquals(store.take("b"), undefined);
  assertStrictEquals(store.take("a"), kept);
  assertEquals(store.take("a"), undefined);
});

test("A session is there until its window is over, and not at its end", () => {
  const clock = new FakeClock(), store = memoryStore(clock);
  void store.put(record("a"), 1_000);
  void store.put(record("b"), 1_000);
  clock.advance(999);
  assertEquals((store.take("a") as SessionRecord).id, "a");
  clock.advance(1);
  assertEquals(store.take("b"), undefined);
});

test("The last of two with the same id is the one that counts, with its own window", () => {
  const clock = new FakeClock(), store = memoryStore(clock);
  void store.put(record("a"), 10);
  const later = { ...record("a"), received: 9 };
  void store.put(later, 1_000);
  clock.advance(500);
  assertStrictEquals(store.take("a"), later);
});

test("A store keeps no timer, and asks its clock only", () => {
  const clock = new FakeClock(5_000), store = memoryStore(clock);
  for (let i = 0; i < 100; i++) {
    void store.put(record(`${i}`), 10);
    clock.advance(5);
  }
  assertEquals(clock.pending, 0);
  assertEquals(store.take("97"), undefined);
  assertEquals((store.take("99") as SessionRecord).id, "99");
});

test("Without a clock the system's is asked", () => {
  const store = memoryStore();
  void store.put(record("a"), 60_000);
  assertEquals((store.take("a") as SessionRecord).id, "a");
});
