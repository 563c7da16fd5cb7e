/**
 * One connection's frames.
 *
 * @module
 */

import { ProtocolError } from "../../errors.ts";
import type { DrainNotice, Farewell, Offer, Pieces, Role, Wire, WireEvents } from "../protocol.ts";
import { CloseCode } from "../close_codes.ts";
import { decodeHello, encodeHello, type FullHello, MAX_HELLO_BYTES } from "./hello.ts";
import {
  frame,
  HEADER_BYTES,
  MAX_PAYLOAD,
  MAX_TEXT_BYTES,
  MORE,
  NONCE_BYTES,
  PREAMBLE,
  PROOF_BYTES,
  putHeader,
  RANDOM_BYTES,
  TEXT,
  Type,
  uint32,
  uint64,
} from "./layout.ts";
import { ackFrame, challengeOf, closeFrame, drainFrame, pingFrame, pongFrame } from "./control.ts";
import { Nonces } from "./nonces.ts";
import { Assembly, MessagePieces } from "./pieces.ts";
import { decoded, strange } from "./text.ts";

/** {@linkcode FramesOptions} with nothing left open. */
export interface FramesRules {
  readonly maxMessageBytes: number;
  readonly pieceBytes: number;
  readonly key: Uint8Array | undefined;
  readonly fillRandom: (bytes: Uint8Array) => void;
}

type Message = Uint8Array | string;

/** Longest message that is copied into memory which others share: for longer ones an array of their own costs little. */
const MAX_SHORT = 1024;
const encoder = /* @__PURE__ */ new TextEncoder();

/** Longest payload of each type of frame, and the shortest, by its number. Type 0 is none. */
const LONGEST = [
  -1,
  MAX_HELLO_BYTES,
  MAX_PAYLOAD,
  NONCE_BYTES,
  NONCE_BYTES + PROOF_BYTES,
  8,
  8 + MAX_TEXT_BYTES,
  6 + MAX_TEXT_BYTES,
];
const SHORTEST = [0, 33, 0, NONCE_BYTES, NONCE_BYTES, 8, 8, 6];

/** See {@linkcode frames}. */
export class FramesWire implements Wire<Message> {
  readonly #role: Role;
  readonly #rules: FramesRules;
  readonly #random = new Uint8Array(RANDOM_BYTES);
  readonly #nonces = new Nonces();
  readonly #assembly: Assembly;
  /** Bytes of the peer's preamble that have come. */
  #preamble = 0;
  #otherVersion = false;
  /** The frame that is coming: its first byte and the length of its payload, or how much of its header has come. */
  #first = 0;
  #size = 0;
  #headed = 0;
  /** What has come of the payload of a frame that is no data, at the front. */
  #control = new Uint8Array(0);
  #had = 0;
  /** A message has begun: the flags of its first piece. */
  #begun = -1;
  #peer: FullHello | undefined;
  #greeted = false;
  #done = false;
  /** What a mistake of the peer is called, if it has a code of its own. */
  #verdict: number | undefined;

  constructor(role: Role, rules: FramesRules) {
    this.#role = role;
    this.#rules = rules;
    this.#assembly = new Assembly(rules.maxMessageBytes);
  }

  get unfinished(): number {
    // A close may come amid a message, which then has no end.
    if (this.#done) return 0;
    const control = this.#first >> 4 === Type.data ? 0 : this.#had;
    const partial = this.#headed + control + (this.#preamble < PREAMBLE.length ? this.#preamble : 0);
    return this.#assembly.length + partial + (this.#begun >= 0 ? 1 : 0);
  }

  receive(chunk: Uint8Array, events: WireEvents<Message>): number | void {
    let at = this.#preamble === PREAMBLE.length ? 0 : this.#checkPreamble(chunk);
    // Once, and not for each frame, as `subarray()` would: on V8 to ask for the buffer is a call.
    const { length, buffer, byteOffset } = chunk;
    while (at < length) {
      if (this.#headed < HEADER_BYTES) {
        if (this.#headed === 0 && length - at >= HEADER_BYTES) {
          this.#first = chunk[at]!;
          this.#size = chunk[at + 1]! << 8 | chunk[at + 2]!;
          at += HEADER_BYTES;
        } else {
          if (this.#headed === 0) this.#first = chunk[at]!;
          else this.#size = this.#headed === 1 ? chunk[at]! << 8 : this.#size | chunk[at]!;
          at++;
          if (++this.#headed < HEADER_BYTES) continue;
        }
        this.#headed = HEADER_BYTES;
        this.#had = 0;
        this.#begin();
      }
      const end = Math.min(length, at + this.#size - this.#had);
      const part = new Uint8Array(buffer, byteOffset + at, end - at);
      if (this.#had === 0 && end - at === this.#size) this.#whole(part, events);
      else this.#part(part, events);
      at = end;
      if (events.enough === true) return at;
    }
  }

  end(_events: WireEvents<Message>): void {
    // A stream that ends without a close was cut, wherever that was, and its session lives on: no rule was broken.
  }

  encode(message: Message): Uint8Array | Pieces {
    const text = typeof message === "string";
    if (!text && !(message instanceof Uint8Array)) {
      throw new TypeError(
        `Cannot send as a message must be a Uint8Array or a string: current value is ${message}`,
      );
    }
    const payload = text ? encoder.encode(message) : message, { length } = payload;
    const limit = this.#peer?.maxMessageBytes ?? Infinity;
    if (length > limit) {
      throw new RangeError(
        `Cannot send as the peer takes messages of <= ${limit} bytes: current length is ${length}`,
      );
    }
    const flags = text ? TEXT : 0;
    if (length > MAX_PAYLOAD) return new MessagePieces(payload, flags, this.#rules.pieceBytes);
    const bytes = frame(Type.data, flags, length);
    bytes.set(payload, HEADER_BYTES);
    return bytes;
  }

  encodeInto(message: Message, space: Uint8Array, at: number): number {
    if (!(message instanceof Uint8Array)) return -1;
    const { length } = message, from = at + HEADER_BYTES, end = from + length;
    if (length > MAX_SHORT || end > space.length || length > (this.#peer?.maxMessageBytes ?? Infinity)) {
      return -1;
    }
    putHeader(space, at, Type.data, 0, length);
    space.set(message, from);
    return end;
  }

  greet(offer: Offer): Uint8Array {
    this.#greeted = true;
    const { key, maxMessageBytes, fillRandom } = this.#rules;
    fillRandom(this.#random);
    return encodeHello(this.#role, offer, {
      keyed: key !== undefined,
      random: this.#random,
      maxMessageBytes,
    });
  }

  ping(): Uint8Array {
    const nonce = new Uint8Array(NONCE_BYTES);
    this.#rules.fillRandom(nonce);
    this.#nonces.add(nonce);
    return pingFrame(nonce);
  }

  pong(payload: Uint8Array | undefined, proof?: Uint8Array): Uint8Array {
    return pongFrame(payload!, proof);
  }

  challenge(payload: Uint8Array, by: "us" | "them"): Uint8Array {
    const ours = this.#random, theirs = this.#peer!.random;
    const them = otherThan(this.#role);
    return this.#role === "client"
      ? challengeOf(by === "us" ? this.#role : them, ours, theirs, payload)
      : challengeOf(by === "us" ? this.#role : them, theirs, ours, payload);
  }

  ack(count: number): Uint8Array {
    return ackFrame(count);
  }

  drain(notice: DrainNotice): Uint8Array {
    return drainFrame(notice);
  }

  goodbye(farewell: Farewell = { code: CloseCode.normal, text: "", retryAfter: 0 }): Uint8Array {
    // Who has not shown that it speaks this is not spoken to.
    if (!this.#greeted && this.#preamble < PREAMBLE.length - 1) return new Uint8Array(0);
    const code = this.#verdict ?? (this.#otherVersion ? CloseCode.unsupportedVersion : farewell.code);
    const bytes = closeFrame({ ...farewell, code });
    if (this.#greeted) return bytes;
    // A peer that has had no hello of ours would not know what this is.
    const both = new Uint8Array(PREAMBLE.length + bytes.length);
    both.set(PREAMBLE);
    both.set(bytes, PREAMBLE.length);
    return both;
  }

  /** Checks what has come of the preamble. Returns where in the chunk it ends. */
  #checkPreamble(chunk: Uint8Array): number {
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at]!;
      if (byte !== PREAMBLE[this.#preamble]) {
        this.#otherVersion = this.#preamble === PREAMBLE.length - 1;
        throw strange(chunk, this.#preamble, byte);
      }
      if (++this.#preamble === PREAMBLE.length) return at + 1;
    }
    return chunk.length;
  }

  /** A header has come: checks all that it says, before anything is kept of what follows. */
  #begin(): void {
    const type = this.#first >> 4, flags = this.#first & 15, size = this.#size;
    const longest = LONGEST[type] ?? -1;
    if (longest < 0) throw new ProtocolError(`A frame must have a type from 1 to 7: it is ${type}`);
    if (type === Type.data ? flags > (TEXT | MORE) : flags !== 0) {
      throw new ProtocolError(`Reserved flags of a frame must be 0: type ${type} has ${flags}`);
    }
    if (size > longest || size < SHORTEST[type]!) {
      throw new ProtocolError(
        `A frame of type ${type} must have ${SHORTEST[type]} to ${longest} bytes: it has ${size}`,
      );
    }
    this.#checkOrder(type);
    if (type === Type.data) this.#beginData(flags, size);
    else if (type === Type.pong) this.#beginPong(size);
  }

  #checkOrder(type: number): void {
    if (this.#done) throw new ProtocolError(`Nothing must follow a close: a frame of type ${type} does`);
    if (type === Type.close) return;
    if ((this.#peer === undefined) !== (type === Type.hello)) {
      throw new ProtocolError(
        type === Type.hello
          ? "A hello must come once: there is a second"
          : `A hello must come first: type ${type} does`,
      );
    }
    if (type !== Type.hello && !this.#greeted) {
      throw new ProtocolError(`A client must wait for the server's hello: type ${type} came before it`);
    }
  }

  #beginData(flags: number, size: number): void {
    if ((flags & MORE) !== 0 && size === 0) {
      throw new ProtocolError("A piece that is not the last must not be empty");
    }
    if (this.#begun >= 0 && (this.#begun & TEXT) !== (flags & TEXT)) {
      throw new ProtocolError("All pieces of a message must be of one kind, text or bytes: these differ");
    }
    this.#assembly.check(size);
  }

  #beginPong(size: number): void {
    const keyed = this.#rules.key !== undefined;
    if (size === NONCE_BYTES + (keyed ? PROOF_BYTES : 0)) return;
    throw new ProtocolError(`A pong must ${keyed ? "" : "not "}bring a proof: it has ${size} bytes`);
  }

  /** The payload of a frame has come in one. */
  #whole(payload: Uint8Array, events: WireEvents<Message>): void {
    this.#headed = 0;
    const type = this.#first >> 4;
    if (type !== Type.data) return this.#do(type, payload, events);
    if (this.#begun < 0 && (this.#first & MORE) === 0) {
      return this.#message(payload, this.#first & TEXT, events);
    }
    this.#assembly.push(payload);
    this.#piece(events);
  }

  /** A part of a payload has come. */
  #part(part: Uint8Array, events: WireEvents<Message>): void {
    const type = this.#first >> 4;
    if (type === Type.data) this.#assembly.push(part);
    else {
      if (this.#had === 0) this.#control = new Uint8Array(this.#size);
      this.#control.set(part, this.#had);
    }
    this.#had += part.length;
    if (this.#had < this.#size) return;
    this.#headed = this.#had = 0;
    if (type === Type.data) return this.#piece(events);
    const payload = this.#control;
    this.#control = new Uint8Array(0);
    this.#do(type, payload, events);
  }

  /** A piece is whole. */
  #piece(events: WireEvents<Message>): void {
    if ((this.#first & MORE) !== 0) {
      this.#begun = this.#first & TEXT;
      return;
    }
    this.#begun = -1;
    this.#message(this.#assembly.take(), this.#first & TEXT, events);
  }

  #message(payload: Uint8Array, text: number, events: WireEvents<Message>): void {
    // An empty message takes room too.
    const size = payload.length + HEADER_BYTES;
    if (text === 0) return events.message(payload, size);
    events.message(decoded(payload, "A text message"), size);
  }

  #do(type: number, payload: Uint8Array, events: WireEvents<Message>): void {
    switch (type) {
      case Type.hello: {
        const hello = decodeHello(otherThan(this.#role), payload);
        this.#peer = hello;
        if (hello.keyed !== (this.#rules.key !== undefined)) {
          this.#verdict = CloseCode.keyRequired;
          throw new ProtocolError(
            `Both ends must be keyed or neither: only ${hello.keyed ? "the peer" : "this end"} is`,
          );
        }
        return events.hello?.(hello);
      }
      case Type.ping:
        // A copy: the answer may have to wait for its proof.
        return events.ping(payload.slice());
      case Type.pong:
        return this.#pong(payload, events);
      case Type.ack: {
        const count = uint64(payload, 0);
        if (count === Infinity) throw new ProtocolError("A count of messages must be below 2^53: it is not");
        return events.acked?.(count);
      }
      case Type.drain:
        return events.draining?.({
          within: uint32(payload, 0),
          retryAfter: uint32(payload, 4),
          to: decoded(payload.subarray(8), "The place to go to"),
        });
      default:
        this.#done = true;
        return events.farewell?.({
          code: payload[0]! << 8 | payload[1]!,
          retryAfter: uint32(payload, 2),
          text: decoded(payload.subarray(6), "The text of a close"),
        });
    }
  }

  #pong(payload: Uint8Array, events: WireEvents<Message>): void {
    const nonce = payload.slice(0, NONCE_BYTES);
    const proof = this.#rules.key === undefined ? undefined : payload.slice(NONCE_BYTES);
    events.pong(nonce, this.#nonces.take(nonce), proof);
  }
}

function otherThan(role: Role): Role {
  return role === "client" ? "server" : "client";
}
