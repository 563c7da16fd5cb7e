/**
 * Notices that this process itself was asleep or blocked.
 *
 * A suspended laptop, a stopped container or a busy event loop reads nothing, and so looks to itself like
 * silence of everybody else. The only trace is that a wake-up came late. What is kept is the last such pause:
 * when it ended, and how much of it is known; and some of those before it, since a long pause is often followed by short
 * ones, which must not hide it.
 *
 * @module
 */

/** A stretch of time in which this process did not run. */
export interface Pause {
  /** Instant at which it was noticed. */
  readonly end: number;
  /** How late the wake-up was, in milliseconds. The pause itself may have been longer. */
  readonly length: number;
  /** The pause before this one, as far as it is remembered. */
  readonly before?: Pause;
}

/** Lateness that a busy but healthy event loop shows. Cassandra allows 5 s, centrifuge 1 s; a loop that is well
 * stays far below this one. */
const NOTICEABLE = 200;

/** Pauses that are remembered. */
const REMEMBERED = 32;

/** Time that these cover at least, in milliseconds: what is put off by no more than this finds its pause again. */
export const MEMORY: number = (REMEMBERED - 1) * NOTICEABLE;

/** Returns the pause that a wake-up meant for `planned` and coming at `now` betrays, if it does; `before` is the last one. */
export function pauseBetween(planned: number, now: number, tick: number, before?: Pause): Pause | undefined {
  const length = now - planned;
  if (!(length > Math.max(NOTICEABLE, 2 * tick))) return undefined;
  return following(before, { end: now, length }, REMEMBERED);
}

/** How much time this process is known to have lost to pauses since `instant`, in milliseconds. */
export function lostSince(instant: number, pause: Pause | undefined): number {
  let lost = 0;
  for (let p = pause; p !== undefined && p.end > instant; p = p.before) lost += p.length;
  return lost;
}

/** The first pause that ended at `instant` or later, as far as pauses are remembered. */
export function firstSince(instant: number, pause: Pause | undefined): Pause | undefined {
  let first: Pause | undefined;
  for (let p = pause; p !== undefined && p.end >= instant; p = p.before) first = p;
  return first;
}

/** Puts `pause` after `before`, of which no more is kept than makes `depth` pauses in all. */
function following(before: Pause | undefined, { end, length }: Pause, depth: number): Pause {
  if (before === undefined || depth === 1) return { end, length };
  return { end, length, before: following(before.before, before, depth - 1) };
}
