/**
 * Measures the round trip of pings, tells the pongs that answer one of ours from those that nobody asked for, and
 * derives how long an answer may take (RFC 6298).
 *
 * @module
 */

/** What is known of the path to the peer, in milliseconds. */
export interface RoundTripTimes {
  /** Smoothed round trip (RFC 6298 SRTT). */
  readonly smoothed: number;
  /** Mean deviation from it (RFC 6298 RTTVAR). */
  readonly deviation: number;
  /** The shortest one seen. */
  readonly min: number;
  /** The last one. */
  readonly latest: number;
}

// RFC 6298, section 2: the gains of the two averages, and the weight of the deviation.
const ALPHA = 1 / 8;
const BETA = 1 / 4;
const K = 4;

/** A pong that comes this long after its ping, in milliseconds, is not waited for. */
const LATE = 10_000;

/**
 * The pings and pongs of one connection.
 *
 * @example
 * ```ts
 * import { RoundTrip } from "./rtt.ts";
 * import { strictEqual } from "node:assert/strict";
 *
 * const roundTrip = new RoundTrip();
 * roundTrip.asked(0);
 * strictEqual(roundTrip.answered(40), true);
 * strictEqual(roundTrip.times?.latest, 40);
 * strictEqual(roundTrip.answered(50), false);
 * ```
 */
export class RoundTrip {
  // One number each, written in place: an object for each sample would be garbage that has outlived its youth.
  #smoothed = NaN;
  #deviation = NaN;
  #min = Infinity;
  #latest = NaN;
  /** Instant of the ping that has had no pong yet; `Infinity` without one, `NaN` if there are several. */
  #askedAt = Infinity;
  /** Instant of the last ping. */
  #lastAt = -Infinity;
  /** Pings that may still have a pong under way, though a later one may have answered them. */
  #unanswered = 0;

  /** What was measured; `undefined` before the first round trip. */
  get times(): RoundTripTimes | undefined {
    if (Number.isNaN(this.#latest)) return undefined;
    return { smoothed: this.#smoothed, deviation: this.#deviation, min: this.#min, latest: this.#latest };
  }

  /** Says that a ping was sent. */
  asked(now: number): void {
    // A peer may answer several pings by one pong, so the count does not go down by itself.
    if (now - this.#lastAt > LATE) this.#unanswered = 0;
    this.#lastAt = now;
    this.#askedAt = this.#unanswered++ === 0 ? now : NaN;
  }

  /**
   * Says that a pong came. It answers all pings before it.
   *
   * @param pausedAt When this process was last found to have been away: a round trip across that is none.
   * @returns Whether there was a ping to answer.
   */
  answered(now: number, pausedAt = -Infinity): boolean {
    const askedAt = this.#askedAt;
    if (this.#unanswered > 0) this.#unanswered--;
    if (askedAt === Infinity) return false;
    this.#askedAt = Infinity;
    // Karn's rule: a pong that may answer one of several pings measures nothing. Nor does the next one, as long as pongs to
    // the others may be under way.
    if (!Number.isNaN(askedAt) && pausedAt < askedAt) this.#sample(now - askedAt);
    return true;
  }

  /**
   * How long an answer may take before the peer is given up: smoothed + 4 × deviation, within the bounds. Without a
   * measurement it is the upper bound.
   */
  timeout(min: number, max: number): number {
    if (Number.isNaN(this.#latest)) return max;
    return Math.min(max, Math.max(min, this.#smoothed + K * this.#deviation));
  }

  #sample(rtt: number): void {
    const first = Number.isNaN(this.#latest);
    // The deviation first, from the old average, as the RFC has it.
    this.#deviation = first ? rtt / 2 : (1 - BETA) * this.#deviation + BETA * Math.abs(this.#smoothed - rtt);
    this.#smoothed = first ? rtt : (1 - ALPHA) * this.#smoothed + ALPHA * rtt;
    this.#min = Math.min(this.#min, rtt);
    this.#latest = rtt;
  }
}
