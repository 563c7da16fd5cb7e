/**
 * Protocols of packets: each tells at its beginning how long it is. What all of them need is here, so that one of them
 * takes some thirty lines.
 *
 * @module
 */

import { ProtocolError } from "../errors.ts";
import { count } from "../checked.ts";
import { CloseCode } from "./close_codes.ts";
import type { Protocol, Role, Wire, WireEvents } from "./protocol.ts";

/** Options for {@linkcode packets}: a {@linkcode Protocol} whose wire knows packets only. */
export interface PacketsOptions<In, Out = In> extends Omit<Protocol<In, Out>, "open"> {
  /** Longest packet in bytes, its header included. @default {1_048_576} */
  readonly maxPacketBytes?: number;
  /** Starts one connection's state. */
  open(role?: Role): PacketWire<In, Out>;
}

/** One connection's packets. What is not told here is as in {@linkcode Wire}. */
export interface PacketWire<In, Out = In>
  extends Omit<Wire<In, Out>, "unfinished" | "receive" | "end" | "encodeInto"> {
  /**
   * How many bytes the first packet of `bytes` has, as far as can be told. If that is more than there are, it is asked again
   * when so many have come: say one more than there are while nothing is known, and it is asked once for each chunk. `bytes`
   * are borrowed, and never empty.
   *
   * @throws {ProtocolError} If this is no packet.
   */
  sizeOf(bytes: Uint8Array): number;
  /**
   * Reports what a whole packet holds. It is borrowed, as are messages that refer to it: what is kept beyond the call is
   * copied.
   *
   * @throws {ProtocolError} If the peer broke the rules.
   */
  packet(packet: Uint8Array, events: WireEvents<In>): void;
  /**
   * The peer will send no more; a packet that has begun is an error already.
   *
   * @default After our goodbye that is the answer to it, an end in order; before it there is nothing to report.
   */
  end?(events: WireEvents<In>): void;
}

const NOTHING = /* @__PURE__ */ new Uint8Array(0);

/**
 * A protocol of packets. It joins what comes in pieces, bounds it, and lets others have a turn amid many packets. One that is
 * too long, or cut off by the end, ends the connection with `protocol-error`.
 *
 * @throws {RangeError} If an option is not what it may be.
 *
 * @example Packets that begin with their length
 * ```ts
 * import { connect, packets, serve } from "@holdfast/holdfast";
 * import { deepStrictEqual } from "node:assert/strict";
 *
 * const protocol = packets<Uint8Array>({
 *   name: "short packets",
 *   answersPings: false,
 *   open: () => ({
 *     sizeOf: (bytes) => 1 + bytes[0]!,
 *     packet: (bytes, events) => events.message(bytes.subarray(1), bytes.length),
 *     encode: (message) => Uint8Array.of(message.length, ...message),
 *   }),
 * });
 *
 * await using server = await serve({ port: 0, protocol }, (connection) => {
 *   connection.onMessage = (message) => connection.send(message.slice().reverse());
 * });
 * await using connection = await connect(server.address, { protocol });
 * await connection.send(Uint8Array.of(1, 2, 3));
 * for await (const message of connection) {
 *   deepStrictEqual([...message], [3, 2, 1]);
 *   break;
 * }
 * ```
 */
export function packets<In, Out = In>(options: PacketsOptions<In, Out>): Protocol<In, Out> {
  const { maxPacketBytes = 1 << 20, open, ...protocol } = options;
  const most = count("use packets", "maxPacketBytes", maxPacketBytes);
  return { ...protocol, open: (role) => wireOf(open(role), most) };
}

/** Makes a wire of what knows packets only. What is optional is there only where it was. */
function wireOf<In, Out>(inner: PacketWire<In, Out>, most: number): Wire<In, Out> {
  const packets = new Packets(inner, most);
  return {
    get unfinished() {
      return packets.unfinished;
    },
    receive: (chunk, events) => packets.receive(chunk, events),
    end: (events) => packets.end(events),
    encode: (message) => inner.encode(message),
    ...(inner.ping && { ping: () => inner.ping!() }),
    ...(inner.pong && { pong: (payload, proof) => inner.pong!(payload, proof) }),
    ...(inner.challenge && { challenge: (payload, by) => inner.challenge!(payload, by) }),
    ...(inner.goodbye && {
      goodbye(farewell) {
        packets.parted = true;
        return inner.goodbye!(farewell);
      },
    }),
    ...(inner.greet && { greet: (offer) => inner.greet!(offer) }),
    ...(inner.ack && { ack: (count) => inner.ack!(count) }),
    ...(inner.drain && { drain: (notice) => inner.drain!(notice) }),
  };
}

/** Cuts chunks into packets. */
class Packets<In, Out> {
  readonly #wire: PacketWire<In, Out>;
  readonly #most: number;
  /** What has come of a packet that is not whole, at the front; and how many bytes it needs to be looked at again. */
  #space: Uint8Array = NOTHING;
  #length = 0;
  #needs = 0;
  /** We have said goodbye. */
  parted = false;

  constructor(wire: PacketWire<In, Out>, most: number) {
    this.#wire = wire;
    this.#most = most;
  }

  get unfinished(): number {
    return this.#length;
  }

  receive(chunk: Uint8Array, events: WireEvents<In>): number | void {
    const { length } = chunk;
    let at = 0;
    while (at < length) {
      if (this.#length > 0) at = this.#goOn(chunk, at, events);
      else {
        const rest = at === 0 ? chunk : chunk.subarray(at);
        const size = this.#sizeOf(rest);
        if (size > rest.length) {
          this.#needs = size;
          at = this.#add(chunk, at);
          continue;
        }
        this.#wire.packet(rest.subarray(0, size), events);
        at += size;
      }
      if (this.#length === 0 && events.enough === true) return at;
    }
  }

  end(events: WireEvents<In>): void {
    if (this.#length > 0) {
      throw new ProtocolError(
        `The stream must not end amid a packet: ${this.#length} bytes of one have come`,
      );
    }
    if (this.#wire.end !== undefined) this.#wire.end(events);
    else if (this.parted) events.farewell?.({ code: CloseCode.normal, text: "", retryAfter: 0 });
  }

  /** Adds to the packet that has begun, and looks at it if that is enough. Returns where in the chunk the next one may be. */
  #goOn(chunk: Uint8Array, at: number, events: WireEvents<In>): number {
    const next = this.#add(chunk, at), told = this.#needs;
    if (this.#length < told) return next;
    const bytes = this.#space.subarray(0, this.#length), size = this.#needs = this.#sizeOf(bytes);
    if (size < told) {
      throw new RangeError(
        `Cannot read a packet as its size must be told alike each time: it is ${size}, after >= ${told}`,
      );
    }
    if (size > bytes.length) return next;
    this.#length = 0;
    this.#space = NOTHING;
    this.#wire.packet(bytes.subarray(0, size), events);
    return next - (bytes.length - size);
  }

  /** Copies what the packet needs, or what there is of it. Returns where in the chunk that ends. */
  #add(chunk: Uint8Array, at: number): number {
    // Who asks for one byte more may not know how many it needs. It is shown all that has come: byte by byte it would look at
    // a long packet once for each of its bytes.
    const all = this.#length + chunk.length - at, blind = this.#needs === this.#length + 1;
    const total = blind ? all : Math.min(this.#needs, all), end = at + total - this.#length;
    if (total > this.#space.length) {
      // Twice what has come, and no more than is needed: whoever announces much and sends little takes little memory.
      const grown = new Uint8Array(Math.min(Math.max(this.#needs, total), 2 * total));
      grown.set(this.#space.subarray(0, this.#length));
      this.#space = grown;
    }
    this.#space.set(chunk.subarray(at, end), this.#length);
    this.#length = total;
    return end;
  }

  #sizeOf(bytes: Uint8Array): number {
    const size = this.#wire.sizeOf(bytes);
    if (!(Number.isSafeInteger(size) && size > 0)) {
      throw new RangeError(`Cannot read a packet as its size must be a whole number > 0: it is ${size}`);
    }
    if (size > this.#most) {
      throw new ProtocolError(`A packet must be <= ${this.#most} bytes: one has ${size}`);
    }
    return size;
  }
}
