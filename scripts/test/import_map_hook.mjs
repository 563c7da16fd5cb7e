/**
 * Teaches Node the names in `tests/support/import_map.json`.
 *
 * Where Node runs TypeScript by itself, nothing but this stands between it and the tests: what it runs
 * is what is written. Used with `--import`; Node 20 takes tsx instead, which reads tsconfig's `paths`.
 *
 * @module
 */

import { readFileSync } from "node:fs";
// @ts-expect-error: the types are those of Node 20, which has no such hooks.
import { registerHooks } from "node:module";

const mapUrl = new URL("../../tests/support/import_map.json", import.meta.url);

/** @type {Record<string, string>} */
const imports = JSON.parse(readFileSync(mapUrl, "utf8")).imports;

registerHooks({
  /**
   * @param {string} specifier
   * @param {unknown} context
   * @param {(specifier: string, context: unknown) => unknown} nextResolve
   */
  resolve(specifier, context, nextResolve) {
    const mapped = imports[specifier];
    return nextResolve(mapped === undefined ? specifier : new URL(mapped, mapUrl).href, context);
  },
});
