/**
 * A socket that a proxy opened for somebody: it takes the proxy's header off, and then is as if the proxy was not
 * there.
 *
 * It keeps the transport's contract, so nothing above it knows. A chunk that follows the header costs one call more.
 *
 * @module
 */

import { type ProxyHeader, ProxyHeaderDecoder } from "./proxy_header.ts";
import type { Address, Socket, SocketHandler, TcpKeepAlive } from "../transport/transport.ts";

/** The peer's end of a connection that came by way of a proxy. */
export type ProxiedAddress = Address & {
  /** Where the proxy called from. */
  readonly proxy: Address;
};

/** Whoever waits for a header. */
export interface GreetingOwner {
  /** The header is here, and {@linkcode ProxiedSocket.remoteAddress} tells what it says. */
  greeted(socket: ProxiedSocket): void;
  /** There will be none: the caller has gone, with the `error` of the system if there is one, or what came is no header. */
  ungreeted(socket: ProxiedSocket, error: unknown): void;
}

/** A socket behind a proxy. */
export class ProxiedSocket implements Socket, SocketHandler {
  readonly #raw: Socket;
  readonly #owner: GreetingOwner;
  /** Reads the header; gone when that is over. */
  #decoder: ProxyHeaderDecoder | undefined = new ProxyHeaderDecoder();
  #remoteAddress: Address;
  #handler: SocketHandler | undefined;
  /** What came with the header or before the handler, and waits; `undefined` once chunks go straight through. */
  #held: Uint8Array[] | undefined = [];
  #paused = false;
  /** The peer has finished, and that waits as well. */
  #ended = false;
  /** How the raw socket closed: told once what came before has been taken. */
  #closed: { readonly error: Error | undefined } | undefined;
  #told = false;

  /** Takes over a socket that nobody has started. Call {@linkcode greet} next. */
  constructor(raw: Socket, owner: GreetingOwner) {
    this.#raw = raw;
    this.#owner = owner;
    this.#remoteAddress = raw.remoteAddress;
  }

  /** Starts to read the header. */
  greet(): void {
    this.#raw.start(this);
  }

  /** Closes the socket of a caller that is turned away, with FIN first. */
  refuse(): void {
    this.#decoder = undefined;
    this.shutdown();
    this.abort();
  }

  get localAddress(): Address {
    return this.#raw.localAddress;
  }

  /** The caller's own address, a {@linkcode ProxiedAddress}; that of the proxy where it speaks for itself. */
  get remoteAddress(): Address {
    return this.#remoteAddress;
  }

  get bufferedAmount(): number {
    return this.#raw.bufferedAmount;
  }

  start(handler: SocketHandler): void {
    if (this.#handler !== undefined) throw new TypeError("Cannot start a socket twice");
    this.#handler = handler;
    if (!this.#paused) this.resume();
    else if (this.#closed !== undefined) queueMicrotask(() => this.#release());
  }

  write(bytes: Uint8Array): boolean {
    return this.#raw.write(bytes);
  }

  pause(): void {
    this.#paused = true;
    this.#raw.pause();
  }

  resume(): void {
    this.#paused = false;
    if (this.#handler === undefined) return;
    // Nothing is delivered during the call.
    if (this.#held !== undefined) queueMicrotask(() => this.#release());
    this.#raw.resume();
  }

  shutdown(): void {
    this.#raw.shutdown();
  }

  abort(): void {
    this.#drop();
    this.#raw.abort();
    if (this.#closed !== undefined) queueMicrotask(() => this.#release());
  }

  setNoDelay(on: boolean): void {
    this.#raw.setNoDelay(on);
  }

  setTcpKeepAlive(setting: TcpKeepAlive): void {
    this.#raw.setTcpKeepAlive(setting);
  }

  ref(): void {
    this.#raw.ref();
  }

  unref(): void {
    this.#raw.unref();
  }

  // What the raw socket calls.

  data(chunk: Uint8Array): boolean | void {
    if (this.#held === undefined) return this.#handler!.data(chunk);
    if (this.#decoder !== undefined) return this.#read(this.#decoder, chunk);
    this.#held.push(new Uint8Array(chunk));
    this.#release();
  }

  written(): void {
    this.#handler?.written();
  }

  end(): void {
    if (this.#decoder !== undefined) return this.#fail(undefined);
    if (this.#held === undefined) return this.#handler!.end();
    this.#ended = true;
    this.#release();
  }

  close(error?: Error): void {
    this.#closed = { error };
    if (error !== undefined) this.#drop();
    if (this.#decoder !== undefined) this.#fail(error);
    else this.#release();
  }

  #read(decoder: ProxyHeaderDecoder, chunk: Uint8Array): void {
    let taken;
    try {
      taken = decoder.receive(chunk);
    } catch (error) {
      return this.#fail(error);
    }
    if (decoder.header === undefined) return;
    this.#decoder = undefined;
    this.#remoteAddress = seenThrough(decoder.header, this.#raw.remoteAddress);
    // The chunk is only lent, and what is in it must wait until the call is over.
    if (taken < chunk.length) this.#held!.push(new Uint8Array(chunk.subarray(taken)));
    this.#owner.greeted(this);
    if (this.#handler === undefined) this.#raw.pause();
  }

  #fail(error: unknown): void {
    this.#decoder = undefined;
    this.#owner.ungreeted(this, error);
  }

  /** Forgets what was held. */
  #drop(): void {
    if (this.#held !== undefined) this.#held.length = 0;
    this.#ended = false;
  }

  /** Delivers what was held, in order, and then lets everything go straight through. */
  #release(): void {
    const handler = this.#handler, held = this.#held;
    if (handler === undefined) return;
    while (held !== undefined && held.length > 0 && !this.#paused) handler.data(held.shift()!);
    if (held !== undefined && held.length > 0 || this.#ended && this.#paused) return;
    this.#held = undefined;
    if (this.#ended) {
      this.#ended = false;
      handler.end();
    }
    if (this.#closed === undefined || this.#told) return;
    this.#told = true;
    handler.close(this.#closed.error);
  }
}

function seenThrough({ source }: ProxyHeader, proxy: Address): Address {
  if (source === undefined) return proxy;
  const address: ProxiedAddress = { ...source, proxy };
  return address;
}
