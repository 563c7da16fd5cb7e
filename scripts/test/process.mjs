/**
 * Runs a command in a process group of its own, for so long and no longer.
 *
 * A hung test must not hang the gate, nor leave anything behind: when the time is up, and also when the
 * command has ended, whatever is left of its process group is killed by its id.
 *
 * @module
 */

import { spawn } from "node:child_process";
import { performance } from "node:perf_hooks";
import process from "node:process";

/** How long output may still come after the command itself has ended, in milliseconds. */
const FLUSH_TIME = 1_000;

/**
 * @typedef {object} Result
 * @property {number | null} code exit code; `null` if a signal ended it
 * @property {NodeJS.Signals | null} signal what ended it, if a signal did
 * @property {boolean} timedOut whether `limit` was reached
 * @property {string} output what it wrote, stdout and stderr as they came
 * @property {number} time how long it took, in milliseconds
 */

/** Process groups that are running now. @type {Set<number>} */
const groups = new Set();

/** @param {number} group @param {NodeJS.Signals} signal */
function killGroup(group, signal) {
  try {
    process.kill(-group, signal);
  } catch (error) {
    // Nothing is left of it, which is what we want.
    if (/** @type {NodeJS.ErrnoException} */ (error).code !== "ESRCH") throw error;
  }
}

for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM"])) {
  process.on(signal, () => {
    for (const group of groups) killGroup(group, "SIGKILL");
    process.exit(130);
  });
}

/**
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ limit: number, cwd?: string, env?: Record<string, string | undefined> }} options `limit` in milliseconds
 * @returns {Promise<Result>} never rejects for what the command does
 */
export function run(command, args, { limit, cwd, env }) {
  const start = performance.now();
  const child = spawn(command, args, {
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, DENO_NO_UPDATE_CHECK: "1", NO_COLOR: "1", ...env },
    ...(cwd === undefined ? {} : { cwd }),
  });

  /** @type {Buffer[]} */
  const chunks = [];
  child.stdout.on("data", (chunk) => chunks.push(chunk));
  child.stderr.on("data", (chunk) => chunks.push(chunk));

  return new Promise((resolve) => {
    let timedOut = false;
    /** @type {NodeJS.Timeout | undefined} */
    let flush;

    const group = child.pid;
    if (group !== undefined) groups.add(group);
    const timer = setTimeout(() => {
      timedOut = true;
      if (group !== undefined) killGroup(group, "SIGKILL");
    }, limit);

    /** @param {number | null} code @param {NodeJS.Signals | null} signal @param {string} [error] */
    const settle = (code, signal, error = "") => {
      clearTimeout(timer);
      clearTimeout(flush);
      if (group !== undefined) groups.delete(group);
      child.stdout.destroy();
      child.stderr.destroy();
      const output = Buffer.concat(chunks).toString("utf8") + error;
      resolve({ code, signal, timedOut, output, time: performance.now() - start });
    };

    child.on("error", (error) => settle(null, null, `${error.message}\n`));
    child.on("close", settle);
    child.on("exit", (code, signal) => {
      if (group !== undefined) killGroup(group, "SIGKILL");
      // A grandchild in another process group may hold our pipes open for ever.
      flush = setTimeout(() => settle(code, signal), FLUSH_TIME);
    });
  });
}
