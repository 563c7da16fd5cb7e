import { test } from "node:test";
import { assertEquals } from "@std/assert";
import { PingGuard } from "../../lib/liveness/flood.ts";

test("PingGuard lets pings pass that keep their distance, up to a tenth early", () => {
  const guard = new PingGuard(1_000);
  for (let i = 0; i < 100; i++) assertEquals(guard.pinged(i * 900), "fine");
});

test("PingGuard forgives two strikes, and not the third", () => {
  const guard = new PingGuard(1_000);
  assertEquals([0, 899, 1_000, 1_001].map((now) => guard.pinged(now)), [
    "fine",
    "strike",
    "strike",
    "too-many",
  ]);
});

test("PingGuard takes strikes back when we send data", () => {
  const guard = new PingGuard(1_000);
  guard.pinged(0);
  for (let i = 1; i < 100; i++) {
    assertEquals(guard.pinged(i), "strike");
    guard.served();
  }
});

test("PingGuard knows pings that a stall brought together from pings that came too often", () => {
  const guard = new PingGuard(1_000);
  for (let i = 1; i <= 5; i++) assertEquals(guard.pinged(i * 2_000), "fine");
  // Ten seconds of them at once.
  for (let i = 0; i < 5; i++) assertEquals(guard.pinged(20_000), "fine");
  for (let i = 0; i < 100; i++) guard.pinged(20_000);
  assertEquals(guard.pinged(20_000), "too-many");
});

test("PingGuard saves up no more than some", () => {
  const guard = new PingGuard(1_000);
  const verdicts = Array.from({ length: 100 }, () => guard.pinged(86_400_000));
  assertEquals(verdicts.indexOf("strike"), 60);
  assertEquals(verdicts.indexOf("too-many"), 62);
});
