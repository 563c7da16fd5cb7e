/**
 * Programs that measure themselves and print their figures.
 *
 * @module
 */

import { root } from "../test/tools.mjs";
import { run } from "../test/process.mjs";
import { onCore } from "./machine.mjs";

/** How long one may take, in milliseconds. */
const LIMIT = 120_000;

/**
 * Runs a program on the server's core. Its last line is JSON.
 *
 * @param {readonly string[]} command
 * @returns {Promise<{ found: Record<string, number> } | { failure: string }>}
 */
export async function runProgram(command) {
  const [program = "", ...args] = onCore("server", command);
  const { code, output } = await run(program, args, { limit: LIMIT, cwd: root });
  if (code !== 0) return { failure: `${command.join(" ")} ended with ${code}: ${output.trim()}` };
  return { found: JSON.parse(output.trim().split("\n").at(-1) ?? "") };
}
