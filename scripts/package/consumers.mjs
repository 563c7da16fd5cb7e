/**
 * Everybody who runs the package, as data: each installs it from the tarball into a project of its own, or takes the
 * one that npm installed, and uses it.
 *
 * @module
 */

import { build } from "esbuild";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import vm from "node:vm";

import { newestNode, root, tools } from "../test/tools.mjs";
import { tryCommand } from "./command.mjs";
import { check, sameNames } from "./consumer.mjs";
import { cjsProgram, esmProgram, mixedProgram, typedProgram, workerProgram } from "./programs.mjs";
import { npm } from "./project.mjs";

/** @typedef {import("./consumer.mjs").Context} Context */
/** @typedef {import("./consumer.mjs").Consumer} Consumer */

/**
 * ESM, CommonJS, and both at once, on a Node.
 *
 * @param {Context} context
 * @param {string} path that Node
 * @param {string} folder where its programs are put: another one may be reading the other's
 */
async function useOnNode(context, path, folder) {
  const { entries, specifier, installed } = context;
  const esm = installed.write(`${folder}/use.mjs`, esmProgram(entries, specifier, "node"));
  const cjs = installed.write(`${folder}/use.cjs`, cjsProgram(entries, specifier, "node"));
  const mixed = installed.write(`${folder}/mixed.mjs`, mixedProgram(specifier));
  sameNames(context, await installed.run(path, [esm]));
  sameNames(context, await installed.run(path, [cjs]));
  await installed.run(path, [mixed]);
}

/** @type {readonly Consumer[]} */
export const CONSUMERS = [
  {
    name: "npx holdfast",
    async use({ project, specifier, version }) {
      const { folder, env } = project("npx").ofNpm();
      const [command, args] = npm();
      // npm itself dies of the signal, once the command has ended.
      await tryCommand(command, [...args, "exec", "--yes", "--", `${specifier}@${version}`], {
        cwd: folder,
        env,
        end: "SIGINT",
      });
    },
  },
  {
    name: "node_modules/.bin/holdfast",
    async use({ installed, specifier, version }) {
      const { folder, env } = installed;
      const command = join(folder, "node_modules", ".bin", specifier);
      const said = await installed.run(command, ["--version"]);
      check(said.trim() === `${specifier} ${version}`, `it says "${said.trim()}" for its version`);
      await tryCommand(command, [], { cwd: folder, env });
    },
  },
  {
    name: "bunx holdfast",
    async use({ project, specifier, version }) {
      const { folder, env } = project("bunx").ofNpm();
      // `--bun`: on Bun, whatever its first line says.
      await tryCommand(tools.bun, ["x", "--bun", `${specifier}@${version}`], { cwd: folder, env });
    },
  },
  {
    name: "deno run npm:holdfast",
    async use({ project, specifier, version }) {
      const { folder, env } = project("deno-command");
      await tryCommand(tools.deno, ["run", "-A", "--quiet", `npm:${specifier}@${version}`], {
        cwd: folder,
        env,
      });
    },
  },
  {
    name: "JSR: an import, and deno run jsr:…/cli, through links",
    async use(context) {
      const { deno, entries, project } = context;
      const jsr = project("jsr");
      const specifier = `jsr:${deno.name}@^${deno.version}`;
      jsr.write(
        "deno.json",
        JSON.stringify({
          links: [relative(jsr.folder, root)],
          imports: { [deno.name]: specifier },
          lock: false,
        }),
      );
      jsr.write("use.mjs", esmProgram(entries, specifier, "deno"));
      jsr.write("typed.ts", typedProgram(deno.name));
      await jsr.run(tools.deno, ["check", "--quiet", "typed.ts"]);
      sameNames(context, await jsr.run(tools.deno, ["run", "-A", "--quiet", "use.mjs"]));
      const { folder, env } = jsr;
      const cli = `${specifier}/cli`;
      await tryCommand(tools.deno, ["run", "-A", "--quiet", "--no-check", cli], { cwd: folder, env });
    },
  },
  {
    name: "Node, the running one, as ESM and CommonJS",
    use: (context) => useOnNode(context, tools.node, "running"),
  },
  {
    name: "Node, the newest, as ESM and CommonJS",
    async use(context) {
      const newest = await newestNode();
      if ("missing" in newest) return { skipped: newest.missing };
      await useOnNode(context, newest.path, "newest");
    },
  },
  {
    name: "Bun, as ESM and CommonJS",
    async use(context) {
      const { entries, project, specifier, tarball } = context;
      const bun = project("bun").ofNpm();
      await bun.run(tools.bun, ["add", tarball]);
      bun.write("use.mjs", esmProgram(entries, specifier, "bun"));
      bun.write("use.cjs", cjsProgram(entries, specifier, "bun"));
      sameNames(context, await bun.run(tools.bun, ["use.mjs"]));
      sameNames(context, await bun.run(tools.bun, ["use.cjs"]));
    },
  },
  {
    name: "Deno, npm:",
    async use(context) {
      const { entries, project, specifier, version } = context;
      const deno = project("deno");
      deno.write("use.mjs", esmProgram(entries, `npm:${specifier}@${version}`, "deno"));
      deno.write("typed.ts", typedProgram(`npm:${specifier}@${version}`));
      await deno.run(tools.deno, ["check", "--quiet", "typed.ts"]);
      sameNames(context, await deno.run(tools.deno, ["run", "-A", "--quiet", "use.mjs"]));
    },
  },
  {
    name: "a bundle for browsers",
    async use({ installed, specifier }) {
      const { metafile, outputFiles, warnings } = await build({
        stdin: { contents: `export * from "${specifier}";`, resolveDir: installed.folder },
        bundle: true,
        format: "iife",
        globalName: "holdfast",
        platform: "browser",
        metafile: true,
        write: false,
        logLevel: "silent",
      });
      const external = Object.values(metafile.outputs).flatMap(({ imports }) =>
        imports.map(({ path }) => path)
      );
      check(external.length === 0, `it needs ${external}`);
      check(warnings.length === 0, JSON.stringify(warnings));
      check(
        !outputFiles.some(({ text }) => text.includes("cloudflare:")),
        "it knows of Cloudflare's modules",
      );

      // Where there is nothing but what JavaScript has and a few globals of browsers.
      const { TextDecoder, TextEncoder, setTimeout, clearTimeout, performance } = globalThis;
      const browser = vm.createContext({ TextDecoder, TextEncoder, setTimeout, clearTimeout, performance });
      vm.runInContext(outputFiles[0]?.text ?? "", browser);
      const said = await vm.runInContext(
        `holdfast.raw(); holdfast.lines(); holdfast.frames(); holdfast.detectTransport().catch((error) => error.name)`,
        browser,
      );
      check(said === "TypeError", `detectTransport() said ${said}`);
    },
  },
  {
    name: "workerd",
    async use({ installed, manifest, specifier }) {
      const binary = join(root, "node_modules", "workerd", "bin", "workerd");
      if (!existsSync(binary)) return { skipped: "workerd is not installed" };
      const home = `node_modules/${specifier}`;
      const path = (/** @type {string} */ entry) =>
        `./${join(home, manifest["exports"][entry].import.default)}`;
      installed.write("worker.js", workerProgram(path("."), path("./memory"), path("./workers")));
      const files = readdirSync(join(installed.folder, home), { recursive: true, encoding: "utf8" })
        .filter((path) =>
          path.endsWith(".js") && readFileSync(join(installed.folder, home, path), "utf8").match(/^export /m)
        )
        .map((path) => `${home}/${path.replaceAll("\\", "/")}`);
      const modules = ["worker.js", ...files].map((path) => `(name = "${path}", esModule = embed "${path}")`);
      installed.write(
        "worker.capnp",
        `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (services = [(name = "main", worker = .worker)]);
const worker :Workerd.Worker = (modules = [${modules.join(", ")}], compatibilityDate = "2026-04-01");
`,
      );
      await installed.run(binary, ["test", "worker.capnp"]);
    },
  },
];
