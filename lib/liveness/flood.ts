/**
 * Decides when a peer pings too much.
 *
 * Each ping wants an answer, so pings are the cheapest way to make a server work (CVE-2019-9512). As in gRPC (A8), one
 * that comes too soon is a strike, data that we send takes the strikes back, and a peer with too many is closed. It
 * is told why: a client that merely has other settings must not be left guessing.
 *
 * @module
 */

/** Strikes that are forgiven, as in gRPC. */
const FORGIVEN = 2;

/** A ping may come by this share of the gap early: timers and networks jitter. */
const EARLY = 0.1;

/** Pings that a peer may have saved up: as many as may wait for an answer. */
const MOST_SAVED = 60;

/**
 * Watches the pings of one peer.
 *
 * What counts is how often it pings, not when they arrive: a path that stalls, or a pause of our own, brings those of
 * many seconds at once. So the time in which none came is saved up for those that come together.
 *
 * @example
 * ```ts
 * import { PingGuard } from "./flood.ts";
 * import { strictEqual } from "node:assert/strict";
 *
 * const guard = new PingGuard(1_000);
 * strictEqual(guard.pinged(0), "fine");
 * strictEqual(guard.pinged(900), "fine");
 * strictEqual(guard.pinged(901), "strike");
 * ```
 */
export class PingGuard {
  readonly #minGap: number;
  #pingedAt = NaN;
  /** Pings that may come now. */
  #saved = 1;
  #strikes = 0;

  /**
   * @param minGap Least time from one ping to the next, in milliseconds.
   * @param now When the peer connected.
   */
  constructor(minGap: number, now = 0) {
    this.#minGap = minGap;
    this.#pingedAt = now;
  }

  /** Says that a ping came. `"too-many"` once the strikes that are forgiven are used up. */
  pinged(now: number): "fine" | "strike" | "too-many" {
    const earned = (now - this.#pingedAt) / (this.#minGap * (1 - EARLY));
    this.#pingedAt = now;
    this.#saved = Math.min(MOST_SAVED, this.#saved + earned);
    // Sums of fractions fall a little short of what they should be.
    if (this.#saved >= 1 - 1e-9) {
      this.#saved = Math.max(0, this.#saved - 1);
      return "fine";
    }
    this.#saved = 0;
    return ++this.#strikes > FORGIVEN ? "too-many" : "strike";
  }

  /** Says that we sent data: a peer that is served may well ask more often whether we live. */
  served(): void {
    this.#strikes = 0;
  }
}
