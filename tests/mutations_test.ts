import { test } from "node:test";
import { assertEquals } from "@std/assert";
import { readFileSync } from "node:fs";
import { CORE } from "../scripts/mutate/core.ts";
import { DRIVERS } from "../scripts/mutate/drivers.ts";
import { mistakeOf } from "../scripts/mutate/mutation.ts";

const MUTATIONS = [...CORE, ...DRIVERS];
const read = (path: string): string => readFileSync(new URL(`../${path}`, import.meta.url), "utf8");

test("each mutation changes one place of the sources as they are", () => {
  const mistakes = MUTATIONS.flatMap((mutation) => {
    const mistake = mistakeOf(mutation, read(mutation.file));
    return mistake === undefined ? [] : [`${mutation.name}: ${mistake}`];
  });
  assertEquals(mistakes, []);
});

test("docs/mutations.md tells of every mutation that there is, and of no other, and none has survived", () => {
  const rows = read("docs/mutations.md").split("\n").filter((line) => line.startsWith("| ")).slice(2);
  assertEquals(rows.map((row) => row.split("|")[1]!.trim()), MUTATIONS.map(({ name }) => name));
  assertEquals(rows.filter((row) => row.includes("SURVIVED")), []);
});
