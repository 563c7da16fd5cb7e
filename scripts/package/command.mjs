/**
 * The command, started as users start it: it says where it listens, answers, and ends well when it is told to.
 *
 * @module
 */

import { spawn } from "node:child_process";
import { connect } from "node:net";
import process from "node:process";

/** How long each step may take, in milliseconds. */
const PATIENCE = 60_000;

/**
 * Runs `holdfast serve` and talks to it.
 *
 * @param {string} command
 * @param {readonly string[]} args what comes before `serve`
 * @param {{ cwd: string, env: Record<string, string | undefined>, end?: string }} options `end`: how it ends
 */
export async function tryCommand(command, args, { cwd, env, end = "code 0" }) {
  const child = spawn(command, [...args, "serve", "--port", "0"], {
    cwd,
    detached: true,
    env: { ...process.env, DENO_NO_UPDATE_CHECK: "1", NO_COLOR: "1", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  const signal = (/** @type {NodeJS.Signals} */ name) => {
    try {
      process.kill(-(/** @type {number} */ (child.pid)), name);
    } catch (error) {
      // It has ended by itself.
      if (/** @type {NodeJS.ErrnoException} */ (error).code !== "ESRCH") throw error;
    }
  };
  /** @type {Promise<string>} */
  const ended = new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => resolve(signal ?? `code ${code}`));
  });
  /** @type {Promise<number>} */
  const port = new Promise((resolve) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (chunk) => {
        output += chunk;
        const said = /listening on 127\.0\.0\.1:(\d+)/.exec(output);
        if (said !== null) resolve(Number(said[1]));
      });
    }
  });
  const early = ended.then((how) => Promise.reject(new Error(`it ended with ${how}`)));
  // When it has ended as it should nobody waits for this.
  early.catch(() => {});

  try {
    const answer = await within(Promise.race([port.then(ask), early]));
    if (answer !== "HELLO") throw new Error(`it answered ${JSON.stringify(answer)}`);
    // To the whole group, as a terminal does for Ctrl-C.
    signal("SIGINT");
    const how = await within(ended);
    if (how !== end) throw new Error(`after SIGINT it ended with ${how}`);
  } catch (error) {
    throw new Error(`${error instanceof Error ? error.message : error}\n${output}`);
  } finally {
    signal("SIGKILL");
  }
}

/**
 * What the server answers to "hello".
 *
 * @param {number} port
 * @returns {Promise<string>}
 */
function ask(port) {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => socket.write("hello"));
    let answer = "";
    socket.on("error", reject);
    socket.on("data", (chunk) => {
      answer += chunk;
      if (answer.length < 5) return;
      socket.destroy();
      resolve(answer);
    });
  });
}

/**
 * @template T
 * @param {Promise<T>} promise
 * @returns {Promise<T>}
 */
function within(promise) {
  /** @type {NodeJS.Timeout | undefined} */
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`nothing for ${PATIENCE / 1000} s`)), PATIENCE);
  });
  return /** @type {Promise<T>} */ (Promise.race([promise, late])).finally(() => clearTimeout(timer));
}
