/**
 * Abuses live servers for long, on the runtime that runs this, and says what came of it.
 *
 *     npm run abuse                       60 seconds
 *     npm run abuse -- --seconds 300
 *     npm run abuse -- --seed 7           the same streams again
 *     bun tests/abuse/abuse.ts            on Bun
 *
 * Fails on an exception that nobody caught, on memory that has grown by more than 32 MiB, on a descriptor, a connection
 * or a timer left behind, on a friend that was harmed, and on friends' answers whose 99th percentile is above 150 ms, but for
 * what friends of a server that nobody attacks feel at the same time, and what the server waited for a processor.
 *
 * @module
 */

import process from "node:process";
import { parseArgs } from "node:util";
import { killAll } from "../support/processes.ts";
import { heldBy, Lab, MEMORY, percentile } from "./lab.ts";

const { values } = parseArgs({
  args: process.argv.slice(2),
  options: {
    seconds: { type: "string", default: "60" },
    seed: { type: "string", default: String(Date.now() % 1e6) },
    callers: { type: "string", default: "2" },
  },
});

/** How long each assault is made in a round, in milliseconds. */
const TURN = 1_000;

const seed = Number(values.seed), callers = Number(values.callers), seconds = Number(values.seconds);
if (!(seconds > 0 && callers >= 1 && seed >= 0)) {
  console.error("Cannot abuse as --seconds, --callers and --seed must be numbers > 0");
  process.exit(2);
}

const mebibytes = (bytes: number) => `${(bytes / 2 ** 20).toFixed(0)} MiB`;
const faults: string[] = [];

try {
  const lab = await Lab.open(2);
  // What a runtime keeps of memory that was once in use is known after one round; what grows from then on is a leak.
  for (const assault of lab.assaults) await lab.attack({ assaults: [assault], callers, time: TURN, seed });
  await lab.attack({ assaults: lab.assaults, callers: 1, time: TURN, seed });
  const first = await lab.settled((health) => heldBy(health) === lab.friends);
  lab.times();
  console.log(
    `seed ${seed}; at rest: ${mebibytes(first.memory)}, heap ${
      mebibytes(first.heap)
    }, ${first.descriptors} descriptors`,
  );

  const all: number[] = [], each = new Map<string, number[]>();
  const until = performance.now() + 1_000 * seconds;
  for (let round = 1; performance.now() < until; round++) {
    for (const assault of lab.assaults) {
      if (performance.now() >= until) break;
      await lab.attack({ assaults: [assault], callers, time: TURN, seed: seed + 1_000 * round });
      const times = lab.times();
      all.push(...times);
      each.set(assault, [...each.get(assault) ?? [], ...times]);
    }
    await lab.attack({ assaults: lab.assaults, callers: 1, time: TURN, seed: seed + 1_000 * round });
    all.push(...lab.times());
    const { memory, descriptors, uncaught } = await lab.health();
    console.log(
      `  round ${round}: ${mebibytes(memory)}, ${descriptors} descriptors, ${uncaught.length} uncaught`,
    );
  }

  const { memory } = await lab.settled((health) =>
    heldBy(health) === lab.friends && health.descriptors <= first.descriptors &&
    health.memory <= first.memory + MEMORY
  );
  if (lab.leaky.length > 0) {
    console.log("skipped: memory of TLS: this runtime keeps some of each handshake that was cut");
    await lab.attack({ assaults: lab.assaults, callers, time: 5 * TURN, seed }, lab.leaky);
  }
  const deeds = await lab.attack({ assaults: ["noise"], callers: 1, time: 1, seed });
  const last = await lab.settled((health) =>
    heldBy(health) === lab.friends && health.descriptors <= first.descriptors
  );
  const bearable = lab.bearable();
  const p99 = percentile(all.sort((a, b) => a - b), 0.99);
  for (const [assault, times] of each) {
    times.sort((a, b) => a - b);
    console.log(
      `  ${assault.padEnd(32)} p50 ${percentile(times, 0.5).toFixed(1)} ms, p99 ${
        percentile(times, 0.99).toFixed(1)
      } ms`,
    );
  }
  console.log(
    `${deeds.connections} connections, ${mebibytes(deeds.bytesSent)} sent; at rest: ${
      mebibytes(last.memory)
    }, ` +
      `${last.descriptors} descriptors, ${last.timers} timers; friends: ${all.length} answers, ` +
      `p99 ${p99.toFixed(1)} ms (${bearable.why})`,
  );
  const ends: Record<string, number> = {};
  for (const { ended } of Object.values(last.servers)) {
    for (const [code, count] of Object.entries(ended)) ends[code] = (ends[code] ?? 0) + count;
  }
  console.log(`ends: ${Object.entries(ends).map(([code, count]) => `${code} ${count}`).join(", ")}`);

  for (const error of last.uncaught) faults.push(`nobody caught ${error}`);
  for (const complaint of lab.complaints()) faults.push(complaint);
  if (heldBy(last) > lab.friends) faults.push(`${heldBy(last) - lab.friends} connections are left`);
  if (last.descriptors > first.descriptors) faults.push(`${last.descriptors} descriptors are left`);
  if (last.timers > first.timers) faults.push(`${last.timers} timers are left, and not ${first.timers}`);
  const grown = "Deno" in globalThis ? last.heap - first.heap : memory - first.memory;
  if ("Deno" in globalThis) console.log("skipped: growth of the whole process: Deno's heap is judged");
  if (grown > MEMORY) faults.push(`memory is ${mebibytes(memory)}`);
  if (bearable.time === Infinity) {
    console.log("skipped: p99 of friends: the machine is busy with other things");
  } else if (p99 > bearable.time) faults.push(`p99 of friends is ${p99.toFixed(1)} ms`);
  await lab.close();
} finally {
  await killAll();
}
for (const fault of faults) console.log(`FAILED: ${fault}`);
process.exit(faults.length > 0 ? 1 : 0);
