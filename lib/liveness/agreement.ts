/**
 * What two ends that greet agree on: who sends how often, and how often one may ask.
 *
 * @module
 */

import type { HeartbeatPolicy } from "./heartbeat_policy.ts";

/** What one end told of its heartbeat. Durations are in milliseconds, `0` for never. */
export interface HeartbeatTerms {
  readonly sendEvery: number;
  readonly hearEvery: number;
  readonly minPingGap: number;
}

/** Who has promised to be heard every so often beats a little sooner: a beat takes time to arrive. */
const AHEAD = 0.8;

/** What we tell the peer. */
export function termsOf({ interval, sendEvery }: HeartbeatPolicy, minPingGap: number): HeartbeatTerms {
  return { sendEvery: orNever(sendEvery), hearEvery: orNever(interval), minPingGap };
}

/**
 * Our rules, as far as the peer's terms leave them: in each direction the longer of what one sends and the other wants to
 * hear, nothing where one of them wants none, and no ping sooner than the peer allows.
 */
export function agreed(ours: HeartbeatPolicy, theirs: HeartbeatTerms): HeartbeatPolicy {
  const { interval, sendEvery } = ours;
  // What the peer sends by itself need not be asked for; without a promise we ask as we like.
  const heard = theirs.sendEvery > 0 ? Math.max(interval, theirs.sendEvery) : interval;
  // To send more often than agreed is no fault, and a NAT may need it.
  const promised = theirs.hearEvery > 0 ? AHEAD * Math.max(sendEvery, theirs.hearEvery) : Infinity;
  return {
    ...ours,
    interval: Math.max(heard, theirs.minPingGap),
    sendEvery: Math.max(Math.min(sendEvery, promised === Infinity ? sendEvery : promised), theirs.minPingGap),
  };
}

function orNever(duration: number): number {
  return duration < Infinity ? duration : 0;
}
