/**
 * Spaces out attempts to reconnect.
 *
 * @module
 */

import { count, duration } from "../checked.ts";

/** Options for {@linkcode backoff}. Durations are in milliseconds. */
export interface BackoffOptions {
  /** Longest delay before the first retry. @default {500} */
  readonly initial?: number;
  /** Longest delay before any retry. @default {30_000} */
  readonly max?: number;
  /** How much longer each delay may be than the last; at least 1. @default {2} */
  readonly factor?: number;
  /**
   * How much of the delay is left to chance, from `0` (none) to `1` (all of it). It is drawn after the cap, so
   * that peers cut off together stay apart however long they have tried.
   *
   * @default {1}
   */
  readonly jitter?: number;
}

/**
 * How long to wait before retry number `attempt`, counted from 0, in milliseconds.
 *
 * @param random Where chance comes from: a number in [0, 1).
 * @throws {RangeError} If an option is out of its range.
 *
 * @example
 * ```ts
 * import { backoff } from "@holdfast/holdfast";
 * import { strictEqual } from "node:assert/strict";
 *
 * strictEqual(backoff(0, { initial: 100, jitter: 0 }, () => 0), 100);
 * strictEqual(backoff(3, { initial: 100, jitter: 0 }, () => 0), 800);
 * strictEqual(backoff(99, { initial: 100, max: 5_000, jitter: 0 }, () => 0), 5_000);
 * ```
 */
export function backoff(attempt: number, options: BackoffOptions, random: () => number): number {
  const { initial = 500, max = 30_000, factor = 2, jitter = 1 } = options;
  count("space out retries", "attempt", attempt, 0);
  duration("space out retries", "initial", initial);
  duration("space out retries", "max", max);
  if (!(factor >= 1)) {
    throw new RangeError(`Cannot space out retries as "factor" must be >= 1: current value is ${factor}`);
  }
  if (!(jitter >= 0 && jitter <= 1)) {
    throw new RangeError(
      `Cannot space out retries as "jitter" must be from 0 to 1: current value is ${jitter}`,
    );
  }
  const ceiling = Math.min(max, initial * factor ** attempt);
  return ceiling * (1 - jitter * random());
}
