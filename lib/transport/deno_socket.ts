/**
 * A `Deno.Conn` as a {@linkcode Socket}.
 *
 * Reads are a chain of `conn.read(space).then(...)`: `conn.readable` costs three times as much, and closes the
 * whole connection when the peer half-closes (denoland/deno#22258). One read is always pending unless the
 * socket is paused, since only a pending read notices that the peer is gone.
 *
 * `conn.write` is asynchronous: it has usually given everything to the kernel when it returns, and says so some
 * microtasks later. Until then nobody knows, so {@linkcode DenoSocket.write} always returns `false` for bytes
 * that it took, and `written` follows.
 *
 * ## Borrowed chunks that are written
 *
 * A chunk lies in the buffer that the next read would overwrite. Written back to its own socket with nothing in
 * front of it, it is most likely with the kernel already: the next read waits until that is known, which costs
 * nothing. In all other cases the buffer is left to the write, as if the handler had kept the chunk.
 *
 * @module
 */

import { lend, owned } from "./lent.ts";
import { checkTcpKeepAlive } from "./options.ts";
import { ReadBuffer } from "./read_buffer.ts";
import { socketError } from "./failure.ts";
import { stayAwake, stopStayingAwake } from "./stay_awake.ts";
import type { Address, Socket, SocketHandler, TcpKeepAlive, Transport } from "./transport.ts";
import { WriteQueue } from "./write_queue.ts";

/** The part of `Deno.Addr` used here. */
export interface DenoAddr {
  readonly hostname?: string;
  readonly port?: number;
  readonly path?: string | null;
}

/** The part of `Deno.Conn` used here. */
export interface DenoConn {
  readonly localAddr: DenoAddr;
  readonly remoteAddr: DenoAddr;
  read(into: Uint8Array): Promise<number | null>;
  write(bytes: Uint8Array): Promise<number>;
  closeWrite(): Promise<void>;
  close(): void;
  ref(): void;
  unref(): void;
  /** Absent on Unix-domain sockets. */
  setNoDelay?(on: boolean): void;
  /** Absent on Unix-domain sockets. */
  setKeepAlive?(on: boolean): void;
}

/**
 * Bytes of full reads after which a socket lets the event loop turn. Reads whose bytes are there already finish
 * in microtasks, and Deno itself steps in only after 128 of them: 8 MiB.
 */
const BYTES_PER_TURN = 256 * 1024;

/** Most bytes given to `conn.write` at a time: it tells nothing until the kernel has taken a great deal of them. */
const WRITE_SIZE = 64 * 1024;

/** How long a read waits for the write of its buffer, in milliseconds, before it takes a new buffer. */
const HELD_FOR = 20;

/** The socket whose handler is looking at a borrowed chunk now. */
let lender: DenoSocket | undefined;

/** Sockets whose read waited for a write since the timer was set. */
let heldSockets: DenoSocket[] = [];

/** One end of a TCP or Unix-domain connection. */
export class DenoSocket implements Socket {
  readonly #conn: DenoConn;
  readonly #parent: Transport;
  readonly #buffer = new ReadBuffer();
  readonly #onRead: (size: number | null) => void;
  readonly #onReadFailed: (error: unknown) => void;
  readonly #onWritten: (size: number) => void;
  readonly #onWriteFailed: (error: unknown) => void;
  #handler: SocketHandler | undefined = undefined;

  /** Whether a read is pending, or about to be. */
  #reading = false;
  #paused = false;
  /** What a read brought while the socket was paused. */
  #stashed: number | null | undefined = undefined;
  /** Bytes of full reads in a row, since the event loop turned. */
  #burst = 0;
  /** Whether the chunk that is lent was written somewhere where it has to wait. */
  #chunkTaken = false;
  /** Whether the next read waits for the write of the last chunk. */
  #held = false;
  #listedAsHeld = false;

  /** What `conn.write` works on. */
  #sending: Uint8Array | undefined = undefined;
  #queue: WriteQueue | undefined = undefined;

  /** Whether the peer has said that it sends no more. */
  #ended = false;
  /** Whether we will send no more. */
  #shut = false;
  /** Whether our FIN is out. */
  #finSent = false;
  #gone = false;
  /** Why a write failed, while the last reads are still waited for; and then what `close` is told. */
  #error: Error | undefined = undefined;

  /** Whether the program wants the process to live as long as the socket. */
  #wanted = true;
  /** Whether {@linkcode stayAwake} was called for this socket. */
  #awake = false;

  constructor(conn: DenoConn, transport: Transport) {
    this.#conn = conn;
    this.#parent = transport;
    this.#onRead = this.#read.bind(this);
    this.#onReadFailed = this.#readFailed.bind(this);
    this.#onWritten = this.#written.bind(this);
    this.#onWriteFailed = this.#writeFailed.bind(this);
  }

  get localAddress(): Address {
    return toAddress(this.#conn.localAddr);
  }

  get remoteAddress(): Address {
    return toAddress(this.#conn.remoteAddr);
  }

  get bufferedAmount(): number {
    return (this.#sending?.length ?? 0) + (this.#queue?.bytes ?? 0);
  }

  start(handler: SocketHandler): void {
    if (this.#handler !== undefined) throw new TypeError("Cannot start a socket twice");
    this.#handler = handler;
    if (this.#gone) return queueMicrotask(() => this.#tellClosed());
    this.#readMore();
    this.keepAwake();
  }

  write(bytes: Uint8Array): boolean {
    if (this.#shut || this.#gone) return true;
    if (bytes.length === 0) return this.#sending === undefined;
    if (lender === undefined) bytes = owned(bytes);
    else if (bytes.buffer === lender.#buffer.space.buffer) {
      if (lender === this && this.#sending === undefined) this.#held = true;
      else lender.#chunkTaken = true;
    }
    if (this.#sending === undefined) this.#send(bytes);
    else (this.#queue ??= new WriteQueue()).push(bytes);
    return false;
  }

  pause(): void {
    this.#paused = true;
    this.keepAwake();
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    const stashed = this.#stashed;
    if (stashed === undefined) {
      this.#readMore();
    } else {
      this.#stashed = undefined;
      this.#reading = true;
      Promise.resolve(stashed).then(this.#onRead);
    }
    this.keepAwake();
  }

  shutdown(): void {
    if (this.#shut || this.#gone) return;
    this.#shut = true;
    if (this.#sending === undefined) this.#sendFin();
  }

  abort(): void {
    if (this.#gone) return;
    this.#error = undefined;
    this.#drop();
    if (this.#handler !== undefined) queueMicrotask(() => this.#tellClosed());
  }

  setNoDelay(on: boolean): void {
    if (this.#gone) return;
    try {
      this.#conn.setNoDelay?.(on);
    } catch { /* The peer has reset, which the pending read tells. */ }
  }

  setTcpKeepAlive(setting: TcpKeepAlive): void {
    checkTcpKeepAlive(this.#parent, setting, this.#conn.setKeepAlive === undefined);
    if (this.#gone) return;
    try {
      this.#conn.setKeepAlive?.(setting !== false);
    } catch { /* As above. */ }
  }

  ref(): void {
    this.#wanted = true;
    if (!this.#gone) this.#conn.ref();
    this.keepAwake();
  }

  unref(): void {
    this.#wanted = false;
    if (!this.#gone) this.#conn.unref();
    this.keepAwake();
  }

  // Reading

  #readMore(): void {
    if (this.#reading || this.#paused || this.#held || this.#ended || this.#gone) return;
    // A handler that looks at a chunk may keep it, and the next read goes elsewhere then.
    if (this.#handler === undefined || lender === this) return;
    this.#reading = true;
    this.#conn.read(this.#buffer.space).then(this.#onRead, this.#onReadFailed);
  }

  #read(size: number | null): void {
    this.#reading = false;
    if (this.#gone) return;
    if (this.#paused) {
      this.#stashed = size;
      this.keepAwake();
    } else if (size === null) {
      this.#peerEnded();
    } else if (size === 0) {
      // Only a buffer that a handler has transferred away is empty.
      this.#buffer.renew();
      this.#readMore();
    } else {
      this.#deliver(size);
    }
  }

  #deliver(size: number): void {
    const buffer = this.#buffer;
    const { space } = buffer;
    this.#held = false;
    this.#chunkTaken = false;
    lender = this;
    lend(space);
    let kept = false;
    try {
      kept = this.#handler!.data(buffer.chunk(size)) === true;
    } catch (error) {
      throwLater(error);
    }
    lender = undefined;
    lend(undefined);
    if (this.#gone) return;

    kept ||= this.#chunkTaken;
    if (kept) buffer.keep(size);
    else buffer.reuse(size);
    if (this.#held) {
      if (!kept && buffer.space.buffer === space.buffer) return this.#listAsHeld();
      this.#held = false;
    }
    if (size < space.length) this.#burst = 0;
    else if ((this.#burst += size) >= BYTES_PER_TURN) return this.#readNextTurn();
    this.#readMore();
    if (this.#paused) this.keepAwake();
  }

  #readNextTurn(): void {
    this.#burst = 0;
    this.#reading = true;
    setImmediate(() => {
      this.#reading = false;
      this.#readMore();
      this.keepAwake();
    });
  }

  #readFailed(error: unknown): void {
    this.#reading = false;
    this.#finish(this.#error ?? socketError(error));
  }

  #peerEnded(): void {
    this.#ended = true;
    this.#buffer.drop();
    try {
      this.#handler!.end();
    } catch (error) {
      throwLater(error);
    }
    if (this.#gone) return;
    if (this.#finSent || this.#error !== undefined) this.#finish(this.#error);
    else this.keepAwake();
  }

  /** Sees to it that the read which waits does not wait for long. */
  #listAsHeld(): void {
    if (this.#listedAsHeld) return;
    this.#listedAsHeld = true;
    if (heldSockets.push(this) === 1) {
      const timer: unknown = setTimeout(DenoSocket.#releaseAll, HELD_FOR);
      (timer as { unref(): void }).unref();
    }
  }

  /** Runs as a task of its own, so whatever the kernel took at once is known by now. */
  static #releaseAll(): void {
    const sockets = heldSockets;
    heldSockets = [];
    for (const socket of sockets) {
      socket.#listedAsHeld = false;
      if (socket.#held) socket.#release(true);
    }
  }

  /** Goes on reading after a write held it up. `busy` says that the write still needs the buffer. */
  #release(busy: boolean): void {
    this.#held = false;
    if (this.#gone) return;
    if (busy) this.#buffer.renew();
    this.#readMore();
    if (this.#paused) this.keepAwake();
  }

  // Writing

  #send(bytes: Uint8Array): void {
    this.#sending = bytes;
    const piece = bytes.length > WRITE_SIZE ? bytes.subarray(0, WRITE_SIZE) : bytes;
    this.#conn.write(piece).then(this.#onWritten, this.#onWriteFailed);
  }

  #written(size: number): void {
    if (this.#gone || this.#sending === undefined) return;
    const sending = this.#sending;
    const partly = size < sending.length;
    this.#sending = undefined;
    const next = partly ? sending.subarray(size) : this.#queue?.shift();
    if (next !== undefined) this.#send(next);
    else if (this.#shut) this.#sendFin();
    if (this.#held) this.#release(partly);
    try {
      this.#handler?.written();
    } catch (error) {
      throwLater(error);
    }
  }

  /** The peer is gone, but what it sent last may wait in the kernel. */
  #writeFailed(error: unknown): void {
    if (this.#gone) return;
    this.#error = socketError(error);
    this.#shut = true;
    this.#sending = undefined;
    this.#queue?.clear();
    if (this.#held) this.#release(false);
    if (!this.#reading || this.#paused) return this.#finish(this.#error);
    // Two timers, as timers may run before the sockets that wait.
    setTimeout(() => setTimeout(() => this.#finish(this.#error), 0), 0);
  }

  #sendFin(): void {
    const sent = () => {
      this.#finSent = true;
      if (this.#ended) this.#finish(undefined);
    };
    // It fails after a reset, which the pending read tells.
    this.#conn.closeWrite().then(sent, sent);
  }

  // Ending

  #finish(error: Error | undefined): void {
    if (this.#gone) return;
    this.#error = error;
    this.#drop();
    this.#tellClosed();
  }

  /** Gives up the connection and all that belongs to it. */
  #drop(): void {
    this.#gone = true;
    // A plain `close` sends FIN only when the pending read has been cancelled: a turn later, or on Deno 2.8.3
    // never (denoland/deno#35292). `closeWrite` sends it now.
    if (!this.#finSent) this.#conn.closeWrite().catch(() => {});
    this.#conn.close();
    this.#buffer.drop();
    this.#sending = undefined;
    this.#queue = undefined;
    this.keepAwake();
  }

  #tellClosed(): void {
    const error = this.#error;
    try {
      if (error === undefined) this.#handler?.close();
      else this.#handler?.close(error);
    } catch (thrown) {
      throwLater(thrown);
    }
  }

  /**
   * Deno keeps the process alive for a pending read only, and sockets should do so while they are open. To be
   * called after each change, and once if the socket is not started at once.
   */
  keepAwake(): void {
    const awake = this.#wanted && !this.#reading && !this.#gone;
    if (awake === this.#awake) return;
    this.#awake = awake;
    if (awake) stayAwake();
    else stopStayingAwake();
  }
}

/** An address as Deno tells it, in the words of the contract. */
export function toAddress({ hostname, port, path }: DenoAddr): Address {
  return hostname === undefined ? { path: path ?? "" } : { hostname, port: port! };
}

/** Lets the mistake of a handler surface as an uncaught error, without harm to the socket. */
function throwLater(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}
