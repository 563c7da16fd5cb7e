/**
 * A socket that `Bun.listen` accepted, as a {@linkcode Socket}.
 *
 * What Bun's documentation does not say, or says otherwise, and this sees to: `write` takes what fits and forgets
 * the rest; `shutdown` and `end` do not wait for it; `end` closes both directions at once (oven-sh/bun#35932);
 * after our own `shutdown` the peer's FIN comes as `close`, without `end`; after a reset, bytes are delivered
 * though the socket is paused; `terminate` calls `close` before it returns.
 *
 * Chunks come in fresh memory each time, so a borrowed one needs no care.
 *
 * @module
 */

import { socketError } from "./failure.ts";
import { owned } from "./lent.ts";
import { checkTcpKeepAlive } from "./options.ts";
import type { Address, Socket, SocketHandler, TcpKeepAlive, Transport } from "./transport.ts";
import { WriteQueue } from "./write_queue.ts";

/** The part of Bun's socket used here. */
export interface RawSocket {
  data: BunSocket | undefined;
  readonly fd: number;
  /** These four are `undefined` on Unix-domain sockets, and on closed ones. */
  readonly localAddress: string | undefined;
  readonly localPort: number | undefined;
  readonly remoteAddress: string | undefined;
  readonly remotePort: number | undefined;
  /** Returns the number of bytes that the kernel took, or -1 if the socket is closed. */
  write(bytes: Uint8Array): number;
  shutdown(): void;
  terminate(): void;
  pause(): void;
  resume(): void;
  setNoDelay(on: boolean): boolean;
  setKeepAlive(on: boolean, initialDelay?: number): boolean;
  ref(): void;
  unref(): void;
}

/** What `Bun.listen` calls; one object for all sockets of a listener. */
export interface RawHandlers {
  readonly binaryType: "uint8array";
  open(raw: RawSocket): void;
  data(raw: RawSocket, chunk: Uint8Array): void;
  drain(raw: RawSocket): void;
  end(raw: RawSocket): void;
  close(raw: RawSocket, error?: unknown): void;
  error(raw: RawSocket, error: unknown): void;
}

/** Most bytes given to the kernel at a time once it was full: the steps in which `written` tells of progress. */
const WRITE_SIZE = 64 * 1024;

/** One end of a TCP or Unix-domain connection. */
export class BunSocket implements Socket {
  readonly localAddress: Address;
  readonly remoteAddress: Address;
  readonly #raw: RawSocket;
  readonly #parent: Transport;
  #handler: SocketHandler | undefined = undefined;
  #queue: WriteQueue | undefined = undefined;
  /** What arrived while the socket was paused. */
  #stashed: Uint8Array[] | undefined = undefined;
  #error: Error | undefined = undefined;
  #paused = false;
  /** Whether the peer has said that it sends no more. */
  #ended = false;
  /** Whether we will send no more. */
  #shut = false;
  /** Whether the socket was aborted or has closed. */
  #gone = false;

  /** Takes over `raw`, in its `open` callback. */
  constructor(transport: Transport, raw: RawSocket, localAddress: Address) {
    this.#parent = transport;
    this.#raw = raw;
    this.localAddress = localAddress;
    this.remoteAddress = "path" in localAddress
      ? { path: "" }
      : { hostname: raw.remoteAddress ?? "", port: raw.remotePort ?? 0 };
    raw.data = this;
  }

  get bufferedAmount(): number {
    return this.#queue === undefined ? 0 : this.#queue.bytes;
  }

  /** Whether {@linkcode start} was called. */
  get started(): boolean {
    return this.#handler !== undefined;
  }

  start(handler: SocketHandler): void {
    if (this.#handler !== undefined) throw new TypeError("Cannot start a socket twice");
    this.#handler = handler;
    if (this.#gone) queueMicrotask(() => this.#tellClosed());
    else if (!this.#paused) this.#goOn();
  }

  write(bytes: Uint8Array): boolean {
    if (this.#shut || this.#gone) return true;
    const queue = this.#queue;
    if (queue !== undefined && queue.bytes > 0) {
      if (bytes.length > 0) queue.push(owned(bytes));
      return false;
    }
    const size = this.#raw.write(bytes);
    // Less than nothing: it has closed, which `close` tells.
    if (size === bytes.length || size < 0) return true;
    (this.#queue ??= new WriteQueue()).push(owned(bytes.subarray(size)));
    return false;
  }

  pause(): void {
    this.#paused = true;
    if (!this.#gone) this.#raw.pause();
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    if (this.#handler !== undefined && !this.#gone) this.#goOn();
  }

  shutdown(): void {
    if (this.#shut || this.#gone) return;
    this.#shut = true;
    if (this.bufferedAmount === 0) this.#raw.shutdown();
  }

  abort(): void {
    if (this.#gone) return;
    this.#leave();
    this.#raw.terminate();
    if (this.#handler !== undefined) queueMicrotask(() => this.#tellClosed());
  }

  setNoDelay(on: boolean): void {
    if (!this.#gone) this.#raw.setNoDelay(on);
  }

  setTcpKeepAlive(setting: TcpKeepAlive): void {
    const unix = "path" in this.localAddress;
    checkTcpKeepAlive(this.#parent, setting, unix);
    if (this.#gone || unix) return;
    if (typeof setting === "boolean") this.#raw.setKeepAlive(setting);
    else this.#raw.setKeepAlive(true, setting.initialDelay);
  }

  ref(): void {
    if (!this.#gone) this.#raw.ref();
  }

  unref(): void {
    if (!this.#gone) this.#raw.unref();
  }

  /** Called when bytes arrived. */
  received(chunk: Uint8Array): void {
    if (this.#gone) return;
    if (this.#paused || this.#handler === undefined || this.#stashed !== undefined) {
      (this.#stashed ??= []).push(chunk);
      return;
    }
    try {
      this.#handler.data(chunk);
    } catch (error) {
      throwLater(error);
    }
  }

  /** Called when the kernel has room again; also for no reason. */
  drained(): void {
    const queue = this.#queue;
    while (!this.#gone && queue !== undefined && queue.bytes > 0) {
      const next = queue.shift()!;
      const piece = next.length > WRITE_SIZE ? next.subarray(0, WRITE_SIZE) : next;
      const size = Math.max(this.#raw.write(piece), 0);
      if (size < next.length) queue.unshift(next.subarray(size));
      if (size === 0) return;
      if (queue.bytes === 0 && this.#shut) this.#raw.shutdown();
      this.#tellWritten();
      if (size < piece.length) return;
    }
  }

  /** Called when the peer will send no more. */
  ended(): void {
    if (this.#gone || this.#ended) return;
    this.#ended = true;
    try {
      this.#handler?.end();
    } catch (error) {
      throwLater(error);
    }
  }

  /** Called when the socket is gone, also if we dropped it. */
  closed(cause: unknown): void {
    if (this.#gone) return;
    const orderly = cause === undefined && this.#shut && this.bufferedAmount === 0;
    if (orderly && this.#handler !== undefined) this.ended();
    if (this.#gone) return;
    // A runtime that reports nothing has still lost what did not end in order.
    if (!orderly) this.#error = socketError(cause);
    this.#leave();
    this.#tellClosed();
  }

  /** Delivers what was stashed, and then lets more come. */
  #goOn(): void {
    if (this.#stashed === undefined) return this.#raw.resume();
    queueMicrotask(() => {
      while (this.#stashed !== undefined && !this.#paused && !this.#gone) {
        const chunk = this.#stashed.shift();
        if (chunk === undefined) {
          this.#stashed = undefined;
          return this.#raw.resume();
        }
        const rest = this.#stashed;
        this.#stashed = undefined;
        this.received(chunk);
        if (!this.#gone) this.#stashed = rest;
      }
    });
  }

  #leave(): void {
    this.#gone = true;
    this.#queue = undefined;
    this.#stashed = undefined;
  }

  #tellWritten(): void {
    try {
      this.#handler?.written();
    } catch (error) {
      throwLater(error);
    }
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
}

/** Lets the mistake of a handler surface as an uncaught error, without harm to the socket. */
export function throwLater(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}
