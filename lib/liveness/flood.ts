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

/**
 * Watches the pings of one peer.
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
  #pingedAt = -Infinity;
  #strikes = 0;

  /** @param minGap Least time from one ping to the next, in milliseconds. */
  constructor(minGap: number) {
    this.#minGap = minGap;
  }

  /** Says that a ping came. `"too-many"` once the strikes that are forgiven are used up. */
  pinged(now: number): "fine" | "strike" | "too-many" {
    const gap = now - this.#pingedAt;
    this.#pingedAt = now;
    if (gap >= this.#minGap * (1 - EARLY)) return "fine";
    return ++this.#strikes > FORGIVEN ? "too-many" : "strike";
  }

  /** Says that we sent data: a peer that is served may well ask more often whether we live. */
  served(): void {
    this.#strikes = 0;
  }
}
