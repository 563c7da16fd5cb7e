/**
 * Everything the gate checks besides the tests, in order, as data.
 *
 * @module
 */

import { existsSync } from "node:fs";
import { join } from "node:path";

import { filesBelow, readJson, root, tools } from "./tools.mjs";

/** How long one check may take, in milliseconds. */
export const CHECK_LIMIT = 300_000;

const MAP = "--import-map=tests/support/import_map.json";

/** The entry points, as deno.json lists them. */
function entries() {
  const { exports } = readJson("deno.json");
  return /** @type {string[]} */ (typeof exports === "string" ? [exports] : Object.values(exports));
}

/** Modules of the library, with the entry point first. */
function library() {
  return [...(existsSync(join(root, "mod.ts")) ? ["mod.ts"] : []), ...filesBelow("lib", ".ts")];
}

/**
 * @typedef {object} Check
 * @property {string} name
 * @property {() => [command: string, args: string[]]} command
 * @property {(output: string) => string | undefined} [verify] what is wrong though the command succeeded
 * @property {boolean} [tells] whether its output is shown also when nothing is wrong
 */

/** @type {readonly Check[]} */
export const CHECKS = [
  { name: "format", command: () => [tools.deno, ["fmt", "--check"]] },
  { name: "lint", command: () => [tools.deno, ["lint"]] },
  { name: "manifests agree", command: () => [tools.node, ["scripts/check_manifest.mjs"]] },
  {
    name: "types, deno check",
    command: () => [tools.deno, [
      ...["check", "--quiet", MAP],
      ...library(),
      ...filesBelow("tests", ".ts"),
      ...filesBelow("scripts", ".ts"),
    ]],
  },
  { name: "types, tsc", command: () => [tools.node, [tools.tsc, "--noEmit", "--project", "."]] },
  { name: "documentation", command: () => [tools.deno, ["doc", "--quiet", "--lint", ...entries()]] },
  { name: "JSR dry run", command: () => [tools.deno, ["publish", "--dry-run", "--allow-dirty"]] },
  {
    name: "examples in the documentation",
    command: () => [tools.deno, ["test", "-A", "--doc", MAP, ...library()]],
    verify: (output) => / [1-9]\d* passed/.test(output) ? undefined : "no example ran",
  },
  {
    name: "types of the code on the pages",
    command: () => [tools.node, ["scripts/check_pages.mjs"]],
    verify: (output) => /^[1-9]\d+ programs/m.test(output) ? undefined : "no code was found",
  },
  {
    name: "API reference",
    command: () => [tools.node, [tools.typedoc, "--options", "scripts/typedoc.config.mjs"]],
    verify: () => existsSync(join(root, "api", "index.html")) ? undefined : "nothing was written",
  },
  {
    name: "speed, against sockets by hand",
    command: () => [tools.node, ["scripts/bench/guard.mjs"]],
    tells: true,
  },
  {
    name: "npm build",
    command: () => [tools.node, [tools.tsup, "--silent", "--config", "scripts/tsup.config.ts"]],
  },
  {
    name: "the package, packed, installed and used",
    command: () => [tools.node, ["scripts/check_package.mjs"]],
    tells: true,
  },
];
