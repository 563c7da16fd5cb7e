/**
 * What the code of a farewell means.
 *
 * @module
 */

import type { ConnectionErrorCode } from "../errors.ts";

/** Why an end comes, as a farewell tells it. Codes from 4000 to 4999 are the application's own. */
export const CloseCode = {
  /** Both ends are done. */
  normal: 0,
  /** This process stops; another may take over. */
  goingAway: 1,
  protocolError: 2,
  tooManyPings: 3,
  serverFull: 4,
  superseded: 5,
  heartbeatForged: 6,
  idleTimeout: 7,
  tooManyMessages: 8,
  frameTimeout: 9,
  handshakeTimeout: 10,
  unsupportedVersion: 11,
  refused: 12,
  handlerFailed: 13,
  maxAge: 14,
  keyRequired: 15,
  memoryExceeded: 16,
} as const;

/** First and last code that an application may use; from the middle on they mean: do not come back. */
export const APPLICATION_CODES: readonly [first: number, final: number, last: number] = [4000, 4500, 4999];

const NAMES: ReadonlyMap<number, ConnectionErrorCode> = /* @__PURE__ */ new Map<number, ConnectionErrorCode>([
  [CloseCode.protocolError, "protocol-error"],
  [CloseCode.tooManyPings, "too-many-pings"],
  [CloseCode.serverFull, "server-full"],
  [CloseCode.superseded, "superseded"],
  [CloseCode.heartbeatForged, "heartbeat-forged"],
  [CloseCode.idleTimeout, "idle-timeout"],
  [CloseCode.tooManyMessages, "too-many-messages"],
  [CloseCode.frameTimeout, "frame-timeout"],
  [CloseCode.handshakeTimeout, "handshake-timeout"],
  [CloseCode.unsupportedVersion, "protocol-error"],
  [CloseCode.refused, "refused"],
  [CloseCode.handlerFailed, "handler-failed"],
  [CloseCode.maxAge, "max-age"],
  [CloseCode.keyRequired, "refused"],
  [CloseCode.memoryExceeded, "memory-exceeded"],
]);

/** The codes after which coming back would end the same way. */
const FINAL: ReadonlySet<number> = /* @__PURE__ */ new Set<number>([
  CloseCode.protocolError,
  CloseCode.superseded,
  CloseCode.heartbeatForged,
  CloseCode.unsupportedVersion,
  CloseCode.refused,
  CloseCode.keyRequired,
]);

/** What a peer's close is called here. An end in order is `closed`, and so is one for a reason that we do not know. */
export function nameOf(code: number): ConnectionErrorCode {
  return NAMES.get(code) ?? "closed";
}

/** What we tell the peer of an end with `name`; `undefined` if it is not to be told, or cannot be. */
export function codeFor(name: ConnectionErrorCode): number | undefined {
  if (name === "closed") return CloseCode.normal;
  for (const [code, other] of NAMES) if (other === name) return code;
  return undefined;
}

/** Whether `code` says that coming back would end the same way. */
export function isFinal(code: number): boolean {
  const [, final, last] = APPLICATION_CODES;
  return FINAL.has(code) || (code >= final && code <= last);
}
