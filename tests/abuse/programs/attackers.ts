/**
 * Those who abuse the servers, in a process of their own.
 *
 * Takes `Orders` as a line of JSON on standard input, carries them out, and answers with a line of `Deeds`.
 *
 * @module
 */

import { setPriority } from "node:os";
import process from "node:process";
import { createInterface } from "node:readline";
import fc from "fast-check";
import { seeded } from "../../../lib/testing/seeded.ts";
import { type Assault, ASSAULTS, type Means } from "../assaults.ts";
import { deeds, pause } from "../caller.ts";
import type { Orders, Victim } from "../setting.ts";

/** How many are drawn at a time: to draw one costs as much as many. */
const DRAWN = 20;

/** One caller, who calls again and again. */
async function caller(assault: Assault, victim: Victim, until: number, seed: number): Promise<void> {
  const random = seeded(seed);
  const drawn = new Map<fc.Arbitrary<unknown>, unknown[]>();
  const means: Means = {
    victim,
    random,
    until,
    draw<T>(arbitrary: fc.Arbitrary<T>): T {
      let rest = drawn.get(arbitrary);
      if (rest === undefined || rest.length === 0) {
        rest = fc.sample(arbitrary, { seed: Math.floor(random() * 2 ** 31), numRuns: DRAWN });
        drawn.set(arbitrary, rest);
      }
      return rest.pop() as T;
    },
  };
  while (performance.now() < until) {
    await assault(means);
    await pause(random() * 10);
  }
}

async function carryOut({ assaults, victims, callers, time, seed }: Orders): Promise<void> {
  const until = performance.now() + time;
  const all: Promise<void>[] = [];
  for (const name of assaults) {
    for (const victim of victims) {
      for (let i = 0; i < callers; i++) all.push(caller(ASSAULTS[name]!, victim, until, seed + all.length));
    }
  }
  await Promise.all(all);
}

// Those who attack have machines of their own, and do not take the processor from the server.
setPriority(10);
console.log(JSON.stringify({ assaults: Object.keys(ASSAULTS) }));
for await (const line of createInterface({ input: process.stdin })) {
  await carryOut(JSON.parse(line));
  console.log(JSON.stringify(deeds));
}
process.exit();
