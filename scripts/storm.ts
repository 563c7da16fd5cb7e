/**
 * Two storms, on the runtime that runs this, with real sockets.
 *
 *     npm run storm                            100 clients exchange 1 000 messages each way, and are cut 100 times
 *     npm run storm -- --restart               1 000 clients come back to a server that was killed
 *     npm run storm -- --server-runtime deno   with the server on another runtime
 *
 * The first must lose nothing, double nothing and keep the order. In the second no more than a quarter of the clients may
 * come back within the same 100 ms, and all of them within twice the longest delay from when the server listens again. It
 * fails if a bound is broken. On a busy machine both ends stumble, and what was spread comes in heaps.
 *
 * A server that is killed takes its sessions with it, since the store has only what a drain puts there: so in the first
 * storm the server is drained into a store, and another takes over, but it is not killed.
 *
 * @module
 */

import process from "node:process";
import { parseArgs } from "node:util";
import { OWN, type Runtime } from "./storm/child.ts";
import { storm } from "./storm/cuts.ts";
import { restart } from "./storm/restart.ts";

const { values } = parseArgs({
  args: process.argv.slice(2),
  options: {
    restart: { type: "boolean", default: false },
    clients: { type: "string" },
    messages: { type: "string", default: "1000" },
    cuts: { type: "string", default: "100" },
    restarts: { type: "string", default: "1" },
    cap: { type: "string", default: "5000" },
    seed: { type: "string" },
    limit: { type: "string", default: "600" },
    "server-runtime": { type: "string", default: OWN },
  },
});

/** The number that option `name` has. */
function number(name: string, value: string, min = 1): number {
  if (Number.isSafeInteger(Number(value)) && Number(value) >= min) return Number(value);
  console.error(`Cannot storm as "--${name}" must be a whole number >= ${min}: it is ${value}`);
  process.exit(2);
}

const runtime = values["server-runtime"] as Runtime;
if (!["node", "bun", "deno"].includes(runtime)) {
  console.error(`Cannot storm as "--server-runtime" must be node, bun or deno: it is ${runtime}`);
  process.exit(2);
}

const failed = values.restart ? await comeBack() : await beCut();
for (const what of failed) console.log(`FAILED: ${what}`);
process.exit(failed.length > 0 ? 1 : 0);

async function beCut(): Promise<string[]> {
  const seed = values.seed === undefined ? Date.now() % 1e6 : number("seed", values.seed, 0);
  const options = {
    clients: number("clients", values.clients ?? "100"),
    messages: number("messages", values.messages),
    cuts: number("cuts", values.cuts, 0),
    restarts: number("restarts", values.restarts, 0),
    seed,
    runtime,
    limit: 1_000 * number("limit", values.limit),
  };
  const { clients, messages, cuts } = options;
  console.log(
    `${clients} clients on ${OWN}, ${messages} messages each way, ${cuts} cuts each; server on ${runtime}; seed ${seed}`,
  );
  const report = await storm(options, (progress) => console.log(`  ${progress}`));
  const { lost, twice, disordered, expected, sent, connections, seconds, ends } = report;
  const done = Object.values(report.cuts).reduce((sum, count) => sum + count, 0);
  console.log(`cuts: ${done} (${tellAll(report.cuts)}), connections: ${connections}`);
  console.log(`ends: ${tellAll(ends)}`);
  console.log(
    `messages: ${sent} of ${expected}, lost: ${lost}, twice: ${twice}, out of order: ${disordered}; ${
      seconds.toFixed(1)
    } s`,
  );
  return [
    ...(lost === 0 ? [] : [`${lost} messages are lost`]),
    ...(twice === 0 ? [] : [`${twice} messages came twice`]),
    ...(disordered === 0 ? [] : [`${disordered} messages came out of order`]),
    ...(sent === expected ? [] : [`${expected - sent} messages could not be sent within ${values.limit} s`]),
    ...(done === clients * cuts ? [] : [`${done} cuts were made, and not ${clients * cuts}`]),
  ];
}

async function comeBack(): Promise<string[]> {
  const clients = number("clients", values.clients ?? "1000"), cap = number("cap", values.cap);
  console.log(
    `${clients} clients on ${OWN}, longest delay ${cap} ms; server on ${runtime}, killed and started again`,
  );
  const { back, busiest, listeningAt, firstAt, lastAt, histogram } = await restart({ clients, cap, runtime });
  const share = 100 * busiest / clients;
  console.log(`listening again after ${Math.round(listeningAt)} ms`);
  console.log(`back in each 100 ms from then on: ${histogram.join(" ")}`);
  console.log(
    `back: ${back}; the first after ${Math.round(firstAt)} ms, the last after ${
      Math.round(lastAt)
    } ms; busiest 100 ms: ${busiest} (${share.toFixed(1)} %)`,
  );
  return [
    ...(back === clients ? [] : [`${clients - back} did not come back`]),
    ...(share <= 25 ? [] : [`${share.toFixed(1)} % came back within 100 ms`]),
    ...(lastAt - listeningAt <= 2 * cap
      ? []
      : [`the last came back ${Math.round(lastAt - listeningAt)} ms later`]),
  ];
}

function tellAll(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts).map(([name, count]) => `${name} ${count}`).join(", ");
}
