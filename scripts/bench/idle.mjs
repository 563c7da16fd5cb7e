/**
 * What idle connections cost: memory, processor time and heartbeats, on each runtime, next to a server written by
 * hand on the same sockets.
 *
 *     npm run bench:idle                                     10 000 connections, a beat every 10 s
 *     npm run bench:idle -- --conns 2000 --only deno,node    fewer, on some runtimes
 *
 * Takes half a minute for each of the six servers. Fails if a connection was lost.
 *
 * @module
 */

import { execFileSync, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

import { root, tools } from "../test/tools.mjs";
import { answers, freePort, pause } from "./port.mjs";

const here = dirname(fileURLToPath(import.meta.url));

/** How long a server may take to listen, and to end, in milliseconds. */
const PATIENCE = 15_000;
/** Descriptors that a process needs besides those of the connections. */
const SPARE = 100;

/** How to run a program on each runtime. @type {Record<string, [string, ...string[]]>} */
const RUNTIMES = {
  deno: [tools.deno, "run", "-A", "--no-lock", "--no-check"],
  bun: [tools.bun, "run"],
  node: [tools.node, "--import", "tsx"],
};

const { values } = parseArgs({
  options: {
    conns: { type: "string", default: "10000" },
    interval: { type: "string", default: "10000" },
    seconds: { type: "string", default: "20" },
    only: { type: "string", default: Object.keys(RUNTIMES).join() },
  },
});
const conns = Number(values.conns), interval = Number(values.interval), seconds = Number(values.seconds);

/** @param {string} why */
function skip(why) {
  console.log(`skipped: ${why}`);
  process.exit(0);
}

/** @param {readonly string[]} command */
function withAllDescriptors(command) {
  return ["/bin/sh", "-c", 'ulimit -n "$(ulimit -H -n)"; exec "$@"', "sh", ...command];
}

/**
 * Holds connections to a server.
 *
 * @param {string} loadgen
 * @param {readonly string[]} command
 * @returns {Promise<Record<string, number>>} what loadgen reports
 */
async function hold(loadgen, command) {
  const port = await freePort();
  const [program = "", ...args] = withAllDescriptors([...command, String(port), String(interval)]);
  const env = { ...process.env, NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" };
  const server = spawn(program, args, { cwd: root, env, stdio: ["ignore", "inherit", "inherit"] });
  const ended = new Promise((resolve) => server.on("close", resolve));
  try {
    for (const until = performance.now() + PATIENCE; !await answers(port);) {
      if (server.exitCode !== null) throw new Error(`${command.join(" ")} ended with ${server.exitCode}`);
      if (performance.now() > until) throw new Error(`${command.join(" ")} does not listen`);
      await pause(50);
    }
    // Code and pools have to be there before it is measured.
    execFileSync(loadgen, ["churn", "--port", String(port), "--conns", "50", "--time", "1"]);
    await pause(2_000);
    const output = execFileSync(loadgen, [
      ...["hold", "--json", "--port", String(port), "--pid", String(server.pid)],
      ...["--conns", String(conns), "--time", String(seconds), "--settle", "3"],
    ], { encoding: "utf8", timeout: (seconds + 150) * 1000 });
    return JSON.parse(output);
  } finally {
    server.kill("SIGKILL");
    await ended;
  }
}

/** @param {readonly (string | number)[]} cells */
const line = (cells) =>
  cells.map((cell, i) => i === 0 ? `${cell}`.padEnd(18) : `${cell}`.padStart(12)).join("");

const hard = process.platform === "linux"
  ? Number(execFileSync("/bin/sh", ["-c", "ulimit -H -n"], { encoding: "utf8" }))
  : NaN;
if (Number.isNaN(hard) && process.platform !== "linux") {
  skip("only Linux tells what a process takes, in /proc");
}
if (hard < conns + SPARE) skip(`a process may have ${hard} descriptors, ${conns + SPARE} are needed`);
if (spawnSync("gcc", ["--version"]).error !== undefined) skip("gcc is not installed");

const folder = mkdtempSync(join(tmpdir(), "holdfast-bench-"));
let lost = 0;
try {
  const loadgen = join(folder, "loadgen");
  execFileSync("gcc", ["-O2", "-o", loadgen, join(here, "loadgen.c")]);
  console.log(`${conns} idle connections, a beat every ${interval / 1000} s, watched for ${seconds} s`);
  console.log(line(["", "bytes each", "ratio", "CPU ms/s", "µs a beat", "beats/s", "lost"]));

  for (const [name, command] of Object.entries(RUNTIMES)) {
    if (!values.only.split(",").includes(name)) continue;
    if (spawnSync(command[0], ["--version"]).status !== 0) {
      console.log(`skipped: ${name} is not installed`);
      continue;
    }
    let base = NaN;
    for (const kind of ["by hand", "holdfast"]) {
      const file = kind === "holdfast" ? "holdfast.ts" : `plain_${name}.ts`;
      const found = await hold(loadgen, [...command, join(here, "servers", file)]);
      const { anon_bytes_per_conn: bytes = NaN, alive_at_end: alive = 0, server_cpu_ms_per_s: cpu = NaN } =
        found;
      const { heartbeats_per_s: beats = 0, server_cpu_us_per_heartbeat: each = NaN } = found;
      if (kind === "by hand") base = bytes;
      lost += conns - alive;
      console.log(line([
        `${name}, ${kind}`,
        Math.round(bytes),
        kind === "by hand" ? "" : (bytes / base).toFixed(2),
        cpu.toFixed(1),
        each.toFixed(1),
        beats.toFixed(0),
        conns - alive,
      ]));
    }
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
if (lost > 0) {
  console.error(`${lost} connections were lost`);
  process.exitCode = 1;
}
