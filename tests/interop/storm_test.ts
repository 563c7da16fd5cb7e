/**
 * Small storms, on the runtime that runs this, with real sockets and the server in a process of its own. The large ones
 * are `npm run storm`.
 *
 * @module
 */

import { test } from "node:test";
import { assertEquals, assertGreater, assertGreaterOrEqual, assertLess } from "@std/assert";
import { OWN } from "../../scripts/storm/child.ts";
import { storm } from "../../scripts/storm/cuts.ts";
import { restart } from "../../scripts/storm/restart.ts";
import { killAll } from "../support/processes.ts";

test("Sessions that are cut again and again lose nothing, double nothing, and keep the order", {
  timeout: 120_000,
}, async () => {
  try {
    const options = {
      clients: 10,
      messages: 100,
      cuts: 10,
      restarts: 1,
      seed: 4,
      runtime: OWN,
      limit: 90_000,
    };
    const { sent, lost, twice, disordered, cuts, connections, ends } = await storm(options);
    assertEquals({ sent, lost, twice, disordered }, {
      sent: 2_000,
      lost: 0,
      twice: 0,
      disordered: 0,
    });
    assertEquals(Object.values(cuts).reduce((sum, count) => sum + count, 0), 100);
    for (const count of Object.values(cuts)) assertGreater(count, 10);
    assertGreaterOrEqual(connections, 110);
    // A cut may hit the goodbye, too.
    assertEquals((ends["client closed"] ?? 0) + (ends["client reset"] ?? 0), 10);
  } finally {
    await killAll();
  }
});

test("Clients whose server is killed come back to the next one, and not all at once", {
  timeout: 120_000,
}, async () => {
  try {
    const { back, busiest, lastAt, listeningAt } = await restart({ clients: 200, cap: 4_000, runtime: OWN });
    assertEquals(back, 200);
    // A machine that is busy brings more of them together than there were.
    assertLess(busiest, 160);
    assertLess(lastAt, listeningAt + 8_000);
  } finally {
    await killAll();
  }
});
