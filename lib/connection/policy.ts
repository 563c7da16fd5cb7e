/**
 * The options of a connection, checked and filled in once for all connections that share them.
 *
 * @module
 */

import { count, duration } from "../checked.ts";
import type { ConnectionOptions } from "../connection.ts";
import type { IntervalRange, IntervalSearch } from "../liveness/interval.ts";
import { heartbeatPolicy, NO_HEARTBEAT } from "../liveness/heartbeat_policy.ts";
import type { WatchPolicy } from "../liveness/watch.ts";
import { type RateOptions, TokenBucket } from "../liveness/rate.ts";
import type { Observer } from "../observer.ts";
import type { Protocol, Role as WireRole } from "../protocol/protocol.ts";
import { HeartbeatKey } from "./heartbeat_key.ts";
import { raw } from "../protocol/raw.ts";
import { type Clock, systemClock } from "../time/clock.ts";
import { Wheel } from "../time/wheel.ts";

/** What every connection of one server or client goes by. */
export interface ConnectionPolicy<In, Out> {
  readonly protocol: Protocol<In, Out>;
  readonly role: WireRole;
  /** The key of the heartbeats, where they are keyed. */
  readonly key: HeartbeatKey | undefined;
  readonly handshakeTimeout: number;
  readonly watch: WatchPolicy;
  readonly maxInboundBytes: number;
  readonly maxOutboundBytes: number;
  readonly messageRate: RateOptions | undefined;
  readonly observer: Observer | undefined;
  readonly clock: Clock;
  readonly wheel: Wheel;
}

/** What sets servers and clients apart. */
export interface Role {
  /** What fails if an option is wrong. */
  readonly action: string;
  /** Which end it is. The pings of clients are counted unless the options say otherwise. */
  readonly role: WireRole;
  /** What is known of the path for which an interval is to be learned; absent where none can be. */
  readonly search?: (range: IntervalRange) => IntervalSearch;
}

/**
 * Checks `options` and fills in the defaults.
 *
 * @throws {TypeError | RangeError} In the form: what failed, the rule, the value seen.
 */
export function connectionPolicy<In, Out>(
  { action, role, search }: Role,
  options: ConnectionOptions<In, Out>,
): ConnectionPolicy<In, Out> {
  // Without a protocol, In and Out are those of raw(): the defaults of serve() and connect() see to it.
  const protocol = options.protocol ?? raw() as Protocol<unknown, unknown> as Protocol<In, Out>;
  const heartbeat = options.heartbeat === false
    ? NO_HEARTBEAT
    : heartbeatPolicy(options.heartbeat, protocol.answersPings);
  const range = options.heartbeat !== false && typeof options.heartbeat?.interval === "object"
    ? options.heartbeat.interval
    : undefined;
  if (range !== undefined && search === undefined) {
    throw new TypeError(`Cannot ${action} as "interval" must be a number: only a client can learn one`);
  }
  const {
    writeTimeout = Math.min(30_000, heartbeat.interval + heartbeat.timeout),
    idleTimeout = Infinity,
    firstByteTimeout = Infinity,
    frameTimeout = 30_000,
    closeTimeout = 5_000,
    handshakeTimeout = 5_000,
    maxAge = Infinity,
    maxAgeGrace = 15_000,
    minPingGap = role === "server" ? Math.min(1_000, heartbeat.interval / 2) : 0,
    maxInboundBytes = 1 << 20,
    maxOutboundBytes = 4 << 20,
    clock = systemClock,
  } = options;
  // A rate that is none is a mistake of now, not of the first connection.
  if (options.messageRate !== undefined) void new TokenBucket(0, options.messageRate);
  return {
    protocol,
    role,
    key: protocol.key && new HeartbeatKey(protocol.key),
    handshakeTimeout: duration(action, "handshakeTimeout", handshakeTimeout),
    watch: {
      heartbeat,
      writeTimeout: duration(action, "writeTimeout", writeTimeout),
      idleTimeout: duration(action, "idleTimeout", idleTimeout),
      // A greeting has a deadline of its own.
      firstByteTimeout: protocol.greets ? Infinity : duration(action, "firstByteTimeout", firstByteTimeout),
      frameTimeout: duration(action, "frameTimeout", frameTimeout),
      maxAge: duration(action, "maxAge", maxAge),
      maxAgeGrace: duration(action, "maxAgeGrace", maxAgeGrace),
      closeTimeout: duration(action, "closeTimeout", closeTimeout),
      ...(range !== undefined && { search: search!(range) }),
      minPingGap: minPingGap === 0 ? 0 : duration(action, "minPingGap", minPingGap),
    },
    maxInboundBytes: count(action, "maxInboundBytes", maxInboundBytes),
    maxOutboundBytes: count(action, "maxOutboundBytes", maxOutboundBytes),
    messageRate: options.messageRate,
    observer: options.observer,
    clock,
    wheel: wheelOf(clock),
  };
}

const wheels = /* @__PURE__ */ new WeakMap<Clock, Wheel>();

/** The one wheel of a clock: all connections of a process share one timer. */
function wheelOf(clock: Clock): Wheel {
  let wheel = wheels.get(clock);
  if (wheel === undefined) wheels.set(clock, wheel = new Wheel(clock));
  return wheel;
}
