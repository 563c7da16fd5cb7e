/**
 * What a run is made of, drawn from its seed.
 *
 * @module
 */

import type { HeartbeatOptions } from "../../lib/liveness/heartbeat_policy.ts";
import type { IntervalRange } from "../../lib/liveness/interval.ts";
import type { ConnectionOptions } from "../../lib/connection.ts";
import type { Dialect, Message } from "./codec.ts";
import { pingOf, protocolOf } from "./codec.ts";
import type { Ways } from "./host.ts";
import type { Lots } from "./lots.ts";
import type { Rules } from "./witness.ts";

/** The settings of one side, as the library takes them and as a witness judges by them. */
export interface Side {
  readonly options: ConnectionOptions<Message, Message>;
  readonly rules: Rules;
  readonly ways: Ways;
  /** Least time between two of its pings, on average. */
  readonly pingGap: number;
}

/** How long a run is, and what sets its pace. */
export interface Pace {
  /** About how long peers may be silent, in milliseconds. */
  readonly interval: number;
  /** When the faults end and everyone goes home. */
  readonly length: number;
}

/** Draws the pace: some intervals, a quarter of a minute to two minutes. */
export function drawPace(lots: Lots): Pace {
  const interval = lots.scale(1_000, 20_000);
  return { interval, length: Math.min(120_000, Math.max(15_000, interval * lots.real(3, 7))) };
}

/** Draws the dialect of a server and its clients. */
export function drawDialect(lots: Lots): Dialect {
  return lots.pick(["lines", "lines", "lines", "raw", "chunk", "anywhere", "answered"]);
}

/** What a side sends by itself. */
export interface Duty {
  readonly sendEvery: number;
  readonly steady: boolean;
}

/** Draws what a side sends by itself. */
export function drawDuty(lots: Lots, { interval }: Pace): Duty {
  const sendEvery = lots.chance(0.65) ? Infinity : Math.floor(interval * lots.real(0.2, 1));
  return { sendEvery, steady: sendEvery < Infinity && lots.chance(0.5) };
}

/**
 * Draws the settings of one side.
 *
 * @param peerGap Least time between two pings of the peers.
 * @param peerBeats How often the peers send by themselves.
 */
export function drawSide(
  lots: Lots,
  pace: Pace,
  dialect: Dialect,
  side: "client" | "server",
  { sendEvery, steady }: Duty,
  peerGap: number,
  peerBeats: number,
): Side {
  const { interval: around, length } = pace;
  const interval = lots.chance(0.06) ? Infinity : Math.floor(around * lots.real(0.5, 1.5));
  const learns = side === "client" && interval < Infinity && lots.chance(0.12);
  const range: IntervalRange = { min: interval, max: Math.floor(interval * lots.real(1, 4)) };
  // Without answers only a peer that beats by itself may be given up.
  const answered = dialect === "lines" || (dialect === "answered" && side === "client");
  const owed = answered || peerBeats * 1.3 < interval;
  const timeout = !owed || lots.chance(0.06) ? Infinity : lots.scale(300, Math.max(600, around));
  const adaptive = dialect === "lines" && timeout < Infinity && lots.chance(0.3);
  const minTimeout = adaptive ? Math.floor(timeout * lots.real(0.2, 1)) : timeout;
  const off = sendEvery === Infinity && lots.chance(0.06);
  const heartbeat: HeartbeatOptions | false = off ? false : {
    interval: learns ? range : interval,
    timeout: adaptive ? { min: minTimeout, max: timeout } : timeout,
    sendEvery,
    steady,
  };
  const writeTimeout = lots.chance(0.5) && !off && interval + timeout < 30_000
    ? undefined
    : lots.scale(300, Math.max(600, around * 2));
  const maxAge = lots.chance(0.06) ? lots.real(length / 8, length) : Infinity;
  const idleTimeout = lots.chance(0.08) ? lots.real(length / 8, length) : Infinity;
  const limits = {
    closeTimeout: lots.scale(200, 5_000),
    frameTimeout: lots.scale(500, 30_000),
    idleTimeout,
    maxAge,
    maxAgeGrace: lots.scale(200, 10_000),
    maxInboundBytes: lots.scale(500, 20_000),
    maxOutboundBytes: lots.scale(2_000, 60_000),
  };
  const protocol = protocolOf(dialect, side);
  return {
    options: {
      protocol,
      heartbeat,
      ...limits,
      ...(writeTimeout !== undefined && { writeTimeout }),
      ...(peerGap < Infinity && { minPingGap: Math.max(1, Math.floor(0.35 * peerGap)) }),
      ...(peerGap === Infinity && { minPingGap: Math.floor(around / 10) }),
    },
    rules: {
      ...limits,
      answersPings: protocol.answersPings,
      ping: pingOf(dialect),
      steady,
      writeTimeout: writeTimeout ?? Math.min(30_000, interval + timeout),
      interval: off ? [Infinity, Infinity] : [interval, learns ? range.max : interval],
      timeout: off ? [Infinity, Infinity] : [minTimeout, timeout],
    },
    ways: {
      answers: dialect === "lines" || (dialect === "answered" && side === "server"),
      beatsEvery: off || dialect === "raw" ? Infinity : sendEvery,
      floods: false,
      forges: false,
      trickles: false,
    },
    pingGap: off ? Infinity : Math.min(interval, sendEvery),
  };
}
