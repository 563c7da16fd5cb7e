/**
 * What the package is looked through for, as data: its types as users meet them, its names, its sizes, and whether
 * dnt's build would be the same.
 *
 * @module
 */

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";

import { root, tools } from "../test/tools.mjs";
import { check } from "./consumer.mjs";
import { finish, problems } from "./finish.mjs";
import { buildLikeDnt } from "./like_dnt.mjs";
import { exportedNames } from "./names.mjs";
import { cjsProgram, esmProgram, typedProgram } from "./programs.mjs";
import { heaviest, missed, sizes, table, tooLarge } from "./sizes.mjs";

/** @typedef {import("./consumer.mjs").Context} Context */
/** @typedef {import("./consumer.mjs").Consumer} Consumer */

/**
 * Type checks a user's program, strictly, with the declarations of the package.
 *
 * @param {Context} context
 * @param {string} name
 * @param {Record<string, unknown>} options
 * @param {readonly string[]} files
 */
async function typeCheck({ installed, specifier }, name, options, files) {
  for (const file of files) installed.write(`types-${name}/${file}`, typedProgram(specifier));
  installed.write(
    `types-${name}/tsconfig.json`,
    JSON.stringify({
      compilerOptions: {
        ...{ target: "es2022", lib: ["es2022", "esnext.disposable", "dom", "dom.iterable"], types: [] },
        ...{ strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true },
        ...{ skipLibCheck: false, noEmit: true },
        ...options,
      },
      files,
    }),
  );
  await installed.run(tools.node, [tools.tsc, "--project", `types-${name}`]);
}

/** @type {readonly Consumer[]} The slow ones first. */
export const INSPECTIONS = [
  {
    name: "all that stands around dnt",
    async use({ deno, entries, project, specifier }) {
      const user = project("like-dnt").ofNpm();
      const built = project(`like-dnt/node_modules/${specifier}`);
      const tests = await buildLikeDnt(project("staged"), built);
      check(tests.length > 20, `only ${tests.length} tests are run on dnt's output`);
      finish(root, built.folder);
      const wrong = problems(built.folder, deno);
      check(wrong.length === 0, wrong.join("\n"));

      // Not the simulator, which takes half a minute and is run on every runtime as it is.
      const quick = tests.filter((path) => !path.startsWith("tests/simulation/"));
      const requires = quick.map((path) => `require("./script/${path.replace(/ts$/, "js")}");\n`);
      built.write("test_runner.cjs", requires.join(""));
      const report = await built.tryRun(tools.node, ["--test-reporter=tap", "test_runner.cjs"]);
      const failures = report.output.split(/^(?=# Subtest: )/m).filter((part) => /^not ok /m.test(part));
      check(report.code === 0 && failures.length === 0, failures.join("") || report.output);
      check(/^# pass [1-9]\d*$/m.test(report.output), "no test passed");
      user.write("use.mjs", esmProgram(entries, specifier, "node"));
      user.write("use.cjs", cjsProgram(entries, specifier, "node"));
      await user.run(tools.node, ["use.mjs"]);
      await user.run(tools.node, ["use.cjs"]);
      const { bin } = JSON.parse(readFileSync(join(built.folder, "package.json"), "utf8"));
      const said = await built.run(tools.node, [bin[specifier], "--version"]);
      check(said.trim() === `${specifier} ${deno.version}`, `it says "${said.trim()}" for its version`);
    },
  },
  {
    name: "attw",
    async use({ tarball, installed }) {
      // TypeScript's oldest way to resolve knows no `exports`; Node has known them since 12.7.
      const cli = join(root, "node_modules", "@arethetypeswrong", "cli", "dist", "index.js");
      await installed.run(tools.node, [cli, tarball, "--profile", "node16", "--no-definitely-typed"]);
    },
  },
  {
    name: "publint",
    async use({ tarball, installed }) {
      const cli = join(root, "node_modules", "publint", "src", "cli.js");
      await installed.run(tools.node, [cli, tarball, "--strict"]);
    },
  },
  {
    name: "TypeScript, node16",
    use: (context) =>
      typeCheck(context, "node16", { module: "node16", moduleResolution: "node16" }, ["esm.mts", "cjs.cts"]),
  },
  {
    name: "TypeScript, bundler",
    use: (context) =>
      typeCheck(context, "bundler", { module: "esnext", moduleResolution: "bundler" }, ["bundled.ts"]),
  },
  {
    name: "TypeScript, node16 with Node's types",
    use: (context) =>
      typeCheck(context, "node", {
        ...{ module: "node16", moduleResolution: "node16", lib: ["es2022"], types: ["node"] },
        typeRoots: [join(root, "node_modules", "@types")],
      }, ["esm.mts"]),
  },
  {
    name: "names of the declarations",
    async use({ entries, installed, manifest, specifier }) {
      const home = join(installed.folder, "node_modules", specifier);
      const places = entries.map(({ name }) => manifest["exports"][name]);
      const wanted = exportedNames(entries.map(({ path }) => join(root, path)));
      const esm = exportedNames(places.map((place) => join(home, place.import.types)));
      const cjs = exportedNames(places.map((place) => join(home, place.require.types)));
      entries.forEach(({ name }, index) => {
        for (const found of [esm[index], cjs[index]]) {
          check(
            isDeepStrictEqual(found, wanted[index]),
            `${name} declares ${JSON.stringify(found)}, its source ${JSON.stringify(wanted[index])}`,
          );
        }
      });
    },
  },
  {
    // tsup makes CommonJS of ESM word by word, and takes a private field for the export of that name: it then changes that.
    name: "no private field is taken for an export",
    async use({ installed, specifier }) {
      const dist = join(installed.folder, "node_modules", specifier, "dist");
      const found = readdirSync(dist).filter((name) => name.endsWith(".cjs")).flatMap((name) =>
        [...readFileSync(join(dist, name), "utf8").matchAll(/#\w+ = exports\.\w+/g)].map(([text]) =>
          `${name}: ${text}`
        )
      );
      check(found.length === 0, found.join("\n"));
    },
  },
  {
    name: "sizes",
    async use({ entries, installed, specifier }) {
      const list = await sizes(installed.folder, entries, specifier);
      const over = tooLarge(list), heavy = list.at(-1);
      const weights = heavy === undefined ? [] : await heaviest(heavy.code, entries, specifier, root);
      const lines = [
        ...table(list),
        ...missed(list),
        `${heavy?.name}, minified, in kB by source:`,
        ...weights,
      ];
      check(over.length === 0, [...over, ...lines].join("\n"));
      return { lines };
    },
  },
];
