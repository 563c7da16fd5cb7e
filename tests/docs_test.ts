/**
 * docs/liveness.md has every pitfall, and names only tests which there are.
 *
 * @module
 */

import { test } from "node:test";
import { assertEquals } from "@std/assert";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { declares, rows as rowsOf } from "./support/doc_table.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** Pitfalls of parts that are not built at all. */
const NOT_BUILT = [35, 36];

const rows = () => rowsOf("docs/liveness.md");

test("docs/liveness.md has all 38 pitfalls, in order", () => {
  assertEquals(rows().map(({ number }) => number), Array.from({ length: 38 }, (_, i) => i + 1));
});

test("docs/liveness.md names a test for each pitfall, or says what is not built", () => {
  assertEquals(rows().filter(({ tests }) => tests.length === 0).map(({ number }) => number), NOT_BUILT);
  assertEquals(
    rows().filter(({ number, text }) => NOT_BUILT.includes(number) && !text.includes("Not built: ")),
    [],
  );
});

test("docs/liveness.md names only tests which there are", () => {
  const missing = rows().flatMap(({ tests }) => tests).filter((test) => !declares(test));
  assertEquals(missing, []);
});

test("docs/liveness.md names each test of pitfalls_test.ts with its pitfall", () => {
  const source = readFileSync(`${ROOT}tests/pitfalls_test.ts`, "utf8");
  const named = [...source.matchAll(/^test\(("(?:\\.|[^"\\])*")/gm)].map(([, name]) =>
    JSON.parse(name!) as string
  );
  const unnamed = named.filter((name) => {
    const pitfall = Number(/\((\d+)\)$/.exec(name)?.[1]);
    return rows().find((row) => row.number === pitfall)?.tests.some((test) => test.name === name) !== true;
  });
  assertEquals(unnamed, []);
});
