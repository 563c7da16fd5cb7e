/**
 * Finds what the checkout says in two places and not alike, and puts right what can be generated.
 *
 * @module
 */

import { isDeepStrictEqual } from "node:util";

import { aliases, oldest, wantedPackage } from "./manifest.mjs";

/** The files that are looked at, by the names that they have here. */
export const FILES = /** @type {const} */ ({
  deno: "deno.json",
  npm: "package.json",
  lock: "package-lock.json",
  importMap: "tests/support/import_map.json",
  tsconfig: "tsconfig.json",
  version: "lib/cli/version.ts",
  changelog: "CHANGELOG.md",
  readme: "README.md",
  contributing: "CONTRIBUTING.md",
  licence: "LICENSE",
  ci: ".github/workflows/ci.yml",
  tsup: "scripts/tsup.config.ts",
  dnt: "scripts/dnt.d.ts",
});

/** @typedef {Record<keyof typeof FILES, string>} Texts what is in them */

/**
 * Everything that is not as it must be, a line each.
 *
 * @param {Texts} texts
 * @param {(path: string) => boolean} exists whether a file of the checkout is there
 * @returns {string[]}
 */
export function drift(texts, exists) {
  const deno = JSON.parse(texts.deno), npm = JSON.parse(texts.npm), lock = JSON.parse(texts.lock);
  /** @type {string[]} */
  const wrong = [];
  const say = (/** @type {boolean} */ right, /** @type {string} */ line) => void (right || wrong.push(line));
  /** @type {(file: string, at: string, found: unknown, wanted: unknown) => void} */
  const same = (file, at, found, wanted) =>
    say(
      isDeepStrictEqual(found, wanted),
      `${file}: ${at} is ${JSON.stringify(found)}, and must be ${JSON.stringify(wanted)}`,
    );

  for (const [name, path] of Object.entries(deno.exports)) {
    say(exists(path), `${FILES.deno} exports "${name}" as ${path}, which does not exist`);
  }
  for (const [key, value] of Object.entries(wantedPackage(deno))) {
    same(FILES.npm, `"${key}"`, npm[key], value);
  }
  say(npm.keywords?.length > 0 && npm.author !== undefined, `${FILES.npm} has no keywords or no author`);
  same(FILES.npm, "the dependencies", npm.dependencies ?? {}, {});

  const root = lock.packages[""];
  same(FILES.lock, "the version", [lock.version, root.version], [npm.version, npm.version]);
  for (const key of ["name", "license", "bin", "engines", "devDependencies"]) {
    same(FILES.lock, `"${key}"`, root[key], npm[key]);
  }
  wrong.push(...absent(lock.packages));

  const { importMap, tsPaths } = aliases(deno);
  same(
    FILES.importMap,
    "what the package is called",
    ours(JSON.parse(texts.importMap).imports, deno),
    importMap,
  );
  same(
    FILES.tsconfig,
    "what the package is called",
    ours(JSON.parse(texts.tsconfig).compilerOptions.paths, deno),
    tsPaths,
  );
  say(texts.version.includes(`"${deno.version}"`), `${FILES.version} does not say ${deno.version}`);
  say(
    texts.changelog.includes(`## [${deno.version}]`),
    `${FILES.changelog} has no section "## [${deno.version}]"`,
  );
  say(texts.licence.startsWith(`${deno.license} License\n`), `${FILES.licence} is not ${deno.license}`);

  const { node = "", deno: oldDeno = "", bun = "" } = oldest(npm);
  /** @type {[keyof Texts, string][]} */
  const told = [
    ["readme", `Deno ≥ ${oldDeno}`],
    ["readme", `Bun ≥ ${bun}`],
    ["readme", `Node ≥ ${node}`],
    ["readme", `Node ${node} or later`],
    ["readme", `Deno ${oldDeno} or later`],
    ["readme", `Bun ${bun} or later`],
    ["contributing", `Node ${node} or later`],
    ["ci", `runtime: deno, version: "${oldDeno}"`],
    ["ci", `runtime: bun, version: "${bun}"`],
    ["ci", `version: [${node.split(".")[0]},`],
    ["tsup", `target: "node${node.split(".")[0]}"`],
    ["dnt", `dnt ${/@(\d[\d.]*)$/.exec(deno.imports["@deno/dnt"] ?? "")?.[1]},`],
  ];
  for (const [file, text] of told) say(texts[file].includes(text), `${FILES[file]} does not say "${text}"`);
  return wrong;
}

/**
 * The texts with all that can be generated put right.
 *
 * @param {Texts} texts
 * @returns {Texts}
 */
export function putRight(texts) {
  const deno = JSON.parse(texts.deno), npm = JSON.parse(texts.npm), lock = JSON.parse(texts.lock);
  const importMap = JSON.parse(texts.importMap), tsconfig = JSON.parse(texts.tsconfig);
  const wanted = wantedPackage(deno), names = aliases(deno);

  Object.assign(npm, wanted);
  lock.version = lock.packages[""].version = npm.version;
  for (const key of ["name", "license", "bin", "engines", "devDependencies"]) {
    lock.packages[""][key] = npm[key];
  }
  importMap.imports = { ...others(importMap.imports, deno), ...names.importMap };
  tsconfig.compilerOptions.paths = { ...others(tsconfig.compilerOptions.paths, deno), ...names.tsPaths };
  const write = (/** @type {unknown} */ value) => `${JSON.stringify(value, null, 2)}\n`;
  return {
    ...texts,
    npm: write(npm),
    lock: write(lock),
    importMap: write(importMap),
    tsconfig: write(tsconfig),
    version: texts.version.replace(/"\d[^"]*"/, `"${deno.version}"`),
  };
}

/**
 * Packages that the lock file's packages ask for and that it does not have, which `npm ci` refuses. npm writes such
 * a file where the registry that it asks does not have the package for every system.
 *
 * @param {Record<string, { optionalDependencies?: Record<string, string> }>} packages
 */
function absent(packages) {
  return Object.entries(packages).flatMap(([path, { optionalDependencies = {} }]) =>
    Object.keys(optionalDependencies)
      .filter((name) => !above(path).some((folder) => `${folder}node_modules/${name}` in packages))
      .map((name) => `${FILES.lock} has no ${name}, for which ${path} asks`)
  );
}

/** The folders in which a package finds others, as prefixes. @param {string} path */
function above(path) {
  const folders = [""];
  for (let at = path; at !== ""; at = at.slice(0, Math.max(at.lastIndexOf("/node_modules/"), 0))) {
    folders.push(`${at}/`);
  }
  return folders;
}

/** @param {Record<string, unknown>} map @param {{ name: string }} deno */
function ours(map, deno) {
  return Object.fromEntries(Object.entries(map).filter(([name]) => isOurs(name, deno)));
}

/** @param {Record<string, unknown>} map @param {{ name: string }} deno */
function others(map, deno) {
  return Object.fromEntries(Object.entries(map).filter(([name]) => !isOurs(name, deno)));
}

/** @param {string} name @param {{ name: string }} deno */
const isOurs = (name, deno) => name === deno.name || name.startsWith(`${deno.name}/`);
