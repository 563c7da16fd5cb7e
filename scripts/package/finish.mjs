/**
 * What is done to a package after dnt has built and tested it, and what it is then looked through for.
 *
 * @module
 */

import { cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Files that a package has besides its code. */
const DOCUMENTS = ["LICENSE", "README.md", "CHANGELOG.md"];

/**
 * Puts the documents of the checkout at `root` into the package, and takes out what only its build needed.
 *
 * @param {string} root
 * @param {string} folder
 */
export function finish(root, folder) {
  for (const name of DOCUMENTS) cpSync(join(root, name), join(folder, name));

  const { devDependencies: _, scripts: __, ...kept } = read(folder, "package.json");
  // Without "./", which npm takes away with a warning.
  const bin = Object.entries(kept["bin"] ?? {}).map(([name, path]) => [name, path.replace(/^\.\//, "")]);
  write(folder, "package.json", { ...kept, bin: Object.fromEntries(bin) });
  for (const name of ["esm", "script"]) {
    // A bundler asks the nearest package.json, and these hide the one that says it.
    const path = `${name}/package.json`;
    write(folder, path, { ...read(folder, path), sideEffects: false });
  }
}

/**
 * Everything that is wrong with a finished package, a line each.
 *
 * @param {string} folder
 * @param {import("./manifest.mjs").DenoManifest} deno
 */
export function problems(folder, deno) {
  const manifest = read(folder, "package.json");
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map((path) => path.replaceAll("\\", "/"))
    .filter((path) => !path.startsWith("node_modules/"));
  /** @type {string[]} */
  const wrong = [];

  if (manifest["version"] !== deno.version) wrong.push(`it is version ${manifest["version"]}`);
  for (const key of ["dependencies", "peerDependencies", "devDependencies"]) {
    const names = Object.keys(manifest[key] ?? {});
    if (names.length > 0) wrong.push(`it has ${key}: ${names.join(", ")}`);
  }
  for (const path of [...targets(manifest["exports"]), ...targets(manifest["bin"])]) {
    if (!existsSync(join(folder, path))) wrong.push(`its package.json names ${path}, which is not there`);
  }
  for (const name of DOCUMENTS) if (!files.includes(name)) wrong.push(`it has no ${name}`);

  const code = files.filter((path) => /^(esm|script)\/(mod\.js|lib\/.*\.js)$/.test(path));
  if (code.length === 0) wrong.push("it has no code");
  for (const path of files) if (/_dnt\.(shims|polyfills)\.js$/.test(path)) wrong.push(`it has ${path}`);
  for (const path of code) {
    const text = readFileSync(join(folder, path), "utf8");
    if (/@deno\/shim|\bdntShim\b/.test(text)) wrong.push(`${path} asks for a shim of Deno`);
    if (/\bimport\.meta\b|import-meta-ponyfill/.test(text)) wrong.push(`${path} uses import.meta`);
  }
  return wrong;
}

/** All paths that a value of package.json leads to. @param {unknown} value @returns {string[]} */
function targets(value) {
  if (typeof value === "string") return [value];
  return Object.values(value ?? {}).flatMap(targets);
}

/** @param {string} folder @param {string} path @returns {Record<string, any>} */
function read(folder, path) {
  return JSON.parse(readFileSync(join(folder, path), "utf8"));
}

/** @param {string} folder @param {string} path @param {unknown} value */
function write(folder, path, value) {
  writeFileSync(join(folder, path), `${JSON.stringify(value, null, 2)}\n`);
}
