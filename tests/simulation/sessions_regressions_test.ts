/**
 * Seeds of sessions that broke a rule once, each with what it was; and traces that must be the same on every runtime.
 *
 * A seed means what the plans (`sessions_plan.ts`, `talker.ts`, `sessions.ts`) draw from it. Whoever changes those runs
 * each seed with its bug put back, and takes another one where nothing is found.
 *
 * @module
 */

import { test } from "node:test";
import { assertEquals } from "@std/assert";
import { simulateSessions } from "./sessions.ts";

/** Seed, and what went wrong. */
const REGRESSIONS: readonly (readonly [seed: number, what: string])[] = [
  [1_856, "what the old link brought while a new one was dialled came once more, and was taken twice"],
  [569, "what waited for an application that never took it was told to the peer as received"],
  [421, "what was thrown away at a close was acknowledged"],
  [515, "a hello that came late took the session over, and the client believed it was somebody else's"],
  [293, "a hello that was still to be written was dropped, and the goodbye after it was no frame protocol"],
  [
    1_631,
    "a session that was given to the store counted as ended, since its client had answered the goodbye",
  ],
  [1_193, "a link that was lost after the session had been handed over left the session behind"],
  [7_680, "a connection that closed while another link was dialled ended as superseded"],
  [705_491, "a handler that waited for room held up a drain whose client had been sent elsewhere"],
  [411, "a drain whose link was lost never found its quiet moment on the next"],
  [660_825_805, "a message longer than all room held up the acknowledgement that its reader waited for"],
  [218_934, "a hello that was long on the way ended its sender with a protocol error, not as superseded"],
  [5_015_753, "a careful sender filled the outbox of a session that was handed over, and so ended it"],
  [60_016_590, "a flush was held to what the other end of a session that was handed over had sent since"],
  [455_973_888, "a client that had finished and came back got nothing of what its server had still to send"],
];

for (const [seed, what] of REGRESSIONS) {
  test(`Seed ${seed} of sessions: ${what}`, async () => {
    assertEquals((await simulateSessions(seed)).violation, undefined);
  });
}

/**
 * Seeds, and the hashes of their traces. They change with whatever a session does when: a change that is meant to be takes
 * the new ones from `npm run simulate -- --world sessions --seed N`, after a look at the trace.
 */
const TRACES: readonly (readonly [seed: number, hash: string])[] = [
  [33, "6d177dac"],
  [515, "9beaed26"],
];

test("The traces of some seeds of sessions are the same on every runtime", async () => {
  const hashes: [number, string][] = [];
  for (const [seed] of TRACES) hashes.push([seed, (await simulateSessions(seed, true)).hash]);
  assertEquals(hashes, TRACES as unknown as [number, string][]);
});
