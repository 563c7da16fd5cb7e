/**
 * A place on a connection where its bytes are counted, and where it can be cut at exactly one of them.
 *
 * It stands between the library and the sockets of its process, and cuts what arrives: the bytes before the cut have been read,
 * those behind it have not.
 *
 * @module
 */

import type {
  Address,
  Capabilities,
  ConnectOptions,
  Listener,
  ListenOptions,
  Socket,
  SocketHandler,
  Target,
  Transport,
} from "../../lib/transport/transport.ts";
import type { Host, HostSocket } from "./host.ts";
import type { Net, Route } from "./net.ts";

/**
 * How a connection is cut: reset; ended in order by somebody on the way; silent for good; or silent for a while, after which
 * what was sent arrives.
 */
export type CutKind = "reset" | "end" | "hole" | "stall";

/** One cut. */
export interface Cut {
  /** Bytes that arrive before it. */
  readonly at: number;
  readonly how: CutKind;
  /** Whether the other way is silent too. */
  readonly both: boolean;
  /** How long a stall lasts, in milliseconds. */
  readonly lasts: number;
}

/** What the server granted in its hello. */
export interface Grant {
  /** Id of the session's ticket, in hexadecimal, and the ticket as it was told. */
  readonly ticket: string;
  readonly id: Uint8Array;
  readonly secret: Uint8Array;
  readonly resumed: boolean;
}

/** Preamble, header and the fixed part of a hello; a grant stands behind. */
const GRANT_AT = 4 + 3 + 33;
const HELLO_BYTES = GRANT_AT + 37;

/** A transport whose sockets are tapped. */
export class TappedHost implements Transport {
  readonly name = "tapped";
  readonly capabilities: Capabilities;
  readonly #host: Host;
  readonly #net: Net;
  readonly #tapped: (tap: Tap) => void;

  /** @param tapped Told of each connection, before the library is. */
  constructor(host: Host, net: Net, tapped: (tap: Tap) => void) {
    this.#host = host;
    this.#net = net;
    this.capabilities = host.capabilities;
    this.#tapped = tapped;
  }

  async connect(target: Target, options: ConnectOptions = {}): Promise<Socket> {
    return this.#tap(await this.#host.connect(target, options));
  }

  listen(target: Target, options: ListenOptions): Promise<Listener> {
    return this.#host.listen(target, {
      ...options,
      accept: (socket) => options.accept(this.#tap(socket)),
    });
  }

  #tap(socket: Socket): Tap {
    const tap = new Tap(socket as HostSocket, this.#net);
    this.#tapped(tap);
    return tap;
  }
}

/** One end of a connection, as the library has it. */
export class Tap implements Socket, SocketHandler {
  /** Bytes that have arrived. */
  read = 0;
  cut: Cut | undefined;
  /** What a server granted, once it has. */
  grant: Grant | undefined;
  readonly #inner: HostSocket;
  readonly #net: Net;
  #handler: SocketHandler | undefined;
  /** Nothing arrives any more. */
  #silent = false;
  /** What arrives waits. */
  #stalled = false;
  #paused = false;
  #waiting: Uint8Array[] = [];
  #endWaits = false;
  #over = false;
  /** The first bytes that were written. */
  #first: Uint8Array | undefined = new Uint8Array(0);

  constructor(inner: HostSocket, net: Net) {
    this.#inner = inner;
    this.#net = net;
  }

  get route(): Route {
    return this.#inner.route;
  }

  get side(): "client" | "server" {
    return this.#inner.side;
  }

  get localAddress(): Address {
    return this.#inner.localAddress;
  }

  get remoteAddress(): Address {
    return this.#inner.remoteAddress;
  }

  get bufferedAmount(): number {
    return this.#inner.bufferedAmount;
  }

  /** Whether it can still be cut. */
  get living(): boolean {
    return !this.#over && !this.#silent && !this.#inner.over;
  }

  start(handler: SocketHandler): void {
    this.#handler = handler;
    this.#inner.start(this);
  }

  write(bytes: Uint8Array): boolean {
    if (this.#first !== undefined && this.side === "server") this.#readGrant(bytes);
    return this.#inner.write(bytes);
  }

  shutdown(): void {
    this.#inner.shutdown();
  }

  abort(): void {
    this.#drop();
    this.#inner.abort();
  }

  pause(): void {
    this.#paused = true;
    this.#inner.pause();
  }

  resume(): void {
    this.#paused = false;
    if (this.#waiting.length > 0 && !this.#stalled) this.#inner.process.after(0, () => this.#deliver());
    this.#inner.resume();
  }

  setNoDelay(): void {}
  setTcpKeepAlive(): void {}
  ref(): void {}
  unref(): void {}

  // What the socket calls.

  data(chunk: Uint8Array): boolean | void {
    if (this.#silent) return;
    if (this.#stalled || this.#waiting.length > 0) return void this.#waiting.push(new Uint8Array(chunk));
    const { cut } = this;
    if (cut === undefined || this.read + chunk.length < cut.at) {
      this.read += chunk.length;
      return this.#handler!.data(chunk);
    }
    const before = Math.max(0, cut.at - this.read);
    this.cut = undefined;
    this.read += before;
    const rest = new Uint8Array(chunk.subarray(before));
    const kept = before > 0 && this.#handler!.data(chunk.subarray(0, before));
    if (!this.#over) this.#act(cut, rest);
    return kept;
  }

  written(): void {
    this.#handler!.written();
  }

  end(): void {
    if (this.#silent) return;
    if (this.#stalled || this.#waiting.length > 0) this.#endWaits = true;
    else this.#handler!.end();
  }

  close(error?: Error): void {
    this.#drop();
    this.#handler!.close(error);
  }

  #act(cut: Cut, rest: Uint8Array): void {
    const { route, process } = this.#inner;
    const { world } = process;
    if (world.trace.on) {
      world.trace.add(world.now, route.name, `${cut.how} after ${this.read} bytes to the ${this.side}`);
    }
    switch (cut.how) {
      case "reset":
        this.#silent = true;
        return this.#net.reset(route);
      case "end":
        this.#silent = true;
        return this.#handler!.end();
      case "hole":
        this.#silent = true;
        return this.#net.cut(route, cut.both ? "both" : this.#direction);
      case "stall":
        this.#stalled = true;
        if (rest.length > 0) this.#waiting.push(rest);
        this.#net.cut(route, cut.both ? "both" : this.#direction);
        world.at(world.now + cut.lasts, undefined, () => {
          this.#net.heal(route);
          process.tell(() => {
            this.#stalled = false;
            this.#deliver();
          });
        });
    }
  }

  get #direction(): "to-server" | "to-client" {
    return this.side === "server" ? "to-server" : "to-client";
  }

  /** Gives what has waited. */
  #deliver(): void {
    while (!this.#stalled && !this.#paused && !this.#over && this.#waiting.length > 0) {
      const chunk = this.#waiting.shift()!;
      const waiting = this.#waiting;
      this.#waiting = [];
      this.data(chunk);
      this.#waiting.push(...waiting);
    }
    if (this.#endWaits && this.#waiting.length === 0 && !this.#over && !this.#silent) {
      this.#endWaits = false;
      this.#handler!.end();
    }
  }

  #drop(): void {
    this.#over = true;
    this.#waiting = [];
    this.#endWaits = false;
  }

  #readGrant(bytes: Uint8Array): void {
    const first = new Uint8Array(this.#first!.length + bytes.length);
    first.set(this.#first!);
    first.set(bytes, this.#first!.length);
    this.#first = first;
    // Who is turned away is told so in fewer bytes, and is granted nothing.
    if (first.length < HELLO_BYTES) return;
    this.#first = undefined;
    if (first[4] !== 0x10 || (first[7]! & 2) === 0) return;
    const id = first.slice(GRANT_AT + 1, GRANT_AT + 9);
    this.grant = {
      id,
      secret: first.slice(GRANT_AT + 9, GRANT_AT + 25),
      ticket: hexOf(id),
      resumed: first[GRANT_AT] === 1,
    };
  }
}

function hexOf(bytes: Uint8Array): string {
  let hex = "";
  for (const byte of bytes) hex += byte.toString(16).padStart(2, "0");
  return hex;
}
