/**
 * Everything that is thrown or reported on purpose.
 *
 * Three kinds, never mixed. A caller's mistake throws a `TypeError` or a `RangeError` at the call. A
 * wait that the caller cancelled rejects with its signal's own reason. What happens on the wire is a
 * {@linkcode ConnectionError}: switch on its `code`, which is stable, and which still works where two
 * copies of this module are loaded and `instanceof` would not.
 *
 * @module
 */

/**
 * Says why a connection ended, or why none came to be.
 *
 * | code | what happened |
 * |---|---|
 * | `closed` | both ends finished in good order; `origin` says who began |
 * | `aborted` | {@linkcode ConnectionError.origin} called `abort()`, or a signal did; see `cause` |
 * | `handler-failed` | the function that handled the connection threw; see `cause` |
 * | `reset` | the peer dropped the connection (TCP RST) |
 * | `network-failed` | the system reported any other error; see `cause` |
 * | `heartbeat-timeout` | the peer was asked, and sent nothing in time |
 * | `heartbeat-forged` | an answer to a keyed ping did not prove the key |
 * | `too-many-pings` | the peer pinged more often than it may |
 * | `write-stalled` | bytes waited to be sent, and the peer took none in time |
 * | `write-overflow` | too much was sent without waiting for `send()` |
 * | `too-many-messages` | the peer sent more messages than it may |
 * | `max-age` | the connection lived as long as it may; connect again |
 * | `idle-timeout` | no message passed either way for too long |
 * | `first-byte-timeout` | the peer connected and then said nothing |
 * | `handshake-timeout` | the peer connected and did not greet in time |
 * | `close-timeout` | we said goodbye, and the peer did not in time |
 * | `protocol-error` | the peer broke the rules of the protocol |
 * | `frame-timeout` | the peer began a message and did not end it in time |
 * | `memory-exceeded` | the server held more bytes than it may, and this connection the most of them |
 * | `server-full` | the server had no place left |
 * | `superseded` | another connection took over the session |
 * | `session-lost` | the peer no longer knows the session; see {@linkcode ConnectionError.unacknowledged} |
 * | `refused` | the peer does not want this connection, and will not want the next |
 * | `connect-failed` | no connection could be made; see `cause` |
 * | `connect-timeout` | no connection was made in time |
 * | `listen-failed` | an address could not be listened on, or the listener died; see `cause` |
 */
export type ConnectionErrorCode =
  | "closed"
  | "aborted"
  | "handler-failed"
  | "reset"
  | "network-failed"
  | "heartbeat-timeout"
  | "heartbeat-forged"
  | "too-many-pings"
  | "write-stalled"
  | "write-overflow"
  | "too-many-messages"
  | "max-age"
  | "idle-timeout"
  | "first-byte-timeout"
  | "handshake-timeout"
  | "close-timeout"
  | "protocol-error"
  | "frame-timeout"
  | "memory-exceeded"
  | "server-full"
  | "superseded"
  | "session-lost"
  | "refused"
  | "connect-failed"
  | "connect-timeout"
  | "listen-failed";

/** Whose doing it was: ours, the peer's, or that of neither. */
export type ErrorOrigin = "local" | "peer" | "network";

/** What was known of a connection when it ended. Instants share the connection's monotonic clock. */
export interface ConnectionFacts {
  /** Instant of the last byte from the peer, in milliseconds. */
  readonly lastHeardAt: number;
  /** Instant of the last byte handed to the socket, in milliseconds. */
  readonly lastSentAt: number;
  /** Instant at which the connection ended, in milliseconds. */
  readonly endedAt: number;
  /** Last round trip measured, in milliseconds; `undefined` if none was. */
  readonly rtt: number | undefined;
  /** Bytes that were taken by `send()` and never reached the kernel. */
  readonly bufferedAmount: number;
  /** Whether this process itself was found asleep or blocked while the connection was open. */
  readonly pauseSeen: boolean;
}

/** Says why an end comes, to the peer or from it. */
export interface Farewell {
  /** See `docs/protocol.md`. From 4000 on codes are the application's own, and from 4500 on they mean: do not come back. */
  readonly code: number;
  /** For people. At most 255 bytes as UTF-8. */
  readonly text: string;
  /** Do not come back sooner than this, in milliseconds; `0` for no such wish. */
  readonly retryAfter: number;
}

/** How a {@linkcode ConnectionError} is made. */
export interface ConnectionErrorOptions extends ErrorOptions {
  /** Whose doing it was. @default {"network"} */
  readonly origin?: ErrorOrigin;
  /** What the system called it, as `"ECONNREFUSED"`, where it has a name. */
  readonly systemCode?: string | undefined;
  /** What was known of the connection. */
  readonly facts?: ConnectionFacts | undefined;
  /** What the peer said when it ended. */
  readonly farewell?: Farewell | undefined;
  /** Messages of a session that the peer has not acknowledged. */
  readonly unacknowledged?: readonly unknown[];
}

/**
 * What happened on the wire.
 *
 * @example Switch on the code
 * ```ts
 * import { ConnectionError } from "@holdfast/holdfast";
 * import { strictEqual } from "node:assert/strict";
 *
 * const error = new ConnectionError("reset", "Connection was reset", { origin: "peer" });
 *
 * strictEqual(error.code, "reset");
 * strictEqual(error.origin, "peer");
 * ```
 */
export class ConnectionError extends Error {
  /** Says what happened. Stable across releases, unlike `message`. */
  readonly code: ConnectionErrorCode;
  /** Whose doing it was. */
  readonly origin: ErrorOrigin;
  /** What the system called it, as `"ECONNREFUSED"`; `undefined` where it has no name. */
  readonly systemCode: string | undefined;
  /** What was known of the connection when it ended; `undefined` if there was none yet. */
  readonly facts: ConnectionFacts | undefined;
  /** What the peer said when it ended; `undefined` if it said nothing. */
  readonly farewell: Farewell | undefined;
  /**
   * Messages of a session that were accepted by `send()`, and that the peer has not acknowledged: it may have had the
   * first of them, or none. Empty without a session.
   */
  readonly unacknowledged: readonly unknown[];

  /** Creates an error. `options.cause` carries what the runtime reported, untouched. */
  constructor(code: ConnectionErrorCode, message: string, options: ConnectionErrorOptions = {}) {
    super(message, "cause" in options ? { cause: options.cause } : undefined);
    this.name = "ConnectionError";
    this.code = code;
    this.origin = options.origin ?? "network";
    this.systemCode = options.systemCode;
    this.facts = options.facts;
    this.farewell = options.farewell;
    this.unacknowledged = options.unacknowledged ?? [];
  }
}

/**
 * The peer broke the rules of the protocol. Decoders throw it; a connection reports it as a
 * {@linkcode ConnectionError} with the code `protocol-error` and this error as its `cause`.
 *
 * @example
 * ```ts
 * import { ProtocolError } from "@holdfast/holdfast";
 * import { strictEqual } from "node:assert/strict";
 *
 * strictEqual(new ProtocolError("line is longer than 80 bytes").name, "ProtocolError");
 * ```
 */
export class ProtocolError extends Error {
  /** Creates an error whose `message` names the rule and the value seen. */
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "ProtocolError";
  }
}

/**
 * Why a connection ended. The same object is given by `connection.closed` and is the reason of
 * `connection.signal`; `code === "closed"` is the one orderly end.
 */
export type CloseReason = ConnectionError;
