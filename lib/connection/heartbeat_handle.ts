/**
 * The heartbeat of one connection, as its holder sees and changes it.
 *
 * @module
 */

import type { ConnectionHeartbeat } from "../connection.ts";
import type { Lifeline } from "./lifeline.ts";
import { type HeartbeatOptions, heartbeatPolicy } from "../liveness/heartbeat_policy.ts";

/** Shows the rules in force. `answered` says whether the protocol has pings that are answered. */
export function heartbeatOf<In, Out>(line: Lifeline<In, Out>, answered: boolean): ConnectionHeartbeat {
  const { heartbeat } = line.watch;
  return {
    get interval() {
      return heartbeat.policy.interval;
    },
    get timeout() {
      return heartbeat.timeout;
    },
    get sendEvery() {
      return heartbeat.policy.sendEvery;
    },
    get steady() {
      return heartbeat.policy.steady;
    },
    update(options: HeartbeatOptions) {
      if (typeof options.interval === "object") {
        throw new TypeError(
          `Cannot change a heartbeat as "interval" must be a number: a range is for connect()`,
        );
      }
      const { interval, timeout, minTimeout, sendEvery, steady } = heartbeat.policy;
      const bounds = minTimeout === timeout ? timeout : { min: minTimeout, max: timeout };
      line.update(heartbeatPolicy({ interval, timeout: bounds, sendEvery, steady, ...options }, answered));
    },
  };
}
