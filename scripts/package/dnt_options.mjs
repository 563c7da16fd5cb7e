/**
 * What dnt is asked for.
 *
 * @module
 */

import { entries, program, publishedPackage } from "./manifest.mjs";

/**
 * @typedef {object} Places
 * @property {string} sources the folder with the staged sources
 * @property {string} output the folder of the package
 * @property {string | undefined} repository `owner/name` on GitHub, where it is known
 */

/**
 * The options for dnt's one call.
 *
 * @param {import("./manifest.mjs").DenoManifest} deno
 * @param {import("./manifest.mjs").NpmManifest} npm
 * @param {Places} places
 * @returns {import("@deno/dnt").BuildOptions}
 */
export function dntOptions(deno, npm, { sources, output, repository }) {
  const [command = ""] = Object.keys(npm["bin"]);
  return {
    cwd: sources,
    outDir: output,
    entryPoints: [
      ...entries(deno).map(({ name, path }) => ({ name, path: `./${path}` })),
      { kind: "bin", name: command, path: `./${program(deno).path}` },
    ],
    // Our transports ask for `Deno`, `Bun` and `process` themselves: what is not there must not be put there.
    shims: {},
    declaration: "inline",
    scriptModule: "cjs",
    typeCheck: "both",
    test: true,
    testIsolation: "process",
    skipSourceOutput: true,
    compilerOptions: {
      target: "ES2022",
      lib: ["ES2022", "ESNext.Disposable", "DOM", "DOM.Iterable"],
      noUncheckedIndexedAccess: true,
      useUnknownInCatchVariables: true,
    },
    package: {
      ...publishedPackage(deno, npm, repository),
      // For the type check and the tests; taken out again afterwards.
      devDependencies: { "@types/node": npm["devDependencies"]["@types/node"] },
    },
  };
}
