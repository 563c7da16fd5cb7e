/**
 * Holds 5 000 connections for long, and fails on whatever has grown meanwhile.
 *
 *     npm run soak                            10 minutes
 *     npm run soak -- --minutes 60
 *     npm run soak -- --seconds 15 --connections 1000
 *     bun scripts/soak.ts                     on Bun; the server runs on the same runtime
 *
 * Of 100 clients 90 stay for all the time, 5 come, talk and go, again and again, and 5 have a session: their
 * connections are cut, and their server is drained into a store and replaced by another. All number their messages.
 * It fails if memory, descriptors or timers of the server or the clients have grown, if a message was lost or came
 * twice, and if a connection ended although nobody had done anything to it.
 *
 * The gate holds 400 connections for 40 s on each of Deno, Bun and Node, 2 minutes in all (`tests/abuse/soak_test.ts`):
 * what grows slowly, or with 5 000, is found by the long run only, which is for before a release.
 *
 * @module
 */

import { spawn } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { detectTransport } from "../mod.ts";
import { descriptorLimit } from "../lib/transport/descriptor_limit.ts";
import { killAll, launch, pause } from "../tests/support/processes.ts";
import { commandFor } from "../tests/support/runtime.ts";
import { churn, LastingClient, seen, SteadyClient, weather } from "./soak/clients.ts";
import type { ServerReport } from "./soak/setting.ts";
import { descriptors, heap, memoryAtRest, TELLING, timers } from "./soak/tidy.ts";

/** By how much memory may grow, of the server and of the clients, in bytes. */
const MEMORY = 32 << 20;
/** Connections that are dialled at a time. */
const AT_ONCE = 50;
/** Time between restarts, between lines of the report, and how often a steady client speaks, in milliseconds. */
const RESTART_EVERY = 30_000;
const TELL_EVERY = 10_000;
const SPEAK_EVERY = 10_000;
/** Timers that may be set or not at the moment of a look: an acknowledgement that waits, a read that was held; and descriptors so, of a caller who comes again. */
const SLACK = 20;
/** Descriptors that are needed besides. */
const SPARE = 200;

const { values } = parseArgs({
  args: process.argv.slice(2),
  options: {
    minutes: { type: "string", default: "10" },
    seconds: { type: "string" },
    connections: { type: "string", default: "5000" },
    inner: { type: "boolean", default: false },
  },
});

const time = values.seconds === undefined ? Number(values.minutes) * 60_000 : Number(values.seconds) * 1_000;
const asked = Number(values.connections);
if (!(time > 0 && asked >= 100)) {
  console.error("Cannot soak as --minutes must be > 0 and --connections >= 100");
  process.exit(2);
}

/** The command that runs `file` with a garbage collector that can be called. */
function command(file: string, args: readonly string[]): string[] {
  const [runtime, ...rest] = commandFor(file, args);
  if (rest[0] !== "run") return [runtime, "--expose-gc", ...rest];
  return rest.includes("--no-lock")
    ? [runtime, "run", "--v8-flags=--expose-gc", ...rest.slice(1)]
    : [runtime, ...rest];
}

if (!values.inner) {
  // Memory can only be compared after a collection, which two of the runtimes have to be started for.
  const [runtime, ...rest] = command(fileURLToPath(import.meta.url), [...process.argv.slice(2), "--inner"]);
  const child = spawn(runtime!, rest, { stdio: "inherit" });
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => child.kill(signal));
  child.on("close", (code) => process.exit(code ?? 1));
} else {
  let faults: readonly string[] = ["it was not finished"];
  try {
    faults = await soak();
  } finally {
    await killAll();
  }
  for (const fault of faults) console.log(`FAILED: ${fault}`);
  console.log(faults.length === 0 ? "nothing has grown, nothing was lost" : "");
  process.exit(faults.length > 0 ? 1 : 0);
}

/** Runs all of `tasks`, some at a time. */
async function inTurn<T>(tasks: readonly (() => Promise<T>)[]): Promise<T[]> {
  const results: T[] = [];
  let next = 0;
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    while (next < tasks.length) results.push(await tasks[next++]!());
  }));
  return results;
}

async function soak(): Promise<string[]> {
  const room = descriptorLimit() - SPARE;
  const count = Math.min(asked, Math.floor(room));
  if (count < asked) console.log(`skipped: ${asked - count} connections, for want of descriptors`);
  const lastingCount = Math.ceil(count * 0.05), churnCount = lastingCount;
  const server = launch(command(fileURLToPath(new URL("soak/server.ts", import.meta.url)), []));
  const ports = await server.told<{ steady: number; lasting: number }>();
  const report = async () => {
    server.tell("report");
    return await server.told<ServerReport>();
  };
  const transport = await detectTransport();
  const start = performance.now();
  const after = () => `${((performance.now() - start) / 1_000).toFixed(0).padStart(5)} s`;

  const steady = await inTurn(
    Array.from({ length: count - lastingCount - churnCount }, () => () => SteadyClient.open(ports.steady)),
  );
  const lasting = await inTurn(
    Array.from({ length: lastingCount }, (_, id) => () => LastingClient.open(id, ports.lasting, transport)),
  );
  const coming = Array.from({ length: churnCount }, () => churn(ports.steady));
  console.log(
    `${after()}  ${steady.length} stay, ${churnCount} come and go, ${lasting.length} have sessions`,
  );

  let restarts = 0;
  /** Everything that happens, for `time` ms. */
  const happen = async (time: number) => {
    weather.rough = true;
    const end = performance.now() + time;
    let restartAt = performance.now() + Math.min(RESTART_EVERY, time / 2),
      tellAt = performance.now() + TELL_EVERY;
    let restarting: Promise<void> | undefined, speaker = 0;
    for (let last = performance.now(); performance.now() < end;) {
      await pause(50);
      const now = performance.now(), passed = now - last;
      last = now;
      for (let due = steady.length * passed / SPEAK_EVERY; due > 0; due--) {
        steady[speaker++ % steady.length]!.say();
      }
      for (const client of lasting) {
        if (Math.random() < passed / 500) client.say();
        if (Math.random() < passed / 5_000) client.cut();
      }
      if (now >= restartAt) {
        restartAt = now + RESTART_EVERY;
        restarting ??= restart().finally(() => restarting = undefined);
      }
      if (now >= tellAt) {
        tellAt = now + TELL_EVERY;
        if (restarting === undefined) await tell();
      }
    }
    weather.rough = false;
    await restarting;
  };
  const restart = async () => {
    server.tell("restart");
    await server.told();
    restarts++;
  };
  const tell = async () => {
    const { memory, now, sessions, descriptors, timers } = await report();
    console.log(
      `${after()}  ${now} connections, ${sessions} sessions; ${seen.messages} messages, ${seen.churned} came and went, ` +
        `${seen.cuts} cuts, ${restarts} restarts; server ${
          mebibytes(memory)
        }, ${descriptors} descriptors, ${timers} timers`,
    );
  };
  /** Waits until only those are left who stay, and looks. */
  const look = async () => {
    const until = performance.now() + 15_000;
    for (;;) {
      const far = await report();
      const quiet = far.now === steady.length + lasting.length && far.sessions === lasting.length;
      if (quiet || performance.now() > until) {
        // On a machine that has too much to do some are away for longer.
        if (!quiet) {
          console.log(`${after()}  ${far.now} connections and ${far.sessions} sessions at this look`);
        }
        return {
          far,
          near: { memory: await memoryAtRest(), heap: heap(), descriptors: descriptors(), timers: timers() },
        };
      }
      await pause(200);
    }
  };

  // What is needed once only is not what grows.
  await happen(Math.min(Math.max(time / 5, 4_000), 30_000));
  const first = await look();
  await happen(time);
  const last = await look();
  await tell();

  weather.over = true;
  await Promise.all(coming);
  await inTurn(lasting.map((client) => () => client.leave()));
  await inTurn(steady.map((client) => () => client.leave()));
  // The last of them may be gone here, and the server not have been told yet.
  let end = await report();
  for (const until = performance.now() + 5_000; end.now > 0 && performance.now() < until;) {
    await pause(100);
    end = await report();
  }
  console.log(`${after()}  ${seen.messages} messages, lost: ${seen.lost}, twice: ${seen.doubled}`);

  if (!TELLING) {
    console.log("skipped: growth of the whole process, which Deno does not take back: its heap is judged");
  }
  const faults = end.uncaught.map((error) => `nobody caught ${error}`);
  for (
    const [who, before, now] of [["server", first.far, last.far], ["clients", first.near, last.near]] as const
  ) {
    console.log(
      `${who}: ${mebibytes(before.memory)} -> ${mebibytes(now.memory)}, heap ${mebibytes(before.heap)} -> ${
        mebibytes(now.heap)
      }, descriptors ${before.descriptors} -> ` +
        `${now.descriptors}, timers ${before.timers} -> ${now.timers}`,
    );
    const grown = TELLING ? now.memory - before.memory : now.heap - before.heap;
    if (grown > MEMORY) faults.push(`memory of the ${who} has grown`);
    // Those of a connection that was away at the first look are no growth: it had none of either then.
    const back = Math.max(0, last.far.now - first.far.now);
    if (now.descriptors > before.descriptors + back + SLACK) {
      faults.push(`descriptors of the ${who} have grown`);
    }
    if (now.timers > before.timers + back + SLACK) faults.push(`timers of the ${who} have grown`);
  }
  if (seen.lost > 0) faults.push(`${seen.lost} messages are lost`);
  if (seen.doubled > 0) faults.push(`${seen.doubled} messages came twice`);
  if (end.astray > 0) faults.push(`${end.astray} messages came to the server out of their order`);
  for (const [code, count] of Object.entries(seen.killed)) faults.push(`${count} were ended: ${code}`);
  if (end.now > 0) faults.push(`${end.now} connections are left at the server`);
  return faults;
}

function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(0)} MiB`;
}
