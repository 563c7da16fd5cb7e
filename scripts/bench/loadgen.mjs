/**
 * The load generator, loadgen.c: building and running it.
 *
 * @module
 */

import { execFile, execFileSync } from "node:child_process";
import { existsSync, mkdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { onCore } from "./machine.mjs";
import { root } from "../test/tools.mjs";

const source = join(dirname(fileURLToPath(import.meta.url)), "loadgen.c");
const binary = join(root, "node_modules", ".cache", "holdfast-bench", "loadgen");

/** How long one load may take, in milliseconds. */
const LIMIT = 300_000;

/** Builds it, unless it is there and newer than its source. @returns {string} where it is */
export function buildLoadgen() {
  mkdirSync(dirname(binary), { recursive: true });
  if (!existsSync(binary) || statSync(binary).mtimeMs < statSync(source).mtimeMs) {
    execFileSync("gcc", ["-O2", "-Wall", "-Wextra", "-o", binary, source], { stdio: "inherit" });
  }
  return binary;
}

/** Figures that must be 0, or the load was not what it should be. */
const FAULTS = ["connect_failed", "closed_by_server", "reset", "mismatches", "outstanding_at_end"];

/**
 * Loads a server, from the load's own core.
 *
 * @param {readonly string[]} args
 * @param {{ port: number, pid: number }} server
 * @returns {Promise<Record<string, number>>} what loadgen tells
 * @throws {Error} if anything was lost or wrong
 */
export async function runLoadgen(args, { port, pid }) {
  const all = [...args, "--json", "--port", String(port), "--pid", String(pid)];
  const [program = "", ...rest] = onCore("load", [binary, ...all]);
  const { stdout } = await promisify(execFile)(program, rest, { timeout: LIMIT }).catch((error) => {
    throw new Error(`loadgen ${args.join(" ")} failed: ${error.stderr || error.message}`);
  });
  /** @type {Record<string, number>} */
  const found = JSON.parse(stdout);
  const faults = FAULTS.filter((name) => (found[name] ?? 0) > 0).map((name) => `${name} ${found[name]}`);
  if (faults.length > 0) throw new Error(`loadgen ${args.join(" ")}: ${faults.join(", ")}`);
  return found;
}
