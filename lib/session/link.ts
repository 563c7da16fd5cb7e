/**
 * What carries a lasting connection: one link after the other, and what they have in common.
 *
 * @module
 */

import type { ConnectionHeartbeat, ConnectionStats } from "../connection.ts";
import type { ConnectionKeeper, MessageSink } from "../connection/keeper.ts";
import type { LiveConnection } from "../connection/live_connection.ts";
import type { ConnectionFacts } from "../errors.ts";
import type { HeartbeatOptions } from "../liveness/heartbeat_policy.ts";
import type { Clock } from "../time/clock.ts";
import { sum, ZERO } from "./sums.ts";

/** The link of one lasting connection. */
export class Link<In, Out> {
  /** What carries it; the last one while there is none; nothing before the first. */
  live: LiveConnection<In, Out> = undefined as never;
  /** Whether something carries it. */
  up = false;
  /** Links that others have replaced, and that may still bring something. */
  readonly #old = new Set<LiveConnection<In, Out>>();
  /** What former links counted. */
  #counted: ConnectionStats = ZERO;
  #rules: HeartbeatOptions | undefined;
  #unreferenced = false;

  /** Goes on with `live`. Returns the one that it replaces, if that is still there. */
  take(live: LiveConnection<In, Out>): LiveConnection<In, Out> | undefined {
    const old = this.up ? this.live : undefined;
    if (old !== undefined) this.#counted = sum(this.#counted, old.stats());
    this.live = live;
    this.up = true;
    if (this.#unreferenced) live.unref();
    if (this.#rules !== undefined) live.heartbeat.update(this.#rules);
    return old;
  }

  /** Nothing carries it any more. Returns what did until now. */
  lose(): LiveConnection<In, Out> | undefined {
    if (!this.up) return undefined;
    this.up = false;
    this.#counted = sum(this.#counted, this.live.stats());
    return this.live;
  }

  /** Lets a link go that was replaced. What it still brings is not lost: it goes to `sink`, copied, since only the
   * current link can lend. */
  retire(old: LiveConnection<In, Out>, keeper: ConnectionKeeper<In, Out>, sink: MessageSink<In>): void {
    old.adopt(keeper, { push: (message, size) => sink.push(old.own(message), size) });
    this.#old.add(old);
    old.leave(0);
  }

  /** A link has ended. */
  ended(live: LiveConnection<In, Out>): void {
    this.#old.delete(live);
  }

  /** Drops those that were replaced and are still there. */
  abortRetired(reason: unknown): void {
    for (const old of this.#old) old.abort(reason);
  }

  /** What all links have counted. */
  stats(): ConnectionStats {
    return this.up ? sum(this.#counted, this.live.stats()) : this.#counted;
  }

  /** The rules of the heartbeat; what they are changed to holds for later links too. */
  get heartbeat(): ConnectionHeartbeat {
    const { heartbeat } = this.live;
    const update = (rules: HeartbeatOptions) => {
      heartbeat.update(rules);
      this.#rules = { ...this.#rules, ...rules };
    };
    return Object.create(heartbeat, { update: { value: update } });
  }

  /** Whether this link and later ones keep the process alive. */
  refer(on: boolean): void {
    this.#unreferenced = !on;
    if (!this.up) return;
    if (on) this.live.ref();
    else this.live.unref();
  }

  /** What is known now. A session from a store may end before it was ever carried here. */
  facts(bufferedAmount: number, clock: Clock): ConnectionFacts {
    if (this.live !== undefined) return this.live.facts(bufferedAmount);
    const now = clock.now();
    return {
      lastHeardAt: now,
      lastSentAt: now,
      endedAt: now,
      rtt: undefined,
      bufferedAmount,
      pauseSeen: false,
    };
  }
}
