/**
 * What every way to use the package has to work with.
 *
 * @module
 */

import { isDeepStrictEqual } from "node:util";
import { join } from "node:path";

import { root } from "../test/tools.mjs";
import { exportedNames } from "./names.mjs";

/**
 * @typedef {object} Context
 * @property {string} tarball what `npm pack` wrote
 * @property {string} specifier the name of the package
 * @property {string} version
 * @property {import("./manifest.mjs").DenoManifest} deno deno.json
 * @property {import("./manifest.mjs").NpmManifest} manifest the package.json in the tarball
 * @property {import("./manifest.mjs").Entry[]} entries
 * @property {import("./project.mjs").Project} installed a project in which npm has installed the tarball
 * @property {(name: string) => import("./project.mjs").Project} project makes an empty one
 *
 * @typedef {{ skipped: string } | { lines: string[] } | void} Outcome
 * @typedef {{ name: string, use: (context: Context) => Promise<Outcome> }} Consumer
 */

/** @param {boolean} right @param {string} what @returns {asserts right} */
export function check(right, what) {
  if (!right) throw new Error(what);
}

/**
 * Compares the names that a program printed with those of the sources.
 *
 * @param {Context} context
 * @param {string} output
 */
export function sameNames({ entries }, output) {
  const line = output.trim().split("\n").at(-1) ?? "";
  const found = JSON.parse(line);
  const wanted = exportedNames(entries.map(({ path }) => join(root, path)));
  entries.forEach(({ name }, index) => {
    const names = wanted[index]?.values;
    check(isDeepStrictEqual(found[name], names), `${name} exports ${found[name]}, its source ${names}`);
  });
}
