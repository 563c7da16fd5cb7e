/**
 * Fresh seeds: whatever nobody has thought of. Each runtime draws its own, and says which.
 *
 * @module
 */

import { test } from "node:test";
import { assertEquals, fail } from "@std/assert";
import process from "node:process";
import { simulate } from "./simulate.ts";

/** Seeds of each runtime; with three of them more than 2 000 in all. */
const SEEDS = 750;

test("Fresh seeds break no rule", { timeout: 170_000 }, async () => {
  const base = Number(process.env["SIMULATION_BASE"] ?? Date.now() % 1e9 + process.pid * 1e4);
  console.log(`simulation: seeds ${base} to ${base + SEEDS - 1}`);
  for (let seed = base; seed < base + SEEDS; seed++) {
    const { violation } = await simulate(seed);
    if (violation === undefined) continue;
    const { lines } = await simulate(seed, true);
    fail(`seed ${seed}: ${violation}\n${lines.slice(-200).join("\n")}\nseed ${seed}: ${violation}`);
  }
});

test("A seed always runs the same", async () => {
  for (const seed of [3, 4]) {
    const first = await simulate(seed, true);
    const second = await simulate(seed, true);
    assertEquals(second.lines, first.lines);
  }
});
