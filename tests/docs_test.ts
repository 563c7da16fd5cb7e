import { test } from "node:test";
import { assertEquals } from "@std/assert";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** Pitfalls of parts that are not built at all. */
const NOT_BUILT = [31, 35, 36];

interface Row {
  readonly pitfall: number;
  readonly tests: readonly { readonly name: string; readonly file: string }[];
  readonly text: string;
}

/** The rows of the table in docs/liveness.md. */
function rows(): Row[] {
  const text = readFileSync(`${ROOT}docs/liveness.md`, "utf8");
  return [...text.matchAll(/^\| *(\d+) *\|(.*)\|$/gm)].map(([, number, rest]) => ({
    pitfall: Number(number),
    tests: [...rest!.matchAll(/`([^`]+)` in `(tests\/[^`]+)`/g)].map(([, name, file]) => ({
      name: name!,
      file: file!,
    })),
    text: rest!,
  }));
}

/** Whether `file` declares a test of that name, as a literal. */
function declares(file: string, name: string): boolean {
  if (!existsSync(ROOT + file)) return false;
  const source = readFileSync(ROOT + file, "utf8");
  const at = source.indexOf(JSON.stringify(name));
  return at >= 0 && /\b(test|check)\(\s*(\w+,\s*)?$/.test(source.slice(0, at));
}

test("docs/liveness.md has all 38 pitfalls, in order", () => {
  assertEquals(rows().map(({ pitfall }) => pitfall), Array.from({ length: 38 }, (_, i) => i + 1));
});

test("docs/liveness.md names a test for each pitfall, or says what is not built", () => {
  assertEquals(rows().filter(({ tests }) => tests.length === 0).map(({ pitfall }) => pitfall), NOT_BUILT);
  assertEquals(
    rows().filter(({ pitfall, text }) => NOT_BUILT.includes(pitfall) && !text.includes("Not built: ")),
    [],
  );
});

test("docs/liveness.md names only tests which there are", () => {
  const missing = rows().flatMap(({ tests }) => tests).filter(({ file, name }) => !declares(file, name));
  assertEquals(missing, []);
});

test("docs/liveness.md names each test of pitfalls_test.ts with its pitfall", () => {
  const source = readFileSync(`${ROOT}tests/pitfalls_test.ts`, "utf8");
  const named = [...source.matchAll(/^test\(("(?:\\.|[^"\\])*")/gm)].map(([, name]) =>
    JSON.parse(name!) as string
  );
  const unnamed = named.filter((name) => {
    const pitfall = Number(/\((\d+)\)$/.exec(name)?.[1]);
    return rows().find((row) => row.pitfall === pitfall)?.tests.some((test) => test.name === name) !== true;
  });
  assertEquals(unnamed, []);
});
