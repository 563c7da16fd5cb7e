/**
 * Fails if a change has made the way of a message clearly slower: over 25 % more CPU time than before, each compared
 * with a server by hand under the same load in the same seconds.
 *
 *     node scripts/bench/guard.mjs                 what the gate runs: two thirds of a minute
 *     node scripts/bench/guard.mjs --write         notes what is measured now, in guard.json, as what it was before
 *
 * The machine may be busy and another one tomorrow, so only ratios count: many short slices in turn, and the median of
 * the pairs. What looks slower is measured once more, with new processes, before it is believed.
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
import { ratios } from "./statistics.mjs";

/** How much more than before is clearly worse. */
const MARGIN = 1.25;

/** Pairs of slices at first, and when something looks worse. */
const PAIRS = 7, MORE_PAIRS = 15;

/** Seconds that a slice counts, and runs before it does. */
const SLICE = { seconds: 0.2, warmUp: 0.05 };

/** What runs before the first slice, for code and pools to be there. */
const WARM = [["echo", "--plain", "-c", "50", "-p", "16", "-t", "0.4", "--warmup", "0"]];

/** What is watched: small messages, whole buffers, which a copy shows, and frames. */
const WATCHED = [["echo", "64 B, 50 × 16"], ["echo", "16 KiB, 50 × 16"], ["frames", "64 B, 50 × 16"]];

const FILE = new URL("guard.json", import.meta.url);

/** @typedef {Record<string, number>} Ratios what CPU per message is of the raw server's, by "section, load" */

/**
 * @param {string} runtime
 * @param {readonly string[]} names of what is to be measured, as in {@linkcode Ratios}
 * @param {number} rounds
 * @returns {Promise<Ratios>}
 */
async function ratiosOf(runtime, names, rounds) {
  /** @type {Ratios} */
  const found = {};
  for (const group of PLAN) {
    const loads = group.loads.filter((load) =>
      group.runtime === runtime && names.includes(`${group.section}, ${load.name}`) &&
      WATCHED.some(([section, name]) => section === group.section && name === load.name)
    );
    const { raw, callback } = group.servers;
    if (loads.length === 0 || raw === undefined || callback === undefined) continue;
    const settings = { ...SLICE, rounds, fresh: false };
    const rows = await measure(
      { ...group, loads, warm: WARM, servers: { raw, callback } },
      settings,
      () => {},
    );
    for (const row of rows) {
      if (row.failure !== undefined) throw new Error(`${runtime}, ${row.server}: ${row.failure}`);
      if (row.server !== "callback") continue;
      const base = rows.find(({ load, server }) => load === row.load && server === "raw");
      found[`${row.section}, ${row.load}`] = ratios(row.values, base?.values ?? []).median;
    }
  }
  return found;
}

/**
 * Measures a runtime and says what was found. Returns how many loads are slower than they were.
 *
 * @param {string} runtime
 * @param {Ratios} before
 */
async function watch(runtime, before) {
  const names = WATCHED.map(([section, load]) => `${section}, ${load}`);
  /** @param {Ratios} found @param {string} name */
  const slow = (found, name) => (found[name] ?? Infinity) > (before[name] ?? 0) * MARGIN;
  const found = await ratiosOf(runtime, names, PAIRS);
  const suspects = names.filter((name) => slow(found, name));
  const again = suspects.length === 0 ? {} : await ratiosOf(runtime, suspects, MORE_PAIRS);
  for (const name of names) {
    const first = found[name]?.toFixed(2), second = again[name]?.toFixed(2);
    const verdict = second === undefined ? "ok" : slow(again, name) ? "SLOWER" : "ok after all";
    const now = second === undefined ? first : `${first}, again ${second}`;
    console.log(
      `  ${verdict} ${runtime}: ${name}: ${now} x raw, was ${before[name]?.toFixed(2) ?? "not measured"}`,
    );
  }
  return suspects.filter((name) => slow(again, name)).length;
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
/** @type {Record<string, Ratios>} */
const all = JSON.parse(readFileSync(FILE, "utf8"));
let slower = 0;
for (const runtime of values.runtime ?? Object.keys(RUNTIMES)) {
  if (!values.write) slower += await watch(runtime, all[runtime] ?? {});
  else {all[runtime] = await ratiosOf(
      runtime,
      WATCHED.map(([section, load]) => `${section}, ${load}`),
      MORE_PAIRS,
    );}
}
if (values.write) {
  const rounded = (/** @type {string} */ _, /** @type {unknown} */ value) =>
    typeof value === "number" ? Math.round(value * 100) / 100 : value;
  writeFileSync(FILE, `${JSON.stringify(all, rounded, 2)}\n`);
}
console.log(`${((performance.now() - start) / 1000).toFixed(0)} s`);
if (slower > 0) {
  console.log(
    `${slower} loads cost over ${
      Math.round((MARGIN - 1) * 100)
    } % more than before; if that is meant: --write`,
  );
  process.exitCode = 1;
}
