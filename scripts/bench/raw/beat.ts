/**
 * Heartbeats as one would write them by hand: one timer for all.
 *
 * @module
 */

/** Calls `send` for each of `all` every `interval` milliseconds. */
export function beat<T>(all: Iterable<T>, interval: number, send: (to: T, bytes: Uint8Array) => void): void {
  const bytes = new TextEncoder().encode("heartbeat");
  setInterval(() => {
    for (const one of all) send(one, bytes);
  }, interval);
}
