/**
 * A {@linkcode Socket} seen as WHATWG streams, in the shape of the WinterTC Sockets API: what `cloudflare:sockets`
 * returns from `connect()`, so that `pipeTo`, `for await` and code written for edge runtimes work.
 *
 * @module
 */

import { describe } from "./failure.ts";
import type { Socket, SocketHandler } from "./transport.ts";

/** Bytes that wait to be read before the peer is held back. */
const READ_AHEAD = 64 * 1024;

/** Both ends of a socket, as text: `127.0.0.1:80`, `[::1]:80`, or a path. */
export interface SocketInfo {
  /** The peer's end. */
  readonly remoteAddress: string;
  /** This end. */
  readonly localAddress: string;
}

/** A socket as a pair of streams. */
export interface SocketStreams {
  /**
   * Bytes from the peer; each chunk belongs to whoever reads it. Ends with the peer's FIN and errors if the
   * socket is lost. Holds the peer back while it is not read. Once cancelled, what still arrives is dropped and
   * the writing side goes on.
   */
  readonly readable: ReadableStream<Uint8Array>;
  /**
   * Bytes to the peer. A write settles when all its bytes are with the kernel, and the caller must not change
   * them before. Closing it sends FIN, and reading goes on; aborting it drops the socket.
   */
  readonly writable: WritableStream<Uint8Array>;
  /** Resolves with the addresses: at once, as the socket is open. */
  readonly opened: Promise<SocketInfo>;
  /**
   * Resolves when the socket has closed: both directions ended, or we dropped it. Rejects if it was lost.
   * Nobody has to catch that.
   */
  readonly closed: Promise<void>;
  /**
   * Drops the socket: `readable` ends, `writable` errors with `reason`, and bytes not yet sent are lost. For an
   * orderly end close `writable` and read to the end. Returns {@linkcode closed}.
   */
  close(reason?: unknown): Promise<void>;
}

/**
 * Shows `socket` as streams, and starts it: from now on it belongs to them.
 *
 * @example Answer with what comes
 * ```ts ignore
 * const { readable, writable } = toStreams(socket);
 * await readable.pipeTo(writable);
 * ```
 */
export function toStreams(socket: Socket): SocketStreams {
  const ends = new StreamEnds(socket);
  const { readable, writable, closed } = ends;
  const opened = Promise.resolve({
    remoteAddress: describe(socket.remoteAddress),
    localAddress: describe(socket.localAddress),
  });
  socket.start(ends);
  return {
    readable,
    writable,
    opened,
    closed,
    close(reason) {
      ends.leave(reason);
      return closed;
    },
  };
}

/** Takes what a socket calls to its streams, and what the streams ask for to the socket. */
class StreamEnds implements SocketHandler {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<Uint8Array>;
  readonly closed: Promise<void>;
  readonly #socket: Socket;
  #reading!: ReadableStreamDefaultController<Uint8Array>;
  #writing!: WritableStreamDefaultController;
  #paused = false;
  /** Whether `readable` takes no more: ended, cancelled or failed. */
  #readEnded = false;
  /** The write that waits for the kernel. There is never more than one. */
  #flush: { resolve(): void; reject(reason: unknown): void } | undefined;
  /** Whether the streams were told of the socket's end, so that only the first reason counts. */
  #failed = false;
  #resolve!: () => void;
  #reject!: (error: unknown) => void;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.closed = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.closed.catch(() => {});
    this.readable = new ReadableStream<Uint8Array>({
      start: (controller) => void (this.#reading = controller),
      pull: () => this.#resume(),
      cancel: () => {
        // What still arrives falls, so that the end of the socket is noticed all the same.
        this.#readEnded = true;
        this.#resume();
      },
    }, { highWaterMark: READ_AHEAD, size: (chunk) => chunk!.byteLength });
    this.writable = new WritableStream<Uint8Array>({
      start: (controller) => void (this.#writing = controller),
      write: (chunk) => this.#write(chunk),
      close: () => this.#socket.shutdown(),
      abort: (reason) => this.#drop(reason),
    });
  }

  data(chunk: Uint8Array): boolean {
    if (this.#readEnded) return false;
    // A chunk that is a small part of its buffer would hold on to all of it.
    const keep = chunk.byteLength * 2 >= chunk.buffer.byteLength;
    this.#reading.enqueue(keep ? chunk : new Uint8Array(chunk));
    if (!this.#paused && this.#reading.desiredSize! <= 0) {
      this.#paused = true;
      this.#socket.pause();
    }
    return keep;
  }

  written(): void {
    if (this.#socket.bufferedAmount > 0) return;
    this.#flush?.resolve();
    this.#flush = undefined;
  }

  end(): void {
    if (this.#readEnded) return;
    this.#readEnded = true;
    this.#reading.close();
  }

  close(error?: Error): void {
    if (error === undefined) this.#resolve();
    else this.#reject(error);
    this.#fail(error ?? new Error("Socket is closed"));
  }

  /** Ends the socket from this side; the reader sees an end, and the writer `reason`. */
  leave(reason: unknown = new Error("Socket was closed by this side")): void {
    if (this.#failed) return;
    this.end();
    this.#drop(reason);
  }

  #write(chunk: unknown): Promise<void> | undefined {
    const bytes = toBytes(chunk);
    if (bytes === undefined) {
      const error = new TypeError(
        `Cannot write to a socket as a chunk must be bytes: current value is ${chunk}`,
      );
      this.#drop(error);
      throw error;
    }
    if (this.#socket.write(bytes)) return undefined;
    return new Promise((resolve, reject) => this.#flush = { resolve, reject });
  }

  #resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#socket.resume();
  }

  #drop(reason: unknown): void {
    this.#fail(reason);
    this.#socket.abort();
  }

  #fail(reason: unknown): void {
    if (this.#failed) return;
    this.#failed = true;
    if (!this.#readEnded) this.#reading.error(reason);
    this.#readEnded = true;
    this.#writing.error(reason);
    this.#flush?.reject(reason);
    this.#flush = undefined;
  }
}

/** The bytes of `chunk`, if it has any. */
function toBytes(chunk: unknown): Uint8Array | undefined {
  if (chunk instanceof Uint8Array) return chunk;
  if (ArrayBuffer.isView(chunk)) return new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  return chunk instanceof ArrayBuffer ? new Uint8Array(chunk) : undefined;
}
