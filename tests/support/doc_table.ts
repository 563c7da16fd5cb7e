/**
 * Tables of the pages in docs/ whose rows name the tests that show them.
 *
 * @module
 */

import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** A test, as a row names it. */
export interface NamedTest {
  readonly name: string;
  readonly file: string;
}

/** A row that begins with its number. */
export interface Row {
  readonly number: number;
  readonly tests: readonly NamedTest[];
  readonly text: string;
}

/** The numbered rows of the tables in `page`, a path from the root. */
export function rows(page: string): Row[] {
  const text = readFileSync(ROOT + page, "utf8");
  return [...text.matchAll(/^\| *(\d+) *\|(.*)\|$/gm)].map(([, number, rest]) => ({
    number: Number(number),
    tests: [...rest!.matchAll(/`([^`]+)` in `(tests\/[^`]+)`/g)].map(([, name, file]) => ({
      name: name!,
      file: file!,
    })),
    text: rest!,
  }));
}

/** Whether `file` declares a test of that name, as a literal. */
export function declares({ file, name }: NamedTest): boolean {
  if (!existsSync(ROOT + file)) return false;
  const source = readFileSync(ROOT + file, "utf8");
  const at = source.indexOf(JSON.stringify(name));
  return at >= 0 && /\b(test|check)\(\s*(\w+,\s*)?$/.test(source.slice(0, at));
}
