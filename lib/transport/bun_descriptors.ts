/**
 * The last descriptors of a process on Bun, which accepted sockets must leave free.
 *
 * When `accept` fails for want of a descriptor, Bun tries again at once, for ever, and tells nobody
 * (oven-sh/bun#32705). So it must not come to that: callers whose descriptor is one of the last are turned away.
 *
 * @module
 */

import { descriptorLimit } from "./descriptor_limit.ts";

/** Descriptors that accepted sockets leave free; a quarter of them all where there are few. */
const RESERVE = 32;

/** Least time between two reports of callers turned away, in milliseconds. */
const REPORT_INTERVAL = 1_000;

/** Says which callers of one listener may stay. */
export class BunDescriptors {
  readonly #last: number;
  readonly #failed: ((error: unknown) => void) | undefined;
  #reportedAt = -Infinity;

  /** `failed` is told that callers are turned away, if that was not told just now. */
  constructor(failed: ((error: unknown) => void) | undefined) {
    const limit = descriptorLimit();
    this.#last = limit - Math.min(RESERVE, Math.floor(limit / 4));
    this.#failed = failed;
  }

  /** Whether there is room for a caller with this descriptor. */
  admits(descriptor: number): boolean {
    if (descriptor < this.#last) return true;
    const now = performance.now();
    if (now - this.#reportedAt >= REPORT_INTERVAL) {
      this.#reportedAt = now;
      const error = new Error("too many open files in this process: a caller was turned away");
      this.#failed?.(Object.assign(error, { code: "EMFILE" }));
    }
    return false;
  }
}
