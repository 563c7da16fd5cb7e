/**
 * The hello of the frame protocol, by which both ends agree.
 *
 * @module
 */

import { ProtocolError } from "../../errors.ts";
import type { Hello, Offer, Role, SessionOffer } from "../protocol.ts";
import {
  frame,
  HEADER_BYTES,
  PREAMBLE,
  putUint32,
  putUint64,
  RANDOM_BYTES,
  TICKET_ID_BYTES,
  TICKET_SECRET_BYTES,
  Type,
  uint32,
  uint64,
  wireDuration,
} from "./layout.ts";

const KEYED = 1;
const SESSION = 2;
const RESUMED = 1;

/** Bytes before the session, of a ticket, and of what stands behind it. */
const FIXED_BYTES = 1 + RANDOM_BYTES + 4 * 4;
const TICKET_BYTES = TICKET_ID_BYTES + TICKET_SECRET_BYTES;
const NEW_BYTES = 1;
const RESUME_BYTES = 1 + TICKET_BYTES + 8;
const GRANT_BYTES = RESUME_BYTES + 4;

/** Longest payload of a hello. */
export const MAX_HELLO_BYTES: number = FIXED_BYTES + GRANT_BYTES;

/** What a hello says besides what the connection wants to know. */
export interface FullHello extends Hello {
  readonly keyed: boolean;
  /** This end's share of the name of the connection. */
  readonly random: Uint8Array;
}

/** What of a hello is the protocol's own matter. */
export type HelloTraits = Pick<FullHello, "keyed" | "random" | "maxMessageBytes">;

/** The first bytes of `role`: the preamble and the hello. */
export function encodeHello(
  role: Role,
  offer: Offer,
  { keyed, random, maxMessageBytes }: HelloTraits,
): Uint8Array {
  const { session } = offer;
  const size = session === undefined
    ? 0
    : role === "server"
    ? GRANT_BYTES
    : session.ticket === undefined
    ? NEW_BYTES
    : RESUME_BYTES;
  const bytes = new Uint8Array(PREAMBLE.length + HEADER_BYTES + FIXED_BYTES + size);
  bytes.set(PREAMBLE);
  bytes.set(frame(Type.hello, 0, FIXED_BYTES + size).subarray(0, HEADER_BYTES), PREAMBLE.length);
  const payload = bytes.subarray(PREAMBLE.length + HEADER_BYTES);
  payload[0] = (keyed ? KEYED : 0) | (session === undefined ? 0 : SESSION);
  payload.set(random, 1);
  let at = 1 + RANDOM_BYTES;
  for (
    const value of [
      wireDuration(offer.sendEvery),
      wireDuration(offer.hearEvery),
      wireDuration(offer.minPingGap),
      Math.min(maxMessageBytes, 2 ** 32 - 1),
    ]
  ) {
    putUint32(payload, at, value);
    at += 4;
  }
  if (session !== undefined) encodeSession(payload.subarray(at), session);
  return bytes;
}

function encodeSession(bytes: Uint8Array, { resumed, ticket, received, window }: SessionOffer): void {
  bytes[0] = resumed ? RESUMED : 0;
  if (bytes.length === NEW_BYTES) return;
  bytes.set(ticket!.id, 1);
  bytes.set(ticket!.secret, 1 + TICKET_ID_BYTES);
  putUint64(bytes, 1 + TICKET_BYTES, received);
  if (bytes.length === GRANT_BYTES) putUint32(bytes, RESUME_BYTES, wireDuration(window));
}

/**
 * Reads the payload of a hello that `role` sent. What it returns is the caller's own.
 *
 * @throws {ProtocolError} If it is not what it must be.
 */
export function decodeHello(role: Role, payload: Uint8Array): FullHello {
  const flags = payload[0] ?? 0;
  if ((flags & ~(KEYED | SESSION)) !== 0) {
    throw new ProtocolError(`Reserved bits of a hello must be 0: flags are ${flags}`);
  }
  const rest = payload.length - FIXED_BYTES;
  const withSession = (flags & SESSION) !== 0;
  const session = withSession && rest > 0 ? decodeSession(role, payload.slice(FIXED_BYTES)) : undefined;
  if (withSession !== (session !== undefined) || (!withSession && rest !== 0)) {
    throw new ProtocolError(`A hello must be as long as its flags say: it has ${payload.length} bytes`);
  }
  const at = 1 + RANDOM_BYTES;
  return {
    keyed: (flags & KEYED) !== 0,
    random: payload.slice(1, at),
    sendEvery: uint32(payload, at),
    hearEvery: uint32(payload, at + 4),
    minPingGap: uint32(payload, at + 8),
    maxMessageBytes: uint32(payload, at + 12),
    session,
  };
}

/** Reads what a hello says of a session; `undefined` if its length is none that it may have. */
function decodeSession(role: Role, bytes: Uint8Array): SessionOffer | undefined {
  const kind = bytes[0]!;
  if (kind > RESUMED) throw new ProtocolError(`The kind of a session must be 0 or 1: it is ${kind}`);
  const resumed = kind === RESUMED;
  const length = role === "server" ? GRANT_BYTES : resumed ? RESUME_BYTES : NEW_BYTES;
  if (bytes.length !== length) return undefined;
  if (length === NEW_BYTES) return { resumed, received: 0, window: 0 };
  const received = uint64(bytes, 1 + TICKET_BYTES);
  if (received === Infinity) throw new ProtocolError("A count of messages must be below 2^53: it is not");
  if (role === "server" && !resumed && received > 0) {
    throw new ProtocolError(`Of a new session nothing can have been received: ${received} is told`);
  }
  return {
    resumed,
    ticket: {
      id: bytes.slice(1, 1 + TICKET_ID_BYTES),
      secret: bytes.slice(1 + TICKET_ID_BYTES, 1 + TICKET_BYTES),
    },
    received,
    window: length === GRANT_BYTES ? uint32(bytes, RESUME_BYTES) : 0,
  };
}
