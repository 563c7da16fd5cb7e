/**
 * Builds the npm package that is released, into `npm/`, with dnt:
 *
 *     deno run -A scripts/build_npm.ts
 *
 * dnt comes from JSR. Where that cannot be reached, `npm run build` makes the same package with tsup: the same
 * entry points with the same names. Set GITHUB_REPOSITORY (`owner/name`), as GitHub's workflows do, for the
 * address that goes into package.json.
 *
 * All around dnt's one call stands in `scripts/package/`, with tests of its own.
 *
 * @module
 */

import { build, emptyDir } from "@deno/dnt";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { dntOptions } from "./package/dnt_options.mjs";
import { finish, problems } from "./package/finish.mjs";
import { stage } from "./package/stage.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const read = (name: string) => JSON.parse(readFileSync(join(root, name), "utf8"));
const deno = read("deno.json");

const output = join(root, "npm");
const sources = mkdtempSync(join(tmpdir(), "holdfast-sources-"));
try {
  const tests = stage(root, sources);
  console.log(`${tests.length} test files are run on the output`);
  await emptyDir(output);
  const repository = process.env["GITHUB_REPOSITORY"];
  await build(dntOptions(deno, read("package.json"), { sources, output, repository }));
  finish(root, output);
} finally {
  rmSync(sources, { recursive: true, force: true });
}

const wrong = problems(output, deno);
for (const line of wrong) console.error(`npm: ${line}`);
if (wrong.length > 0) process.exit(1);
console.log("npm/ is ready: node scripts/check_package.mjs --folder npm");
