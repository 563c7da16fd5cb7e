/**
 * All the clocks of one connection, asked as one: the heartbeat, the write stall, and the limits on a peer that
 * says nothing, is idle, does not end what it began, or does not leave.
 *
 * Pure, as its parts are: `now` comes in, a verdict goes out.
 *
 * @module
 */

import type { ConnectionErrorCode } from "../errors.ts";
import { lostSince, type Pause } from "../time/pause.ts";
import { Heartbeat, type HeartbeatVerdict } from "./heartbeat.ts";
import type { HeartbeatPolicy } from "./heartbeat_policy.ts";
import type { IntervalSearch } from "./interval.ts";
import { WriteStall } from "./write_stall.ts";

/** How long each thing may last, in milliseconds; `Infinity` is for ever. */
export interface WatchPolicy {
  readonly heartbeat: HeartbeatPolicy;
  readonly writeTimeout: number;
  readonly idleTimeout: number;
  readonly firstByteTimeout: number;
  readonly frameTimeout: number;
  readonly closeTimeout: number;
  /** How long a connection may live, ± 10 %, and how long its last messages may then take. */
  readonly maxAge: number;
  readonly maxAgeGrace: number;
  /** Where the interval comes from if it is learned. */
  readonly search?: IntervalSearch;
  /** Least time between two pings of the peer; 0 for no guard. */
  readonly minPingGap: number;
}

/** Verdicts that end the connection. */
export type FatalVerdict = Extract<
  ConnectionErrorCode,
  | "heartbeat-timeout"
  | "write-stalled"
  | "idle-timeout"
  | "first-byte-timeout"
  | "frame-timeout"
  | "close-timeout"
  | "max-age"
>;

/**
 * What to do now. `quiet`: a connection that is being drained has nothing under way any more. `aged`: it has lived as
 * long as it may, and should be drained.
 */
export type WatchVerdict = Exclude<HeartbeatVerdict, "dead"> | "quiet" | "aged" | FatalVerdict;

/**
 * A message that has begun may take longer than its timeout only while it flows at this rate, in bytes per
 * millisecond: 1 KiB/s. A trickler cannot live for ever, 200 kB at 4 kB/s survive.
 */
const MIN_FLOW = 1024 / 1000;

/** Share of the age by which it may be shorter or longer. */
const AGE_JITTER = 0.1;

/** How long nothing may move before a connection that is being drained counts as quiet, in milliseconds. */
const QUIET = 200;

/** Watches one connection from its opening on. */
export class Watch {
  readonly heartbeat: Heartbeat;
  readonly stall: WriteStall;
  /** Instant of the last message of the application, either way. */
  messageAt: number = NaN;
  /** Pings must not be closer than this: a learned interval is never below it. */
  floor = 0;
  readonly #policy: WatchPolicy;
  /** Instant at which an unfinished message began; `Infinity` without one. */
  #frameAt = Infinity;
  #unfinished = 0;
  /** Instant since which a drain has seen nothing move; `Infinity` while there is no drain. */
  #quietSince = Infinity;
  /** We do not read. */
  #held = false;
  #closing = false;
  /** No clock runs but the heartbeat's and the stall's, as most of the time: the others need not be asked. */
  #calm = false;
  /** Instant at which the connection has lived as long as it may. */
  #ageAt = NaN;
  /** Whether it has, so that what runs now is its grace. */
  #aged = false;
  /** Instant at which our goodbye was with the kernel. */
  #partedAt = Infinity;

  /** Starts watching a peer that connected at `now`. For `phase` see {@linkcode Heartbeat}. */
  constructor(now: number, policy: WatchPolicy, phase: number) {
    const { heartbeat, search } = policy;
    const rules = search === undefined ? heartbeat : { ...heartbeat, interval: search.current };
    this.heartbeat = new Heartbeat(now, rules, phase);
    this.stall = new WriteStall(policy.writeTimeout);
    this.messageAt = now;
    // As gRPC (A9): connections that opened together must not end together. The grace has no jitter.
    this.#ageAt = now + policy.maxAge * (1 - AGE_JITTER + 2 * AGE_JITTER * phase);
    this.#policy = policy;
  }

  /**
   * Notes how many bytes there are of a message that has begun and not ended.
   *
   * @param ended Whether another message has ended since the last call, so that this one is new.
   * @returns Whether a deadline has begun.
   */
  frame(now: number, unfinished: number, ended: boolean): boolean {
    this.#unfinished = unfinished;
    if (unfinished === 0) {
      this.#frameAt = Infinity;
      return false;
    }
    if (!ended && this.#frameAt !== Infinity) return false;
    this.#frameAt = now;
    this.#calm = false;
    return true;
  }

  /** The peer answered. Returns whether that changed the rules, as a learned interval may. */
  answered(now: number): boolean {
    const { search } = this.#policy;
    if (search === undefined || !search.succeeded(this.heartbeat.quiet)) return false;
    this.heartbeat.update(now, { ...this.heartbeat.policy, interval: Math.max(search.current, this.floor) });
    return true;
  }

  /** The connection broke. If the peer had been asked after a quiet spell, that may have been too long for the path. */
  broke(): void {
    if (this.heartbeat.suspect) this.#policy.search?.failed(this.heartbeat.quiet);
  }

  /** Begins to wait, from `since` on, for a moment in which nothing moves. */
  drain(since: number): void {
    if (this.#quietSince === Infinity) this.#quietSince = since;
    this.#calm = false;
  }

  /** Says that something moved, or is still under way: a drain goes on waiting. */
  moved(now: number): void {
    if (this.#quietSince < now) this.#quietSince = now;
  }

  /**
   * Says whether reading has stopped, since the application has no room. While it has, the peer is not judged by messages
   * that it may have sent; when we read again its time begins anew.
   */
  hold(now: number, held: boolean): void {
    this.#held = held;
    this.#calm = false;
    if (held) return;
    this.messageAt = now;
    if (this.#frameAt < Infinity) this.#frameAt = now;
  }

  /** The end has begun: from here only our own last bytes and the peer's leaving are watched. */
  close(): void {
    this.#closing = true;
    this.#calm = false;
  }

  /** Our last byte is with the kernel: the peer's time to leave runs from here. */
  parted(now: number): void {
    if (this.#closing && this.#partedAt === Infinity) this.#partedAt = now;
  }

  /** Instant at which {@linkcode check} next has something to say, if nothing happens before. */
  deadline(pause?: Pause): number {
    const stalled = this.stall.deadline(pause);
    if (this.#calm) return Math.min(stalled, this.heartbeat.deadline(pause));
    if (this.#closing) return Math.min(stalled, this.#partedAt + this.#policy.closeTimeout, this.#graceAt);
    const others = Math.min(
      this.#idleAt,
      this.#firstByteAt(pause),
      this.#frameEndAt(pause),
      this.#ageAt,
      this.#quietSince + QUIET,
    );
    this.#calm = others === Infinity && this.#policy.firstByteTimeout === Infinity;
    return Math.min(stalled, others, this.heartbeat.deadline(pause));
  }

  /** As {@linkcode Heartbeat.lull}; 0 while any other clock runs. Of what {@linkcode deadline} last found. */
  get lull(): number {
    return this.#calm && this.stall.deadline() === Infinity ? this.heartbeat.lull : 0;
  }

  /** Says what to do at `now`. A fatal verdict is not remembered: ask again to be sure. */
  check(now: number, pause?: Pause): WatchVerdict {
    if (now >= this.stall.deadline(pause)) return "write-stalled";
    if (this.#calm) return this.#judge(now, pause);
    if (now >= this.#graceAt) return "max-age";
    if (this.#closing) return now >= this.#partedAt + this.#policy.closeTimeout ? "close-timeout" : "wait";
    if (now >= this.#ageAt) {
      this.#aged = true;
      this.#ageAt += this.#policy.maxAgeGrace;
      return "aged";
    }
    if (now >= this.#frameEndAt(pause)) return "frame-timeout";
    if (now >= this.#firstByteAt(pause)) return "first-byte-timeout";
    if (now >= this.#idleAt) return "idle-timeout";
    if (now >= this.#quietSince + QUIET) {
      this.#quietSince = Infinity;
      return "quiet";
    }
    return this.#judge(now, pause);
  }

  #judge(now: number, pause: Pause | undefined): WatchVerdict {
    const verdict = this.heartbeat.check(now, pause);
    return verdict === "dead" ? "heartbeat-timeout" : verdict;
  }

  /** The end of the grace, which no traffic puts off; `Infinity` before it has begun. */
  get #graceAt(): number {
    return this.#aged ? this.#ageAt : Infinity;
  }

  get #idleAt(): number {
    return this.#held ? Infinity : this.messageAt + this.#policy.idleTimeout;
  }

  // What the peer owes us it may have sent while we were away.

  #firstByteAt(pause: Pause | undefined): number {
    const { heardAt, openedAt } = this.heartbeat;
    if (heardAt > openedAt) return Infinity;
    return openedAt + this.#policy.firstByteTimeout + lostSince(openedAt, pause);
  }

  #frameEndAt(pause: Pause | undefined): number {
    if (this.#held) return Infinity;
    const time = Math.max(this.#policy.frameTimeout, this.#unfinished / MIN_FLOW);
    return this.#frameAt + time + lostSince(this.#frameAt, pause);
  }
}
