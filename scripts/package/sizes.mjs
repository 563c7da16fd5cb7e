/**
 * What the package weighs for those who bundle it.
 *
 * @module
 */

import { build } from "esbuild";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

/** @typedef {import("./manifest.mjs").Entry} Entry */

/**
 * What may be loaded at the start, gzipped, in bytes. More than `bound` fails; more than `goal` is said each time.
 * A bound goes down whenever the size does.
 */
const LIMITS = {
  root: { bound: 29_900, goal: 16_000 },
  server: { bound: 28_900, goal: 9_000 },
  workers: { bound: 5_200 },
};

/** How many of the heaviest sources are named. */
const HEAVIEST = 12;

/**
 * @typedef {object} Size
 * @property {string} name
 * @property {string} code what was measured
 * @property {number} minified bytes that are loaded at the start; what is imported later is not in it
 * @property {number} gzip the same, gzipped
 * @property {number} [bound] most that `gzip` may be
 * @property {number} [goal] what `gzip` is to become
 */

/**
 * What is measured: each entry point with all that it exports, and servers of one protocol on one runtime.
 *
 * @param {readonly Entry[]} entries
 * @param {string} specifier what the package is called
 */
function measured(entries, specifier) {
  const server = (/** @type {string} */ runtime) =>
    `import { raw, serve } from "${specifier}";
import { transport } from "${specifier}/${runtime}";
export const start = (port, handler) => serve({ port, transport, protocol: raw() }, handler);
`;
  return [
    ...entries.map(({ name }) => ({
      name,
      code: `export * from "${specifier}${name.slice(1)}";`,
      ...(name === "." ? LIMITS.root : name === "./workers" ? LIMITS.workers : {}),
    })),
    ...["deno", "bun", "node"].map((runtime) => ({
      name: `a raw server on ${runtime}`,
      code: server(runtime),
      ...LIMITS.server,
    })),
  ];
}

/**
 * Bundles `code` as a user would, and returns what is loaded at the start, and which sources it comes from.
 *
 * @param {string} code
 * @param {string} folder where its imports are looked up
 * @param {Record<string, string>} [alias]
 */
async function bundle(code, folder, alias = {}) {
  const { metafile: { outputs }, outputFiles } = await build({
    stdin: { contents: code, resolveDir: folder, sourcefile: "entry.mjs" },
    ...{ bundle: true, minify: true, splitting: true, metafile: true, write: false },
    ...{ format: "esm", platform: "browser", target: "es2022", legalComments: "none", logLevel: "silent" },
    define: { "import.meta.main": "false" },
    outdir: folder,
    alias,
  });
  const first = Object.keys(outputs).find((path) => outputs[path]?.entryPoint?.endsWith("entry.mjs"));
  /** @type {Set<string>} */
  const loaded = new Set(first === undefined ? [] : [first]);
  for (const path of loaded) {
    for (const { path: next, kind } of outputs[path]?.imports ?? []) {
      if (kind === "import-statement") loaded.add(next);
    }
  }
  const name = (/** @type {string} */ path) => path.replace(/^.*\//, "");
  const names = [...loaded].map(name);
  const texts = outputFiles.filter(({ path }) => names.includes(name(path))).map(({ contents }) => contents);
  if (texts.length === 0 || texts.length !== loaded.size) throw new Error(`esbuild gave no ${names}`);

  /** @type {Record<string, number>} */
  const inputs = {};
  for (const path of loaded) {
    for (const [input, { bytesInOutput }] of Object.entries(outputs[path]?.inputs ?? {})) {
      inputs[input] = (inputs[input] ?? 0) + bytesInOutput;
    }
  }
  return { bytes: Buffer.concat(texts), inputs };
}

/**
 * Measures a package that is installed in `folder`.
 *
 * @param {string} folder
 * @param {readonly Entry[]} entries
 * @param {string} specifier
 * @returns {Promise<Size[]>}
 */
export async function sizes(folder, entries, specifier) {
  return await Promise.all(
    measured(entries, specifier).map(async (one) => {
      const { bytes } = await bundle(one.code, folder);
      return { ...one, minified: bytes.length, gzip: gzipSync(bytes, { level: 9 }).length };
    }),
  );
}

/**
 * The sources that weigh most in `code`, a line each.
 *
 * @param {string} code
 * @param {readonly Entry[]} entries
 * @param {string} specifier
 * @param {string} root the checkout
 */
export async function heaviest(code, entries, specifier, root) {
  const alias = Object.fromEntries(
    entries.map(({ name, path }) => [specifier + name.slice(1), join(root, path)]),
  );
  const { inputs } = await bundle(code, root, alias);
  return Object.entries(inputs).sort(([, a], [, b]) => b - a).slice(0, HEAVIEST)
    .map(([path, bytes]) => `${kB(bytes).padStart(6)}  ${path.replace(/^.*(?=\blib\/)/, "")}`);
}

/** @param {number} bytes */
const kB = (bytes) => (bytes / 1000).toFixed(1);

/**
 * @param {readonly Size[]} list
 * @returns {string[]} lines of a table
 */
export function table(list) {
  const rows = list.map(({ name, minified, gzip, bound, goal }) => [
    ...[name, kB(minified), kB(gzip)],
    ...[bound === undefined ? "" : kB(bound), goal === undefined ? "" : kB(goal)],
  ]);
  const all = [["kB, at the start", "minified", "gzip", "bound", "goal"], ...rows];
  const width = (/** @type {number} */ column) => Math.max(...all.map((row) => row[column]?.length ?? 0));
  return all.map((row) =>
    row.map((cell, column) => column === 0 ? cell.padEnd(width(0)) : cell.padStart(width(column)))
      .join("  ").trimEnd()
  );
}

/**
 * What is over its goal, a line each.
 *
 * @param {readonly Size[]} list
 * @returns {string[]}
 */
export function missed(list) {
  return list
    .filter(({ gzip, goal }) => goal !== undefined && gzip > goal)
    .map(({ name, gzip, goal = 0 }) => `missed: ${name} has ${kB(gzip)} kB gzipped, ${kB(goal)} is the goal`);
}

/**
 * What is over its bound, a line each.
 *
 * @param {readonly Size[]} list
 * @returns {string[]}
 */
export function tooLarge(list) {
  return list
    .filter(({ gzip, bound }) => bound !== undefined && gzip > bound)
    .map(({ name, gzip, bound }) => `${name} has ${gzip} bytes gzipped, and may have ${bound}`);
}
