/**
 * Bytes on their way out: the small ones of a turn as one write, long messages piece by piece, so that what is urgent
 * passes between the pieces.
 *
 * @module
 */

import type { Pieces, Wire } from "../protocol/protocol.ts";
import type { Socket } from "../transport/transport.ts";
import { encoded, outgoing } from "./encoded.ts";
import { type BatchOwner, isReceiving, TurnBatch } from "./turn_batch.ts";

/** Bytes that may wait in the socket before the next piece is given to it. */
const AHEAD = 64 * 1024;

/** What an {@linkcode Outlet} needs from the connection it belongs to. */
export interface OutletOwner {
  /** Something urgent is due, or on its way to the kernel: no piece may go before it. */
  readonly urgent: boolean;
  /** Bytes wait in the socket. */
  waiting(): void;
  /** What was handed to the socket is with the kernel. */
  sent(): void;
}

/** The sending side of one connection. */
export class Outlet implements BatchOwner {
  readonly #socket: Socket;
  readonly #owner: OutletOwner;
  readonly #batch: TurnBatch = new TurnBatch(this);
  /** A message in pieces, and what came after it, from `#head` on. */
  #queue: (Uint8Array | Pieces)[] = NOTHING;
  #head = 0;
  #queued = 0;
  #finishing = false;
  #pumping = false;

  constructor(socket: Socket, owner: OutletOwner) {
    this.#socket = socket;
    this.#owner = owner;
  }

  /** Bytes taken and not yet with the kernel. */
  get bytes(): number {
    return this.unsent + this.#queued;
  }

  /** Bytes that something urgent would have to wait for. */
  get unsent(): number {
    return this.#batch.bytes + this.#socket.bufferedAmount;
  }

  /** Whether something was written in this turn that the socket does not have yet. */
  get collecting(): boolean {
    return this.#batch.bytes > 0;
  }

  /** Whether some of what was taken has not been given to the socket yet. */
  get queued(): boolean {
    return this.#queued > 0;
  }

  /** Sends a message, after those before it. Returns its size. For `more` see {@linkcode TurnBatch.write}. */
  send(message: Uint8Array | Pieces, more = false): number {
    if (message instanceof Uint8Array && this.#queued === 0) {
      this.#batch.write(message, more);
      return message.length;
    }
    const size = message instanceof Uint8Array ? message.length : message.left;
    if (this.#queue === NOTHING) this.#queue = [];
    this.#queue.push(message);
    this.#queued += size;
    this.pump();
    // What waits longer than the call may be of a chunk that is only lent.
    if (this.#queued > 0 && isReceiving()) this.#own();
    return size;
  }

  /** Sends a short message, if the wire can write it into memory that is there already. Returns its size; -1 if not. */
  put<Out>(wire: Wire<unknown, Out>, message: Out, more: boolean): number {
    // Not while the peer does not read: that memory is not for what may wait.
    return this.#queued > 0 || this.#socket.bufferedAmount > 0 ? -1 : this.#batch.put(wire, message, more);
  }

  /** Call this after {@linkcode put}. */
  settle(): void {
    this.#batch.settle();
  }

  /** Sends what is not a message, and need not wait for one to end. */
  write(bytes: Uint8Array): void {
    this.#batch.write(bytes);
  }

  /** As {@linkcode write}, and gives all that was written in this turn to the socket now. */
  writeOut(bytes: Uint8Array): void {
    this.#batch.writeOut(bytes);
  }

  /** Gives what was written in this turn to the socket now. */
  flush(): void {
    this.#batch.flush();
  }

  /** Gives the socket the next pieces, as long as it takes them and nothing is more urgent. */
  pump(): void {
    if (this.#queued === 0 || this.#pumping) return;
    this.#pumping = true;
    while (this.#queued > 0 && !(this.#owner.urgent ? this.unsent > 0 : this.unsent >= AHEAD)) this.#next();
    this.#pumping = false;
    if (this.#queued === 0 && this.#finishing) this.#shut();
  }

  /** Sends `goodbye` after everything else, and then FIN. */
  finish(goodbye: Uint8Array | undefined): void {
    if (this.#finishing) return;
    this.#finishing = true;
    if (goodbye !== undefined && goodbye.length > 0) this.send(goodbye);
    if (this.#queued === 0) this.#shut();
  }

  /** Drops everything that the socket does not have yet. */
  clear(): void {
    this.#batch.clear();
    this.#queue = NOTHING;
    this.#head = this.#queued = 0;
  }

  hand(bytes: Uint8Array): void {
    if (this.#socket.write(bytes)) this.#owner.sent();
    else this.#owner.waiting();
  }

  #next(): void {
    const first = this.#queue[this.#head]!;
    const piece = first instanceof Uint8Array ? first : first.next()!;
    if (first instanceof Uint8Array || first.left === 0) this.#queue[this.#head++] = EMPTY;
    this.#queued -= piece.length;
    if (this.#head === this.#queue.length) {
      this.#queue = NOTHING;
      this.#head = 0;
    } else if (this.#head >= 1024 && this.#head * 2 >= this.#queue.length) {
      this.#queue.splice(0, this.#head);
      this.#head = 0;
    }
    this.#batch.writeOut(piece);
  }

  /** Has the newest message wait in memory of its own. */
  #own(): void {
    const last = this.#queue.length - 1, message = this.#queue[last]!;
    this.#queue[last] = message instanceof Uint8Array ? new Uint8Array(message) : outgoing(encoded(message));
  }

  #shut(): void {
    this.#batch.flush();
    this.#socket.shutdown();
  }
}

/** The queue of a connection that has none, as most have: one for all. */
const NOTHING: (Uint8Array | Pieces)[] = [];
const EMPTY = /* @__PURE__ */ new Uint8Array(0);
