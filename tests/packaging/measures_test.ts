import { test } from "node:test";
import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { serveTarball } from "../../scripts/package/loopback.mjs";
import { exportedNames } from "../../scripts/package/names.mjs";
import { missed, table, tooLarge } from "../../scripts/package/sizes.mjs";

const SIZES = [
  { name: ".", code: "", minified: 40_000, gzip: 14_049, bound: 14_049, goal: 14_048 },
  { name: "./node", code: "", minified: 9_900, gzip: 5_000 },
];

test("a size may reach its bound, and no more", () => {
  assertEquals(tooLarge(SIZES), []);
  assertEquals(tooLarge([{ ...SIZES[0]!, gzip: 14_050 }]), [". has 14050 bytes gzipped, and may have 14049"]);
});

test("a size over its goal is said", () => {
  assertEquals(missed(SIZES), ["missed: . has 14.0 kB gzipped, 14.0 is the goal"]);
  assertEquals(missed([{ ...SIZES[0]!, gzip: 14_048 }]), []);
});

test("the table has a line for each size", () => {
  assertEquals(table(SIZES), [
    "kB, at the start  minified  gzip  bound  goal",
    ".                     40.0  14.0   14.0  14.0",
    "./node                 9.9   5.0",
  ]);
});

/** Runs `use` with an empty folder, and removes it. */
async function withFolder(use: (folder: string) => unknown): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-measures-"));
  try {
    await use(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test("exportedNames() tells values from types, in sources and in declarations", async () => {
  await withFolder((folder) => {
    const source = join(folder, "mod.ts"), types = join(folder, "mod.d.cts"), none = join(folder, "none.ts");
    writeFileSync(
      join(folder, "other.ts"),
      `export class Other {}\nexport interface Shape { readonly a: 1 }\n`,
    );
    writeFileSync(
      source,
      `export { Other as Renamed, type Shape } from "./other.ts";\nexport const one = 1;\n`,
    );
    writeFileSync(
      types,
      `declare const one: 1;\ndeclare class A {}\ntype B = A;\nexport { A as Renamed, type B as Shape, one };\n`,
    );
    const names = { values: ["Renamed", "one"], types: ["Shape"] };
    assertEquals(exportedNames([source, types]), [names, names]);
    assertThrows(() => exportedNames([none]), Error, "is no module");
  });
});

/** What is known of a package, as far as it is asked here. */
interface Answer {
  readonly "dist-tags": Record<string, string>;
  readonly versions: Record<string, { readonly bin: unknown; readonly dist: { readonly tarball: string } }>;
}

test("serveTarball() answers as a registry does, for one package", async () => {
  await withFolder(async (folder) => {
    const tarball = join(folder, "a.tgz");
    writeFileSync(tarball, "bytes");
    const { url, served, close } = await serveTarball(tarball, {
      name: "a",
      version: "1.2.3",
      bin: { a: "a.js" },
    });
    try {
      assertMatch(url, /^http:\/\/127\.0\.0\.1:\d+\/$/);
      const said: Answer = JSON.parse(await (await fetch(`${url}a`)).text());
      assertEquals(said["dist-tags"], { latest: "1.2.3" });
      assertEquals(said.versions["1.2.3"]!.bin, { a: "a.js" });
      assertEquals(served(), 0);
      assertEquals(await (await fetch(said.versions["1.2.3"]!.dist.tarball)).text(), "bytes");
      assertEquals(served(), 1);
      const other = await fetch(`${url}b`);
      assertEquals([other.status, await other.text()], [404, "{}"]);
    } finally {
      close();
    }
  });
});
