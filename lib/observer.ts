/**
 * What can be watched from outside: one method for each thing that happens.
 *
 * @module
 */

import type { Connection } from "./connection.ts";
import type { CloseReason } from "./errors.ts";

/**
 * Told of what happens to connections, for metrics and logs. Every method is optional, and costs nothing when it is
 * absent. What a method throws harms nothing: it is dropped, since there is nobody to tell.
 *
 * @example
 * ```ts
 * import { type Observer, serve } from "@holdfast/holdfast";
 *
 * let dead = 0;
 * const observer: Observer = {
 *   closed: (_, reason) => void (reason.code === "heartbeat-timeout" && dead++),
 * };
 * await using server = await serve({ port: 0, observer }, async (connection) => {
 *   for await (const bytes of connection) await connection.send(bytes);
 * });
 * ```
 */
export interface Observer {
  /** A connection opened. */
  opened?(connection: AnyConnection): void;
  /** A silent peer was asked for a sign of life. */
  probeSent?(connection: AnyConnection): void;
  /** A pong answered one of ours; `rtt` is the latest round trip measured, in milliseconds. */
  answered?(connection: AnyConnection, rtt: number | undefined): void;
  /** A probe was due, but the peer had spoken meanwhile. */
  suppressed?(connection: AnyConnection): void;
  /** The peer is in question: it was asked, or should have spoken. */
  suspect?(connection: AnyConnection): void;
  /** A peer that was in question has spoken. */
  healthy?(connection: AnyConnection): void;
  /** A connection is given up, for `reason`; `closed` follows. */
  verdict?(connection: AnyConnection, reason: CloseReason): void;
  /** The peer pinged more often than it may. */
  strike?(connection: AnyConnection): void;
  /** This process itself was asleep or blocked while the connection was open; `length` is how long at least, in ms. */
  paused?(connection: AnyConnection, length: number): void;
  /** A connection has ended. */
  closed?(connection: AnyConnection, reason: CloseReason): void;
}

/** A connection of any protocol: observers look at it, and do not use it. */
// deno-lint-ignore no-explicit-any -- messages of any type; `unknown` would not do where they are taken
export type AnyConnection = Connection<any, any>;

/** What a lifeline notices without being asked. */
export type Happening = "probeSent" | "answered" | "suppressed" | "suspect" | "healthy" | "strike" | "paused";

/** What is counted of them. */
export interface HappeningCounts {
  /** Probes sent. */
  probesSent: number;
  /** Pongs that answered one of ours. */
  probesAnswered: number;
  /** Probes that were due when the peer turned out to have spoken. */
  probesSuppressed: number;
  /** Pings that came too soon. */
  strikes: number;
}

/** Calls one method of an observer, if there is one, and lets nothing out. */
export function tell<K extends keyof Observer>(
  observer: Observer | undefined,
  what: K,
  ...facts: Parameters<NonNullable<Observer[K]>>
): void {
  if (observer?.[what] === undefined) return;
  try {
    (observer[what] as (...facts: unknown[]) => void)(...facts);
  } catch {
    // Watching must not change what is watched.
  }
}
