/**
 * Whoever sees to it that a lasting connection is carried, and which ends of a link are ends of what it carries.
 *
 * @module
 */

import type { CloseReason, ConnectionErrorCode } from "../errors.ts";
import { CloseCode, isFinal } from "../protocol/close_codes.ts";
import type { DrainNotice, SessionTicket } from "../protocol/protocol.ts";
import type { LastingConnection } from "./lasting_connection.ts";
import type { SessionRecord } from "./store.ts";

/** A session as both ends know it. */
export interface Session {
  readonly ticket: SessionTicket;
  /** How long the server keeps it without a connection, in milliseconds. */
  readonly window: number;
}

/** Whoever sees to it that a lasting connection is carried. */
export interface LastingOwner<In, Out> {
  /** What carried it is gone, for `reason`. */
  away(connection: LastingConnection<In, Out>, reason: CloseReason): void;
  /** Something carries it again, or for the first time. */
  attached?(connection: LastingConnection<In, Out>): void;
  /** It has ended. Called once. */
  over(connection: LastingConnection<In, Out>, reason: CloseReason): void;
  /** The old link was taken over. Whether that may have been by one of our own, so that its loss is nothing. */
  replacing?(): boolean;
  /** Whether it is to keep the process alive. */
  referenced?(on: boolean): void;
  /** Dial at once. */
  reconnectNow?(): void;
  /** The peer is in question. */
  suspect?(): void;
  /** The peer wants us to go elsewhere. */
  draining?(notice: DrainNotice): void;
  /** It is drained, and could go on in another process: keeps it. Absent where it cannot. */
  handOver?(record: SessionRecord): Promise<void> | void;
}

/** Ends of a link of our own making that are no end of what it carried. */
const COMES_BACK: ReadonlySet<ConnectionErrorCode> = /* @__PURE__ */ new Set<ConnectionErrorCode>([
  "closed",
  "reset",
  "write-stalled",
  "frame-timeout",
  "close-timeout",
  "handshake-timeout",
  "max-age",
]);

/** Whether a link that ended with `reason` takes what it carried along. `aged` says that we ended it for its age. */
export function isTheEnd({ code, origin, farewell }: CloseReason, aged: boolean): boolean {
  if (farewell !== undefined && !aged) return farewell.code === CloseCode.normal || isFinal(farewell.code);
  return origin !== "network" && !COMES_BACK.has(code);
}
