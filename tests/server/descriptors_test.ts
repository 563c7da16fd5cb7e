import { test } from "node:test";
import { assertEquals } from "@std/assert";
import { placesWithin } from "../../lib/server/descriptors.ts";

test("64 descriptors are left, or three quarters where there are few", () => {
  const limits = [1_048_576, 1024, 100, 86, 85, 64, 8, 1, Infinity];
  assertEquals(limits.map(placesWithin), [1_048_512, 960, 36, 22, 21, 16, 2, 1, Infinity]);
});
