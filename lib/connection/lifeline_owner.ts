/**
 * What a lifeline tells its owner, and what it counts.
 *
 * @module
 */

import type { FatalVerdict } from "../liveness/watch.ts";
import type { Happening } from "../observer.ts";
import type { DrainNotice, Farewell, Hello } from "../protocol/protocol.ts";

/** Why a lifeline broke. */
export type BreakCode =
  | FatalVerdict
  | "heartbeat-forged"
  | "handshake-timeout"
  | "too-many-pings"
  | "too-many-messages"
  | "protocol-error"
  | "reset"
  | "network-failed"
  | "closed";

/** What a lifeline tells. */
export interface LifelineOwner<In> {
  /** A message arrived. It may be borrowed: `Lifeline.own()` before keeping it. */
  message(message: In, size: number): void;
  /** A client has greeted: `Lifeline.greet()` answers it. */
  asked(hello: Hello): void;
  /** Both have greeted: messages may flow. Never called where the protocol does not greet. */
  greeted(hello: Hello): void;
  /** The peer has received the first `count` messages of the session. */
  acked(count: number): void;
  /** The peer wants us to go elsewhere. */
  draining(notice: DrainNotice): void;
  /** The peer says why it ends; {@linkcode ended} follows. */
  farewell(farewell: Farewell): void;
  /** The peer will send no more. */
  ended(): void;
  /** Some of what waited was sent. */
  written(): void;
  /** A drain found nothing under way: see `Lifeline.drain()`. */
  quiet(): void;
  /** Something was noticed. For `paused`, `fact` is how long it was at least. */
  noticed(what: Happening, fact?: number): void;
  /** It has lived as long as it may. */
  aged(): void;
  /** It is over. Called at most once, and last. */
  broke(code: BreakCode, cause?: unknown): void;
}

/** What a lifeline counts. */
export interface LifelineCounts {
  bytesReceived: number;
  bytesSent: number;
  messagesReceived: number;
  probesSent: number;
  beatsSent: number;
  pingsReceived: number;
  pongsReceived: number;
  pongsUnasked: number;
}

/** Counts that stand at 0. */
export function noCounts(): LifelineCounts {
  return {
    bytesReceived: 0,
    bytesSent: 0,
    messagesReceived: 0,
    probesSent: 0,
    beatsSent: 0,
    pingsReceived: 0,
    pongsReceived: 0,
    pongsUnasked: 0,
  };
}
