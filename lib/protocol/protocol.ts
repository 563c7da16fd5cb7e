/**
 * The contract of a protocol: bytes become events, messages become bytes.
 *
 * A protocol does no I/O, knows no time and makes no promise (sans-IO), so the same code runs under any
 * transport, in a test and in a fuzzer. {@linkcode Protocol} is the configured whole; it makes one
 * {@linkcode Wire} for each connection, which holds the state of that connection's bytes.
 *
 * @module
 */

import type { Farewell } from "../errors.ts";

export type { Farewell } from "../errors.ts";

/** A wire format. `In` is what arrives, `Out` what is sent. */
export interface Protocol<In, Out = In> {
  /** Short name for messages, as `"raw"`. */
  readonly name: string;
  /**
   * Whether a peer that keeps to the protocol answers a ping. Without that nobody can tell a silent peer from a dead
   * one, so by default none is given up for its silence.
   */
  readonly answersPings: boolean;
  /** Whether both ends greet before anything else. @default {false} */
  readonly greets?: boolean;
  /**
   * The secret that heartbeats are keyed with. Where there is one, only a pong that proves it is a sign of life. The
   * connection computes the proofs, since WebCrypto is asynchronous: see {@linkcode Wire.challenge}.
   */
  readonly key?: Uint8Array | undefined;
  /** Makes a message again of what {@linkcode Wire.encode} made of it. Only for protocols with sessions. */
  readBack?(pieces: readonly Uint8Array[]): Out;
  /** Fills an array with random bytes; for tests. @default {crypto.getRandomValues} */
  readonly fillRandom?: ((bytes: Uint8Array) => void) | undefined;
  /** Starts one connection's state. `role` says who dialled; it matters only to a protocol that greets. */
  open(role?: Role): Wire<In, Out>;
}

/** Which end of a connection we are: the client dialled, the server accepted. */
export type Role = "client" | "server";

/**
 * One connection's bytes.
 *
 * The methods that are absent say what the protocol cannot do: without {@linkcode Wire.ping} it has no probe,
 * without {@linkcode Wire.pong} pings are not answered, without {@linkcode Wire.greet} messages flow at once.
 */
export interface Wire<In, Out = In> {
  /**
   * Bytes of a message that has begun and has not ended. A connection gives such a message a deadline.
   * Always `0` where the protocol has no messages.
   */
  readonly unfinished: number;
  /**
   * Takes a chunk and reports what it holds, in order. The chunk is borrowed: what is kept beyond the
   * call is copied.
   *
   * @returns How many bytes it has taken, if it stopped early since there were {@linkcode WireEvents.enough} of them: the
   * rest is given again in a later turn of the event loop. Nothing for all of them.
   * @throws {ProtocolError} If the peer broke the rules. The connection then ends.
   */
  receive(chunk: Uint8Array, events: WireEvents<In>): number | void;
  /** The peer will send no more: reports what was held back. May throw as {@linkcode receive} does. */
  end(events: WireEvents<In>): void;
  /**
   * The bytes of `message`. They may be the message itself: no copy is made of what need not be. A long message may
   * come in pieces, between which pings and pongs pass.
   *
   * @throws {TypeError | RangeError} If the message cannot be sent by this protocol.
   */
  encode(message: Out): Uint8Array | Pieces;
  /**
   * Writes the bytes of a short message into `space`, from `at` on: those that {@linkcode encode} would give. Saves an array
   * for each message, where that costs more than the rest of sending it.
   *
   * @returns Where they end; -1 if the message is not short, may not be sent, or there is no room: then it is encoded.
   */
  encodeInto?(message: Out, space: Uint8Array, at: number): number;
  /** Bytes that ask the peer for a sign of life. The same array may be given each time. */
  ping?(): Uint8Array;
  /** Bytes that answer a ping. `payload` is what {@linkcode WireEvents.ping} gave, `proof` what a keyed protocol wants. */
  pong?(payload: Uint8Array | undefined, proof?: Uint8Array): Uint8Array;
  /**
   * What the answer to a ping must prove to know the key: by `by` "us" for an answer of ours, by "them" for the peer's.
   * Only where {@linkcode Protocol.key} is set.
   */
  challenge?(payload: Uint8Array, by: "us" | "them"): Uint8Array;
  /**
   * Last bytes before an end: an orderly one, or the one that `farewell` tells of. Nothing may be sent after them. From
   * a protocol that greets a farewell is expected too: an end without one is none in order.
   */
  goodbye?(farewell?: Farewell): Uint8Array;
  /**
   * First bytes, with what we offer. The client's go first, the server's answer what {@linkcode WireEvents.hello} told;
   * before both have passed nothing else may be sent.
   */
  greet?(offer: Offer): Uint8Array;
  /** Bytes that acknowledge the first `count` messages of the session. */
  ack?(count: number): Uint8Array;
  /** Bytes that ask the peer to go elsewhere. */
  drain?(notice: DrainNotice): Uint8Array;
}

/** A message that is sent in pieces. */
export interface Pieces {
  /** Bytes of what {@linkcode next} has still to give. */
  readonly left: number;
  /** The next piece, which the caller owns; `undefined` after the last. */
  next(): Uint8Array | undefined;
}

/** What one end offers the other when they greet. Durations are in milliseconds, `0` for never. */
export interface Offer {
  /** We send something at least this often. */
  readonly sendEvery: number;
  /** We want to hear something at least this often. */
  readonly hearEvery: number;
  /** Pings of yours may not come more often than this. */
  readonly minPingGap: number;
  /** What a client wants of a session, or what a server grants. */
  readonly session?: SessionOffer | undefined;
}

/** What a peer told when it greeted. */
export interface Hello extends Offer {
  /** Largest message that it takes, in bytes. */
  readonly maxMessageBytes: number;
}

/** A session asked for or granted. See `docs/protocol.md`. */
export interface SessionOffer {
  /** From a client: whether it comes back to the session named. From a server: whether that was found. */
  readonly resumed: boolean;
  /** Names the session, and proves the right to it; absent when a client asks for a new one. */
  readonly ticket?: SessionTicket | undefined;
  /** How many messages of the session have been received so far. */
  readonly received: number;
  /** From a server: how long a session is kept without a connection, in milliseconds. */
  readonly window: number;
}

/** Names a session, and proves the right to it. */
export interface SessionTicket {
  /** 8 bytes by which the server finds the session. */
  readonly id: Uint8Array;
  /** 16 random bytes that nobody else knows. */
  readonly secret: Uint8Array;
}

/** Says that an end will come. */
export interface DrainNotice {
  /** The connection is ended this many milliseconds from now, at the latest. */
  readonly within: number;
  /** Come back after this many milliseconds; `0` for at once. */
  readonly retryAfter: number;
  /** Where to go, as `host:port` or `unix:path`; empty for the same place. At most 255 bytes as UTF-8. */
  readonly to: string;
}

/** What a chunk held. */
export interface WireEvents<In> {
  /**
   * Asked after each event: whether the wire should stop, since others want a turn. A wire that does not ask hands over
   * all of a chunk, however many messages it holds.
   */
  readonly enough?: boolean;
  /**
   * A message. If it is a `Uint8Array` it may be borrowed, as the chunk is.
   *
   * @param size Bytes that it counts for in the bound of the inbound buffer.
   */
  message(message: In, size: number): void;
  /** A ping, which wants an answer if the protocol has one. */
  ping(payload?: Uint8Array): void;
  /**
   * An answer to a ping. A pong that answers none of ours proves nothing.
   *
   * @param asked `false` if the protocol knows that it answers none of ours.
   * @param proof What a keyed protocol brings as proof, to be checked against {@linkcode Wire.challenge}.
   */
  pong(payload?: Uint8Array, asked?: boolean, proof?: Uint8Array): void;
  /** The peer greets. This and what follows is only for protocols that greet. */
  hello?(hello: Hello): void;
  /** The peer has received the first `count` messages of the session. */
  acked?(count: number): void;
  /** The peer wants us to go elsewhere. */
  draining?(notice: DrainNotice): void;
  /** The peer ends, and says why. It sends nothing more. */
  farewell?(farewell: Farewell): void;
}
