/**
 * Packs the package and uses it, in every way that its users will.
 *
 *     npm run build && node scripts/check_package.mjs
 *     node scripts/check_package.mjs --folder npm       what dnt built
 *     node scripts/check_package.mjs --only sizes       one of the ways, by a part of its name
 *
 * Nothing is fetched from anywhere: the package is served on the loopback address.
 *
 * @module
 */

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import process from "node:process";
import { parseArgs } from "node:util";

import { CONSUMERS } from "./package/consumers.mjs";
import { INSPECTIONS } from "./package/inspections.mjs";
import { serveTarball } from "./package/loopback.mjs";
import { entries } from "./package/manifest.mjs";
import { npm, Project } from "./package/project.mjs";
import { readJson, root } from "./test/tools.mjs";

/** How many use it at a time: they wait for each other's processors more than for anything else. */
const AT_ONCE = 3;

/** What a package has besides the folders with its code. */
const DOCUMENTS = ["CHANGELOG.md", "LICENSE", "README.md", "package.json"];

const { values } = parseArgs({
  options: { folder: { type: "string", default: "." }, only: { type: "string", default: "" } },
});
const source = join(root, values.folder);
const deno = readJson("deno.json");
const manifest = JSON.parse(readFileSync(join(source, "package.json"), "utf8"));

const temporary = mkdtempSync(join(tmpdir(), "holdfast-package-"));
/** @type {Awaited<ReturnType<typeof serveTarball>> | undefined} */
let loopback;
let failed = 0;
try {
  const tarball = await pack();
  loopback = await serveTarball(tarball, manifest);
  const { url } = loopback;
  const project = (/** @type {string} */ name) => new Project(join(temporary, name), url);

  const installed = project("installed").ofNpm();
  const [command, args] = npm();
  await installed.run(command, [...args, "install", "--no-audit", "--no-fund", tarball]);

  const { name: specifier, version } = manifest;
  const context = { tarball, specifier, version, deno, manifest, entries: entries(deno), installed, project };
  const waiting = [...INSPECTIONS, ...CONSUMERS].filter(({ name }) => name.includes(values.only));
  const lane = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) await use(next, context);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  // npx, bunx, and Deno in two projects: if it came from elsewhere, something else was tried.
  if (values.only === "" && loopback.served() < 4) {
    failed++;
    console.log(`FAILED loopback: the package was fetched ${loopback.served()} times`);
  }
} finally {
  loopback?.close();
  rmSync(temporary, { recursive: true, force: true });
}
process.exitCode = failed === 0 ? 0 : 1;

/** Packs the package. @returns {Promise<string>} the path of the tarball */
async function pack() {
  const packer = new Project(join(temporary, "pack"), "http://127.0.0.1:1/");
  const [command, args] = npm();
  const where = ["--json", "--ignore-scripts", "--pack-destination", temporary];
  const output = await packer.run(command, [...args, "pack", ...where, source]);
  const [{ filename, files }] = JSON.parse(output.slice(output.indexOf("[")));
  const others = files.map((/** @type {{ path: string }} */ { path }) => path)
    .filter((/** @type {string} */ path) => !/^(dist|esm|script)\//.test(path)).sort();
  if (others.join() !== DOCUMENTS.join()) {
    failed++;
    console.log(`FAILED contents: beside its code it has ${others.join(", ")}`);
  }
  return join(temporary, filename);
}

/**
 * @param {import("./package/consumer.mjs").Consumer} consumer
 * @param {import("./package/consumer.mjs").Context} context
 */
async function use({ name, use }, context) {
  const start = performance.now();
  try {
    const outcome = await use(context);
    const time = `${((performance.now() - start) / 1000).toFixed(1)} s`;
    if (outcome && "skipped" in outcome) console.log(`skipped: ${name}: ${outcome.skipped}`);
    else console.log(`ok ${name} (${time})`);
    if (outcome && "lines" in outcome) { for (const line of outcome.lines) console.log(`    ${line}`); }
  } catch (error) {
    failed++;
    const text = error instanceof Error ? error.message : String(error);
    console.log(`FAILED ${name}: ${text.trimEnd().replace(/\n/g, "\n    ")}`);
  }
}
