/**
 * Decides when to ask a quiet peer, when to give it up, and when we owe it a sign of life ourselves.
 *
 * A peer that vanishes (a pulled cable, a crashed host, a NAT entry that expired) sends nothing, so TCP
 * cannot tell it from one with nothing to say: the connection is half-open. There are two duties, and each
 * may be off.
 *
 * ```text
 * inbound    healthy ──(interval of silence: probe)──▶ suspect ──(timeout after the flush)──▶ dead
 *               ▲                                         │
 *               └──────────────── any byte ───────────────┘
 * outbound   something is sent at least every sendEvery; what we receive does not count
 * ```
 *
 * {@linkcode Heartbeat} is these rules and nothing else: it holds no timer and no socket. Instants come
 * from the caller and share one monotonic clock.
 *
 * @module
 */

import type { HeartbeatPolicy } from "./heartbeat_policy.ts";
import { RoundTrip, type RoundTripTimes } from "./rtt.ts";
import { firstSince, lostSince, MEMORY, type Pause } from "../time/pause.ts";

/**
 * What to do now: nothing yet; note that the peer is in question; ask it; send a beat; give the peer up.
 * A probe is a beat too.
 */
export type HeartbeatVerdict = "wait" | "suspect" | "probe" | "beat" | "dead";

/** Share of a period over which things that would fall together are spread, as NATS spreads first pings. */
const SPREAD = 0.2;

/**
 * Probes in a row that a pause of ours may excuse. The excuse has to run out: under a process that stutters
 * for ever, a dead peer would never be found.
 */
const MAX_EXCUSES = 3;

/**
 * Watches one peer's silence, and ours.
 *
 * @example
 * ```ts
 * import { Heartbeat } from "./heartbeat.ts";
 * import { heartbeatPolicy } from "./heartbeat_policy.ts";
 * import { strictEqual } from "node:assert/strict";
 *
 * const heartbeat = new Heartbeat(0, heartbeatPolicy({ interval: 100, timeout: 50 }), 0);
 *
 * strictEqual(heartbeat.check(99), "wait");
 * strictEqual(heartbeat.check(100), "probe");
 * heartbeat.flushed(110);
 * strictEqual(heartbeat.check(159), "wait");
 * strictEqual(heartbeat.check(160), "dead");
 * ```
 */
export class Heartbeat {
  // A field that is a fraction from the start is written in place on V8; any other is a new object for each write.
  /** Instant of the last byte from the peer. Reading writes this number, and the same on the wheel, and nothing else. */
  heardAt: number = NaN;
  /** Instant of the last byte we handed to the socket. */
  sentAt: number = NaN;
  #roundTrip: RoundTrip | undefined;
  #policy: HeartbeatPolicy;
  /** Where in a spread this peer stands: 0 to 1. */
  readonly #phase: number = NaN;
  /** Instant from which the peer is watched. */
  readonly openedAt: number = NaN;
  /** Instant at which the peer was last asked. It is in question while this is later than `heardAt`. */
  #askedAt = -Infinity;
  /** Instant at which the question was with the kernel; `Infinity` until then. */
  #flushedAt = Infinity;
  /** Instant of the next beat on the grid, if beats are steady. */
  #beatAt = NaN;
  /** How long both sides had been quiet when the peer was last asked. */
  #quiet = 0;
  #excuses = 0;
  #listening = true;

  /**
   * Starts watching a peer that was alive at `now`.
   *
   * @param phase Where this peer stands in a spread, in [0, 1): the first probe or beat comes up to 20 % sooner.
   */
  constructor(now: number, policy: HeartbeatPolicy, phase: number) {
    this.heardAt = this.sentAt = this.openedAt = now;
    this.#policy = policy;
    this.#phase = phase;
    this.#beatAt = now + policy.sendEvery * (1 - SPREAD * phase);
  }

  /** The rules in force. */
  get policy(): HeartbeatPolicy {
    return this.#policy;
  }

  /** Puts other rules in force from `now` on. A question that is out stays out, under the new timeout. */
  update(now: number, policy: HeartbeatPolicy): void {
    if (policy.sendEvery !== this.#policy.sendEvery || policy.steady !== this.#policy.steady) {
      this.#beatAt = now + policy.sendEvery;
    }
    this.#policy = policy;
  }

  /** How long the peer may take to answer, by what is known of the path. */
  get timeout(): number {
    const { minTimeout, timeout } = this.#policy;
    if (minTimeout === timeout || this.#roundTrip === undefined) return timeout;
    return this.#roundTrip.timeout(minTimeout, timeout);
  }

  /** Round trips of our pings. Made when first asked for: whoever never pings needs none. */
  get roundTrip(): RoundTrip {
    return this.#roundTrip ??= new RoundTrip();
  }

  /** What was measured; `undefined` before the first round trip. */
  get times(): RoundTripTimes | undefined {
    return this.#roundTrip?.times;
  }

  /** Reads what a ping will. See `Due.prefetch`. */
  prefetch(): number {
    return this.#roundTrip?.timeout(0, 0) ?? 0;
  }

  /** How long both sides had been quiet when the peer was last asked, in milliseconds. */
  get quiet(): number {
    return this.#quiet;
  }

  /** Whether the peer has been asked and has sent nothing since. */
  get suspect(): boolean {
    return this.#askedAt > this.heardAt;
  }

  /** Whether it has been asked, and the question is not with the kernel yet. */
  get unflushed(): boolean {
    return this.suspect && this.#flushedAt === Infinity;
  }

  /** Puts the peer in question at once, for a probe that the caller wants to send. */
  ask(now: number): void {
    this.sentAt = now;
    // One that is in question already gets no more time: whoever asks again and again would keep it for ever.
    if (this.suspect) return;
    this.#excuses = this.#quiet = 0;
    // What has come in this very instant is no answer, and counts as come a nanosecond ago: what still comes in it is one.
    if (this.heardAt >= now) this.heardAt = now - 1e-6;
    this.#askedAt = now;
    this.#flushedAt = Infinity;
  }

  /**
   * Says that the question is with the kernel: after `"probe"` once the probe is, after `"suspect"` once no beat
   * waits. The peer's time runs from here; until then only the write stall judges.
   */
  flushed(now: number): void {
    if (this.#flushedAt === Infinity) this.#flushedAt = now;
  }

  /**
   * Says whether we read what the peer sends. While we do not, its silence is our own doing and there is no
   * verdict; when we start again it has a whole interval, as if it had just spoken.
   */
  listen(now: number, listening: boolean): void {
    if (listening && !this.#listening) this.heardAt = now;
    this.#listening = listening;
  }

  /** Instant at which {@linkcode check} next has something to say, if nothing happens before. */
  deadline(pause?: Pause): number {
    return Math.min(this.#inbound(pause), this.#outbound(pause));
  }

  /** Instant at which the peer is asked if it says nothing; `Infinity` while it has been asked, or never is. */
  get askAt(): number {
    return this.suspect ? Infinity : this.#inbound(undefined);
  }

  /**
   * How long after every byte of the peer there is nothing to do, if only the peer's silence is watched and it is not in
   * question; otherwise 0.
   */
  get lull(): number {
    const { interval, sendEvery } = this.#policy;
    const sole = sendEvery === Infinity && this.#listening && !this.suspect;
    // The first silence may be shorter: see `#inbound`.
    return sole && interval < Infinity && this.heardAt > this.openedAt ? interval : 0;
  }

  /** Says what to do at `now`. A `"dead"` is not remembered: the caller may ask again to be sure. */
  check(now: number, pause?: Pause): HeartbeatVerdict {
    if (now >= this.#inbound(pause)) {
      if (!this.suspect) this.#excuses = 0;
      else if (this.#excused(lostSince(this.#flushedAt, pause))) this.#excuses++;
      else return "dead";
      return this.#ask(now, pause);
    }
    if (now >= this.#outbound(pause)) return this.#beat(now);
    return "wait";
  }

  /** Puts the peer in question. Its time runs from {@linkcode flushed}. */
  #ask(now: number, pause: Pause | undefined): HeartbeatVerdict {
    const since = Math.max(this.heardAt, this.sentAt);
    // Silence across a pause of ours says nothing of the path.
    this.#quiet = lostSince(since, pause) > 0 ? 0 : now - since;
    this.#askedAt = now;
    this.#flushedAt = Infinity;
    if (this.#beatsAsk) return "suspect";
    this.#beat(now);
    return "probe";
  }

  #beat(now: number): HeartbeatVerdict {
    this.sentAt = now;
    if (this.#policy.steady) {
      const { sendEvery } = this.#policy;
      // The next point of the grid that is still to come: beats missed during a pause are not caught up.
      if (now >= this.#beatAt) this.#beatAt += (Math.floor((now - this.#beatAt) / sendEvery) + 1) * sendEvery;
    }
    return "beat";
  }

  get #beatsAsk(): boolean {
    return this.#policy.steady && this.#policy.sendEvery <= this.#policy.interval;
  }

  #inbound(pause: Pause | undefined): number {
    const { interval } = this.#policy;
    if (!this.#listening) return Infinity;
    if (!this.suspect) {
      if (interval === Infinity) return Infinity;
      const early = this.heardAt <= this.openedAt && !this.#beatsAsk ? interval * SPREAD * this.#phase : 0;
      return this.#spread(this.heardAt + interval - early, pause);
    }
    const due = this.#flushedAt + this.timeout, lost = lostSince(this.#flushedAt, pause);
    // Short pauses shift the deadline, a long one asks anew: see `#excused`.
    return this.#excused(lost) ? this.#spread(due, pause) : due + lost;
  }

  #outbound(pause: Pause | undefined): number {
    const { sendEvery, steady } = this.#policy;
    if (sendEvery === Infinity) return Infinity;
    if (steady) return this.#spread(this.#beatAt, pause);
    const early = this.sentAt === this.openedAt ? sendEvery * SPREAD * this.#phase : 0;
    return this.#spread(this.sentAt + sendEvery - early, pause);
  }

  /**
   * Moves what fell due during a pause of ours a little past its end, each connection by another share. Pauses that follow
   * move it no further, or a process that stutters would put it off for ever.
   */
  #spread(due: number, pause: Pause | undefined): number {
    const first = firstSince(due, pause);
    if (first === undefined) return due;
    const { interval, timeout, sendEvery } = this.#policy;
    return first.end + Math.min(SPREAD * this.#phase * Math.min(interval, timeout, sendEvery), MEMORY);
  }

  /** Whether the silence was measured across pauses of ours that were long against the timeout. */
  #excused(lost: number): boolean {
    return lost > 0 && lost * 4 >= this.timeout && this.#excuses < MAX_EXCUSES;
  }
}
