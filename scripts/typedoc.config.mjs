/**
 * How the API reference is made (`npm run docs`): of the entry points in deno.json, with the pages of docs/, into `api/`.
 *
 * @module
 */

import { join } from "node:path";
import { Converter, ReflectionKind } from "typedoc";

import { filesBelow, readJson, root } from "./test/tools.mjs";

const { exports, name, version } = readJson("deno.json");

/** The command is no library. */
const entries = Object.entries(/** @type {Record<string, string>} */ (exports)).filter(([entry]) =>
  entry !== "./cli"
);

/** What is read first stands first. */
const ORDER = [
  ...[
    "getting-started",
    "concepts",
    "options",
    "close-reasons",
    "recipes",
    "existing-protocols",
    "migrating",
  ],
  ...["testing", "liveness", "protocol", "faults", "mutations"],
];

/** @param {string} path */
const place = (path) =>
  (ORDER.indexOf(path.replace(/^docs\/(.*)\.md$/, "$1")) + ORDER.length + 1) % (ORDER.length + 1);

const pages = filesBelow("docs", ".md").sort((one, other) => place(one) - place(other));

/**
 * Calls each module by the name under which it is imported, and each page by its heading, not by their files; and shows
 * `{30_000} as yamux` of a default as what it is, not as a program.
 *
 * @param {import("typedoc").Application} app
 */
function plainNames(app) {
  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => {
    for (const module of project.getReflectionsByKind(ReflectionKind.Module)) {
      const [entry] = entries.find(([, path]) => path.replace(/^\.\/|\.ts$/g, "") === module.name) ?? [];
      if (entry !== undefined) module.name = name + entry.slice(1);
    }
    for (const page of /** @type {import("typedoc").DocumentReflection[]} */ (project.documents ?? [])) {
      page.name = /^# (.*)$/m.exec(page.content[0]?.text ?? "")?.[1] ?? page.name;
    }
    for (const { comment } of Object.values(project.reflections)) {
      for (const block of comment?.blockTags ?? []) {
        const { tag, content, typeAnnotation } = block;
        if (typeAnnotation !== undefined) block.typeAnnotation = typeAnnotation.replace(/^\{|\}$/g, "");
        if (tag !== "@default" || content[0]?.kind !== "code") continue;
        const [, value, rest] = /^```ts\n\{([^}]*)\}([\s\S]*)\n```$/.exec(content[0].text) ?? [];
        const words = value === undefined
          ? content[0].text.replace(/^```ts\n|\n```$/g, "")
          : `\`${value}\`${rest}`;
        content[0] = { kind: "text", text: words };
      }
    }
  });
}

/** @type {Partial<import("typedoc").TypeDocOptions>} */
export default {
  name: `${name} ${version}`,
  entryPoints: entries.map(([, path]) => join(root, path)),
  projectDocuments: pages.map((path) => join(root, path)),
  plugin: [plainNames],
  customCss: join(root, "scripts", "typedoc.css"),
  // Not engine.io and socket.io, which are names here.
  markdownItOptions: { html: true, linkify: false },
  preservedTypeAnnotationTags: ["@throws"],
  tsconfig: join(root, "tsconfig.json"),
  readme: join(root, "README.md"),
  out: join(root, "api"),
  excludePrivate: true,
  excludeInternal: true,
  disableSources: true,
  hideGenerator: true,
  sortEntryPoints: false,
  // The gate checks types before.
  skipErrorChecking: true,
  treatWarningsAsErrors: true,
  logLevel: "Warn",
};
