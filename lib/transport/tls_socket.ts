/**
 * TLS over any {@linkcode Socket}: `node:tls` turns bytes into other bytes, and all else is the socket below.
 *
 * So a reset, back-pressure, and an end that the peer did not announce (FIN without `close_notify`) are seen as the
 * socket below sees them, whatever a runtime's own TLS makes of them.
 *
 * @module
 */

import type stream from "node:stream";
import type tls from "node:tls";
import { socketError } from "./failure.ts";
import { owned } from "./lent.ts";
import type { Session, Taker } from "./tls_engine.ts";
import type { Address, Socket, SocketHandler, TcpKeepAlive, TlsInfo } from "./transport.ts";
import { WriteQueue } from "./write_queue.ts";

/** The part of `process` used here. */
interface ProcessLike {
  getBuiltinModule(id: "node:stream"): typeof stream;
}

/** Bytes given to the engine at a time. */
const PIECE = 64 * 1024;
/** Most bytes that may wait below while more are given to the engine. */
const WINDOW = 256 * 1024;
/** Bytes that the engine may have read ahead of the handler. */
const READ_AHEAD = 64 * 1024;
/** How long the peer's FIN is waited for once both directions have ended, in milliseconds. */
const LINGER = 1_000;

/** One end of a TLS connection. */
export class TlsSocket implements Socket {
  /** Resolves to this when its handshake is over. */
  readonly opened: Promise<this>;
  readonly #under: Socket;
  /** What the engine reads from and writes to. */
  readonly #stream: stream.Duplex;
  readonly #engine: tls.TLSSocket;
  /** Destroys the engine. */
  readonly #dispose: (error?: Error) => tls.TLSSocket;
  readonly #queue = new WriteQueue();
  #info: TlsInfo | undefined = undefined;
  #handler: SocketHandler | undefined = undefined;
  /** Bytes given to the engine that it has not passed on. */
  #encrypting = 0;
  /** Bytes that it passed on since nothing waited below. */
  #below = 0;
  /** What waited when the handler was last told, plus all that came after: less than that is progress. */
  #marked = 0;
  #paused = false;
  /** Whether the peer has said that it sends no more. */
  #ended = false;
  /** Whether the socket below has ended without the peer having said so, for all we know. */
  #cut = false;
  /** Whether the handler is not to be told so before it reads. */
  #endWaits = false;
  /** Whether the socket below has closed. */
  #closedBelow = false;
  /** Whether we will send no more. */
  #shut = false;
  /** Whether our `close_notify` is on its way. */
  #finished = false;
  #gone = false;
  #error: Error | undefined = undefined;

  /** Takes over `under`, which must not be started; `open` begins a handshake. */
  constructor(under: Socket, open: (stream: stream.Duplex, take: Taker<void>) => Session<void>) {
    this.#under = under;
    const { process } = globalThis as unknown as { process: ProcessLike };
    this.#stream = new (process.getBuiltinModule("node:stream").Duplex)({
      allowHalfOpen: true,
      autoDestroy: false,
      read: () => this.#readMore(),
      write: (chunk: Uint8Array, _encoding, done) => {
        under.write(chunk);
        done();
      },
    });
    // What goes wrong, the engine or the socket below tells.
    this.#stream.on("error", () => {});
    under.start({
      data: (chunk) => {
        const room = this.#stream.push(chunk);
        if (!room || this.#paused || this.#engine.readableLength > READ_AHEAD) under.pause();
        return true;
      },
      written: () => this.#progress(),
      end: () => this.#cutOff(),
      close: (error) => this.#closed(error),
    });
    const { socket, opened } = open(this.#stream, (_, info) => void (this.#info = info));
    this.#engine = socket;
    // By itself it goes as soon as both directions have ended, on Deno before its close_notify is on its way.
    this.#dispose = socket.destroy.bind(socket);
    socket.destroy = (error) => error === undefined ? socket : this.#dispose(error);
    socket.on("error", (error) => this.#fail(error));
    // It comes though nobody reads, if there are no data before it.
    socket.once("end", () => this.#peerEnded());
    // Deno's does not end what is below it, and its last bytes may come after this.
    socket.once("finish", () =>
      setImmediate(() => {
        under.shutdown();
        this.#linger();
      }));
    this.opened = opened.then(
      () => {
        // It may have gone since.
        if (this.#gone) throw this.#error ?? socketError(undefined);
        return this;
      },
      (error) => {
        const why = this.#error ?? error;
        this.#fail(why);
        throw why;
      },
    );
    this.opened.catch(() => {});
  }

  get localAddress(): Address {
    return this.#under.localAddress;
  }

  get remoteAddress(): Address {
    return this.#under.remoteAddress;
  }

  get tls(): TlsInfo | undefined {
    return this.#info;
  }

  get bufferedAmount(): number {
    return this.#gone ? 0 : this.#queue.bytes + this.#encrypting + this.#waitingBelow();
  }

  start(handler: SocketHandler): void {
    if (this.#handler !== undefined) throw new TypeError("Cannot start a socket twice");
    this.#handler = handler;
    if (this.#gone) return queueMicrotask(() => this.#tellClosed());
    this.#engine.on("data", (chunk: Uint8Array) => this.#received(chunk));
    if (this.#paused) this.#engine.pause();
    else this.#goOn();
    if (this.#marked > 0) queueMicrotask(() => this.#progress());
  }

  write(bytes: Uint8Array): boolean {
    if (this.#shut || this.#gone) return true;
    if (bytes.length > 0) {
      this.#queue.push(owned(bytes));
      this.#pump();
    }
    const waiting = this.bufferedAmount;
    if (this.#marked > 0) this.#marked += bytes.length;
    else this.#marked = waiting;
    return waiting === 0;
  }

  pause(): void {
    this.#paused = true;
    if (this.#gone) return;
    // The engine would go on reading, on Deno without end.
    if (this.#info !== undefined) this.#under.pause();
    if (this.#handler !== undefined) this.#engine.pause();
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    if (this.#handler !== undefined && !this.#gone) this.#goOn();
  }

  shutdown(): void {
    if (this.#shut || this.#gone) return;
    this.#shut = true;
    this.#pump();
  }

  abort(): void {
    if (this.#gone) return;
    this.#leave();
    if (this.#handler !== undefined) queueMicrotask(() => this.#tellClosed());
  }

  setNoDelay(on: boolean): void {
    this.#under.setNoDelay(on);
  }

  setTcpKeepAlive(setting: TcpKeepAlive): void {
    this.#under.setTcpKeepAlive(setting);
  }

  ref(): void {
    this.#under.ref();
  }

  unref(): void {
    this.#under.unref();
  }

  // Reading

  #received(chunk: Uint8Array): void {
    if (this.#gone) return;
    try {
      // Not a Buffer, whose `slice` and `toString` are not those of a Uint8Array.
      this.#handler!.data(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.length));
    } catch (error) {
      throwLater(error);
    }
    this.#readMore();
  }

  #readMore(): void {
    if (this.#gone || this.#paused || this.#engine?.readableLength > READ_AHEAD) return;
    this.#under.resume();
  }

  #peerEnded(): void {
    if (this.#gone) return;
    this.#ended = true;
    this.#endWaits = this.#paused || this.#handler === undefined;
    if (this.#endWaits) return;
    try {
      this.#handler!.end();
    } catch (error) {
      throwLater(error);
    }
    if (this.#closedBelow) this.#finish();
    else this.#linger();
  }

  #goOn(): void {
    this.#engine.resume();
    this.#readMore();
    if (this.#cut) this.#cutOff();
    if (this.#endWaits) queueMicrotask(() => this.#endWaits && this.#peerEnded());
  }

  /**
   * No more bytes come from below. If none is left that the peer's `close_notify` could be in, the end was not the
   * peer's, or it is too careless to say so.
   */
  #cutOff(): void {
    this.#cut = true;
    // The engine tells an end some ticks after it has read it.
    setImmediate(() => setImmediate(() => this.#judge()));
  }

  #judge(): void {
    if (this.#gone || this.#ended || this.#paused) return;
    if (this.#info !== undefined && this.#handler === undefined) return;
    if (this.#stream.readableLength > 0 || this.#engine.readableLength > 0) return this.#cutOff();
    const [message, code] = this.#info === undefined
      ? ["the peer went away during the handshake", "ECONNRESET"]
      : ["the peer's end came without TLS close_notify", "EPROTO"];
    this.#fail(Object.assign(new Error(message), { code }));
  }

  // Writing

  /** Bytes that wait below, as far as they are ours: there are more, since the engine adds some. */
  #waitingBelow(): number {
    const { bufferedAmount } = this.#under;
    if (bufferedAmount < this.#below) this.#below = bufferedAmount;
    return this.#below;
  }

  /** Gives the engine what waits here, while little waits below. */
  #pump(): void {
    while (this.#queue.bytes > 0 && this.#encrypting + this.#under.bufferedAmount < WINDOW) {
      const next = this.#queue.shift()!;
      const piece = next.length > PIECE ? next.subarray(0, PIECE) : next;
      if (piece !== next) this.#queue.unshift(next.subarray(PIECE));
      this.#encrypting += piece.length;
      this.#engine.write(piece, () => {
        this.#encrypting -= piece.length;
        this.#below += piece.length;
        this.#progress();
      });
    }
    if (!this.#shut || this.#finished || this.#queue.bytes > 0) return;
    this.#finished = true;
    this.#engine.end();
  }

  #progress(): void {
    if (this.#gone || this.#info === undefined) return;
    this.#pump();
    const waiting = this.bufferedAmount;
    if (this.#marked === 0 || waiting >= this.#marked || this.#handler === undefined) return;
    this.#marked = waiting;
    try {
      this.#handler.written();
    } catch (error) {
      throwLater(error);
    }
  }

  // Ending

  /** Both directions have ended: the peer's FIN should follow, and is not waited for in vain. */
  #linger(): void {
    if (this.#gone || !this.#ended || !this.#engine.writableFinished) return;
    const timer: unknown = setTimeout(() => this.#under.bufferedAmount === 0 && this.#finish(), LINGER);
    (timer as { unref?(): void }).unref?.();
  }

  /** The socket below has closed. */
  #closed(error: Error | undefined): void {
    if (this.#gone) return;
    if (error !== undefined) this.#fail(error);
    else if (this.#ended && !this.#endWaits) this.#finish();
    else this.#closedBelow = true; // What the peer said last is still on its way through the engine.
  }

  #finish(): void {
    if (this.#gone) return;
    this.#leave();
    this.#tellClosed();
  }

  #fail(error: Error): void {
    if (this.#gone) return;
    this.#error = socketError(error, "EPROTO");
    this.#finish();
  }

  #leave(): void {
    this.#gone = true;
    this.#queue.clear();
    this.#under.abort();
    this.#dispose();
    this.#stream.destroy();
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
function throwLater(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}
