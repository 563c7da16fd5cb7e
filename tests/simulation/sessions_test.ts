/**
 * Fresh seeds of sessions: whatever nobody has thought of. Each runtime draws its own, and says which.
 *
 * @module
 */

import { test } from "node:test";
import { assertEquals, fail } from "@std/assert";
import process from "node:process";
import { simulateSessions } from "./sessions.ts";

/** Seeds of each run; CI has four: Deno, Bun, the oldest Node and the newest. */
const SEEDS = 2_500;

test("Fresh seeds of sessions lose, double and reorder nothing", { timeout: 170_000 }, async () => {
  const base = Number(process.env["SIMULATION_BASE"] ?? Date.now() % 1e9 + process.pid * 1e4);
  console.log(`simulation of sessions: seeds ${base} to ${base + SEEDS - 1}`);
  const start = process.cpuUsage();
  for (let seed = base; seed < base + SEEDS; seed++) {
    const { violation } = await simulateSessions(seed);
    if (violation === undefined) continue;
    const { lines } = await simulateSessions(seed, true);
    fail(`seed ${seed}: ${violation}\n${lines.slice(-200).join("\n")}\nseed ${seed}: ${violation}`);
  }
  const { user, system } = process.cpuUsage(start);
  console.log(`simulation of sessions: ${Math.round(SEEDS / ((user + system) / 1e6))} seeds a second of CPU`);
});

test("A seed of sessions always runs the same", async () => {
  for (const seed of [3, 4]) {
    const first = await simulateSessions(seed, true);
    const second = await simulateSessions(seed, true);
    assertEquals(second.lines, first.lines);
  }
});
