/**
 * Prints what the tests of faults measure, side by side: fault by runtime.
 *
 *     node tests/faults/table.mjs                       on Deno, Bun and Node
 *     node tests/faults/table.mjs bun frames limits     on Bun, and only some files
 *
 * @module
 */

import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../", import.meta.url));
const bin = join(root, "node_modules/.bin");

/** @type {Record<string, (file: string) => [string, string[]]>} */
const RUNTIMES = {
  deno: (file) => [
    join(bin, "deno"),
    ["test", "-A", "--no-check", "--no-lock", "--import-map=tests/support/import_map.json", file],
  ],
  bun: (file) => [join(bin, "bun"), ["test", "--timeout=180000", `./${file}`]],
  node: (file) => [process.execPath, ["--import", "tsx", "--test", file]],
};

const words = process.argv.slice(2);
const chosen = Object.keys(RUNTIMES).filter((name) => words.includes(name));
const filters = words.filter((word) => RUNTIMES[word] === undefined);
const files = readdirSync(join(root, "tests/faults")).filter((name) =>
  name.endsWith("_test.ts") && (filters.length === 0 || filters.some((filter) => name.includes(filter)))
);

/** @typedef {{ row: number, fault: string, bound: string, measured: Record<string, string[]> }} Line */

/** @type {Map<string, Line>} */
const lines = new Map();
const folder = mkdtempSync(join(tmpdir(), "holdfast-faults-"));
let failed = 0;
for (const name of chosen.length > 0 ? chosen : Object.keys(RUNTIMES)) {
  const log = join(folder, name);
  writeFileSync(log, "");
  const start = performance.now();
  for (const file of files) {
    const [command, args] = RUNTIMES[name]?.(`tests/faults/${file}`) ?? ["", []];
    const env = { ...process.env, HOLDFAST_FAULTS_LOG: log, NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" };
    const begun = performance.now();
    const { status, stdout, stderr } = spawnSync(command, args, { cwd: root, env, encoding: "utf8" });
    for (const [, why] of stdout.matchAll(/\bskipped: (.*)/g)) console.log(`skipped: ${name}: ${why}`);
    console.log(`${((performance.now() - begun) / 1_000).toFixed(1).padStart(6)} s  ${name}  ${file}`);
    if (status === 0) continue;
    failed++;
    console.log(`FAILED ${name} ${file}\n${stdout}${stderr}`);
  }
  console.log(`${name}: ${((performance.now() - start) / 1_000).toFixed(0)} s`);
  for (const line of readFileSync(log, "utf8").split("\n").filter(Boolean)) {
    const [row, fault, bound, measured] = JSON.parse(line);
    const key = `${String(row).padStart(2)} ${fault} ${bound}`;
    /** @type {Line} */
    const entry = lines.get(key) ?? { row, fault, bound, measured: {} };
    (entry.measured[name] ??= []).push(measured);
    lines.set(key, entry);
  }
}
rmSync(folder, { recursive: true });

const names = chosen.length > 0 ? chosen : Object.keys(RUNTIMES);
console.log(`\n| # | fault | bound | ${names.join(" | ")} |\n|---|---|---|${"---|".repeat(names.length)}`);
for (const { row, fault, bound, measured } of [...lines.values()].sort((a, b) => a.row - b.row)) {
  const cells = names.map((name) => measured[name]?.join("; ") ?? "-");
  console.log(`| ${row} | ${fault} | ${bound} | ${cells.join(" | ")} |`);
}
process.exit(failed === 0 ? 0 : 1);
