/**
 * The machine that measures: its cores and who uses them, its limits, and what runs on it.
 *
 * @module
 */

import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { cpus, release, totalmem } from "node:os";
import process from "node:process";

import { tools } from "../test/tools.mjs";

/** How to run a program on each runtime. @type {Record<string, readonly [string, ...string[]]>} */
export const RUNTIMES = {
  deno: [tools.deno, "run", "-A", "--no-lock", "--no-check"],
  bun: [tools.bun, "run"],
  node: [tools.node, "--import", "tsx"],
};

const CORES = { server: "0", load: "1" };

const pins = cpus().length > 1 && spawnSync("taskset", ["--version"]).error === undefined;

/**
 * The command, to be run on a core of its own with all the descriptors that a process may have. It replaces the
 * shell that sees to this, so that its process is the program's.
 *
 * @param {keyof typeof CORES} which
 * @param {readonly string[]} command
 * @returns {string[]}
 */
export function onCore(which, command) {
  const pin = pins ? ["taskset", "-c", CORES[which]] : [];
  return ["/bin/sh", "-c", 'ulimit -n "$(ulimit -H -n)"; exec "$@"', "sh", ...pin, ...command];
}

/** How many descriptors a process may have. */
export function descriptorLimit() {
  return Number(execFileSync("/bin/sh", ["-c", "ulimit -H -n"], { encoding: "utf8" }));
}

/** Why nothing can be measured here, if so. @returns {string | undefined} */
export function whyNot() {
  if (process.platform !== "linux") return "only Linux tells what a process takes, in /proc";
  if (spawnSync("gcc", ["--version"]).error !== undefined) return "gcc is not installed";
  return undefined;
}

/** Ticks of the kernel's accounts in a second. */
const TICKS = Number(execFileSync("getconf", ["CLK_TCK"], { encoding: "utf8" }));

/** CPU seconds of the whole machine so far, without idling and waiting. */
export function busySeconds() {
  const [line = ""] = readFileSync("/proc/stat", "utf8").split("\n");
  const fields = line.trim().split(/\s+/).slice(1, 9).map(Number);
  const idle = (fields[3] ?? 0) + (fields[4] ?? 0);
  return (fields.reduce((sum, field) => sum + field, 0) - idle) / TICKS;
}

/**
 * CPU seconds of a process so far; with `children`, also of those that have ended.
 *
 * @param {number | "self"} pid
 * @param {boolean} [children]
 */
export function processSeconds(pid, children = false) {
  const text = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ").map(Number);
  const own = (fields[11] ?? 0) + (fields[12] ?? 0);
  return (own + (children ? (fields[13] ?? 0) + (fields[14] ?? 0) : 0)) / TICKS;
}

/** @param {string} program */
function versionOf(program) {
  const { stdout = "" } = spawnSync(program, ["--version"], { encoding: "utf8" });
  return /\d+\.\d+\.\d+\S*/.exec(stdout ?? "")?.[0] ?? "";
}

/** What the figures were measured on. */
export function describeMachine() {
  const versions = Object.fromEntries(
    Object.entries(RUNTIMES).map(([name, [program]]) => [name, versionOf(program)]),
  );
  return {
    cores: cpus().length,
    processor: cpus()[0]?.model.trim() ?? "unknown",
    gibibytes: Math.round(totalmem() / 2 ** 30),
    system: `Linux ${release()}`,
    pinned: pins,
    descriptors: descriptorLimit(),
    versions,
  };
}
