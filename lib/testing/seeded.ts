/**
 * Chance that can be had again.
 *
 * @module
 */

/**
 * Returns a source of numbers in [0, 1) that are the same for the same seed (mulberry32).
 *
 * @example
 * ```ts
 * import { seeded } from "@holdfast/holdfast/testing";
 * import { equal } from "node:assert/strict";
 *
 * equal(seeded(7)(), seeded(7)());
 * ```
 */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
