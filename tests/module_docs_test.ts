/**
 * The entry points say what they are for, with an example each, which runs on the runtimes that it is for.
 *
 * @module
 */

import { test } from "node:test";
import { assertEquals, assertGreater } from "@std/assert";
import { blocksOf, PATIENCE, Program, readPage, runtime } from "./support/pages.ts";

/** The entry points of libraries, as deno.json lists them. */
const { exports } = JSON.parse(readPage("deno.json")) as { exports: Record<string, string> };
const ENTRIES = Object.entries(exports).filter(([entry]) => entry !== "./cli");

/** Entry points for one runtime alone. */
const ONLY: Record<string, typeof runtime> = { "./deno": "deno", "./bun": "bun" };

/** The examples in the module comment of a file. */
function examplesOf(path: string): string[] {
  const [, comment = ""] = /^\/\*\*([\s\S]*?)\*\//.exec(readPage(path)) ?? [];
  const text = comment.replaceAll(/^ \* ?/gm, "");
  return text.includes("@module") ? blocksOf(text).map(({ text }) => text) : [];
}

test("each entry point has an example in its module comment", () => {
  assertEquals(ENTRIES.filter(([, path]) => examplesOf(path).length === 0), []);
});

test("the examples of the entry points run", { timeout: 4 * PATIENCE }, async () => {
  const here = ENTRIES.filter(([entry]) => ONLY[entry] === undefined || ONLY[entry] === runtime);
  assertGreater(here.length, 3);
  for (const [entry, path] of here) {
    for (const text of examplesOf(path)) {
      await using program = Program.of(text);
      assertEquals(await program.ended(), 0, `${entry}: ${program.stdout}${program.stderr}`);
    }
  }
});
