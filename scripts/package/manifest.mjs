/**
 * What the package is, from its two sources, and what follows from them elsewhere.
 *
 * deno.json says the version, the description, the licence and the entry points; package.json says what only npm
 * asks for: name, keywords, author, engines. Whatever else repeats any of it is generated, or checked, here.
 *
 * @module
 */

/**
 * @typedef {object} DenoManifest deno.json, as far as it matters here
 * @property {string} name
 * @property {string} version
 * @property {string} description
 * @property {string} license
 * @property {Record<string, string>} exports
 * @property {Record<string, string>} imports
 *
 * @typedef {Record<string, any>} NpmManifest package.json
 *
 * @typedef {object} Entry
 * @property {string} name how it is exported, as `"./node"`
 * @property {string} file the name of its files in the package, as `"node"`
 * @property {string} path its source from the root, as `"lib/transport/node.ts"`
 *
 * @typedef {{ types: string, default: string }} Target
 * @typedef {{ import: Target, require: Target }} Both
 */

/** The one entry point that is a program: importing it runs the command, so npm has it as `bin`. */
export const PROGRAM = "./cli";

/**
 * The entry points that are modules, the root first.
 *
 * @param {DenoManifest} deno
 * @returns {Entry[]}
 */
export function entries(deno) {
  return Object.entries(deno.exports).filter(([name]) => name !== PROGRAM).map(([name, path]) => ({
    name,
    file: name === "." ? "mod" : name.slice(2),
    path: path.slice(2),
  }));
}

/**
 * The entry point that is a program.
 *
 * @param {DenoManifest} deno
 * @returns {Entry}
 */
export function program(deno) {
  const path = deno.exports[PROGRAM];
  if (path === undefined) throw new TypeError(`deno.json exports no "${PROGRAM}"`);
  return { name: PROGRAM, file: PROGRAM.slice(2), path: path.slice(2) };
}

/**
 * Where a build puts the files of an entry point.
 *
 * @typedef {(entry: Entry) => Both} Layout
 */

/** @type {Layout} What `npm run build` makes: bundles that share what they have in common. */
export const bundled = ({ file }) => ({
  import: { types: `./dist/${file}.d.ts`, default: `./dist/${file}.js` },
  require: { types: `./dist/${file}.d.cts`, default: `./dist/${file}.cjs` },
});

/** @type {Layout} What dnt makes: a file for each source. */
export const transformed = ({ path }) => {
  const stem = path.replace(/\.ts$/, "");
  return {
    import: { types: `./esm/${stem}.d.ts`, default: `./esm/${stem}.js` },
    require: { types: `./script/${stem}.d.ts`, default: `./script/${stem}.js` },
  };
};

/**
 * The part of package.json that says where things are.
 *
 * @param {DenoManifest} deno
 * @param {Layout} layout
 */
export function paths(deno, layout) {
  const all = entries(deno).map((entry) => /** @type {const} */ ([entry.name, layout(entry)]));
  const root = layout(entries(deno)[0] ?? { name: ".", file: "mod", path: "mod.ts" });
  return {
    main: root.require.default,
    types: root.require.types,
    exports: { ...Object.fromEntries(all), "./package.json": "./package.json" },
  };
}

/** What a user's package.json has no use for. */
const OURS = ["scripts", "config", "devDependencies", "allowScripts", "trustedDependencies", "files"];

/**
 * The package.json of a package that dnt builds. What dnt adds itself is left out: `bin`, and scripts.
 *
 * @param {DenoManifest} deno
 * @param {NpmManifest} npm
 * @param {string | undefined} repository `owner/name` on GitHub
 * @returns {NpmManifest & { name: string, version: string }}
 */
export function publishedPackage(deno, npm, repository) {
  const kept = Object.fromEntries(
    Object.entries(npm).filter(([key]) => key !== "bin" && key !== "type" && !OURS.includes(key)),
  );
  const { name } = npm;
  // Provenance is refused for a package that does not say where it was built.
  const home = repository === undefined ? {} : {
    repository: { type: "git", url: `git+https://github.com/${repository}.git` },
    homepage: `https://github.com/${repository}#readme`,
    bugs: `https://github.com/${repository}/issues`,
  };
  return { ...kept, name, version: deno.version, ...paths(deno, transformed), ...home };
}

/**
 * What package.json must say since deno.json does.
 *
 * @param {DenoManifest} deno
 * @returns {NpmManifest}
 */
export function wantedPackage(deno) {
  const { version, description, license } = deno;
  return {
    ...{ version, description, license },
    // Without "./", which npm takes away with a warning.
    bin: { [deno.name.replace(/^.*\//, "")]: `dist/${program(deno).file}.js` },
    ...paths(deno, bundled),
  };
}

/**
 * How Deno (with `--import-map`), TypeScript and tsx find the package by its name within this checkout.
 *
 * @param {DenoManifest} deno
 */
export function aliases(deno) {
  const all = Object.entries(deno.exports)
    .map(([name, path]) => /** @type {const} */ ([deno.name + name.slice(1), path]));
  return {
    importMap: Object.fromEntries(all.map(([name, path]) => [name, `../../${path.slice(2)}`])),
    tsPaths: Object.fromEntries(all.map(([name, path]) => [name, [path]])),
  };
}

/**
 * The oldest versions that package.json's `engines` allow, as people write them: `{ node: "20.16" }`.
 *
 * @param {NpmManifest} npm
 * @returns {Record<string, string>}
 */
export function oldest(npm) {
  return Object.fromEntries(
    Object.entries(npm["engines"]).map(([engine, range]) => [engine, String(range).replace(/^>=/, "")]),
  );
}
