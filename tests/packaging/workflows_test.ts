import { test } from "node:test";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const text = (name: string) => readFileSync(`${ROOT}.github/workflows/${name}.yml`, "utf8");
const json = (path: string) => JSON.parse(readFileSync(ROOT + path, "utf8"));

/** The jobs of a workflow, by name, as text. */
function jobs(name: string): Record<string, string> {
  const [, all = ""] = text(name).split("\njobs:\n");
  const parts = all.split(/^ {2}(?=\w+:$)/m).slice(1);
  return Object.fromEntries(parts.map((part) => [part.slice(0, part.indexOf(":")), part]));
}

test("workflows run only what there is", () => {
  for (const name of ["ci", "release"]) {
    const said = text(name);
    for (const [path] of said.matchAll(/\bscripts\/[\w/.]+/g)) {
      assert(existsSync(ROOT + path), `${name}: ${path}`);
    }
    for (const [, script] of said.matchAll(/\bnpm run (\w+)/g)) {
      assert(json("package.json").scripts[script!], script);
    }
    for (const [, task] of said.matchAll(/\bdeno task (\w+)/g)) assert(json("deno.json").tasks[task!], task);
  }
});

test("a release is gated, and only those jobs may sign that publish", () => {
  const release = jobs("release");
  assertEquals(Object.keys(release), ["gate", "jsr", "npm"]);
  for (const [name, job] of Object.entries(release)) {
    assertEquals(job.includes("id-token: write"), name !== "gate", name);
    assertEquals(job.includes("needs: gate"), name !== "gate", name);
  }
  assertStringIncludes(release["gate"]!, "npm test");
  assertStringIncludes(release["jsr"]!, "- run: deno publish\n");
});

test("what npm gets is built by dnt, used, and published with its provenance", () => {
  const { npm = "" } = jobs("release");
  const steps = [
    "npm ci",
    "deno run -A scripts/build_npm.ts",
    "node scripts/check_package.mjs --folder npm",
    "npm publish --provenance",
  ].map((step) => npm.indexOf(step));
  assert(steps[0]! > 0);
  assertEquals(steps, [...steps].sort((a, b) => a - b));
  assertEquals(text("ci").includes("npm publish"), false);
});
