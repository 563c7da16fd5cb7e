/**
 * Fails if a change has made the way of a message clearly slower: over 25 % more CPU time than before, each compared
 * with a server by hand under the same load in the same seconds.
 *
 *     node scripts/bench/guard.mjs                 what the gate runs: two thirds of a minute
 *     node scripts/bench/guard.mjs --write         notes what is measured now, in guard.json, as what it was before
 *
 * The machine may be busy, and another one tomorrow. So only ratios count, and those of the least disturbed of many short
 * slices in turn: other programs only ever add to what a message costs. What looks slower is measured again, with new
 * processes, before it is believed.
 *
 * @module
 */

import { readFileSync, writeFileSync } from "node:fs";
import { performance } from "node:perf_hooks";
import process from "node:process";
import { parseArgs } from "node:util";

import { buildLoadgen } from "./loadgen.mjs";
import { RUNTIMES, whyNot } from "./machine.mjs";
import { measure } from "./measure.mjs";
import { PLAN } from "./plan.mjs";

/** How much more than before is clearly worse. */
const MARGIN = 1.25;

/** Pairs of slices at a time, and how often new processes are tried before something is believed to be worse. */
const PAIRS = 8, TRIES = 4;

/** How long it may go on before a runtime is left out, or something not measured again, in milliseconds. */
const PATIENCE = 180_000;

/** Seconds that a slice takes at most, and runs before it counts. */
const SLICE = { seconds: 2, warmUp: 0.02, slices: 1 };

/** What runs before the first slice, for code and pools to be there. */
const WARM = [["echo", "--plain", "-c", "50", "-p", "16", "-t", "0.4", "--warmup", "0"]];

/** What is watched: small messages, whole buffers, which a copy shows, and frames. */
const WATCHED = [["echo", "64 B, 50 × 16"], ["echo", "16 KiB, 50 × 16"], ["frames", "64 B, 50 × 16"]];
const NAMES = WATCHED.map(([section, load]) => `${section}, ${load}`);

const FILE = new URL("guard.json", import.meta.url);

/**
 * CPU per message in the least disturbed slice so far, of ours and by hand.
 *
 * @typedef {{ ours: number, raw: number }} Least
 */

/** @param {Least | undefined} least */
const ratio = (least) => least === undefined ? NaN : least.ours / least.raw;

/**
 * Measures, and lowers what is in `least`, which goes by "section, load".
 *
 * @param {string} runtime
 * @param {readonly string[]} names what is to be measured
 * @param {Record<string, Least>} least
 */
async function look(runtime, names, least) {
  for (const group of PLAN) {
    const loads = group.loads.filter((load) =>
      group.runtime === runtime && names.includes(`${group.section}, ${load.name}`)
    ).map((load) => ({
      ...load,
      args: [...load.args, "--count", load.name.startsWith("64 B") ? "60000" : "8000"],
    }));
    const { raw, callback } = group.servers;
    if (loads.length === 0 || raw === undefined || callback === undefined) continue;
    const settings = { ...SLICE, rounds: PAIRS, fresh: false };
    const rows = await measure(
      { ...group, loads, warm: WARM, servers: { raw, callback } },
      settings,
      () => {},
    );
    for (const { section, load, server, values, failure } of rows) {
      if (failure !== undefined) throw new Error(`${runtime}, ${server}: ${failure}`);
      const found = least[`${section}, ${load}`] ??= { ours: Infinity, raw: Infinity };
      const which = server === "raw" ? "raw" : "ours";
      found[which] = Math.min(found[which], ...values);
    }
  }
}

/**
 * Measures a runtime and says what was found. Returns how many loads are slower than they were.
 *
 * @param {string} runtime
 * @param {Readonly<Record<string, number>>} before ratios
 */
async function watch(runtime, before) {
  /** @type {Record<string, Least>} */
  const least = {};
  const isSlow = (/** @type {string} */ name) => !(ratio(least[name]) <= (before[name] ?? 0) * MARGIN);
  /** @type {Record<string, number>} */
  const tries = {};
  for (let names = NAMES, i = 0; names.length > 0 && i < TRIES; names = NAMES.filter(isSlow), i++) {
    if (i > 1 && performance.now() - start > PATIENCE) break;
    await look(runtime, names, least);
    for (const name of names) tries[name] = i + 1;
  }
  for (const name of NAMES) {
    const was = before[name]?.toFixed(2) ?? "not measured";
    const often = tries[name] === 1 ? "" : ` (measured ${tries[name]} times)`;
    const now = ratio(least[name]).toFixed(2);
    console.log(`  ${isSlow(name) ? "SLOWER" : "ok"} ${runtime}: ${name}: ${now} x raw, was ${was}${often}`);
  }
  return NAMES.filter(isSlow).length;
}

/** @param {string} runtime @returns {Promise<Record<string, number>>} */
async function note(runtime) {
  /** @type {Record<string, Least>} */
  const least = {};
  for (let i = 0; i < 2; i++) await look(runtime, NAMES, least);
  return Object.fromEntries(NAMES.map((name) => [name, Math.round(ratio(least[name]) * 100) / 100]));
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
