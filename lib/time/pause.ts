/**
 * Notices that this process itself was asleep or blocked.
 *
 * A suspended laptop, a stopped container or a busy event loop reads nothing, and so looks to itself like
 * silence of everybody else. The only trace is that a wake-up came late. What is kept is the last such pause:
 * when it ended, and how much of it is known.
 *
 * @module
 */

/** A stretch of time in which this process did not run. */
export interface Pause {
  /** Instant at which it was noticed. */
  readonly end: number;
  /** How late the wake-up was, in milliseconds. The pause itself may have been longer. */
  readonly length: number;
}

/** Lateness that a busy but healthy event loop shows. Cassandra allows 5 s, centrifuge 1 s; a loop that is well
 * stays far below this one. */
const NOTICEABLE = 200;

/** Returns the pause that a wake-up meant for `planned` and coming at `now` betrays, if it does. */
export function pauseBetween(planned: number, now: number, tick: number): Pause | undefined {
  const length = now - planned;
  return length > Math.max(NOTICEABLE, 2 * tick) ? { end: now, length } : undefined;
}
