/**
 * docs/faults.md has every fault, and names only tests which there are.
 *
 * @module
 */

import { test } from "node:test";
import { assertEquals } from "@std/assert";
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { declares, rows as rowsOf } from "./support/doc_table.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** Faults that no test can show, since nothing of them reaches this module. */
const NOT_SHOWN = [45];

const rows = () => rowsOf("docs/faults.md");

test("docs/faults.md has all 46 rows of the matrix, in order", () => {
  assertEquals(rows().map(({ number }) => number), Array.from({ length: 46 }, (_, i) => i + 1));
});

test("docs/faults.md names a test for each row, or says why there is none", () => {
  assertEquals(rows().filter(({ tests }) => tests.length === 0).map(({ number }) => number), NOT_SHOWN);
  const silent = rows().filter(({ number, text }) =>
    NOT_SHOWN.includes(number) && !text.includes("Not shown: ")
  );
  assertEquals(silent, []);
});

test("docs/faults.md names only tests which there are", () => {
  const missing = rows().flatMap(({ tests }) => tests).filter((test) => !declares(test));
  assertEquals(missing, []);
});

test("docs/faults.md names each test of a fault", () => {
  const named = rows().flatMap(({ tests }) => tests).map(({ file, name }) => `${file}: ${name}`);
  const files = readdirSync(`${ROOT}tests/faults`).filter((name) => name.endsWith("_test.ts"));
  const unnamed = files.flatMap((file) => {
    const source = readFileSync(`${ROOT}tests/faults/${file}`, "utf8");
    return [...source.matchAll(/^ *check\(\s*("(?:\\.|[^"\\])*")/gm)]
      .map(([, name]) => `tests/faults/${file}: ${JSON.parse(name!)}`);
  }).filter((name) => !named.includes(name));
  assertEquals(unnamed, []);
});

test("What the tests of faults measure belongs to a row that names them", () => {
  const files = readdirSync(`${ROOT}tests/faults`).filter((name) => name.endsWith("_test.ts"));
  const wrong = files.flatMap((file) => {
    const source = readFileSync(`${ROOT}tests/faults/${file}`, "utf8");
    const numbers = [...source.matchAll(/\bnote\(\s*(\d+),/g)].map(([, number]) => Number(number));
    return [...new Set(numbers)].filter((number) =>
      !rows().some((row) => row.number === number && row.tests.some((test) => test.file.endsWith(`/${file}`)))
    ).map((number) => `${file}: ${number}`);
  });
  assertEquals(wrong, []);
});
