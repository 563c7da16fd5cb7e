/**
 * Runs seeds through the simulator until one of them breaks a rule.
 *
 *     npm run simulate -- --seeds 10000
 *     npm run simulate -- --seed 42          one seed, with its trace
 *     npm run simulate -- --world sessions   sessions under cuts, not single connections
 *
 * @module
 */

import process from "node:process";
import { parseArgs } from "node:util";
import { simulateSessions } from "../tests/simulation/sessions.ts";
import { simulate as simulateLiveness } from "../tests/simulation/simulate.ts";

const { values } = parseArgs({
  args: process.argv.slice(2),
  options: {
    seeds: { type: "string", default: "10000" },
    base: { type: "string" },
    seed: { type: "string" },
    all: { type: "boolean", default: false },
    world: { type: "string", default: "liveness" },
  },
});

const worlds = { liveness: simulateLiveness, sessions: simulateSessions };
if (values.world !== "liveness" && values.world !== "sessions") {
  console.error(`Cannot simulate as "--world" must be liveness or sessions: it is ${values.world}`);
  process.exit(2);
}
const simulate = worlds[values.world];

if (values.seed !== undefined) process.exit(await replay(Number(values.seed)) ? 1 : 0);

const base = Number(values.base ?? Date.now() % 1e9), seeds = Number(values.seeds);
if (!Number.isSafeInteger(base) || !(Number.isSafeInteger(seeds) && seeds > 0)) {
  console.error(`Cannot simulate as "--seeds" must be a whole number > 0 and "--base" a whole number`);
  process.exit(2);
}
const start = performance.now();
let failed = 0;
for (let seed = base; seed < base + seeds; seed++) {
  const { violation } = await simulate(seed);
  if (violation === undefined) continue;
  failed++;
  console.log(`seed ${seed}: ${violation.split("\n")[0]}`);
  if (values.all) continue;
  await replay(seed);
  break;
}
const seconds = (performance.now() - start) / 1000;
console.log(
  `seeds ${base} to ${base + seeds - 1}: ${failed} failed, ${Math.round(seeds / seconds)} seeds a second`,
);
process.exit(failed === 0 ? 0 : 1);

/** Runs a seed again and prints its trace. Returns whether a rule was broken. */
async function replay(seed: number): Promise<boolean> {
  const { lines, violation, hash } = await simulate(seed, true);
  for (const line of lines) console.log(line);
  console.log(violation === undefined ? `seed ${seed}: nothing found` : `seed ${seed}: ${violation}`);
  console.log(`trace ${hash}`);
  return violation !== undefined;
}
