/**
 * The pages in docs/ do what they say: each block of TypeScript that stands there without a mark is run, as it is, on
 * the runtime that runs the tests, and has to end by itself. What is printed after "It prints" is what it prints. Blocks
 * with a mark need something around them: tests/recipes_test.ts runs those.
 *
 * @module
 */

import { test } from "node:test";
import { assertEquals, assertGreater } from "@std/assert";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type Example, examplesOf, PAGES, PATIENCE, Program, readPage, ROOT } from "./support/pages.ts";

/** Programs at a time: each takes a processor for a moment, and waits for most of the rest. */
const AT_ONCE = 2;

const all = PAGES.flatMap(examplesOf);
const examples = all.filter(({ block }) => block.mark === "");

/** What is wrong with an example; `undefined` if nothing is. */
async function wrongWith({ page, block, prints }: Example): Promise<string | undefined> {
  await using program = Program.of(block.text);
  const code = await program.ended();
  const { stdout, stderr } = program;
  if (code === 0 && (prints === undefined || stdout === prints)) return undefined;
  return `${page}:${block.line} ended with ${code}, and printed:\n${stdout}${stderr}`;
}

test("each example of the pages runs as it stands there", { timeout: 5 * PATIENCE }, async () => {
  assertGreater(examples.length, 5);
  const queue = [...examples], wrong: string[] = [];
  const work = async () => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const what = await wrongWith(next);
      if (what !== undefined) wrong.push(what);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  assertEquals(wrong, []);
});

test("what a page says that is printed belongs to an example", () => {
  const said = PAGES.flatMap((page) => [...readPage(page).matchAll(/^It prints$/gm)]).length;
  assertEquals(all.filter(({ prints }) => prints !== undefined).length, said);
});

test("links of the pages lead somewhere", () => {
  const pages = [...PAGES, "README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"];
  const broken = pages.flatMap((page) => {
    const text = readPage(page);
    return [...text.matchAll(/\]\((?!https?:)([^)#\s]*)(?:#([^)\s]*))?\)/g)].flatMap(
      ([link, path, anchor]) => {
        const target = path === "" ? page : join(dirname(page), path!);
        if (!existsSync(join(ROOT, target))) return [`${page}: ${link}`];
        return anchor === undefined || anchorsOf(target).includes(anchor) ? [] : [`${page}: ${link}`];
      },
    );
  });
  assertEquals(broken, []);
});

test("README.md lists each page of docs/", () => {
  const readme = readPage("README.md");
  assertEquals(PAGES.filter((page) => !readme.includes(`](${page})`)), []);
});

/** What the headings of a page can be linked by. */
function anchorsOf(page: string): string[] {
  return [...readFileSync(join(ROOT, page), "utf8").matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
    heading!.toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, "").replaceAll(" ", "-")
  );
}
