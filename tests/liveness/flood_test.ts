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
