/**
 * Decides how often a thing may happen.
 *
 * @module
 */

import { duration } from "../checked.ts";

/** How often something may happen. */
export interface RateOptions {
  /** Times a second on average. */
  readonly perSecond: number;
  /** Times at once, after a quiet spell. @default {perSecond}, at least 1 */
  readonly burst?: number;
}

/**
 * A token bucket: holds up to `burst` tokens, gains `perSecond` of them, and each happening takes one.
 *
 * @example
 * ```ts
 * import { TokenBucket } from "./rate.ts";
 * import { strictEqual } from "node:assert/strict";
 *
 * const bucket = new TokenBucket(0, { perSecond: 10, burst: 1 });
 * strictEqual(bucket.take(0), true);
 * strictEqual(bucket.take(99), false);
 * strictEqual(bucket.take(100), true);
 * ```
 */
export class TokenBucket {
  readonly #perMs: number;
  readonly #burst: number;
  #tokens = NaN;
  #at = NaN;

  /** Starts full. @throws {RangeError} If a number is not above 0. */
  constructor(now: number, { perSecond, burst = Math.max(1, perSecond) }: RateOptions) {
    this.#perMs = duration("limit a rate", "perSecond", perSecond) / 1000;
    this.#burst = duration("limit a rate", "burst", burst);
    if (burst < 1) {
      throw new RangeError(`Cannot limit a rate as "burst" must be >= 1: current value is ${burst}`);
    }
    this.#tokens = this.#burst;
    this.#at = now;
  }

  /** Takes a token at `now`. Returns whether there was one. */
  take(now: number): boolean {
    this.#tokens = Math.min(this.#burst, this.#tokens + (now - this.#at) * this.#perMs);
    this.#at = now;
    // Sums of fractions fall a little short of what they should be.
    if (this.#tokens < 1 - 1e-9) return false;
    this.#tokens -= 1;
    return true;
  }
}
