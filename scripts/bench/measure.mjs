/**
 * Measuring a group: its servers in turn, load by load and round by round.
 *
 * @module
 */

import { performance } from "node:perf_hooks";

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
 * @property {number} [warmUp] how long each slice of a load runs before it counts, in seconds
 */

/** How long a load runs before it counts, in seconds, unless it is set. */
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
export function costOf({ servers, loads }, settings) {
  const slices = slicesOf(settings);
  const steps = Object.keys(servers).length * loads.length * settings.rounds * slices;
  return { steps, seconds: steps * (settings.seconds / slices + WARM_UP + OVERHEAD) };
}

/**
 * @param {import("./plan.mjs").Group} group
 * @param {Settings} settings
 * @param {(what: string) => void} step called after each load
 * @returns {Promise<Row[]>}
 */
export async function measure(group, settings, step) {
  const { section, runtime, base, figure, title, loads } = group;
  const names = Object.keys(group.servers);
  /** @type {Row[]} */
  const rows = loads.flatMap((load) =>
    names.map((server) => ({
      ...{ section, runtime, load: load.name, server, base, figure, title },
      ...{ values: [], rates: [], busy: [], others: [] },
    }))
  );
  /** @type {Map<string, import("./server_process.mjs").ServerProcess>} */
  let servers = new Map();
  const stopAll = async () => {
    await Promise.all([...servers.values()].map((server) => server.stop()));
    servers = new Map();
  };
  try {
    for (let round = 0; round < settings.rounds; round++) {
      if (servers.size === 0) await startAll(group, servers);
      for (const load of loads) {
        const found = new Map(names.map((name) => [name, /** @type {Slice[]} */ ([])]));
        for (let slice = 0; slice < slicesOf(settings); slice++) {
          // Nobody always comes first, when the machine may still be at work on what was before.
          for (const name of names.map((_, i) => names[(i + round + slice) % names.length] ?? "")) {
            const server = servers.get(name);
            const args = [...load.args, ...group.servers[name]?.speaks ?? []];
            if (server !== undefined) found.get(name)?.push(await loadOnce(args, server, figure, settings));
            step(`${section}, ${runtime}: ${load.name}, ${name}`);
          }
        }
        for (const row of rows) if (row.load === load.name) add(row, found.get(row.server) ?? []);
      }
      if (settings.fresh) await stopAll();
    }
  } finally {
    await stopAll();
  }
  return rows;
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
 * @param {Settings} settings
 * @returns {Promise<Slice>}
 */
async function loadOnce(args, server, figure, settings) {
  for (let tries = 1;; tries++) {
    const slice = await tryOnce(args, server, settings);
    if ("failure" in slice || slice.found[figure] !== undefined) return slice;
    if (tries === TRIES) return { failure: `loadgen ${args.join(" ")}: nothing came back` };
  }
}

/**
 * @param {readonly string[]} args
 * @param {import("./server_process.mjs").ServerProcess} server
 * @param {Settings} settings
 * @returns {Promise<Slice>}
 */
async function tryOnce(args, server, settings) {
  const { seconds, warmUp = WARM_UP } = settings;
  const time = ["-t", String(seconds / slicesOf(settings)), "--warmup", String(warmUp)];
  const machine = busySeconds(), own = processSeconds(server.pid), mine = processSeconds("self", true);
  const start = performance.now();
  try {
    const found = await runLoadgen([...args, ...time], server);
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
 */
function add(row, slices) {
  for (const slice of slices) if ("failure" in slice) row.failure ??= slice.failure;
  const good = slices.flatMap((slice) => "failure" in slice ? [] : [slice]);
  if (good.length < slices.length) return;
  /** @param {string} name */
  const mean = (name) => good.reduce((sum, { found }) => sum + (found[name] ?? NaN), 0) / good.length;
  const rate = mean("msgs_per_s");
  // All its CPU time over all its messages, not the mean of quotients.
  const weighed = good.reduce(
    (sum, { found }) => sum + (found[row.figure] ?? NaN) * (found["msgs_per_s"] ?? 1),
    0,
  );
  const weight = good.reduce((sum, { found }) => sum + (found["msgs_per_s"] ?? 1), 0);
  row.values.push(weighed / weight);
  row.rates.push(rate);
  row.busy.push(mean("server_cpu_pct"));
  row.others.push(good.reduce((sum, { others }) => sum + others, 0) / good.length);
}
