/**
 * What the library costs over hand-written socket code, side by side on each runtime, and which targets are met.
 *
 *     npm run bench                                       everything, five rounds; it says how long that takes
 *     npm run bench -- --quick                            the most telling loads, in about two minutes
 *     npm run bench -- --runtime deno --only "64 B"       some loads on one runtime
 *     npm run bench -- --from FILE                        nothing is measured: shows what a run wrote
 *     npm run bench -- --write                            also writes docs/performance.md
 *
 * Servers take turns under the same load, the server on one core and the load on the other. A figure is the median of
 * the rounds; a ratio is the median of the rounds' ratios, with the lowest and the highest. `others` is the CPU
 * time, in % of a core, that other programs took meanwhile: a run where it is high is not to be trusted.
 *
 * @module
 */

import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { performance } from "node:perf_hooks";
import process from "node:process";
import { parseArgs } from "node:util";

import { root, tools } from "../test/tools.mjs";
import { buildLoadgen } from "./loadgen.mjs";
import { describeMachine, RUNTIMES, whyNot } from "./machine.mjs";
import { costOf, measure } from "./measure.mjs";
import { PLAN } from "./plan.mjs";
import { page } from "./page.mjs";
import { progress } from "./progress.mjs";
import { asText } from "./report.mjs";
import { judge } from "./verdicts.mjs";

const USAGE = `usage: npm run bench -- [options]
  --quick            the most telling loads only, three short rounds
  --section NAME     ${[...new Set(PLAN.map(({ section }) => section))].join(", ")}; may be repeated
  --runtime NAME     ${Object.keys(RUNTIMES).join(", ")}; may be repeated
  --only PATTERN     loads, or servers, whose name matches; the base always runs
  --beside FOLDER    measures the library of another checkout, too, in the same seconds
  --rounds N         5, or 3 if quick
  --seconds N        how long each load takes: 2, or 1 if quick
  --json FILE        where the figures go; node_modules/.cache/holdfast-bench/last.json
  --continue         leaves out what that file has already, and adds to it
  --from FILE        measures nothing: shows the figures of a file
  --write            puts the figures into docs/performance.json, and writes docs/performance.md from them`;

const DOCS = join(root, "docs", "performance");
const LAST = join(root, "node_modules", ".cache", "holdfast-bench", "last.json");

/**
 * What a run writes.
 *
 * @typedef {object} Figures
 * @property {string} date
 * @property {ReturnType<typeof describeMachine>} machine
 * @property {import("./measure.mjs").Settings} settings
 * @property {import("./measure.mjs").Row[]} rows
 */

function readOptions() {
  try {
    const { values } = parseArgs({
      options: {
        quick: { type: "boolean", default: false },
        section: { type: "string", multiple: true },
        runtime: { type: "string", multiple: true },
        only: { type: "string", default: "" },
        beside: { type: "string" },
        rounds: { type: "string" },
        seconds: { type: "string" },
        json: { type: "string", default: LAST },
        continue: { type: "boolean", default: false },
        from: { type: "string" },
        write: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    });
    if (values.help) {
      console.log(USAGE);
      process.exit(0);
    }
    const rounds = Number(values.rounds ?? (values.quick ? 3 : 5));
    const seconds = Number(values.seconds ?? (values.quick ? 1 : 2));
    if (!(rounds >= 1 && seconds > 0)) throw new RangeError("--rounds must be >= 1, and --seconds > 0");
    return { ...values, settings: { rounds, seconds, fresh: !values.quick }, only: new RegExp(values.only) };
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n${USAGE}`);
    process.exit(2);
  }
}

/**
 * The servers, and those of the library once more from another checkout.
 *
 * @param {import("./plan.mjs").Group["servers"]} servers
 * @param {string} folder
 */
function doubled(servers, folder) {
  return Object.fromEntries(
    Object.entries(servers).flatMap(([name, program]) => {
      const twin = { ...program, file: join(resolve(folder), program.file) };
      return program.file.includes("servers")
        ? [[name, program], [`${name}, beside`, twin]]
        : [[name, program]];
    }),
  );
}

/**
 * The part of the plan that is asked for.
 *
 * @param {ReturnType<typeof readOptions>} options
 * @param {readonly import("./measure.mjs").Row[]} done
 */
function chosen({ section, runtime, only, quick, beside }, done) {
  return PLAN.filter((group) =>
    (section?.includes(group.section) ?? true) && (runtime?.includes(group.runtime) ?? true) &&
    !done.some((row) => row.section === group.section && row.runtime === group.runtime)
  ).map((group) => beside === undefined ? group : { ...group, servers: doubled(group.servers, beside) }).map(
    (group) => {
      const loads = group.loads.filter((load) => !quick || load.quick === true);
      // A pattern that names servers picks those; any other picks loads.
      const servers = Object.entries(group.servers).filter(([name]) => only.test(name));
      const named = loads.filter(({ name }) => only.test(name));
      if (named.length > 0 || servers.length === 0) return { ...group, loads: named };
      const kept = Object.entries(group.servers).filter(([name]) => name === group.base || only.test(name));
      return { ...group, loads, servers: Object.fromEntries(kept) };
    },
  ).filter(({ loads }) => loads.length > 0);
}

/** @param {string} file @returns {Figures} */
const read = (file) => JSON.parse(readFileSync(file, "utf8"));

/** @param {Figures} figures @param {boolean} write */
function show(figures, write) {
  const verdicts = judge(figures.rows);
  console.log(asText(verdicts));
  if (!write) return;
  // What is measured has more digits than it is good for.
  const round = (/** @type {string} */ _, /** @type {unknown} */ value) =>
    typeof value === "number" ? Number(value.toPrecision(4)) : value;
  writeFileSync(`${DOCS}.json`, `${JSON.stringify(figures, round)}\n`);
  writeFileSync(`${DOCS}.md`, page(figures, verdicts));
  for (const name of [`${DOCS}.md`, `${DOCS}.json`]) execFileSync(tools.deno, ["fmt", "--quiet", name]);
}

async function main() {
  const options = readOptions();
  const { settings, json } = options;
  if (options.from !== undefined) return show(read(options.from), options.write);
  const why = whyNot();
  if (why !== undefined) return console.log(`skipped: ${why}`);
  buildLoadgen();

  /** @type {Figures} */
  const figures = {
    date: new Date().toISOString().slice(0, 10),
    machine: describeMachine(),
    settings,
    rows: [],
  };
  if (options.continue) figures.rows.push(...read(json).rows);
  const groups = chosen(options, figures.rows);
  const costs = groups.map((group) => costOf(group, settings));
  const minutes = Math.ceil(costs.reduce((sum, { seconds }) => sum + seconds, 0) / 60);
  console.error(`about ${minutes} ${minutes === 1 ? "minute" : "minutes"}`);
  const start = performance.now();
  const shown = progress(costs.reduce((sum, { steps }) => sum + steps, 0));
  try {
    for (const group of groups) {
      figures.rows.push(...await measure(group, settings, (what) => shown.step(what)));
      mkdirSync(dirname(json), { recursive: true });
      writeFileSync(json, `${JSON.stringify(figures)}\n`);
    }
  } finally {
    shown.stop();
  }
  show(figures, options.write);
  console.log(`${Math.round((performance.now() - start) / 1000)} s; figures in ${json}`);
  if (figures.rows.some(({ failure }) => failure !== undefined)) process.exitCode = 1;
}

await main();
