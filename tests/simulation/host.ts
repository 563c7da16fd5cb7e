/**
 * The sockets of one process: those of the memory network, except that nothing comes while the process is away.
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
  TcpAddress,
  Transport,
} from "../../lib/transport/transport.ts";
import type { Net, Route } from "./net.ts";
import type { Held, Process } from "./process.ts";
import type { Witness } from "./witness.ts";

/** What the peers of an end may expect of it, as long as its process runs and reads. */
export interface Ways {
  /** Answers pings at once. */
  readonly answers: boolean;
  /** Sends something at least so often. */
  readonly beatsEvery: number;
  /** Pings or sends more than it may. */
  readonly floods: boolean;
  /** Sends pongs that nobody asked for. */
  readonly forges: boolean;
  /** Does not end what it begins. */
  readonly trickles: boolean;
}

/** What a process is told apart by at its sockets. */
export interface HostOptions {
  readonly process: Process;
  readonly net: Net;
  readonly ways: Ways;
  /** Watches a socket of the library. */
  readonly watch?: (socket: HostSocket) => Witness;
}

/** The transport of one process. */
export class Host implements Transport {
  readonly name = "simulated";
  readonly capabilities: Capabilities;
  readonly #options: HostOptions;

  constructor(options: HostOptions) {
    this.#options = options;
    this.capabilities = options.net.network.transport.capabilities;
  }

  connect(target: Target, options: ConnectOptions = {}): Promise<Socket> {
    const { process, net } = this.#options;
    const { world } = process;
    return new Promise((resolve, reject) => {
      process.kernel(() => {
        world.dialling++;
        net.network.transport.connect(target, options).then((inner) => {
          world.dialling--;
          const socket = new HostSocket(inner, "client", this.#options);
          process.tell(() => resolve(socket));
        }, (error) => {
          world.dialling--;
          process.tell(() => reject(error));
        });
      });
    });
  }

  async listen(target: Target, options: ListenOptions): Promise<Listener> {
    const { process, net } = this.#options;
    const listener = await net.network.transport.listen!(target, {
      ...options,
      accept: (inner) => {
        const socket = new HostSocket(inner, "server", this.#options);
        process.tell(() => options.accept(socket));
      },
    });
    process.held.add({ hold() {}, release() {}, drop: () => void listener.close() });
    return listener;
  }
}

/** One end of a connection, as its process has it. */
export class HostSocket implements Socket, SocketHandler, Held {
  readonly process: Process;
  readonly route: Route;
  readonly side: "client" | "server";
  /** Changed by those who change their ways. */
  ways: Ways;
  readonly witness: Witness | undefined;
  /** The process does not read; when it last began to read again. */
  stopped = false;
  resumedAt = 0;
  /** We will send no more. */
  finished = false;
  /** Ended from here, or told that it has. */
  over = false;
  /** When the process dropped it, or died. */
  droppedAt = Infinity;
  readonly #inner: Socket;
  #handler: SocketHandler | undefined;
  /** Written, and not given to the kernel yet. */
  #queue: Uint8Array[] = [];
  #queued = 0;

  constructor(inner: Socket, side: "client" | "server", { process, net, ways, watch }: HostOptions) {
    this.#inner = inner;
    this.process = process;
    this.side = side;
    this.ways = ways;
    const client = side === "client" ? inner.localAddress : inner.remoteAddress;
    this.route = net.route((client as TcpAddress).port);
    this.route[side] = this;
    this.witness = watch?.(this);
    process.held.add(this);
    if (process.dead) this.drop();
  }

  get localAddress(): Address {
    return this.#inner.localAddress;
  }

  get remoteAddress(): Address {
    return this.#inner.remoteAddress;
  }

  get bufferedAmount(): number {
    return this.over ? 0 : this.#queued + this.#inner.bufferedAmount;
  }

  /** The other end, once it is there. */
  get peer(): HostSocket | undefined {
    return this.route[this.side === "client" ? "server" : "client"];
  }

  start(handler: SocketHandler): void {
    this.#handler = handler;
    this.process.kernel(() => {
      this.#inner.start(this);
      if (this.process.away) this.#inner.pause();
    });
  }

  write(bytes: Uint8Array): boolean {
    if (this.over || this.finished) return true;
    this.witness?.writes(bytes, this.bufferedAmount);
    const { process } = this;
    if (process.world.trace.on) this.#say(`writes ${bytes.length}`);
    if (process.away || process.habits.slowWrites || this.#queued > 0) {
      // A copy: the bytes may be lent.
      this.#queue.push(new Uint8Array(bytes));
      this.#queued += bytes.length;
      this.witness?.wrote(this.bufferedAmount);
      if (this.#queue.length === 1) this.#flushLater();
      return false;
    }
    const taken = this.#inner.write(bytes);
    this.witness?.wrote(this.bufferedAmount);
    return taken;
  }

  shutdown(): void {
    if (this.finished || this.over) return;
    this.finished = true;
    if (this.process.world.trace.on) this.#say("shuts down");
    if (this.#queued === 0) this.process.kernel(() => this.#inner.shutdown());
  }

  abort(): void {
    if (this.over) return;
    if (this.process.world.trace.on) this.#say("aborts");
    this.over = true;
    this.#queue = [];
    this.#queued = 0;
    this.process.kernel(() => {
      this.droppedAt = this.process.world.now;
      this.#inner.abort();
      if (this.#handler === undefined) this.process.held.delete(this);
    });
  }

  pause(): void {
    this.stopped = true;
    this.witness?.deaf(true);
    if (!this.process.away) this.#inner.pause();
  }

  resume(): void {
    this.stopped = false;
    this.resumedAt = this.process.now();
    this.witness?.deaf(false);
    if (!this.process.away) this.#inner.resume();
  }

  setNoDelay(): void {}
  setTcpKeepAlive(): void {}
  ref(): void {}
  unref(): void {}

  // What the kernel calls.

  data(chunk: Uint8Array): boolean | void {
    if (this.over || this.process.dead) return;
    if (this.process.world.trace.on) this.#say(`reads ${chunk.length}`);
    this.witness?.hears(chunk);
    let kept: boolean | void = undefined;
    this.process.enter(() => kept = this.#handler!.data(chunk));
    return kept;
  }

  written(): void {
    this.process.tell(() => {
      if (this.over) return;
      this.witness?.wrote(this.bufferedAmount, true);
      this.#handler!.written();
    });
  }

  end(): void {
    if (this.over || this.process.dead) return;
    if (this.process.world.trace.on) this.#say("reads the end");
    this.witness?.ends();
    this.process.enter(() => this.#handler!.end());
  }

  close(error?: Error): void {
    this.process.tell(() => {
      if (this.process.world.trace.on) {
        this.#say(`is closed${error === undefined ? "" : ` by ${error.message}`}`);
      }
      if (this.droppedAt === Infinity) this.droppedAt = this.process.world.now;
      this.process.held.delete(this);
      this.over = true;
      this.#handler!.close(error);
    });
  }

  // What the process calls.

  hold(): void {
    this.#inner.pause();
  }

  release(): void {
    if (!this.stopped) this.#inner.resume();
  }

  drop(): void {
    this.over = true;
    this.droppedAt = this.process.world.now;
    this.#inner.abort();
  }

  #flushLater(): void {
    const { process } = this;
    if (process.away) process.kernel(() => this.#flush());
    else process.world.at(process.world.now, process, () => this.#flush());
  }

  #flush(): void {
    if (this.over) return;
    const queue = this.#queue;
    this.#queue = [];
    this.#queued = 0;
    for (const bytes of queue) this.#inner.write(bytes);
    this.witness?.wrote(this.#inner.bufferedAmount, true);
    if (this.finished) this.#inner.shutdown();
    const { process } = this;
    process.world.at(process.world.now, process, () => this.over || this.#handler?.written());
  }

  #say(what: string): void {
    this.process.world.trace.add(this.process.world.now, this.process.name, `${this.route.name} ${what}`);
  }
}
