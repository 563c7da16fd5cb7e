/**
 * Builds the npm package: every entry point of deno.json as ESM and as CommonJS, with types, and the
 * command.
 *
 * @module
 */

import { readFileSync, rmSync } from "node:fs";
import { defineConfig, type Options } from "tsup";

const { exports } = JSON.parse(readFileSync("deno.json", "utf8")) as { exports: Record<string, string> };

/** `{ mod: "mod.ts", node: "lib/transport/node.ts" }` */
const entry = Object.fromEntries(
  Object.entries(exports).map(([name, path]) => [name === "." ? "mod" : name.slice(2), path.slice(2)]),
);

const common: Options = {
  outDir: "dist",
  target: "node20",
  platform: "neutral",
  external: [/^node:/],
  // There is no main module in a package; left alone, it would be a syntax error in CommonJS.
  define: { "import.meta.main": "false" },
  // What two entry points share exists once, so that `instanceof` holds across them.
  splitting: true,
};

rmSync("dist", { recursive: true, force: true });

export default defineConfig([
  { ...common, entry, format: ["esm", "cjs"], dts: true },
  { ...common, entry: { cli: "lib/cli/bin.ts" }, format: "esm", splitting: false },
]);
