/**
 * What a run of sessions is made of, drawn from its seed.
 *
 * @module
 */

import type { ConnectionOptions } from "../../lib/connection.ts";
import { frames } from "../../lib/protocol/frames.ts";
import type { Protocol } from "../../lib/protocol/protocol.ts";
import type { ReconnectOptions } from "../../lib/session/reconnect_options.ts";
import type { Message } from "./codec.ts";
import type { Lots } from "./lots.ts";
import type { Cut } from "./tap.ts";

/** The settings of one side. */
export interface SessionSide {
  readonly options: ConnectionOptions<Message, Message>;
  readonly pieceBytes: number;
  readonly maxOutboundBytes: number;
  readonly closeTimeout: number;
  /** Its connections end by themselves at a certain age: each has a close of its own then. */
  readonly ages: boolean;
}

/** What all of a run goes by. */
export interface SessionPace {
  /** When the faults end, in milliseconds. */
  readonly length: number;
  /** About how long a peer may be silent. */
  readonly interval: number;
  /** How long a server keeps a session. */
  readonly window: number;
  /** How long the store takes for what is asked of it; 0 for at once. */
  readonly storeDelay: number;
  readonly stored: boolean;
  /** Bytes that may wait to be sent, at most ends. */
  readonly maxOutboundBytes: number;
  /** Some messages are longer than a frame. */
  readonly long: boolean;
}

/** Draws the pace. */
export function drawSessionPace(lots: Lots): SessionPace {
  const interval = lots.scale(400, 2_000);
  return {
    length: lots.scale(1_000, 6_000),
    interval,
    window: lots.chance(0.2) ? lots.scale(200, 4_000) : 60_000,
    storeDelay: lots.chance(0.4) ? lots.scale(1, 200) : 0,
    stored: lots.chance(0.7),
    maxOutboundBytes: lots.scale(1_000, 400_000),
    long: lots.chance(0.1),
  };
}

/** Draws the settings of one side. `fills` is where its random bytes come from. */
export function drawSessionSide(
  lots: Lots,
  { interval, length, storeDelay, long, maxOutboundBytes: common }: SessionPace,
  fills: Lots,
): SessionSide {
  // A peer that sends more than we would may find us out of room for it while we wait for its acknowledgement.
  const maxOutboundBytes = fills.chance(0.2) ? fills.scale(1_000, 400_000) : common;
  const pieceBytes = lots.scale(1_024, 65_535);
  const closeTimeout = lots.scale(300, 5_000);
  // A connection that never lives as long as a message takes delivers none.
  const ages = !long && lots.chance(0.1);
  const protocol = frames({ pieceBytes, fillRandom: fillFrom(fills) });
  return {
    pieceBytes,
    maxOutboundBytes,
    closeTimeout,
    ages,
    options: {
      protocol: protocol as Protocol<Message, Message>,
      heartbeat: {
        interval: Math.floor(interval * lots.real(0.6, 1.4)),
        timeout: lots.scale(200, 1_500),
        sendEvery: lots.chance(0.3) ? Math.floor(interval * lots.real(0.3, 1)) : Infinity,
      },
      // Who greets must be able to, as fast as the store is.
      handshakeTimeout: lots.scale(200, 2_000) + 5 * storeDelay,
      closeTimeout,
      maxOutboundBytes,
      maxInboundBytes: lots.scale(300, 100_000),
      // Bursts that a stall brings together are the other world's matter.
      minPingGap: 1,
      ...(ages && { maxAge: lots.real(length / 6, length), maxAgeGrace: lots.scale(200, 3_000) }),
    },
  };
}

/** Draws how a client comes back. */
export function drawReconnect(lots: Lots): ReconnectOptions {
  return {
    initial: lots.scale(1, 400),
    max: lots.scale(400, 1_500),
    stableAfter: lots.scale(100, 4_000),
    whenSuspect: lots.chance(0.4),
    whileAway: lots.chance(0.9) ? "keep" : "refuse",
    waitForFirst: lots.chance(0.7),
  };
}

/** Draws a cut at one of the next `within` bytes. */
export function drawCut(lots: Lots, from: number, within: number, interval: number): Cut {
  return {
    at: from + (lots.chance(0.5) ? lots.int(0, Math.min(within, 120)) : lots.scale(1, within)),
    how: lots.pick(["reset", "reset", "end", "hole", "stall", "stall"] as const),
    both: lots.chance(0.5),
    lasts: lots.scale(20, interval * 4),
  };
}

/** Random bytes of the seed. */
export function fillFrom(lots: Lots): (bytes: Uint8Array) => void {
  return (bytes) => {
    for (let i = 0; i < bytes.length; i++) bytes[i] = Math.floor(lots.next() * 256);
  };
}
