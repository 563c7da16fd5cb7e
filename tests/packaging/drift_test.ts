import { test } from "node:test";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { drift, FILES, putRight, type Texts } from "../../scripts/package/drift.mjs";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const exists = (path: string) => existsSync(ROOT + path);

const TEXTS = Object.fromEntries(
  Object.entries(FILES).map(([name, path]) => [name, readFileSync(ROOT + path, "utf8")]),
) as unknown as Texts;

/** What is said of the checkout once `from` is `to` in one of its files. */
function changed(file: keyof Texts, from: string, to: string): string[] {
  assertStringIncludes(TEXTS[file], from);
  return drift({ ...TEXTS, [file]: TEXTS[file].replace(from, to) }, exists);
}

test("the checkout says everything alike", () => {
  assertEquals(drift(TEXTS, exists), []);
});

/** A change in one place, and words of what must be said of it. */
const CHANGES: readonly [file: keyof Texts, from: string, to: string, said: string][] = [
  ["deno", '"version": "', '"version": "9', 'package.json: "version"'],
  ["deno", '"description": "', '"description": "Not ', 'package.json: "description"'],
  ["deno", '"license": "MIT"', '"license": "ISC"', "LICENSE is not ISC"],
  ["deno", '"./node": "./lib/transport/node.ts"', '"./node": "./lib/node.ts"', "does not exist"],
  ["deno", '"./memory": ', '"./other": ', 'package.json: "exports"'],
  ["deno", '"./memory": ', '"./other": ', "tests/support/import_map.json"],
  ["deno", '"./memory": ', '"./other": ', "tsconfig.json"],
  ["deno", "jsr:@deno/dnt@", "jsr:@deno/dnt@9", "scripts/dnt.d.ts does not say"],
  ["npm", '"version": "', '"version": "9', 'package.json: "version"'],
  ["npm", '"main": "./dist/mod.cjs"', '"main": "./dist/mod.js"', 'package.json: "main"'],
  ["npm", '"types": "./dist/mod.d.cts"', '"types": "./dist/mod.d.ts"', 'package.json: "types"'],
  ["npm", '"default": "./dist/bun.cjs"', '"default": "./dist/bun.js"', 'package.json: "exports"'],
  ["npm", '"holdfast": "dist/cli.js"', '"holdfast": "dist/mod.js"', 'package.json: "bin"'],
  ["npm", '"keywords": [', '"words": [', "no keywords"],
  ["npm", '"devDependencies": {', '"dependencies": { "x": "1" },\n"devDependencies": {', "the dependencies"],
  ["npm", '"node": ">=20.16"', '"node": ">=21.1"', 'package-lock.json: "engines"'],
  ["npm", '"node": ">=20.16"', '"node": ">=21.1"', 'README.md does not say "Node ≥ 21.1"'],
  ["npm", '"node": ">=20.16"', '"node": ">=21.1"', "CONTRIBUTING.md does not say"],
  ["npm", '"node": ">=20.16"', '"node": ">=21.1"', "scripts/tsup.config.ts does not say"],
  ["npm", '"bun": ">=1.3"', '"bun": ">=1.4"', 'ci.yml does not say "runtime: bun, version: \\"1.4\\""'],
  ["npm", '"tsx": "', '"tsx": "^', 'package-lock.json: "devDependencies"'],
  ["lock", '"version": "', '"version": "9', "package-lock.json: the version"],
  [
    "lock",
    '"node_modules/@cloudflare/workerd-darwin-64": {',
    '"x": {',
    "has no @cloudflare/workerd-darwin-64",
  ],
  ["importMap", "../../lib/transport/deno.ts", "../../lib/transport/bun.ts", "tests/support/import_map.json"],
  ["tsconfig", "./lib/transport/deno.ts", "./lib/transport/bun.ts", "tsconfig.json"],
  ["version", '"0', '"9', "lib/cli/version.ts does not say"],
  ["changelog", "## [", "## (", "CHANGELOG.md has no section"],
  ["readme", "Deno ≥ ", "Deno > ", "README.md does not say"],
  ["readme", "or later", "or more", "README.md does not say"],
  ["ci", 'runtime: deno, version: "', 'runtime: deno, version: "9', "ci.yml does not say"],
  ["dnt", "of dnt ", "of dnt 9", "scripts/dnt.d.ts does not say"],
];

test("each drift is found, and said", () => {
  for (const [file, from, to, said] of CHANGES) {
    const lines = changed(file, from, to).map((line) => line.replaceAll('"', '\\"'));
    const found = lines.some((line) => line.includes(said.replaceAll('\\"', '"').replaceAll('"', '\\"')));
    assert(found, `${FILES[file]}: ${from} → ${to}: nothing like ${said} in\n${lines.join("\n")}`);
  }
});

test("what can be generated is put right", () => {
  const deno = TEXTS.deno
    .replace(/"version": "[^"]*"/, '"version": "7.8.9"')
    .replace('"description": "', '"description": "Anew: ')
    .replace('"./memory": ', '"./store": ');
  const changelog = TEXTS.changelog.replace(/## \[[^\]]*\]/, "## [7.8.9]");
  const texts = { ...TEXTS, deno, changelog };
  assert(drift(texts, exists).length > 5);
  const right = putRight(texts);
  assertEquals(drift(right, exists), []);
  assertStringIncludes(right.version, '"7.8.9"');
  assertStringIncludes(right.importMap, '"@std/assert": "./assert.ts"');
  assertStringIncludes(right.npm, "./dist/store.d.cts");
  assert(!right.npm.includes("./dist/memory.d.cts"));
});
