/**
 * Fails where one file says something else about the package than another.
 *
 * `node scripts/check_manifest.mjs --fix` writes what follows from deno.json and package.json elsewhere.
 *
 * @module
 */

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";

import { drift, FILES, putRight } from "./package/drift.mjs";
import { root } from "./test/tools.mjs";

/** @typedef {import("./package/drift.mjs").Texts} Texts */

const names = /** @type {(keyof Texts)[]} */ (Object.keys(FILES));
const exists = (/** @type {string} */ path) => existsSync(join(root, path));

let texts = /** @type {Texts} */ (Object.fromEntries(
  names.map((name) => [name, readFileSync(join(root, FILES[name]), "utf8")]),
));

if (process.argv.includes("--fix")) {
  const right = putRight(texts);
  for (const name of names) {
    if (right[name] === texts[name]) continue;
    writeFileSync(join(root, FILES[name]), right[name]);
    console.log(`wrote ${FILES[name]}`);
  }
  texts = right;
}

const wrong = drift(texts, exists);
for (const line of wrong) console.error(line);
if (wrong.length > 0) console.error("`node scripts/check_manifest.mjs --fix` writes what can be generated.");
process.exitCode = wrong.length === 0 ? 0 : 1;
