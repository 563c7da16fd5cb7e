/**
 * The gate: everything that must hold before a change goes in.
 *
 *     npm test                                  all of it
 *     npm test -- --only node tests/liveness    some tests on one runtime
 *     npm test -- --only checks                 no tests
 *
 * The last line it prints is `N passed, N failed`, summed over the checks and the runtimes.
 *
 * @module
 */

import { performance } from "node:perf_hooks";
import process from "node:process";
import { parseArgs } from "node:util";

import { CHECK_LIMIT, CHECKS } from "./test/checks.mjs";
import { FaultTable } from "./test/fault_table.mjs";
import { run } from "./test/process.mjs";
import { compare, runSuite, RUNTIMES } from "./test/runtimes.mjs";
import { filesBelow, root } from "./test/tools.mjs";

const USAGE = `usage: npm test -- [--only checks|${RUNTIMES.join("|")}]... [--verbose] [file or folder]...`;

const total = { passed: 0, failed: 0, skipped: 0 };

/** @param {string[]} args */
function readOptions(args) {
  try {
    const { values, positionals } = parseArgs({
      args,
      options: {
        only: { type: "string", multiple: true },
        verbose: { type: "boolean" },
        help: { type: "boolean" },
      },
      allowPositionals: true,
    });
    const { only = [], verbose = false, help = false } = values;
    const unknown = only.find((name) => name !== "checks" && !RUNTIMES.some((known) => known === name));
    if (unknown !== undefined) throw new TypeError(`Unknown part "${unknown}"`);
    return { only, verbose, help, filters: positionals };
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n${USAGE}`);
    process.exit(2);
  }
}

async function runChecks() {
  console.log("checks");
  for (const { name, command, verify, tells } of CHECKS) {
    const result = await run(...command(), { limit: CHECK_LIMIT, cwd: root });
    const time = `${(result.time / 1000).toFixed(1)} s`;
    const wrong = result.timedOut
      ? `killed after ${CHECK_LIMIT / 1000} s`
      : result.code !== 0
      ? `ended with ${result.signal ?? `code ${result.code}`}`
      : verify?.(result.output);
    if (wrong === undefined) total.passed++;
    else total.failed++;
    console.log(wrong === undefined ? `  ok ${name} (${time})` : `  FAILED ${name}: ${wrong} (${time})`);
    if (wrong !== undefined || tells) console.log(result.output.trimEnd().replace(/^/gm, "    "));
    if (tells) total.skipped += [...result.output.matchAll(/^skipped: /gm)].length;
  }
}

/**
 * @param {readonly string[]} names
 * @param {readonly string[]} files
 * @param {{ verbose: boolean }} options
 */
async function runRuntimes(names, files, options) {
  /** @type {import("./test/runtimes.mjs").Outcome[]} */
  const outcomes = [];
  const table = new FaultTable();
  for (const name of RUNTIMES.filter((name) => names.length === 0 || names.includes(name))) {
    const outcome = await runSuite(name, files, { ...options, table });
    if ("missing" in outcome) {
      total.skipped++;
      console.log(`\nskipped: ${name}: ${outcome.missing}`);
      continue;
    }
    total.passed += outcome.passed;
    total.failed += outcome.failed;
    total.skipped += outcome.skipped;
    outcomes.push(outcome);
  }
  compare(outcomes);
  if (!table.empty) console.log(`\nfaults, by row of docs/faults.md\n\n${table}`);
}

const { only, verbose, help, filters } = readOptions(process.argv.slice(2));
if (help) {
  console.log(USAGE);
  process.exit(0);
}

const start = performance.now();
if (only.includes("checks") || (only.length === 0 && filters.length === 0)) await runChecks();

const runtimes = only.filter((name) => name !== "checks");
if (only.length === 0 || runtimes.length > 0) {
  const files = filesBelow("tests", "_test.ts")
    .filter((file) => filters.length === 0 || filters.some((filter) => file.includes(filter)));
  await runRuntimes(runtimes, files, { verbose });
}

const { passed, failed, skipped } = total;
console.log(`\n${((performance.now() - start) / 1000).toFixed(0)} s in all`);
console.log(`${passed} passed, ${failed} failed${skipped === 0 ? "" : `, ${skipped} skipped`}`);
process.exit(failed === 0 && passed > 0 ? 0 : 1);
