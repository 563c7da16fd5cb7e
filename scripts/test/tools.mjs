/**
 * Where the tools are. All of them come from npm, and none from the machine but the Node that runs this.
 *
 * @module
 */

import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

import { run } from "./process.mjs";

/** The root of the checkout. */
export const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");

/** The programs of the devDependencies; JavaScript ones are run by the Node that runs this. */
export const tools = {
  deno: join(root, "node_modules", ".bin", "deno"),
  bun: join(root, "node_modules", ".bin", "bun"),
  node: process.execPath,
  tsc: join(root, "node_modules", "typescript", "bin", "tsc"),
  tsup: join(root, "node_modules", "tsup", "dist", "cli-default.js"),
  typedoc: join(root, "node_modules", "typedoc", "bin", "typedoc"),
};

/**
 * Reads a JSON file of the checkout.
 *
 * @param {string} path
 */
export function readJson(path) {
  return JSON.parse(readFileSync(join(root, path), "utf8"));
}

/**
 * Every file below `folder` whose name ends in `suffix`, as a path from the root, sorted.
 *
 * @param {string} folder
 * @param {string} suffix
 * @returns {string[]}
 */
export function filesBelow(folder, suffix) {
  if (!existsSync(join(root, folder))) return [];
  return readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(suffix))
    .map((path) => join(folder, path).replaceAll("\\", "/"))
    .sort();
}

/**
 * The newest Node, as `config.newestNode` in package.json pins it.
 *
 * It is no devDependency, since its `node` would then come before everybody's own in npm's PATH. It is
 * installed once into a folder below `node_modules` that npm does not look at.
 *
 * @returns {Promise<{ path: string } | { missing: string }>}
 */
export async function newestNode() {
  /** @type {string} */
  const version = readJson("package.json").config.newestNode;
  if (process.version === `v${version}`) return { missing: `the running Node is v${version} already` };

  const folder = join(root, "node_modules", ".cache", `node-${version}`);
  const path = join(folder, "node_modules", "node", "bin", "node");
  if (existsSync(path)) return { path };

  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true }));
  const npm = process.env["npm_execpath"];
  const { code, output } = await run(
    npm === undefined ? "npm" : tools.node,
    [...(npm === undefined ? [] : [npm]), "install", "--no-save", "--no-package-lock", `node@${version}`],
    // npm hands its own settings down in npm_config_*; those of this package are not meant for that folder.
    { limit: 300_000, cwd: folder, env: { npm_config_local_prefix: folder, npm_config_prefix: folder } },
  );
  if (code === 0 && existsSync(path)) return { path };
  return { missing: `node@${version} could not be installed: ${output.trim().split("\n").at(-1)}` };
}
