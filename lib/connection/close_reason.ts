/**
 * Puts the end of a connection into words.
 *
 * @module
 */

import { delay } from "../checked.ts";
import {
  type CloseReason,
  ConnectionError,
  type ConnectionErrorCode,
  type ConnectionFacts,
} from "../errors.ts";
import { type ErrorOrigin, type Farewell, ProtocolError } from "../errors.ts";
import { APPLICATION_CODES } from "../protocol/close_codes.ts";

/** Makes the reason for an end. `cause` is what the runtime, the protocol or the application said of it. */
export function closeReason(
  code: ConnectionErrorCode,
  origin: ErrorOrigin,
  facts: ConnectionFacts,
  cause?: unknown,
  farewell?: Farewell,
  unacknowledged?: readonly unknown[],
): CloseReason {
  const silence = Math.round(facts.endedAt - facts.lastHeardAt);
  const system = (cause as { code?: unknown } | undefined)?.code;
  const said = farewell?.text ? `: ${farewell.text}` : "";
  return new ConnectionError(code, words(code, origin, silence, facts, cause) + said, {
    origin,
    facts,
    farewell,
    ...(unacknowledged !== undefined && { unacknowledged }),
    ...(typeof system === "string" && { systemCode: system }),
    ...(cause !== undefined && { cause }),
  });
}

/**
 * Checks what the application wants to say at the end, and fills it in.
 *
 * @throws {TypeError | RangeError} If the protocol says nothing at its end, or the code is not one of the application's.
 */
export function farewellOf(
  { code = 0, text = "", retryAfter = 0 }: Partial<Farewell>,
  greets?: boolean,
): Farewell {
  if (!greets) {
    throw new TypeError("Cannot close with a farewell as the protocol must have one: this one has none");
  }
  const [first, , last] = APPLICATION_CODES;
  if (code !== 0 && !(Number.isInteger(code) && code >= first && code <= last)) {
    throw new RangeError(`Cannot close as "code" must be 0 or ${first} to ${last}: current value is ${code}`);
  }
  return { code, text, retryAfter: delay("close", "retryAfter", retryAfter) };
}

/** What the end of a socket is called. */
export function codeOf(error: Error | undefined): "closed" | "reset" | "network-failed" {
  if (error === undefined) return "closed";
  const { code } = error as { code?: unknown };
  return code === "ECONNRESET" || code === "EPIPE" ? "reset" : "network-failed";
}

/** Whose doing an end with this code is, if nothing else is known. */
export function originOf(code: ConnectionErrorCode, cause: unknown): ErrorOrigin {
  switch (code) {
    case "closed":
    case "reset":
    case "first-byte-timeout":
    case "frame-timeout":
    case "close-timeout":
    case "write-stalled":
    case "too-many-pings":
    case "too-many-messages":
    case "handshake-timeout":
    case "heartbeat-forged":
      return "peer";
    case "protocol-error":
      return cause instanceof ProtocolError ? "peer" : "local";
    case "heartbeat-timeout":
    case "network-failed":
      return "network";
    default:
      return "local";
  }
}

function words(
  code: ConnectionErrorCode,
  origin: ErrorOrigin,
  silence: number,
  facts: ConnectionFacts,
  cause: unknown,
): string {
  const detail = cause instanceof Error ? `: ${cause.message}` : "";
  switch (code) {
    case "closed":
      return origin === "peer" ? "Connection was closed by the peer" : "Connection was closed";
    case "aborted":
      return `Connection was aborted${detail}`;
    case "handler-failed":
      return `Handler of the connection failed${detail}`;
    case "reset":
      return "Connection was reset by the peer";
    case "heartbeat-timeout":
      return `Peer has been silent for ${silence} ms`;
    case "write-stalled":
      return `Peer takes no bytes: ${facts.bufferedAmount} wait`;
    case "write-overflow":
      return `Too many bytes wait to be sent: ${facts.bufferedAmount}, and send() was not awaited`;
    case "heartbeat-forged":
      return "Peer has not proven that it has the key";
    case "handshake-timeout":
      return "Peer has not greeted in time";
    case "superseded":
      return "Another connection has taken over the session";
    case "session-lost":
      return "The session is lost";
    case "refused":
      return "Connection was refused";
    case "server-full":
      return "Server is full";
    case "too-many-pings":
      return "Peer pings more often than it may";
    case "too-many-messages":
      return "Peer sends more messages than it may";
    case "memory-exceeded":
      return "Too many bytes wait on all connections, and this one held the most";
    case "max-age":
      return "Connection has lived as long as it may";
    case "idle-timeout":
      return "No message has passed for too long";
    case "first-byte-timeout":
      return "Peer has not sent its first byte in time";
    case "frame-timeout":
      return "Peer has not ended a message in time";
    case "close-timeout":
      return "Peer has not finished in time";
    case "protocol-error":
      return `Peer broke the protocol${detail}`;
    default:
      return `Connection failed${detail}`;
  }
}
