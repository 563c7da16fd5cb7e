/**
 * Builds the npm package: every entry point of deno.json as ESM and as CommonJS, with types, and the
 * command.
 *
 * @module
 */

import { readFileSync, rmSync } from "node:fs";
import { defineConfig, type Options } from "tsup";

import { entries, program } from "./package/manifest.mjs";

const deno = JSON.parse(readFileSync("deno.json", "utf8"));
const { file, path } = program(deno);

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
  {
    ...common,
    entry: Object.fromEntries(entries(deno).map(({ file, path }) => [file, path])),
    format: ["esm", "cjs"],
    dts: true,
  },
  { ...common, entry: { [file]: path }, format: "esm", splitting: false },
]);
