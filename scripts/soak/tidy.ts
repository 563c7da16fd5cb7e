/**
 * How much a process holds: its memory, its descriptors, and its timers.
 *
 * @module
 */

import { readdirSync } from "node:fs";
import process from "node:process";
import { connectionPolicy } from "../../lib/connection/policy.ts";

/**
 * Whether what the system says of a process's memory tells a leak from what was in use once. Deno's does not come back
 * after a peak, though its heap does; there the heap is judged, and the rest is only printed.
 */
export const TELLING: boolean = !("Deno" in globalThis);

/** Bytes of objects and buffers. Call it after {@linkcode memoryAtRest}. */
export function heap(): number {
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** Memory of the process after its garbage was collected, as thoroughly as this runtime lets us, in bytes. */
export async function memoryAtRest(): Promise<number> {
  const { gc, Bun } = globalThis as { gc?: () => void; Bun?: { gc(sync: boolean): void } };
  let least = Infinity;
  for (let i = 0; i < 3; i++) {
    if (Bun !== undefined) Bun.gc(true);
    else gc?.();
    await new Promise((resolve) => setTimeout(resolve, 50));
    least = Math.min(least, process.memoryUsage().rss);
  }
  return least;
}

/** Descriptors that this process holds; 0 where the system does not tell. */
export function descriptors(): number {
  try {
    return readdirSync("/proc/self/fd").length;
  } catch {
    return 0;
  }
}

/** Entries of the wheel of this process. */
export function timers(): number {
  return connectionPolicy({ action: "look", role: "server" }, {}).wheel.size;
}
