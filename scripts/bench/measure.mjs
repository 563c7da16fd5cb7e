/**
 * Measuring a group: its servers in turn, load by load and round by round.
 *
 * Most loads are cut into slices, and the servers run all the time. A load that needs a server of its own, for what
 * it holds in memory, runs whole, with a new server each time. Some programs need no load and tell figures themselves.
 *
 * @module
 */

import { performance } from "node:perf_hooks";

import { runProgram } from "./program.mjs";
import { runLoadgen } from "./loadgen.mjs";
import { busySeconds, processSeconds, RUNTIMES } from "./machine.mjs";
import { startServer } from "./server_process.mjs";

/**
 * What one load told of one server, round by round.
 *
 * @typedef {object} Row
 * @property {string} section
 * @property {string} runtime
 * @property {string} load
 * @property {string} server
 * @property {string} base
 * @property {string} figure
 * @property {string} title
 * @property {import("./plan.mjs").Comparison} compare how it is compared with the base
 * @property {number[]} values the figure that is compared
 * @property {number[]} rates messages a second, where there are messages
 * @property {number[]} busy CPU of the server while it was loaded, in % of its core
 * @property {number[]} others CPU that neither server nor load used, in % of a core
 * @property {string} [failure] why there are no figures
 */

/**
 * @typedef {object} Settings
 * @property {number} rounds
 * @property {number} seconds how long a load takes
 * @property {boolean} fresh whether servers are started anew for each round
 */

/** How long a slice of a load runs before it counts, in seconds. */
const WARM_UP = 0.15;

/**
 * How long a server is loaded before it is another's turn, in seconds: short, so that what else the machine does meets
 * all of them alike. The slices of a round count as one figure.
 */
const SLICE = 0.5;

/** What a slice takes besides its time and the warm-up: connecting, and starting loadgen. */
const OVERHEAD = 0.2;

/** How often a slice is tried in which nothing came back: on a busy machine one may not get to run at all. */
const TRIES = 5;

/** @param {Settings} settings */
const slicesOf = ({ seconds }) => Math.max(1, Math.round(seconds / SLICE));

/**
 * How many slices {@linkcode measure} will run, for a progress bar, and how many seconds that takes.
 *
 * @param {import("./plan.mjs").Group} group
 * @param {Settings} settings
 */
export function costOf({ servers, loads, whole, program }, settings) {
  const slices = slicesOf(settings), turns = Object.keys(servers).length * settings.rounds;
  const steps = turns * loads.length;
  if (program !== undefined) return { steps: turns, seconds: turns * program };
  if (whole !== undefined) return { steps, seconds: steps * whole };
  const besides = loads.reduce((sum, { warmUp = WARM_UP }) => sum + warmUp + OVERHEAD, 0);
  return {
    steps: steps * slices,
    seconds: turns * (loads.length * settings.seconds + slices * besides),
  };
}

/**
 * @param {import("./plan.mjs").Group} group
 * @param {Settings} settings
 * @param {(what: string) => void} step called after each load
 * @returns {Promise<Row[]>}
 */
export async function measure(group, settings, step) {
  const rows = rowsOf(group);
  /** @type {Map<string, import("./server_process.mjs").ServerProcess>} */
  const servers = new Map();
  try {
    for (let round = 0; round < settings.rounds; round++) {
      if (group.program !== undefined) await runPrograms(group, rows, round, step);
      else if (group.whole !== undefined) await loadWhole(group, rows, round, step);
      else {
        if (servers.size === 0) await startAll(group, servers);
        await loadInSlices(group, servers, rows, round, settings, step);
        if (settings.fresh) await stopAll(servers);
      }
    }
  } finally {
    await stopAll(servers);
  }
  return rows;
}

/** @param {import("./plan.mjs").Group} group @returns {Row[]} */
function rowsOf({ section, runtime, base, figure, title, compare = "ratio", loads, servers }) {
  return loads.flatMap((load) =>
    Object.keys(servers).map((server) => ({
      ...{ section, runtime, load: load.name, server, base, figure, title, compare },
      ...{ values: [], rates: [], busy: [], others: [] },
    }))
  );
}

/**
 * The servers in turn: nobody always comes first, when the machine may still be at work on what was before.
 *
 * @param {import("./plan.mjs").Group} group
 * @param {number} turn
 */
function inTurn({ servers }, turn) {
  const all = Object.entries(servers);
  return all.map((_, i) => /** @type {typeof all[number]} */ (all[(i + turn) % all.length]));
}

/**
 * @param {import("./plan.mjs").Group} group
 * @param {Map<string, import("./server_process.mjs").ServerProcess>} servers
 * @param {readonly Row[]} rows
 * @param {number} round
 * @param {Settings} settings
 * @param {(what: string) => void} step
 */
async function loadInSlices(group, servers, rows, round, settings, step) {
  const { section, runtime, figure } = group, count = slicesOf(settings);
  for (const load of group.loads) {
    const time = ["-t", String(settings.seconds / count), "--warmup", String(load.warmUp ?? WARM_UP)];
    /** @type {Map<string, Slice[]>} */
    const found = new Map();
    for (let slice = 0; slice < count; slice++) {
      for (const [name, { speaks = [] }] of inTurn(group, round + slice)) {
        const server = servers.get(name);
        const args = [...load.args, ...speaks, ...time];
        if (server !== undefined) {
          found.set(name, [...found.get(name) ?? [], await loadOnce(args, server, figure)]);
        }
        step(`${section}, ${runtime}: ${load.name}, ${name}`);
      }
    }
    for (const row of rows) if (row.load === load.name) add(row, found.get(row.server) ?? []);
  }
}

/**
 * @param {import("./plan.mjs").Group} group
 * @param {readonly Row[]} rows
 * @param {number} round
 * @param {(what: string) => void} step
 */
async function loadWhole(group, rows, round, step) {
  const { section, runtime, figure } = group;
  for (const load of group.loads) {
    for (const [name, program] of inTurn(group, round)) {
      /** @type {Map<string, import("./server_process.mjs").ServerProcess>} */
      const alone = new Map();
      /** @type {Slice} */
      let slice;
      try {
        await startAll({ ...group, servers: { [name]: program } }, alone);
        const server = alone.get(name);
        if (server === undefined) throw new Error(`${name} is not there`);
        slice = await loadOnce([...load.args, ...program.speaks ?? []], server, figure);
      } catch (error) {
        slice = { failure: error instanceof Error ? error.message : String(error) };
      } finally {
        await stopAll(alone);
      }
      for (const row of rows) if (row.load === load.name && row.server === name) add(row, [slice]);
      step(`${section}, ${runtime}: ${load.name}, ${name}`);
    }
  }
}

/**
 * @param {import("./plan.mjs").Group} group
 * @param {readonly Row[]} rows
 * @param {number} round
 * @param {(what: string) => void} step
 */
async function runPrograms(group, rows, round, step) {
  for (const [name, { file, args = [] }] of inTurn(group, round)) {
    const machine = busySeconds(), mine = processSeconds("self", true), start = performance.now();
    const result = await runProgram([...RUNTIMES[group.runtime] ?? [], file, ...args]);
    const took = (performance.now() - start) / 1000, used = processSeconds("self", true) - mine;
    const others = Math.max(0, (busySeconds() - machine - used) / took * 100);
    for (const row of rows) {
      if (row.server === name) add(row, ["failure" in result ? result : { ...result, others }], row.load);
    }
    step(`${group.section}, ${group.runtime}: ${name}`);
  }
}

/** @param {Map<string, import("./server_process.mjs").ServerProcess>} servers */
async function stopAll(servers) {
  await Promise.all([...servers.values()].map((server) => server.stop()));
  servers.clear();
}

/**
 * @param {import("./plan.mjs").Group} group
 * @param {Map<string, import("./server_process.mjs").ServerProcess>} into
 */
async function startAll({ runtime, servers, warm }, into) {
  await Promise.all(
    Object.entries(servers).map(async ([name, { file, args }]) => {
      into.set(name, await startServer([...RUNTIMES[runtime] ?? [], file], args));
    }),
  );
  for (const [name, server] of into) {
    for (const load of warm) await runLoadgen([...load, ...servers[name]?.speaks ?? []], server);
  }
}

/**
 * What loadgen found in a slice, and what the machine did meanwhile; or why it failed.
 *
 * @typedef {{ found: Record<string, number>, others: number } | { failure: string }} Slice
 */

/**
 * @param {readonly string[]} args
 * @param {import("./server_process.mjs").ServerProcess} server
 * @param {string} figure
 * @returns {Promise<Slice>}
 */
async function loadOnce(args, server, figure) {
  for (let tries = 1;; tries++) {
    const slice = await tryOnce(args, server);
    if ("failure" in slice || slice.found[figure] !== undefined) return slice;
    if (tries === TRIES) return { failure: `loadgen ${args.join(" ")}: nothing came back` };
  }
}

/**
 * @param {readonly string[]} args
 * @param {import("./server_process.mjs").ServerProcess} server
 * @returns {Promise<Slice>}
 */
async function tryOnce(args, server) {
  const machine = busySeconds(), own = processSeconds(server.pid), mine = processSeconds("self", true);
  const start = performance.now();
  try {
    const found = await runLoadgen(args, server);
    const took = (performance.now() - start) / 1000;
    const used = processSeconds(server.pid) - own + processSeconds("self", true) - mine;
    return { found, others: Math.max(0, (busySeconds() - machine - used) / took * 100) };
  } catch (error) {
    return { failure: error instanceof Error ? error.message : String(error) };
  }
}

/**
 * Adds what a round found to a row.
 *
 * @param {Row} row
 * @param {readonly Slice[]} slices
 * @param {string} [figure]
 */
function add(row, slices, figure = row.figure) {
  for (const slice of slices) if ("failure" in slice) row.failure ??= slice.failure;
  const good = slices.flatMap((slice) => "failure" in slice ? [] : [slice]);
  if (good.length < slices.length) return;
  /** @param {string} name */
  const mean = (name) => good.reduce((sum, { found }) => sum + (found[name] ?? NaN), 0) / good.length;
  const rate = mean("msgs_per_s");
  // All its CPU time over all its messages, not the mean of quotients.
  const weighed = good.reduce(
    (sum, { found }) => sum + (found[figure] ?? NaN) * (found["msgs_per_s"] ?? 1),
    0,
  );
  const weight = good.reduce((sum, { found }) => sum + (found["msgs_per_s"] ?? 1), 0);
  row.values.push(weighed / weight);
  row.rates.push(rate);
  row.busy.push(mean("server_cpu_pct"));
  row.others.push(good.reduce((sum, { others }) => sum + others, 0) / good.length);
}
