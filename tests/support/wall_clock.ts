/**
 * A wall clock for one program that can be set, while the machine's own goes on.
 *
 * @module
 */

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** A wall clock. */
export interface WallClock {
  /** What to put in front of a command that is to have this clock. */
  readonly prefix: readonly string[];
  /** Sets it so many seconds off. */
  set(seconds: number): void;
  /** Takes it away. The program must have ended. */
  remove(): void;
}

/** Makes a wall clock; or tells why that cannot be done here. */
export function wallClock(): WallClock | { readonly missing: string } {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-clock-"));
  const library = join(folder, "wall_clock.so"), file = join(folder, "offset");
  const remove = () => rmSync(folder, { recursive: true, force: true });
  const source = fileURLToPath(new URL("wall_clock.c", import.meta.url));
  const { error, status, stderr } = spawnSync(
    "gcc",
    ["-shared", "-fPIC", "-O2", "-o", library, source, "-ldl"],
    { encoding: "utf8" },
  );
  if (error !== undefined || status !== 0) {
    remove();
    return { missing: error === undefined ? `gcc failed: ${stderr.trim()}` : "gcc is not installed" };
  }
  writeFileSync(file, "0");
  return {
    prefix: ["env", `LD_PRELOAD=${library}`, `HOLDFAST_WALL_CLOCK=${file}`],
    set: (seconds) => writeFileSync(file, String(seconds)),
    remove,
  };
}
