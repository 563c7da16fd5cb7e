/**
 * Fails where the TypeScript on the pages for people (README.md, SECURITY.md, docs/) has type errors. Tests run it; but
 * runtimes drop types without a look.
 *
 * @module
 */

import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";

import { filesBelow, root, tools } from "./test/tools.mjs";

// Inside the checkout, where "@holdfast/holdfast" is known by name.
const folder = mkdtempSync(join(root, ".readme-"));
try {
  /** @type {string[]} */
  const files = [];
  for (const page of ["README.md", "SECURITY.md", ...filesBelow("docs", ".md")]) {
    const text = readFileSync(join(root, page), "utf8");
    // One folder a page: what is to be saved as `redis.ts` is imported by what follows.
    const place = join(folder, page.replaceAll("/", "-"));
    mkdirSync(place);
    for (
      const [block, saved, code = ""] of text.matchAll(
        /(?:`(\w+\.ts)`:\s+<!-- run: [\w-]+ -->\s+)?^```ts\n([\s\S]*?)^```$/gm,
      )
    ) {
      const line = text.slice(0, text.indexOf(block) + block.indexOf("```ts")).split("\n").length;
      const file = join(place, saved ?? `line-${line}.ts`);
      writeFileSync(file, code);
      files.push(file);
    }
  }
  console.log(`${files.length} programs`);
  const args = ["check", "--quiet", "--import-map=tests/support/import_map.json", ...files];
  const { status } = spawnSync(tools.deno, args, { cwd: root, stdio: "inherit" });
  process.exitCode = status ?? 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
