/**
 * Runs the tests of faults, and prints what they measure, side by side: fault by runtime. The gate prints the same of its
 * own run.
 *
 *     node tests/faults/table.mjs                       on Deno, Bun and Node
 *     node tests/faults/table.mjs bun frames limits     on Bun, and only some files
 *
 * @module
 */

import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { FaultTable, LOG } from "../../scripts/test/fault_table.mjs";

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

const table = new FaultTable();
const folder = mkdtempSync(join(tmpdir(), "holdfast-faults-"));
let failed = 0;
for (const name of chosen.length > 0 ? chosen : Object.keys(RUNTIMES)) {
  const log = join(folder, name);
  writeFileSync(log, "");
  const start = performance.now();
  for (const file of files) {
    const [command, args] = RUNTIMES[name]?.(`tests/faults/${file}`) ?? ["", []];
    const env = { ...process.env, [LOG]: log, NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" };
    const begun = performance.now();
    const { status, stdout, stderr } = spawnSync(command, args, { cwd: root, env, encoding: "utf8" });
    for (const [, why] of stdout.matchAll(/\bskipped: (.*)/g)) console.log(`skipped: ${name}: ${why}`);
    console.log(`${((performance.now() - begun) / 1_000).toFixed(1).padStart(6)} s  ${name}  ${file}`);
    if (status === 0) continue;
    failed++;
    console.log(`FAILED ${name} ${file}\n${stdout}${stderr}`);
  }
  console.log(`${name}: ${((performance.now() - start) / 1_000).toFixed(0)} s`);
  table.add(name, log);
}
rmSync(folder, { recursive: true });

console.log(`\n${table}`);
process.exit(failed === 0 ? 0 : 1);
