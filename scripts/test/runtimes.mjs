/**
 * Runs the suite on the runtimes.
 *
 * Each test file has a process of its own, on every runtime alike: a crash or a hang costs one file and
 * names it, and no file sees what another has left behind. Files run one after another, since many of
 * them measure time, but for a few long ones that run aside.
 *
 * @module
 */

import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";

import { FaultTable, LOG } from "./fault_table.mjs";
import { parseJunit } from "./junit.mjs";
import { run } from "./process.mjs";
import { newestNode, root, tools } from "./tools.mjs";

/** How long one test file may take, in milliseconds: twice what the longest does, the conformance suite. */
const FILE_LIMIT = 300_000;

/** How long one runtime may take for all files, in milliseconds. */
const RUNTIME_LIMIT = 900_000;

/**
 * Files that run beside the others: they take long, since they wait for the kernel most of the time, and do not
 * measure how long anything takes more closely than by the second.
 */
const ASIDE = /^tests\/conformance\//;

/** Files that run last and alone, since they measure what a neighbour feels. */
const ALONE = /^tests\/(faults|abuse)\//;

/** A file that takes longer than this is named, since it costs everybody on every run, in milliseconds. */
const SLOW = 20_000;

/**
 * @typedef {object} Runtime
 * @property {string} name
 * @property {string} path the program
 * @property {(file: string, report: string) => string[]} args how to run `file`, with a JUnit report in `report`
 * @property {(file: string, report: string) => Record<string, string>} [env]
 */

/**
 * @typedef {object} Outcome
 * @property {string} title name and version
 * @property {number} passed
 * @property {number} failed
 * @property {number} skipped
 * @property {Map<string, number>} counts tests found in each file, whatever became of them
 */

/**
 * @param {string} name
 * @param {string} path
 * @param {string} version
 * @returns {Runtime}
 */
function node(name, path, version) {
  // From 22.18 on Node runs TypeScript by itself.
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const loader = major > 22 || (major === 22 && minor >= 18) ? "./scripts/test/import_map_hook.mjs" : "tsx";
  return {
    name,
    path,
    args: (file, report) => [
      ...["--import", loader],
      ...["--test-reporter=junit", `--test-reporter-destination=${report}`],
      ...["--test-reporter=spec", "--test-reporter-destination=stdout"],
      file,
    ],
  };
}

/**
 * Finds the runtimes of these names.
 *
 * @param {string} name
 * @returns {Promise<Runtime | { missing: string }>}
 */
async function find(name) {
  if (name === "deno") {
    const flags = ["-A", "--no-check", "--import-map=tests/support/import_map.json"];
    return {
      name,
      path: tools.deno,
      args: (file, report) => ["test", ...flags, `--junit-path=${report}`, file],
    };
  }
  if (name === "bun") {
    // Bun alone gives a test 5 s by itself; how long a test may take is for the test to say.
    const flags = [`--timeout=${FILE_LIMIT}`, "--reporter=junit"];
    return {
      name,
      path: tools.bun,
      args: (file, report) => ["test", ...flags, `--reporter-outfile=${report}`, `./${file}`],
    };
  }
  if (name === "node") return node(name, tools.node, process.versions.node);
  const newest = await newestNode();
  if ("missing" in newest) return newest;
  const { output } = await run(newest.path, ["--version"], { limit: 10_000 });
  return node(name, newest.path, output.trim().slice(1));
}

/** The runtimes, in the order in which they are tried. */
export const RUNTIMES = /** @type {const} */ (["deno", "bun", "node", "node-latest"]);

/**
 * Why tests did not run: Node's report says it; elsewhere a test has to print it. Each reason once.
 *
 * @param {import("./junit.mjs").Report} report
 * @param {string} output
 */
function skipReasons(report, output) {
  const printed = [...output.matchAll(/\bskipped: (.*)/g)].map(([, reason = ""]) => reason.trim());
  const reported = report.skipped.filter(({ why }) => why).map(({ name, why }) =>
    `${name}: ${why.replace(/^skipped: /, "")}`
  );
  const all = [...new Set([...printed, ...reported])];
  return all.filter((reason) => !all.some((other) => other !== reason && other.endsWith(reason)));
}

/** @param {string} text */
const indent = (text) => text.trimEnd().replace(/^/gm, "    ");

/**
 * Runs `files` on a runtime and prints what happens.
 *
 * @param {typeof RUNTIMES[number]} name
 * @param {readonly string[]} files
 * @param {{ verbose: boolean, table?: FaultTable }} options `table` gets what the tests of faults measure
 * @returns {Promise<Outcome | { missing: string }>}
 */
export async function runSuite(name, files, { verbose, table = new FaultTable() }) {
  const runtime = await find(name);
  if ("missing" in runtime) return runtime;

  const start = performance.now();
  const version = await run(runtime.path, ["--version"], { limit: 10_000 });
  const title = `${name} ${/\d+\.\d+\.\d+\S*/.exec(version.output)?.[0] ?? "(version unknown)"}`;
  console.log(`\n${title}: ${files.length} files`);

  /** @type {Outcome} */
  const outcome = { title, passed: 0, failed: 0, skipped: 0, counts: new Map() };
  const fail = (/** @type {string} */ file, /** @type {string} */ why, /** @type {string} */ output) => {
    console.log(`  FAILED ${file}: ${why}\n${indent(output)}`);
  };

  const reports = mkdtempSync(join(tmpdir(), "holdfast-test-"));
  const measured = join(reports, "measured");

  /** @param {string} file */
  const runFile = async (file) => {
    const left = RUNTIME_LIMIT - (performance.now() - start);
    if (left <= 0) {
      outcome.failed++;
      return fail(file, `not run: the ${RUNTIME_LIMIT / 1000} s for a runtime are used up`, "");
    }

    const path = join(reports, `${file.replaceAll("/", "-")}.xml`);
    const limit = Math.min(left, FILE_LIMIT);
    const env = { [LOG]: measured };
    const result = await run(runtime.path, runtime.args(file, path), { limit, cwd: root, env });
    const report = parseJunit(existsSync(path) ? readFileSync(path, "utf8") : "");
    const found = report.passed.length + report.failed.length + report.skipped.length;

    outcome.passed += report.passed.length;
    outcome.skipped += report.skipped.length;
    outcome.failed += report.failed.length;
    outcome.counts.set(file, found);

    if (report.failed.length > 0) {
      fail(file, report.failed.map((test) => JSON.stringify(test)).join(", "), result.output);
    }
    if (result.timedOut) {
      outcome.failed++;
      fail(file, `killed after ${Math.round(limit / 1000)} s`, result.output);
    } else if (result.code !== 0 && report.failed.length === 0) {
      outcome.failed++;
      fail(file, `ended with ${result.signal ?? `code ${result.code}`}`, result.output);
    } else if (found === 0) {
      outcome.failed++;
      fail(file, "ran no test", result.output);
    }

    if (verbose || result.time > SLOW) {
      console.log(`  ${(result.time / 1000).toFixed(1).padStart(6)} s  ${file}  ${found} tests`);
    }
    for (const reason of skipReasons(report, result.output)) console.log(`  skipped: ${reason} (${file})`);
  };

  /** @param {readonly string[]} lane */
  const runLane = async (lane) => {
    for (const file of lane) await runFile(file);
  };
  try {
    await Promise.all([
      runLane(files.filter((file) => !ASIDE.test(file) && !ALONE.test(file))),
      runLane(files.filter((file) => ASIDE.test(file))),
    ]);
    const alone = files.filter((file) => ALONE.test(file));
    if (runtime.name !== "node-latest" || alone.length === files.length) await runLane(alone);
    // They take minutes, and what they look at is the same code on the same kernel.
    else {console.log(
        `  skipped: ${alone.length} files of faults and abuse, which Node ${process.versions.node} has run`,
      );}
  } finally {
    table.add(name, measured);
    rmSync(reports, { recursive: true, force: true });
  }

  if (outcome.passed === 0) {
    outcome.failed++;
    console.log("  FAILED no test passed on this runtime");
  }
  const { passed, failed, skipped } = outcome;
  const time = ((performance.now() - start) / 1000).toFixed(1);
  console.log(`${title}: ${passed} passed, ${failed} failed, ${skipped} skipped (${time} s)`);
  return outcome;
}

/**
 * Says where the runtimes do not have the same tests: a file that lost some on the way (Deno reports a
 * file whose top level threw after the first `test()` as passed) would otherwise go unseen.
 *
 * @param {readonly Outcome[]} outcomes
 */
export function compare(outcomes) {
  const files = outcomes[0]?.counts.keys() ?? [];
  for (const file of files) {
    const counts = outcomes.map(({ counts }) => counts.get(file) ?? 0);
    if (new Set(counts).size === 1) continue;
    const list = outcomes.map(({ title }, index) => `${title} ${counts[index]}`).join(", ");
    console.log(`note: ${file} has not the same number of tests everywhere: ${list}`);
  }
}
