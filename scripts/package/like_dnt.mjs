/**
 * Makes of the staged sources what dnt makes of them, with TypeScript alone: the same files in the same places, with
 * the options that dnt is given. So all that stands around dnt's one call is tried where dnt cannot be had.
 *
 * @module
 */

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { filesBelow, readJson, root, tools } from "../test/tools.mjs";
import { dntOptions } from "./dnt_options.mjs";
import { entries, program } from "./manifest.mjs";
import { stage } from "./stage.mjs";

/** The two halves of dnt's output, and how TypeScript is asked for them. */
const HALVES = /** @type {const} */ ([
  {
    folder: "esm",
    type: "module",
    options: { module: "esnext", moduleResolution: "bundler", esModuleInterop: false },
  },
  {
    folder: "script",
    type: "commonjs",
    options: { module: "commonjs", moduleResolution: "node10", esModuleInterop: true },
  },
]);

/** Where the stand-in for what dnt takes from JSR is, among the staged sources. */
const ASSERT = "support/assert.ts";

/**
 * Builds the package, up to where dnt is done with it.
 *
 * @param {import("./project.mjs").Project} sources where its sources are staged
 * @param {import("./project.mjs").Project} output where it goes
 * @returns {Promise<string[]>} the tests that are in its `script/`
 */
export async function buildLikeDnt(sources, output) {
  const deno = readJson("deno.json"), command = program(deno).path;
  const modules = entries(deno).map(({ path }) => path);
  const tests = stage(root, sources.folder);
  sources.write(ASSERT, readFileSync(join(root, "tests", "support", "assert.ts"), "utf8"));
  const dnt = dntOptions(deno, readJson("package.json"), {
    sources: sources.folder,
    output: output.folder,
    repository: "someone/holdfast",
  });

  await Promise.all(HALVES.map(async ({ folder, type, options }) => {
    sources.write(
      `tsconfig.${folder}.json`,
      JSON.stringify({
        compilerOptions: {
          ...{ ...dnt.compilerOptions, ...options, skipLibCheck: true },
          ...{ strict: true, isolatedModules: true, allowSyntheticDefaultImports: true },
          ...{ types: ["node"], typeRoots: [join(root, "node_modules", "@types")] },
          paths: { "@std/assert": [`./${ASSERT}`] },
          ...{ declaration: true, noEmitOnError: true, rewriteRelativeImportExtensions: true },
          ...{ rootDir: ".", outDir: join(output.folder, folder) },
        },
        // The command is in `esm` alone. The tests are in `script` alone: from ESM they are run often enough.
        files: [...modules, ...(folder === "esm" ? [command] : tests)],
      }),
    );
    await sources.run(tools.node, [tools.tsc, "--project", `tsconfig.${folder}.json`]);
    output.write(`${folder}/package.json`, JSON.stringify({ type }));
  }));

  // In declarations TypeScript leaves imports as they are.
  for (const path of filesBelow(output.folder, ".d.ts")) {
    writeFileSync(path, readFileSync(path, "utf8").replace(/(from |import\()"(\..*?)\.ts"/g, '$1"$2.js"'));
  }
  const [bin] = dnt.entryPoints.filter((entry) => typeof entry === "object" && entry.kind === "bin");
  const name = typeof bin === "object" ? bin.name ?? "" : "";
  const manifest = { ...dnt.package, bin: { [name]: `./esm/${command.replace(/ts$/, "js")}` } };
  output.write("package.json", JSON.stringify({ ...manifest, scripts: { test: "node test_runner.cjs" } }));
  output.write("node_modules/@std/assert/package.json", JSON.stringify({ main: "index.js" }));
  output.write(
    "node_modules/@std/assert/index.js",
    'module.exports = require("../../../script/support/assert.js");',
  );
  return tests;
}
