/**
 * Imports what `npm run build` made, as its users will: by the package's name, as ESM and as CommonJS.
 *
 * @module
 */

import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import process from "node:process";

/**
 * @typedef {{ types: string, default: string }} Target
 * @typedef {{ import: Target, require: Target } | string} Entry
 */

const manifest = JSON.parse(readFileSync("package.json", "utf8"));
const require = createRequire(import.meta.url);

for (const [name, entry] of /** @type {[string, Entry][]} */ (Object.entries(manifest.exports))) {
  if (typeof entry === "string") continue;
  for (const path of [entry.import.types, entry.require.types]) {
    strictEqual(existsSync(path), true, `${path} is missing`);
  }

  const specifier = manifest.name + name.slice(1);
  const esm = Object.keys(await import(specifier)).sort();
  const cjs = Object.keys(require(specifier)).sort();
  deepStrictEqual(esm, cjs, `${specifier} has other names as CommonJS`);
  console.log(`${specifier}: ${esm.join(", ")}`);
}

const esm = await import(manifest.name);
const cjs = require(manifest.name);
const server = await esm.serve(
  { hostname: "127.0.0.1", port: 0, protocol: esm.lines() },
  (/** @type {any} */ connection) => {
    connection.onMessage = (/** @type {string} */ line) => connection.send(line.toUpperCase());
  },
);
const connection = await cjs.connect(server.address, { protocol: cjs.lines() });
await connection.send("both builds");
const { value } = await connection[Symbol.asyncIterator]().next();
strictEqual(value, "BOTH BUILDS");
await connection.close();
await server.drain();

// The types by themselves, as a strict user without Node's types sees them.
const folder = "dist/consumer";
mkdirSync(folder);
try {
  const code = `import { connect, type Connection, lines } from "${manifest.name}";
const protocol = lines();
export const open = (): Promise<Connection<string, string>> => connect({ hostname: "::1", port: 1 }, { protocol });
`;
  writeFileSync(`${folder}/esm.mts`, code);
  writeFileSync(`${folder}/cjs.cts`, code);
  const compilerOptions = {
    ...{ module: "node16", target: "es2022", lib: ["es2022", "esnext.disposable", "dom", "dom.iterable"] },
    ...{ strict: true, exactOptionalPropertyTypes: true, noEmit: true, types: [] },
  };
  writeFileSync(`${folder}/tsconfig.json`, JSON.stringify({ compilerOptions }));
  const tsc = spawnSync(process.execPath, ["node_modules/typescript/bin/tsc", "--project", folder], {
    encoding: "utf8",
  });
  strictEqual(tsc.status, 0, tsc.stdout);
} finally {
  rmSync(folder, { recursive: true });
}

const version = execFileSync(process.execPath, [manifest.bin.holdfast, "--version"], { encoding: "utf8" });
strictEqual(version.includes(manifest.version), true, `the command says "${version.trim()}" for its version`);
