/**
 * How a client comes back, as it can be told.
 *
 * @module
 */

import type { BackoffOptions } from "../liveness/backoff.ts";
import type { Target } from "../transport/transport.ts";

/** How a client comes back. Durations are in milliseconds. */
export interface ReconnectOptions extends BackoffOptions {
  /** Longest delay before the first retry. @default {1_000} */
  readonly initial?: number;
  /**
   * How often it may fail in a row before the connection ends; one that did not last for {@linkcode stableAfter} counts
   * as failed too. Each time all targets are tried, in order.
   *
   * @default {Infinity}
   */
  readonly attempts?: number;
  /** How long a connection must last before the next delay starts from {@linkcode initial} again. @default {10_000} */
  readonly stableAfter?: number;
  /**
   * What becomes of messages that are sent while it is away: they wait, up to `maxOutboundBytes`, or are refused.
   *
   * @default {"keep"}
   */
  readonly whileAway?: "keep" | "refuse";
  /**
   * Dial a replacement when the peer has been in question for a quarter of the heartbeat's timeout, not only when it is
   * given up.
   *
   * @default {false}
   */
  readonly whenSuspect?: boolean;
  /** Whether to go where a server that drains sends us. @default {true} */
  readonly follow?: boolean | ((target: Target) => boolean);
  /** Go on trying if the very first connection cannot be made, too. @default {false} */
  readonly waitForFirst?: boolean;
}
