/**
 * Measures the round trip of pings, and tells the pongs that answer one of ours from those that nobody asked for.
 *
 * @module
 */

/** The pings and pongs of one connection. */
export class RoundTrip {
  /** The last round trip measured, in milliseconds; `undefined` before the first. */
  latest: number | undefined;
  /** Instant of the ping that has had no pong yet; `undefined` without one, `NaN` if there are several. */
  #pingAt: number | undefined;

  /** Says that a ping was sent. */
  asked(now: number): void {
    this.#pingAt = this.#pingAt === undefined ? now : NaN;
  }

  /** Says that a pong came. It answers all pings before it. Returns whether there were any. */
  answered(now: number): boolean {
    const pingAt = this.#pingAt;
    if (pingAt === undefined) return false;
    this.#pingAt = undefined;
    // Karn's rule: a pong that may answer one of several pings measures nothing.
    if (!Number.isNaN(pingAt)) this.latest = now - pingAt;
    return true;
  }
}
