import { test } from "node:test";
import { assert, assertEquals, assertGreater, assertStringIncludes, assertThrows } from "@std/assert";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { dntOptions } from "../../scripts/package/dnt_options.mjs";
import { finish, problems } from "../../scripts/package/finish.mjs";
import type { DenoManifest, NpmManifest } from "../../scripts/package/manifest.mjs";
import { imports, stage, standAlone, withoutMain } from "../../scripts/package/stage.mjs";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const json = (path: string) => JSON.parse(readFileSync(join(ROOT, path), "utf8"));
const deno = json("deno.json") as DenoManifest, npm = json("package.json") as NpmManifest;

const MAIN = "\n// The command.\nif (import.meta.main) void import('./bin.ts');\n";

/** Runs `use` with an empty folder, and removes it. */
function withFolder(use: (folder: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-dnt-"));
  try {
    use(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function write(folder: string, files: Record<string, string>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
}

test("withoutMain() takes the last statement away, and refuses a root which has another one", () => {
  assertEquals(withoutMain(`export const a = 1;\n${MAIN}`), "export const a = 1;\n");
  assertThrows(() => withoutMain("export const a = 1;\n"), Error, "does not end with");
  assertThrows(() => withoutMain(`${MAIN}export const a = 1;\n`), Error, "does not end with");
  assertThrows(() => withoutMain(`export const a = import.meta.url;\n${MAIN}`), Error, "for something else");
});

test("standAlone() finds the tests that need only sources, and what they need", () => {
  const files = new Map(Object.entries({
    "tests/a_test.ts": `import { a } from "../lib/a.ts";\nimport "./support/one.ts";\nimport "node:test";`,
    "tests/support/one.ts": `import { two } from "./two.ts";\nimport { assert } from "@std/assert";`,
    "tests/support/two.ts": `import { one } from "./one.ts";`,
    "tests/support/unused.ts": "",
    "tests/file_test.ts": `import "node:fs";`,
    "tests/url_test.ts": `console.log(import.meta.url);`,
    "tests/above_test.ts": `import "./support/missing.ts";`,
    "tests/deep_test.ts": `import "./support/deep.ts";`,
    "tests/support/deep.ts": `import fc from "fast-check";`,
    "tests/scripts_test.ts": `import "../scripts/a.mjs";`,
    "tests/await_test.ts": `const a = [\n  await 1,\n];`,
    "tests/loop_test.ts": `for await (const a of b) {}`,
    "tests/inner_test.ts": `test("a", async () => { await 1; for await (const a of b) {} });`,
  }));
  assertEquals(standAlone(files), [
    "tests/a_test.ts",
    "tests/inner_test.ts",
    "tests/support/one.ts",
    "tests/support/two.ts",
  ]);
});

test("stage() lays out sources and tests that are complete and ask for no path", () => {
  withFolder((folder) => {
    const tests = stage(ROOT, folder);
    assertGreater(tests.length, 20);
    const seen = new Set<string>(["mod.ts", "lib/cli/bin.ts", ...tests]);
    for (const path of seen) {
      const text = readFileSync(join(folder, path), "utf8");
      for (const to of imports(path, text)) {
        if (/^(lib|tests)\//.test(to)) seen.add(to);
        else assert(/^node:|^@std\/assert$/.test(to), `${path} imports ${to}`);
      }
      assert(!/^[^*/]*\bimport\.meta\b/m.test(text), `${path} uses import.meta`);
    }
    assertEquals(Object.keys(JSON.parse(readFileSync(join(folder, "deno.json"), "utf8")).imports), [
      "@std/assert",
    ]);
  });
});

test("dnt is asked for the entry points of deno.json, the command, both formats and no shim", () => {
  const options = dntOptions(deno, npm, { sources: "/s", output: "/o", repository: "owner/holdfast" });
  assertEquals(options.entryPoints, [
    ...Object.entries(deno.exports).filter(([name]) => name !== "./cli").map(([name, path]) => ({
      name,
      path,
    })),
    { kind: "bin", name: "holdfast", path: deno.exports["./cli"]! },
  ]);
  assertEquals([options.shims, options.scriptModule, options.declaration, options.test, options.typeCheck], [
    {},
    "cjs",
    "inline",
    true,
    "both",
  ]);
  assertEquals([options.cwd, options.outDir], ["/s", "/o"]);
});

test("the released package.json says what ours says, and where it was built", () => {
  const places = { sources: "/s", output: "/o" };
  const said = dntOptions(deno, npm, { ...places, repository: "owner/holdfast" }).package;
  for (
    const key of ["name", "version", "description", "keywords", "license", "author", "engines", "sideEffects"]
  ) {
    assertEquals(said[key], npm[key], key);
  }
  assertEquals(said["repository"], { type: "git", url: "git+https://github.com/owner/holdfast.git" });
  assertEquals(Object.keys(said["exports"] as object), Object.keys(npm["exports"]));
  assertEquals((said["exports"] as Record<string, unknown>)["./node"], {
    import: { types: "./esm/lib/transport/node.d.ts", default: "./esm/lib/transport/node.js" },
    require: { types: "./script/lib/transport/node.d.ts", default: "./script/lib/transport/node.js" },
  });
  // dnt adds `bin` itself, and `type` would make ESM of the CommonJS files.
  for (const key of ["bin", "type", "scripts", "config", "files", "allowScripts", "trustedDependencies"]) {
    assertEquals(said[key], undefined, key);
  }
  assertEquals(dntOptions(deno, npm, { ...places, repository: undefined }).package["repository"], undefined);
});

/** What a small package is like when dnt is done with it. */
function built(folder: string): void {
  write(folder, {
    "package.json": JSON.stringify({
      version: deno.version,
      bin: { holdfast: "./esm/lib/cli/bin.js" },
      exports: { ".": { import: "./esm/mod.js", require: "./script/mod.js" } },
      scripts: { test: "node test_runner.cjs" },
      devDependencies: { "@types/node": "1" },
    }),
    "esm/package.json": `{ "type": "module" }`,
    "esm/mod.js": "export const a = 1;",
    "esm/lib/cli/bin.js": "#!/usr/bin/env node\n",
    "script/package.json": `{ "type": "commonjs" }`,
    "script/mod.js": "exports.a = 1;",
    "node_modules/a/esm/_dnt.shims.js": "",
  });
}

test("finish() adds the documents and takes out what only the build needed", () => {
  withFolder((folder) => {
    built(folder);
    assert(problems(folder, deno).length > 0);
    finish(ROOT, folder);
    assertEquals(problems(folder, deno), []);
    const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    assertEquals(Object.keys(manifest), ["version", "bin", "exports"]);
    assertEquals(manifest.bin, { holdfast: "esm/lib/cli/bin.js" });
    for (const [half, type] of [["esm", "module"], ["script", "commonjs"]]) {
      const nearest = JSON.parse(readFileSync(join(folder, half!, "package.json"), "utf8"));
      assertEquals(nearest, { type, sideEffects: false });
    }
    assert(existsSync(join(folder, "LICENSE")));
  });
});

test("problems() finds what must not be in a package", () => {
  const cases: readonly [files: Record<string, string>, said: string][] = [
    [{ "esm/_dnt.shims.js": "" }, "it has esm/_dnt.shims.js"],
    [{ "script/_dnt.polyfills.js": "" }, "it has script/_dnt.polyfills.js"],
    [{ "esm/mod.js": `import "@deno/shim-deno";` }, "esm/mod.js asks for a shim"],
    [{ "script/lib/a.js": `dntShim.Deno.listen()` }, "script/lib/a.js asks for a shim"],
    [{ "esm/lib/a.js": `import.meta.main` }, "esm/lib/a.js uses import.meta"],
    [{ "script/mod.js": `Symbol.for("import-meta-ponyfill-commonjs")` }, "script/mod.js uses import.meta"],
  ];
  for (const [files, said] of cases) {
    withFolder((folder) => {
      built(folder);
      finish(ROOT, folder);
      write(folder, files);
      assertStringIncludes(problems(folder, deno).join("\n"), said);
    });
  }
  const manifests: readonly [change: Record<string, unknown>, said: string][] = [
    [{ version: "0.0.0" }, "it is version 0.0.0"],
    [{ dependencies: { "@deno/shim-deno": "1" } }, "it has dependencies: @deno/shim-deno"],
    [{ exports: { ".": "./esm/other.js" } }, "names ./esm/other.js, which is not there"],
  ];
  for (const [change, said] of manifests) {
    withFolder((folder) => {
      built(folder);
      finish(ROOT, folder);
      const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
      write(folder, { "package.json": JSON.stringify({ ...manifest, ...change }) });
      assertStringIncludes(problems(folder, deno).join("\n"), said);
    });
  }
});
