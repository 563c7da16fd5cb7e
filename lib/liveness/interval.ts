/**
 * Finds the longest interval that the path survives.
 *
 * A NAT forgets a connection that has been quiet for too long, and no two agree on how long that is. Short intervals
 * are safe and cost battery and traffic. So, as the smart heartbeat of Mars does: start at the shortest, go a step up
 * after three successes, and when it breaks fall back below that for good.
 *
 * @module
 */

import { duration } from "../checked.ts";

/** Where to look for an interval, in milliseconds. */
export interface IntervalRange {
  /** The interval to start with, which every path is taken to survive. */
  readonly min: number;
  /** The longest interval to try. */
  readonly max: number;
}

/** Successes in a row before the next step, as in Mars. */
const ENOUGH = 3;
/** Factor from one step to the next. */
const STEP = 1.5;

/** Checks a range. @throws {RangeError} If it is none. */
export function intervalRange({ min, max }: IntervalRange): IntervalRange {
  duration("learn an interval", "min", min);
  if (max >= min && max < Infinity) return { min, max };
  throw new RangeError(
    `Cannot learn an interval as "max" must be >= ${min} and finite: current value is ${max}`,
  );
}

/**
 * What is known of one path. It outlives connections.
 *
 * @example
 * ```ts
 * import { IntervalSearch } from "./interval.ts";
 * import { strictEqual } from "node:assert/strict";
 *
 * const search = new IntervalSearch({ min: 100, max: 1_000 });
 * for (let i = 0; i < 3; i++) search.succeeded(100);
 * strictEqual(search.current, 150);
 * search.failed(150);
 * strictEqual(search.current, 100);
 * ```
 */
export class IntervalSearch {
  readonly #range: IntervalRange;
  #current: number;
  /** The longest interval that has held. */
  #good: number;
  #successes = 0;
  #settled = false;

  /** Starts at the shortest. */
  constructor(range: IntervalRange) {
    this.#range = intervalRange(range);
    this.#current = this.#good = range.min;
  }

  /** The interval to use now. */
  get current(): number {
    return this.#current;
  }

  /** Says that the peer answered after both sides had been quiet for `interval`. Returns whether that changed it. */
  succeeded(interval: number): boolean {
    if (interval < this.#current) return false;
    this.#good = this.#current;
    if (this.#settled || this.#current === this.#range.max || ++this.#successes < ENOUGH) return false;
    this.#successes = 0;
    this.#current = Math.min(this.#range.max, this.#current * STEP);
    return true;
  }

  /** Says that the connection broke after both sides had been quiet for `interval`. */
  failed(interval: number): void {
    // At the shortest there is nothing to learn from: whatever broke, it was not the interval.
    if (interval < this.#current || this.#current === this.#range.min) return;
    this.#settled = true;
    this.#successes = 0;
    // An interval that held before and breaks now did not hold: one step further down.
    this.#good = Math.max(this.#range.min, this.#good < this.#current ? this.#good : this.#current / STEP);
    this.#current = this.#good;
  }
}
