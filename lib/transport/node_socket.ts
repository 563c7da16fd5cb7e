/**
 * A `net.Socket` as a {@linkcode Socket}.
 *
 * `node:net` takes any amount at once and reports only when all of it has gone. So at most
 * {@linkcode PIECE} bytes or so wait inside it, and the rest waits here, where progress can be seen. As long
 * as nothing waits, a write is one plain call.
 *
 * Busy sockets of Node's read into memory that they share, and lend it: see `node_memory.ts`. One that leaves some of it to
 * its handler, or to a write, reads into memory of its own from then on.
 *
 * @module
 */

import type net from "node:net";
import { socketError } from "./failure.ts";
import { lend, owned } from "./lent.ts";
import { type OnRead, SharedMemory, unfilled } from "./node_memory.ts";
import { checkTcpKeepAlive } from "./options.ts";
import { ReadBuffer } from "./read_buffer.ts";
import { stayAwake, stopStayingAwake } from "./stay_awake.ts";
import type { Address, Socket, SocketHandler, TcpKeepAlive, TlsInfo, Transport } from "./transport.ts";

/** Bytes handed over at a time while the kernel takes no more, and so the smallest step of progress. */
const PIECE = 16 * 1024;
/** Bytes handed over at a time while the kernel takes all of it. */
const GULP = 64 * 1024;

/** A socket is busy when so many chunks have come within a second, and none of them was kept. */
const BUSY = 8;

/** The socket whose handler is looking at memory that is lent, and where its next read goes. */
let lender: NodeSocket | undefined;
let space: Uint8Array;

/** Bun lets a process end in which a `TLSSocket` has ended its side and still reads. */
const FORGETS = "Bun" in globalThis;

/** Where a `net.Socket` carries its {@linkcode NodeSocket}, so that all of them share the same listeners. */
const OWNER: unique symbol = Symbol("holdfast");

/** A `net.Socket` that is owned. */
interface RawSocket extends net.Socket {
  [OWNER]: NodeSocket;
}

/** Addresses as the runtime gave them when the socket opened. */
export interface Ends {
  readonly localAddress: Address;
  readonly remoteAddress: Address;
  /** What TLS's handshake brought. */
  readonly tls?: TlsInfo;
  /** The socket below a `TLSSocket`. */
  readonly carrier?: net.Socket;
}

/** The transport of a socket. */
interface NodeParent extends Transport {
  /** Chunks after which a socket is busy, if not {@linkcode BUSY}: for tests. */
  readonly busyAfter?: number;
}

/** A socket of `node:net`. */
export class NodeSocket implements Socket {
  readonly localAddress: Address;
  readonly remoteAddress: Address;
  readonly tls: TlsInfo | undefined;
  /** The socket that a reset is asked of. */
  readonly #carrier: net.Socket;
  readonly #parent: NodeParent;
  readonly #raw: RawSocket;
  #handler: SocketHandler | undefined;
  /** What waits here; the first {@linkcode #head} entries have gone. */
  #queue: Uint8Array[] = NONE;
  #head = 0;
  /** Bytes in the queue. */
  #queued = 0;
  /** Bytes that waited when the handler was last told, plus all that came after: less than that is progress. */
  #marked = 0;
  /** The callback of every write of this socket, made by the first. */
  #taken: (() => void) | undefined;
  #paused = false;
  /** Chunks that have come since the instant that is noted; and the memory that they are read into, once they are many. */
  #chunks = 0;
  #since = 0;
  #memory: SharedMemory | ReadBuffer | undefined;
  /** Some of what is lent waits to be written. */
  #lentWaits = false;
  /** `shutdown()` was called. */
  #ending = false;
  /** Aborted or closed: nothing but `close` is told any more. */
  #gone = false;
  #closed = false;
  #sawEnd = false;
  /** The peer has ended, and the handler is not to be told before it reads. */
  #endWaits = false;
  #error: Error | undefined;
  /** The process is to live for as long as this. */
  #wanted = true;
  /** Whether {@linkcode stayAwake} was called for it. */
  #awake = false;

  /** Takes over a connected `raw`, which must not be reading yet. */
  constructor(transport: Transport, raw: net.Socket, ends: Ends) {
    const { localAddress, remoteAddress, tls, carrier = raw } = ends;
    this.tls = tls;
    this.#carrier = carrier;
    this.#parent = transport;
    this.localAddress = localAddress;
    this.remoteAddress = remoteAddress;
    this.#raw = raw as RawSocket;
    this.#raw[OWNER] = this;
    raw.on("error", onError).on("close", onClose).on("end", onEnd);
  }

  get bufferedAmount(): number {
    return this.#gone ? 0 : this.#raw.writableLength + this.#queued;
  }

  start(handler: SocketHandler): void {
    if (this.#handler !== undefined) throw new TypeError("Cannot start a socket twice");
    this.#handler = handler;
    if (this.#closed) return queueMicrotask(() => handler.close(this.#error));
    if (this.#gone) return;
    if (this.#paused) this.#raw.pause();
    this.#raw.on("data", onData);
    if (!this.#paused) this.#raw.resume();
    this.#tellLateEnd();
    if (this.#marked > 0) queueMicrotask(() => this.#progress());
  }

  write(bytes: Uint8Array): boolean {
    if (this.#ending || this.#gone) return true;
    const { length } = bytes;
    const raw = this.#raw;
    if (lender === undefined) bytes = owned(bytes);
    if (this.#queued > 0) this.#enqueue(bytes);
    else if (length <= PIECE && raw.writableLength < PIECE) {
      if (length > 0) raw.write(bytes, this.#taken ??= () => this.#progress());
    } else {
      this.#enqueue(bytes);
      this.#pump();
    }
    const waiting = raw.writableLength + this.#queued;
    if (waiting > 0 && lender !== undefined && bytes.buffer === lender.#memory!.space.buffer) {
      lender.#lentWaits = true;
    }
    if (this.#marked > 0) this.#marked += length;
    else this.#marked = waiting;
    return waiting === 0;
  }

  pause(): void {
    this.#paused = true;
    if (this.#handler !== undefined) this.#raw.pause();
  }

  resume(): void {
    this.#paused = false;
    if (this.#handler === undefined || this.#gone) return;
    this.#raw.resume();
    this.#tellLateEnd();
  }

  shutdown(): void {
    if (this.#ending || this.#gone) return;
    this.#ending = true;
    this.#hold();
    if (this.bufferedAmount === 0) this.#raw.end();
  }

  abort(): void {
    if (this.#gone) return;
    this.#leave();
    const raw = this.#raw;
    if (raw.destroyed) return;
    // libuv refuses a reset while a shutdown is under way, and would leave the socket open. FIN is never asked
    // for before all bytes are with the kernel, so the shutdown is over within this turn of the loop.
    if (raw.writableEnded && !raw.writableFinished) raw.once("finish", () => this.#reset());
    else this.#reset();
  }

  setNoDelay(on: boolean): void {
    if (!this.#gone && !("path" in this.localAddress)) this.#raw.setNoDelay(on);
  }

  setTcpKeepAlive(setting: TcpKeepAlive): void {
    checkTcpKeepAlive(this.#parent, setting, "path" in this.localAddress);
    if (this.#gone || "path" in this.localAddress) return;
    if (typeof setting === "boolean") this.#raw.setKeepAlive(setting);
    else this.#raw.setKeepAlive(true, setting.initialDelay);
  }

  ref(): void {
    this.#wanted = true;
    this.#hold();
    this.#raw.ref();
  }

  unref(): void {
    this.#wanted = false;
    this.#hold();
    this.#raw.unref();
  }

  /** Keeps the process alive for the answer where a socket that has ended its side does not. */
  #hold(): void {
    const secured = this.#carrier !== this.#raw;
    const awake = FORGETS && secured && this.#ending && this.#wanted && !this.#closed;
    if (awake === this.#awake) return;
    this.#awake = awake;
    if (awake) stayAwake();
    else stopStayingAwake();
  }

  /** @internal */
  received(chunk: Uint8Array): void {
    if (this.#gone) return;
    // Not a Buffer, whose `slice` and `toString` are not those of a Uint8Array.
    const kept = this.#handler!.data(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.length)) === true;
    // Whoever keeps what came needs new memory for each chunk: Node's way is the best there is then.
    if (kept) this.#chunks = 0;
    else if (++this.#chunks >= this.#most) this.#lookWhetherBusy();
  }

  /** Chunks after which it may be busy. */
  get #most(): number {
    return this.#parent.busyAfter ?? BUSY;
  }

  #lookWhetherBusy(): void {
    const now = performance.now(), busy = now - this.#since < 1_000;
    this.#chunks = 0;
    this.#since = now;
    // Not amid what Node does after a chunk, which is to read more; but before it does the next thing, which may be a pause.
    if (busy && this.#carrier === this.#raw) queueMicrotask(() => this.#share());
  }

  /** Reads into shared memory from now on, if Node can. */
  #share(): void {
    const raw = this.#raw;
    if (this.#memory !== undefined || this.#gone || raw.readableEnded) return;
    // After the next chunk, then.
    if (this.#paused || raw.readableLength > 0) return void (this.#chunks = this.#most);
    this.#memory = SharedMemory.join(raw, INTO);
    // The stream is not to ask for more by itself, after a pause: this it takes for a read that is under way.
    if (this.#memory !== undefined) raw.read(0);
  }

  /** Takes what was read into its memory. Returns where the next read goes. @internal */
  read(size: number): Uint8Array {
    let memory = this.#memory!;
    if (this.#gone) return memory.space;
    let left = false;
    lender = this;
    lend(memory.space);
    this.#lentWaits = false;
    try {
      left = this.#handler!.data(memory.chunk(size)) === true;
    } catch (error) {
      // Node must be told where to read next, whatever the handler did.
      queueMicrotask(() => {
        throw error;
      });
    }
    lender = undefined;
    lend(undefined);
    left ||= this.#lentWaits;
    if (!(memory instanceof SharedMemory)) {
      if (left) memory.leave(size);
      else memory.reuse(size);
    } else if (left) {
      memory.part(this.#raw, true);
      memory = this.#memory = new ReadBuffer(unfilled);
    }
    // A handler that transfers what it was lent leaves nothing.
    if (memory.space.length === 0) memory.renew();
    return memory.space;
  }

  /** @internal */
  ended(): void {
    if (this.#gone) return;
    // A TLSSocket without data tells its end though nobody reads.
    this.#endWaits = this.#paused || this.#handler === undefined;
    if (this.#endWaits) return;
    const raw = this.#carrier;
    // libuv reports an end instead of a reset that came while bytes were still unread. The kernel tells it to
    // whoever writes, if only nothing. (Not after our own FIN: that would be refused in any case.)
    if (!this.#raw.writableEnded && this.#raw.writableLength === 0 && !raw.destroyed) raw.write(EMPTY);
    if (raw.errored) return;
    this.#sawEnd = true;
    this.#handler?.end();
  }

  /** @internal */
  failed(error: Error): void {
    if (!this.#gone) this.#error ??= error;
  }

  /** @internal */
  closed(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#memory instanceof SharedMemory) this.#memory.part(this.#raw, false);
    this.#hold();
    if (!this.#gone) {
      // An end that waited for the handler to read again is still one: Bun closes without waiting for it.
      if (this.#endWaits && this.#error === undefined) {
        this.#sawEnd = true;
        this.#handler?.end();
      }
      // A runtime that reports nothing has still lost what did not end in order.
      if (this.#error !== undefined || !this.#sawEnd || !this.#ending) this.#error = socketError(this.#error);
      this.#leave();
    }
    this.#handler?.close(this.#error);
  }

  #tellLateEnd(): void {
    if (this.#endWaits) queueMicrotask(() => this.#endWaits && this.ended());
  }

  /** Drops the socket with a reset; Unix-domain sockets have none. */
  #reset(): void {
    const carrier = this.#carrier;
    if ("path" in this.localAddress) return void this.#raw.destroy();
    if (carrier === this.#raw) return void carrier.resetAndDestroy();
    // A TLSSocket may be at work further up the stack, and Node crashes if what is below it goes away.
    setImmediate(() => {
      // On Bun it has left its connection to the TLSSocket once the peer has ended.
      const owner = carrier.destroyed && !this.#raw.destroyed ? this.#raw : carrier;
      try {
        owner.resetAndDestroy();
      } catch { /* On Node the connection has gone with it, and a TLSSocket refuses. */ }
      this.#raw.destroy();
    });
  }

  /** Nothing is sent or delivered any more. */
  #leave(): void {
    this.#gone = true;
    this.#queue = NONE;
    this.#queued = this.#head = this.#marked = 0;
  }

  #enqueue(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    if (this.#queue === NONE) this.#queue = [];
    this.#queue.push(bytes);
    this.#queued += bytes.length;
  }

  /** Hands over what waits here, until {@linkcode PIECE} bytes wait there. */
  #pump(): void {
    const raw = this.#raw;
    const taken = this.#taken ??= () => this.#progress();
    while (this.#queued > 0) {
      const waiting = raw.writableLength;
      if (waiting >= PIECE) return;
      const bytes = this.#queue[this.#head]!;
      const size = waiting === 0 ? GULP : PIECE;
      if (bytes.length <= size) {
        this.#queue[this.#head++] = EMPTY;
        if (this.#head === this.#queue.length) {
          this.#queue = NONE;
          this.#head = 0;
        }
        this.#queued -= bytes.length;
        raw.write(bytes, taken);
      } else {
        this.#queue[this.#head] = bytes.subarray(size);
        this.#queued -= size;
        raw.write(bytes.subarray(0, size), taken);
      }
    }
  }

  /** A write of this socket, perhaps one of long ago, is with the kernel. */
  #progress(): void {
    // A lost socket lets go of what waits in it, which is no progress.
    if (this.#gone || this.#marked === 0 || this.#raw.destroyed || this.#raw.errored) return;
    if (this.#queued > 0) this.#pump();
    const waiting = this.#raw.writableLength + this.#queued;
    if (this.#ending && waiting === 0 && !this.#raw.writableEnded) this.#raw.end();
    if (waiting >= this.#marked || this.#handler === undefined) return;
    this.#marked = waiting;
    this.#handler.written();
  }
}

const NONE: Uint8Array[] = [];
const EMPTY = new Uint8Array(0);

function onData(this: net.Socket, chunk: Uint8Array): void {
  (this as RawSocket)[OWNER].received(chunk);
}

/** What all busy sockets read by. */
const INTO: OnRead = {
  callback(size) {
    space = (this as RawSocket)[OWNER].read(size);
  },
  buffer: () => space,
};

function onEnd(this: net.Socket): void {
  (this as RawSocket)[OWNER].ended();
}

function onError(this: net.Socket, error: Error): void {
  (this as RawSocket)[OWNER].failed(error);
}

function onClose(this: net.Socket): void {
  (this as RawSocket)[OWNER].closed();
}
