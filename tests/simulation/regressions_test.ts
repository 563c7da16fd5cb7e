/**
 * Seeds that broke a rule once, each with what it was; and traces that must be the same on every runtime.
 *
 * A seed means what the plans (`plan.ts`, `app.ts`, `faults.ts`) draw from it. Whoever changes those runs each seed with
 * its bug put back, and takes another one where nothing is found.
 *
 * @module
 */

import { test } from "node:test";
import { assertEquals } from "@std/assert";
import { simulate } from "./simulate.ts";

/** Seed, and what went wrong. */
const REGRESSIONS: readonly [seed: number, what: string][] = [
  [
    36,
    "an entry that joined a sleeping wheel set its timer to the past, which was taken for a pause of ours",
  ],
  [10, "a tick that was rounded down made the wheel wake up again and again within an instant"],
  [47, "a peer that had answered was asked again only when it would have been given up"],
  [76, "a peer in question that was asked once more was told of twice"],
  [45, "pings that a stall brought together were taken for a flood"],
  [267, "a peer in question that was asked on demand got its time over again"],
  [14_394, "idle-timeout for a peer that was not read"],
  [2_833, "frame-timeout for a peer that was not read"],
  [8_174, "a pong that nobody asked for counted as the last byte heard"],
  [
    5_002_739,
    "what came in the instant of a probe on demand, and after it, was taken for what came before it",
  ],
];

for (const [seed, what] of REGRESSIONS) {
  test(`Seed ${seed}: ${what}`, async () => {
    assertEquals((await simulate(seed)).violation, undefined);
  });
}

/**
 * Seeds, and the hashes of their traces. They change with whatever a connection does when: a change that is meant to be
 * takes the new ones from `npm run simulate -- --seed N`, after a look at the trace.
 */
const TRACES: readonly [seed: number, hash: string][] = [
  [10, "5a8d7d42"],
  [36, "c7fa5ddd"],
  [47, "1f65e9f2"],
  [267, "01d5a229"],
];

test("The traces of some seeds are the same on every runtime", async () => {
  const hashes: [number, string][] = [];
  for (const [seed] of TRACES) hashes.push([seed, (await simulate(seed, true)).hash]);
  assertEquals(hashes, TRACES);
});
