/**
 * One end of a connection within a memory network, with a kernel of its own: bounded buffers, FIN and RST.
 *
 * It is as unkind as the contract allows: a chunk that was lent to a handler and not kept is overwritten after the
 * call, so that a test sees who held on to it.
 *
 * @module
 */

import { socketError } from "./failure.ts";
import { lend, owned } from "./lent.ts";
import type { Lane } from "./memory_link.ts";
import type { Schedule } from "./memory_schedule.ts";
import { checkTcpKeepAlive } from "./options.ts";
import type { Address, Socket, SocketHandler, TcpKeepAlive, Transport } from "./transport.ts";

/** Largest chunk that is delivered. */
const CHUNK = 64 * 1024;
/** What lent bytes become. */
const SPENT = 0xdb;

/** What the ends of one network share. */
export interface Kernel {
  readonly transport: Transport;
  readonly schedule: Schedule;
  /** Bytes on their way or unread, per direction, before a sender is held back. */
  readonly bufferBytes: number;
  /** How many of `available` bytes the next chunk has. */
  readonly split: (available: number) => number;
}

/** One end of a connection. */
export class MemorySocket implements Socket {
  readonly localAddress: Address;
  readonly remoteAddress: Address;
  /** The other end. */
  peer!: MemorySocket;
  readonly #kernel: Kernel;
  /** The way to {@linkcode peer}. */
  readonly #lane: Lane;
  readonly #freed: () => void;
  #handler: SocketHandler | undefined;
  #paused = false;
  #delivering = false;

  /** What waits for the kernel. */
  #queue: Uint8Array[] = [];
  #queued = 0;
  /** Bytes with the kernel that the peer has not read. */
  #inFlight = 0;
  #ending = false;
  #finSent = false;
  #owesWritten = false;

  /** What arrived and was not read. */
  #unread: Uint8Array[] = [];
  #unreadBytes = 0;
  #finArrived = false;
  #endTold = false;

  #gone = false;
  #closed = false;
  #error: Error | undefined;

  /** `freed` is called once this end is gone. */
  constructor(kernel: Kernel, local: Address, remote: Address, lane: Lane, freed: () => void) {
    this.#kernel = kernel;
    this.localAddress = local;
    this.remoteAddress = remote;
    this.#lane = lane;
    this.#freed = freed;
  }

  get bufferedAmount(): number {
    return this.#queued;
  }

  start(handler: SocketHandler): void {
    if (this.#handler !== undefined) throw new TypeError("Cannot start a socket twice");
    this.#handler = handler;
    if (this.#closed) return this.#kernel.schedule.soon(() => handler.close(this.#error));
    if (this.#owesWritten) this.#kernel.schedule.soon(() => this.#gone || handler.written());
    this.#deliverSoon();
  }

  write(bytes: Uint8Array): boolean {
    if (this.#ending || this.#gone) return true;
    if (bytes.length > 0) {
      this.#queue.push(owned(bytes));
      this.#queued += bytes.length;
      this.#pump();
    }
    return this.#queued === 0;
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#deliverSoon();
  }

  shutdown(): void {
    if (this.#ending || this.#gone) return;
    this.#ending = true;
    this.#pump();
  }

  abort(): void {
    if (this.#gone) return;
    this.#sendReset();
    this.#leave(undefined);
  }

  setNoDelay(_on: boolean): void {}

  setTcpKeepAlive(setting: TcpKeepAlive): void {
    checkTcpKeepAlive(this.#kernel.transport, setting, "path" in this.localAddress);
  }

  ref(): void {}

  unref(): void {}

  /** The connection broke. */
  lost(): void {
    if (!this.#gone) this.#leave(socketError(undefined, "ECONNRESET"));
  }

  /** Gives the kernel as much of the queue as it has room for, and FIN after the last of it. */
  #pump(): void {
    while (this.#queued > 0 && this.#inFlight < this.#kernel.bufferBytes) {
      const bytes = this.#queue[0]!;
      const size = Math.min(bytes.length, CHUNK, this.#kernel.bufferBytes - this.#inFlight);
      if (size === bytes.length) this.#queue.shift();
      else this.#queue[0] = bytes.subarray(size);
      this.#queued -= size;
      this.#inFlight += size;
      const copy = new Uint8Array(bytes.subarray(0, size));
      this.#lane.send(() => this.peer.#arrive(copy));
    }
    if (!this.#ending || this.#queued > 0 || this.#finSent) return;
    this.#finSent = true;
    this.#lane.send(() => this.peer.#arriveEnd());
    this.#closeIfEnded();
  }

  /** The peer has read `size` bytes. */
  #acknowledge(size: number): void {
    if (this.#gone) return;
    this.#inFlight -= size;
    const before = this.#queued;
    this.#pump();
    if (this.#queued === before || this.#gone) return;
    if (this.#handler === undefined) this.#owesWritten = true;
    else this.#handler.written();
  }

  #arrive(bytes: Uint8Array): void {
    if (this.#gone) return this.#sendReset();
    this.#unread.push(bytes);
    this.#unreadBytes += bytes.length;
    this.#deliverSoon();
  }

  #arriveEnd(): void {
    if (this.#gone) return this.#sendReset();
    this.#finArrived = true;
    this.#deliverSoon();
  }

  /** Asks for a turn in which what has come by then is delivered together. */
  #deliverSoon(): void {
    if (this.#delivering || this.#handler === undefined || this.#paused || this.#gone) return;
    if (this.#unreadBytes === 0 && (!this.#finArrived || this.#endTold)) return;
    this.#delivering = true;
    this.#kernel.schedule.soon(() => this.#deliver());
  }

  #deliver(): void {
    this.#delivering = false;
    if (this.#paused || this.#gone) return;
    if (this.#unreadBytes > 0) {
      const available = Math.min(this.#unreadBytes, CHUNK);
      const asked = Math.floor(this.#kernel.split(available));
      const size = asked >= 1 ? Math.min(asked, available) : 1;
      const chunk = this.#take(size);
      const before = lend(chunk);
      try {
        if (this.#handler!.data(chunk) !== true) chunk.fill(SPENT);
      } finally {
        lend(before);
        this.#lane.send(() => this.peer.#acknowledge(size));
      }
    } else if (this.#finArrived && !this.#endTold) {
      this.#endTold = true;
      this.#handler!.end();
      this.#closeIfEnded();
    }
    this.#deliverSoon();
  }

  /** The first `size` unread bytes, in a buffer of their own. */
  #take(size: number): Uint8Array {
    this.#unreadBytes -= size;
    const chunk = new Uint8Array(size);
    let filled = 0;
    while (filled < size) {
      const bytes = this.#unread[0]!;
      const part = bytes.subarray(0, size - filled);
      chunk.set(part, filled);
      filled += part.length;
      if (part.length === bytes.length) this.#unread.shift();
      else this.#unread[0] = bytes.subarray(part.length);
    }
    return chunk;
  }

  #closeIfEnded(): void {
    if (this.#endTold && this.#finSent && !this.#gone) this.#leave(undefined);
  }

  #sendReset(): void {
    this.#lane.send(() => this.peer.lost(), true);
  }

  /** Lets go of all there is, and tells the handler in a turn of its own. */
  #leave(error: Error | undefined): void {
    this.#gone = true;
    this.#error = error;
    this.#queue = [];
    this.#unread = [];
    this.#queued = this.#unreadBytes = 0;
    this.#freed();
    this.#kernel.schedule.soon(() => {
      this.#closed = true;
      this.#handler?.close(error);
    });
  }
}
