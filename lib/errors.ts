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
 * | `too-many-pings` | the peer pinged more often than it may |
 * | `write-stalled` | bytes waited to be sent, and the peer took none in time |
 * | `write-overflow` | too much was sent without waiting for `send()` |
 * | `too-many-messages` | the peer sent more messages than it may |
 * | `max-age` | the connection lived as long as it may; connect again |
 * | `idle-timeout` | no message passed either way for too long |
 * | `first-byte-timeout` | the peer connected and then said nothing |
 * | `close-timeout` | we said goodbye, and the peer did not in time |
 * | `protocol-error` | the peer broke the rules of the protocol |
 * | `frame-timeout` | the peer began a message and did not end it in time |
 * | `server-full` | the server had no place left |
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
  | "too-many-pings"
  | "write-stalled"
  | "write-overflow"
  | "too-many-messages"
  | "max-age"
  | "idle-timeout"
  | "first-byte-timeout"
  | "close-timeout"
  | "protocol-error"
  | "frame-timeout"
  | "server-full"
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

/** How a {@linkcode ConnectionError} is made. */
export interface ConnectionErrorOptions extends ErrorOptions {
  /** Whose doing it was. @default {"network"} */
  readonly origin?: ErrorOrigin;
  /** What the system called it, as `"ECONNREFUSED"`, where it has a name. */
  readonly systemCode?: string | undefined;
  /** What was known of the connection. */
  readonly facts?: ConnectionFacts | undefined;
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

  /** Creates an error. `options.cause` carries what the runtime reported, untouched. */
  constructor(code: ConnectionErrorCode, message: string, options: ConnectionErrorOptions = {}) {
    super(message, "cause" in options ? { cause: options.cause } : undefined);
    this.name = "ConnectionError";
    this.code = code;
    this.origin = options.origin ?? "network";
    this.systemCode = options.systemCode;
    this.facts = options.facts;
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
