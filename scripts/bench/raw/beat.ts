/**
 * Heartbeats as one would write them by hand: one timer for all.
 *
 * @module
 */

import process from "node:process";

const PARTS = 100;

/**
 * Calls `send` for each of `all` every `interval` milliseconds: for all of them at once, or `spread` over the interval,
 * if it is so long.
 */
export function beat<T>(
  all: Iterable<T>,
  interval: number,
  send: (to: T, bytes: Uint8Array) => void,
  spread = process.argv[4] === "spread",
): void {
  const bytes = new TextEncoder().encode("heartbeat");
  if (!spread) {
    setInterval(() => {
      for (const one of all) send(one, bytes);
    }, interval);
    return;
  }
  // Who comes or goes meanwhile changes places, which only matters to when it is sent to.
  let left: T[] = [], size = 0;
  setInterval(() => {
    if (left.length === 0) {
      left = [...all];
      size = Math.ceil(left.length / PARTS);
    }
    for (const one of left.splice(-size, size)) send(one, bytes);
  }, interval / PARTS);
}
