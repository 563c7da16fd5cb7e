/**
 * How many descriptors this process may hold.
 *
 * @module
 */

import type fs from "node:fs";

/** The part of `process` used here. */
interface ProcessLike {
  getBuiltinModule?(id: "node:fs"): typeof fs;
}

/** The soft limit (`RLIMIT_NOFILE`); `Infinity` where the system does not say: only Linux does, in a file. */
export function descriptorLimit(): number {
  const { process } = globalThis as { process?: ProcessLike };
  try {
    const limits = process?.getBuiltinModule?.("node:fs").readFileSync("/proc/self/limits", "utf8");
    const soft = limits?.match(/^Max open files\s+(\d+)/m)?.[1];
    return soft === undefined ? Infinity : Number(soft);
  } catch {
    return Infinity;
  }
}
