/**
 * Lays out what dnt is to build: the sources without what belongs to a checkout only, and the tests that need nothing
 * but the sources.
 *
 * @module
 */

import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import ts from "typescript";

import { filesBelow } from "../test/tools.mjs";

/** What a staged test may import besides files of ours. */
const KNOWN = ["node:test", "node:process", "@std/assert"];

/** The last statement of `mod.ts`, which runs the command, with its comment. */
const MAIN = /\n(?:\/\/.*\n)*if \(import\.meta\.main\).*\n$/;

/**
 * The root without the statement that makes a program of it. A bundler would follow it into the command, and
 * CommonJS has no `import.meta`.
 *
 * @param {string} source
 * @throws {Error} If that statement is not the last one, or something else uses `import.meta`.
 */
export function withoutMain(source) {
  const rest = source.replace(MAIN, "");
  if (rest === source) throw new Error("The root does not end with `if (import.meta.main)`");
  if (/\bimport\.meta\b/.test(rest)) throw new Error("The root uses `import.meta` for something else");
  return rest;
}

/**
 * Where a file's imports lead to: paths from the root for ours, specifiers for others.
 *
 * @param {string} path
 * @param {string} text
 */
export function imports(path, text) {
  return ts.preProcessFile(text).importedFiles.map(({ fileName }) =>
    fileName.startsWith(".") ? posix.join(posix.dirname(path), fileName) : fileName
  );
}

/**
 * The tests that can be run away from the checkout, with the files of `tests/` that they need: they import sources,
 * each other and what {@linkcode KNOWN} has, ask for no path, and can be CommonJS.
 *
 * @param {ReadonlyMap<string, string>} files texts by path
 * @returns {string[]}
 */
export function standAlone(files) {
  /** @type {(path: string, seen: Set<string>) => boolean} */
  const complete = (path, seen) => {
    if (seen.has(path) || path.startsWith("lib/")) return true;
    seen.add(path);
    const text = files.get(path);
    if (text === undefined || /\bimport\.meta\b/.test(text) || awaitsAtTopLevel(text)) return false;
    return imports(path, text).every((to) =>
      /^(tests|lib)\//.test(to) ? complete(to, seen) : KNOWN.includes(to)
    );
  };
  /** @type {Set<string>} */
  const staged = new Set();
  for (const path of files.keys()) {
    /** @type {Set<string>} */
    const seen = new Set();
    if (path.endsWith("_test.ts") && complete(path, seen)) { for (const file of seen) staged.add(file); }
  }
  return [...staged].sort();
}

/** Whether there is an `await` outside of all functions, which CommonJS does not have. @param {string} text */
function awaitsAtTopLevel(text) {
  /** @type {(node: ts.Node) => boolean} */
  const found = (node) =>
    ts.isAwaitExpression(node) || (ts.isForOfStatement(node) && node.awaitModifier !== undefined) ||
    (!ts.isFunctionLike(node) && ts.forEachChild(node, found) === true);
  return found(ts.createSourceFile("test.ts", text, ts.ScriptTarget.ES2022));
}

/**
 * Fills `folder` with what dnt is to build from the checkout at `root`.
 *
 * @param {string} root
 * @param {string} folder
 * @returns {string[]} the tests that are in it
 */
export function stage(root, folder) {
  const read = (/** @type {string} */ path) => readFileSync(join(root, path), "utf8");
  const tests = standAlone(new Map(filesBelow("tests", ".ts").map((path) => [path, read(path)])));

  cpSync(join(root, "lib"), join(folder, "lib"), { recursive: true });
  for (const path of tests) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    cpSync(join(root, path), join(folder, path));
  }
  writeFileSync(join(folder, "mod.ts"), withoutMain(read("mod.ts")));
  const { imports, compilerOptions } = JSON.parse(read("deno.json"));
  writeFileSync(
    join(folder, "deno.json"),
    JSON.stringify({ imports: { "@std/assert": imports["@std/assert"] }, compilerOptions }),
  );
  return tests.filter((path) => path.endsWith("_test.ts"));
}
