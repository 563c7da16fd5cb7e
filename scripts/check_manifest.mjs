/**
 * Fails where package.json says something else than deno.json.
 *
 * deno.json is the one list of entry points. `node scripts/check_manifest.mjs --fix` writes what npm needs
 * of it into package.json.
 *
 * @module
 */

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";
import process from "node:process";

const deno = JSON.parse(readFileSync("deno.json", "utf8"));
const npm = JSON.parse(readFileSync("package.json", "utf8"));
const lock = JSON.parse(readFileSync("package-lock.json", "utf8"));

/** @param {string} extension */
const both = (extension) => ({
  import: { types: `./dist/${extension}.d.ts`, default: `./dist/${extension}.js` },
  require: { types: `./dist/${extension}.d.cts`, default: `./dist/${extension}.cjs` },
});

const entries = /** @type {[string, string][]} */ (Object.entries(deno.exports));

/** What package.json must say, and why it must: all of it follows from deno.json. @type {Record<string, unknown>} */
const wanted = {
  version: deno.version,
  description: deno.description,
  license: deno.license,
  main: "./dist/mod.cjs",
  types: "./dist/mod.d.cts",
  exports: {
    ...Object.fromEntries(entries.map(([name]) => [name, both(name === "." ? "mod" : name.slice(2))])),
    "./package.json": "./package.json",
  },
};

/** @type {string[]} */
const wrong = [];
for (const [name, path] of entries) {
  if (!existsSync(path)) wrong.push(`deno.json exports "${name}" as ${path}, which does not exist`);
}
if (!readFileSync("CHANGELOG.md", "utf8").includes(`## [${deno.version}]`)) {
  wrong.push(`CHANGELOG.md has no section "## [${deno.version}]"`);
}

const drift = Object.keys(wanted).filter((key) => !isDeepStrictEqual(npm[key], wanted[key]));
if (process.argv.includes("--fix") && drift.length > 0) {
  writeFileSync("package.json", `${JSON.stringify({ ...npm, ...wanted }, null, 2)}\n`);
  console.log(`package.json: wrote ${drift.join(", ")}`);
} else {
  for (const key of drift) {
    wrong.push(
      `package.json "${key}" is ${JSON.stringify(npm[key])}, deno.json asks for ${
        JSON.stringify(wanted[key])
      }`,
    );
  }
  if (lock.version !== npm.version) {
    wrong.push(`package-lock.json is of version ${lock.version}, not ${npm.version}`);
  }
}

for (const line of wrong) console.error(line);
if (wrong.length > 0) console.error("`node scripts/check_manifest.mjs --fix` brings package.json in line.");
process.exit(wrong.length === 0 ? 0 : 1);
