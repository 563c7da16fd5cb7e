/**
 * The options of a heartbeat, checked and filled in.
 *
 * @module
 */

import { duration } from "../checked.ts";
import { type IntervalRange, intervalRange } from "./interval.ts";

/** When to ask, when to give up, and what we owe. Durations are in milliseconds; `Infinity` is never. */
export interface HeartbeatOptions {
  /**
   * How long the peer may be silent before it is asked for a sign of life. Set it below the idle limit of
   * every proxy and NAT on the path (60 s is common). `Infinity`: never ask, and never give up. A client may leave it to
   * a search between two bounds: see {@linkcode IntervalRange}.
   *
   * @default {30_000} as yamux; engine.io has 25 s, RabbitMQ 30 s
   */
  readonly interval?: number | IntervalRange;
  /**
   * How long the peer then has to send anything at all, counted from when the probe was with the kernel.
   * `Infinity`: ask, but never give the peer up. `"adaptive"` follows the round trips, as RFC 6298 does for TCP, between
   * 1 s and 10 s, or between the bounds given.
   *
   * @default {10_000} as yamux (gRPC has 20 s) where the protocol has pings that are answered; otherwise `Infinity`,
   * since a plain peer owes us nothing
   */
  readonly timeout?: number | "adaptive" | TimeoutBounds;
  /**
   * Send something at least this often, for NATs and for peers that judge us. Data counts; what we receive
   * does not. `Infinity`: we owe nothing.
   *
   * @default {Infinity}
   */
  readonly sendEvery?: number;
  /**
   * Beat every {@linkcode sendEvery} on a fixed grid, whether or not data was sent meanwhile, as simple heartbeat
   * servers do. Where that is at least as often as {@linkcode interval}, the beats are what asks the peer, and no
   * other probe is sent.
   *
   * @default {false}
   */
  readonly steady?: boolean;
}

/** Bounds of an adaptive timeout, in milliseconds. */
export interface TimeoutBounds {
  /** Never give up sooner than this. RFC 6298 has 1 s. */
  readonly min: number;
  /** Never wait longer than this; also the timeout before the first round trip is known. */
  readonly max: number;
}

/** Bounds that suit most paths. */
const ADAPTIVE: TimeoutBounds = { min: 1_000, max: 10_000 };

/** {@linkcode HeartbeatOptions} with nothing left open. One object may serve many connections. */
export interface HeartbeatPolicy {
  readonly interval: number;
  /** The longest timeout. */
  readonly timeout: number;
  /** The shortest one: the same unless it is adaptive. */
  readonly minTimeout: number;
  readonly sendEvery: number;
  readonly steady: boolean;
}

/**
 * Fills in the defaults and checks what was given.
 *
 * @param answered Whether the protocol has pings that are answered.
 * @throws {TypeError | RangeError} If a duration is not > 0.
 */
export function heartbeatPolicy(options: HeartbeatOptions = {}, answered = true): HeartbeatPolicy {
  const { interval = 30_000, timeout = answered ? 10_000 : Infinity, sendEvery = Infinity, steady = false } =
    options;
  if (typeof steady !== "boolean") {
    throw new TypeError(`Cannot set a heartbeat as "steady" must be a boolean: current value is ${steady}`);
  }
  const { min, max } = timeoutBounds(timeout, answered);
  return {
    interval: typeof interval === "object"
      ? intervalRange(interval).min
      : duration("set a heartbeat", "interval", interval),
    timeout: max,
    minTimeout: min,
    sendEvery: duration("set a heartbeat", "sendEvery", sendEvery),
    steady,
  };
}

function timeoutBounds(timeout: number | "adaptive" | TimeoutBounds, answered: boolean): TimeoutBounds {
  if (timeout !== "adaptive" && typeof timeout !== "object") {
    const fixed = duration("set a heartbeat", "timeout", timeout);
    return { min: fixed, max: fixed };
  }
  if (!answered) {
    throw new TypeError(
      `Cannot set a heartbeat as an adaptive "timeout" needs a protocol that answers pings`,
    );
  }
  const { min, max } = timeout === "adaptive" ? ADAPTIVE : timeout;
  duration("set a heartbeat", "timeout.min", min);
  if (max >= min) return { min, max };
  throw new RangeError(`Cannot set a heartbeat as "timeout.max" must be >= ${min}: current value is ${max}`);
}

/** No duty in either direction. */
export const NO_HEARTBEAT: HeartbeatPolicy = {
  interval: Infinity,
  timeout: Infinity,
  minTimeout: Infinity,
  sendEvery: Infinity,
  steady: false,
};
