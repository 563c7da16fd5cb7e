/**
 * A socket of `cloudflare:sockets` as a {@linkcode Socket}.
 *
 * Its streams are read and written one call at a time, so that pausing holds the peer back and a write that waits is
 * seen. What its runtime gets wrong is evened out here:
 *
 * - `socket.closed` stays pending when both directions have ended (cloudflare/workerd#5653), so both ends are watched here.
 * - Releases up to the middle of 2026 tell a peer's reset as an ordinary end. But they resolve `closed`, which no end of
 *   the peer's alone does. After our own FIN nothing tells the two apart there.
 * - A socket whose `writable` was aborted keeps its connection until the request, or Durable Object, is over. Only `close()`
 *   lets go of it; it sends what was handed over, and so little is handed over at a time.
 *
 * @module
 */

import { socketError } from "./failure.ts";
import { owned } from "./lent.ts";
import { checkTcpKeepAlive } from "./options.ts";
import type { Address, Socket, SocketHandler, TcpKeepAlive, TlsInfo, Transport } from "./transport.ts";
import { WriteQueue } from "./write_queue.ts";

/** What a read of a stream brings. */
interface ReadResult {
  readonly done: boolean;
  readonly value?: Uint8Array | undefined;
}

/** The part of a reader used here. */
interface RawReader {
  read(): Promise<ReadResult>;
}

/** The part of a writer used here. */
interface RawWriter {
  write(bytes: Uint8Array): Promise<void>;
  close(): Promise<void>;
}

/** The part of Cloudflare's `Socket` used here. */
export interface RawSocket {
  readonly readable: { getReader(): RawReader };
  readonly writable: { getWriter(): RawWriter };
  readonly opened: Promise<unknown>;
  readonly closed: Promise<unknown>;
  close(): Promise<unknown>;
}

/** Bytes handed over at a time: the step in which progress is seen, and the most that is sent after an abort. */
const PIECE = 16 * 1024;

/** How the runtime words that a socket was opened by another request or Durable Object than the one that is at work. */
const FOREIGN = /on behalf of a different/;

/** No end of a socket has an address that the runtime would tell. */
const UNKNOWN: Address = { hostname: "", port: 0 };

/** One end of a TCP connection. */
export class WorkersSocket implements Socket {
  readonly localAddress: Address = UNKNOWN;
  readonly remoteAddress: Address;
  readonly tls: TlsInfo | undefined;
  readonly #parent: Transport;
  readonly #raw: RawSocket;
  readonly #reader: RawReader;
  readonly #writer: RawWriter;
  readonly #onRead: (result: ReadResult) => void;
  readonly #onReadFailed: (error: unknown) => void;
  readonly #onWritten: () => void;
  readonly #onWriteFailed: (error: unknown) => void;
  #handler: SocketHandler | undefined;

  #reading = false;
  #paused = false;
  /** What a read brought while the socket was paused. */
  #stashed: ReadResult | undefined;
  /** The runtime says that the connection is gone. */
  #hungUp = false;

  /** What waits here, behind {@linkcode #sending}. */
  #queue: WriteQueue | undefined;
  /** Bytes that the runtime was given. */
  #sending = 0;
  /** What is left of the chunk that those are from. */
  #rest: Uint8Array | undefined;
  /** Progress was made before there was anybody to tell. */
  #owesWritten = false;

  /** Whether the peer has said that it sends no more. */
  #ended = false;
  /** Whether we will send no more. */
  #shut = false;
  /** Whether FIN was asked for, and whether it is out. */
  #finAsked = false;
  #finSent = false;
  #gone = false;
  /** Why a write failed, while the last reads are still waited for; and then what `close` is told. */
  #error: Error | undefined;

  /** Takes over an open `raw`. */
  constructor(transport: Transport, raw: RawSocket, remoteAddress: Address, tls: TlsInfo | undefined) {
    this.remoteAddress = remoteAddress;
    this.tls = tls;
    this.#parent = transport;
    this.#raw = raw;
    this.#reader = raw.readable.getReader();
    this.#writer = raw.writable.getWriter();
    this.#onRead = this.#read.bind(this);
    this.#onReadFailed = this.#readFailed.bind(this);
    this.#onWritten = this.#written.bind(this);
    this.#onWriteFailed = this.#writeFailed.bind(this);
    const hungUp = () => this.#lost();
    raw.closed.then(hungUp, hungUp);
  }

  get bufferedAmount(): number {
    return this.#sending + (this.#rest?.length ?? 0) + (this.#queue?.bytes ?? 0);
  }

  start(handler: SocketHandler): void {
    if (this.#handler !== undefined) throw new TypeError("Cannot start a socket twice");
    this.#handler = handler;
    if (this.#gone) return queueMicrotask(() => this.#tellClosed());
    if (this.#owesWritten) queueMicrotask(() => this.#gone || this.#tell(() => handler.written()));
    this.#readMore();
  }

  write(bytes: Uint8Array): boolean {
    if (this.#shut || this.#gone) return true;
    if (bytes.length === 0) return this.#sending === 0;
    if (this.#sending === 0) this.#send(owned(bytes));
    else (this.#queue ??= new WriteQueue()).push(owned(bytes));
    return false;
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    const stashed = this.#stashed;
    if (stashed === undefined) return this.#readMore();
    this.#stashed = undefined;
    this.#reading = true;
    Promise.resolve(stashed).then(this.#onRead);
  }

  shutdown(): void {
    if (this.#shut || this.#gone) return;
    this.#shut = true;
    if (this.#sending === 0) this.#sendFin();
  }

  abort(): void {
    if (this.#gone) return;
    this.#error = undefined;
    this.#drop();
    if (this.#handler !== undefined) queueMicrotask(() => this.#tellClosed());
  }

  setNoDelay(on: boolean): void {
    if (!on && !this.#gone) refuseDelay("set");
  }

  setTcpKeepAlive(setting: TcpKeepAlive): void {
    checkTcpKeepAlive(this.#parent, setting, false);
  }

  /** A worker lives as long as its request or Durable Object, whatever is open in it. */
  ref(): void {}

  unref(): void {}

  // Reading

  #readMore(): void {
    if (this.#reading || this.#paused || this.#ended || this.#gone || this.#handler === undefined) return;
    this.#reading = true;
    this.#reader.read().then(this.#onRead, this.#onReadFailed);
  }

  #read(result: ReadResult): void {
    this.#reading = false;
    if (this.#gone) return;
    if (this.#paused) {
      this.#stashed = result;
      if (this.#hungUp) this.#lost();
    } else if (result.done) {
      this.#peerEnded();
    } else {
      // The memory of a chunk is used for no other one, so that all of what a handler may do with it is fine.
      if (result.value!.length > 0) this.#tell(() => this.#handler!.data(result.value!));
      this.#readMore();
    }
  }

  #readFailed(error: unknown): void {
    this.#reading = false;
    this.#finish(this.#error ?? errorOf(error));
  }

  #peerEnded(): void {
    if (this.#hungUp && !this.#finAsked) return this.#finish(this.#error ?? socketError(undefined));
    this.#ended = true;
    this.#tell(() => this.#handler!.end());
    if (this.#gone) return;
    if (this.#finSent || this.#error !== undefined) this.#finish(this.#error);
  }

  /** The connection is gone. What is being read tells more; where nothing is, this is all there will be. */
  #lost(): void {
    this.#hungUp = true;
    if (!this.#gone && !this.#finAsked && !this.#reading && this.#handler !== undefined) {
      this.#finish(this.#error ?? socketError(undefined));
    }
  }

  // Writing

  #send(bytes: Uint8Array): void {
    const piece = bytes.length > PIECE ? bytes.subarray(0, PIECE) : bytes;
    this.#rest = piece === bytes ? undefined : bytes.subarray(PIECE);
    this.#sending = piece.length;
    this.#writer.write(piece).then(this.#onWritten, this.#onWriteFailed);
  }

  #written(): void {
    if (this.#gone || this.#error !== undefined) return;
    this.#sending = 0;
    const next = this.#rest ?? this.#queue?.shift();
    if (next !== undefined) this.#send(next);
    else if (this.#shut) this.#sendFin();
    if (this.#handler === undefined) this.#owesWritten = true;
    else this.#tell(() => this.#handler!.written());
  }

  /** The peer is gone, but what it sent last may wait to be read. */
  #writeFailed(error: unknown): void {
    if (this.#gone || this.#error !== undefined) return;
    this.#error = errorOf(error);
    this.#shut = true;
    this.#forget();
    if (this.#handler === undefined) return;
    // What is read for another request never comes.
    if (!this.#reading || isForeign(error)) return this.#finish(this.#error);
    // Two timers, as timers may run before the sockets that wait.
    setTimeout(() => setTimeout(() => this.#finish(this.#error), 0), 0);
  }

  #sendFin(): void {
    this.#finAsked = true;
    const sent = () => {
      this.#finSent = true;
      if (this.#ended) this.#finish(undefined);
    };
    // It fails after a reset, which the pending read tells.
    this.#writer.close().then(sent, sent);
  }

  // Ending

  #finish(error: Error | undefined): void {
    if (this.#gone) return;
    this.#error = error;
    this.#drop();
    this.#tellClosed();
  }

  #drop(): void {
    this.#gone = true;
    this.#forget();
    this.#stashed = undefined;
    // It may reject with nothing at all (cloudflare/workerd#6479).
    this.#raw.close().catch(() => {});
  }

  #forget(): void {
    this.#sending = 0;
    this.#rest = undefined;
    this.#queue = undefined;
  }

  #tellClosed(): void {
    const error = this.#error;
    this.#tell(() => error === undefined ? this.#handler?.close() : this.#handler?.close(error));
  }

  /** Calls the handler. Its mistakes surface as uncaught errors, without harm to the socket. */
  #tell(call: () => unknown): void {
    try {
      call();
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
  }
}

function isForeign(error: unknown): boolean {
  return error instanceof Error && FOREIGN.test(error.message);
}

/** What the runtime reported, with a code. */
function errorOf(cause: unknown): Error {
  if (!isForeign(cause)) return socketError(cause);
  const message = "the socket belongs to another request or Durable Object";
  return Object.assign(new Error(message, { cause }), { code: "EPERM" });
}

/** @throws {TypeError} As the runtime always sends small writes at once. */
export function refuseDelay(action: "connect" | "set"): never {
  throw new TypeError(`Cannot ${action} as transport "workers" cannot honour "tcpNoDelay: false"`);
}
