/**
 * A server under measurement, in a process and on a core of its own.
 *
 * @module
 */

import { spawn } from "node:child_process";
import { performance } from "node:perf_hooks";
import process from "node:process";

import { root } from "../test/tools.mjs";
import { onCore } from "./machine.mjs";
import { answers, freePort, pause } from "./port.mjs";

/** How long a server may take to listen, in milliseconds. */
const PATIENCE = 15_000;

/** @typedef {{ readonly port: number, readonly pid: number, stop(): Promise<void> }} ServerProcess */

/** Servers that run, so that none outlives this process. @type {Set<import("node:child_process").ChildProcess>} */
const running = new Set();

for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM"])) {
  process.on(signal, () => {
    for (const child of running) child.kill("SIGKILL");
    process.exit(130);
  });
}

/**
 * Starts a server and waits until it listens. Its first argument, put in after the program's file, is the port.
 *
 * @param {readonly string[]} command how to run the program, and its file
 * @param {readonly string[]} [args] what follows the port
 * @returns {Promise<ServerProcess>}
 */
export async function startServer(command, args = []) {
  const port = await freePort();
  const [program = "", ...rest] = onCore("server", [...command, String(port), ...args]);
  const env = { ...process.env, NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" };
  const child = spawn(program, rest, { cwd: root, env, stdio: ["ignore", "ignore", "inherit"] });
  running.add(child);
  const ended = new Promise((resolve) => child.on("close", resolve));
  const stop = async () => {
    child.kill("SIGKILL");
    await ended;
    running.delete(child);
  };
  for (const until = performance.now() + PATIENCE; !await answers(port);) {
    const why = child.exitCode !== null
      ? `ended with ${child.exitCode}`
      : performance.now() > until
      ? "does not listen"
      : undefined;
    if (why !== undefined) {
      await stop();
      throw new Error(`${command.join(" ")} ${why}`);
    }
    await pause(50);
  }
  return { port, pid: /** @type {number} */ (child.pid), stop };
}
