/**
 * Fails if a change has made the way of a message clearly slower: over 25 % more CPU time than before, each compared
 * with a server by hand under the same load.
 *
 *     node scripts/bench/guard.mjs                 what the gate runs: less than a minute
 *     node scripts/bench/guard.mjs --write         notes what is measured now, in guard.json, as what it was before
 *
 * The machine may be busy, its cores faster in one second than in the next, and it may be another one tomorrow. So both
 * servers are loaded at the same time, on the same core: whatever else happens meets both alike, and only the ratio of
 * what they used counts. It is the median of several windows, after one in which compilers have done their work. What
 * looks slower is measured again, with new processes, before it is believed.
 *
 * @module
 */

import { readFileSync, writeFileSync } from "node:fs";
import { performance } from "node:perf_hooks";
import process from "node:process";
import { parseArgs } from "node:util";

import { buildLoadgen, runLoadgen } from "./loadgen.mjs";
import { RUNTIMES, whyNot } from "./machine.mjs";
import { PLAN } from "./plan.mjs";
import { startServer } from "./server_process.mjs";
import { median } from "./statistics.mjs";

/** How much more than before is clearly worse. */
const MARGIN = 1.25;

/** How many windows are looked at, and how often new processes are tried before something is believed to be worse. */
const WINDOWS = 5, TRIES = 4;

/** How long it may go on before a runtime is left out, or something not measured again, in milliseconds. */
const PATIENCE = 180_000;

/** Seconds of the window that does not count, with which each load begins, and of each that does. */
const WARM = ["-t", "1", "--warmup", "0"], WINDOW = ["-t", "0.4", "--warmup", "0.05"];

/** What is watched: small messages, long ones, which a copy shows, and frames. */
const WATCHED = [["echo", "64 B, 50 × 16"], ["echo", "16 KiB, 50 × 1"], ["frames", "64 B, 50 × 16"]];
const NAMES = WATCHED.map(([section, load]) => `${section}, ${load}`);

const FILE = new URL("guard.json", import.meta.url);

/**
 * What ours takes of CPU for a message, divided by what is taken by hand, load by load.
 *
 * @param {string} runtime
 * @param {readonly string[]} names what is to be measured: "section, load"
 * @returns {Promise<Record<string, number>>}
 */
async function look(runtime, names) {
  /** @type {Record<string, number>} */
  const found = {};
  for (const { section, runtime: its, figure, loads, servers: { raw, callback } } of PLAN) {
    const wanted = loads.filter(({ name }) => its === runtime && names.includes(`${section}, ${name}`));
    if (wanted.length === 0 || raw === undefined || callback === undefined) continue;
    /** @type {{ program: import("./plan.mjs").Program, server: import("./server_process.mjs").ServerProcess }[]} */
    const pair = [];
    try {
      for (const program of [raw, callback]) {
        const command = [...RUNTIMES[runtime] ?? [], program.file];
        pair.push({ program, server: await startServer(command, program.args) });
      }
      for (const { name, args } of wanted) {
        const once = async (/** @type {readonly string[]} */ time) => {
          const [byHand = NaN, ours = NaN] = await Promise.all(
            pair.map(async ({ program, server }) =>
              (await runLoadgen([...args, ...program.speaks ?? [], ...time], server))[figure]
            ),
          );
          return ours / byHand;
        };
        await once(WARM);
        /** @type {number[]} */
        const ratios = [];
        for (let i = 0; i < WINDOWS; i++) ratios.push(await once(WINDOW));
        // On a busy machine one may not get to run at all in a window: nothing came back then.
        found[`${section}, ${name}`] = median(ratios.filter((each) => Number.isFinite(each)));
      }
    } finally {
      await Promise.all(pair.map(({ server }) => server.stop()));
    }
  }
  return found;
}

/**
 * Measures a runtime and says what was found. Returns how many loads are slower than they were.
 *
 * @param {string} runtime
 * @param {Readonly<Record<string, number>>} before ratios
 */
async function watch(runtime, before) {
  /** @type {Record<string, number>} The least ratios. */
  const least = {};
  const isSlow = (/** @type {string} */ name) => (least[name] ?? Infinity) > (before[name] ?? 0) * MARGIN;
  /** @type {Record<string, number>} */
  const tries = {};
  for (let names = NAMES, i = 0; names.length > 0 && i < TRIES; names = NAMES.filter(isSlow), i++) {
    if (i > 1 && performance.now() - start > PATIENCE) break;
    const found = await look(runtime, names);
    for (const name of names) {
      least[name] = Math.min(least[name] ?? Infinity, found[name] || Infinity);
      tries[name] = i + 1;
    }
  }
  for (const name of NAMES) {
    const was = before[name]?.toFixed(2) ?? "not measured";
    const often = tries[name] === 1 ? "" : ` (measured ${tries[name]} times)`;
    const now = least[name]?.toFixed(2);
    console.log(`  ${isSlow(name) ? "SLOWER" : "ok"} ${runtime}: ${name}: ${now} x raw, was ${was}${often}`);
  }
  return NAMES.filter(isSlow).length;
}

/** @param {string} runtime @returns {Promise<Record<string, number>>} */
async function note(runtime) {
  /** @type {Record<string, number>[]} */
  const found = [];
  for (let i = 0; i < 3; i++) found.push(await look(runtime, NAMES));
  const usual = (/** @type {string} */ name) => median(found.map((each) => each[name] ?? NaN));
  return Object.fromEntries(NAMES.map((name) => [name, Math.round(usual(name) * 100) / 100]));
}

const { values } = parseArgs({
  options: { write: { type: "boolean", default: false }, runtime: { type: "string", multiple: true } },
});
const why = whyNot();
if (why !== undefined) {
  console.log(`skipped: ${why}`);
  process.exit(0);
}
buildLoadgen();
const start = performance.now();
/** @type {Record<string, Record<string, number>>} */
const all = JSON.parse(readFileSync(FILE, "utf8"));
let slower = 0;
for (const runtime of values.runtime ?? Object.keys(RUNTIMES)) {
  if (values.write) all[runtime] = await note(runtime);
  else if (performance.now() - start > PATIENCE) console.log(`skipped: ${runtime}: the machine is too busy`);
  else slower += await watch(runtime, all[runtime] ?? {});
}
if (values.write) writeFileSync(FILE, `${JSON.stringify(all, null, 2)}\n`);
console.log(`${((performance.now() - start) / 1000).toFixed(0)} s`);
if (slower > 0) {
  console.log(
    `${slower} loads cost over ${
      Math.round((MARGIN - 1) * 100)
    } % more than before; if that is meant: --write`,
  );
  process.exitCode = 1;
}
