/**
 * What several links of one connection have counted.
 *
 * @module
 */

import type { ConnectionStats } from "../connection.ts";

/** Counts that stand at 0. */
export const ZERO: ConnectionStats = {
  bytesReceived: 0,
  bytesSent: 0,
  messagesReceived: 0,
  messagesSent: 0,
  probesSent: 0,
  beatsSent: 0,
  beatsReceived: 0,
  pongsReceived: 0,
};

/** The sums of two sets of counts. */
export function sum(a: ConnectionStats, b: ConnectionStats): ConnectionStats {
  const total: Record<string, number> = {};
  for (const key of Object.keys(ZERO) as (keyof ConnectionStats)[]) total[key] = a[key] + b[key];
  return total as unknown as ConnectionStats;
}
