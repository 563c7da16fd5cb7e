/**
 * serve(): accepts connections, admits them up to a limit, counts them, and sees them off.
 *
 * @module
 */

import { count, duration } from "./checked.ts";
import { type ConnectionPolicy, connectionPolicy } from "./connection/policy.ts";
import type { Connection, ConnectionOptions } from "./connection.ts";
import type { CloseReason, ConnectionErrorCode } from "./errors.ts";
import { type RateOptions, TokenBucket } from "./liveness/rate.ts";
import { type ConnectionKeeper, LiveConnection } from "./connection/live_connection.ts";
import type { Happening, HappeningCounts } from "./observer.ts";
import { detectTransport } from "./transport/detect.ts";
import type { Address, Listener, Socket, Target } from "./transport/transport.ts";

/** Options for {@linkcode serve}. Durations are in milliseconds, sizes in bytes. */
export interface ServeOptions<In = Uint8Array, Out = Uint8Array | string> extends ConnectionOptions<In, Out> {
  /** Host name or IP address to listen on. @default {"127.0.0.1"}; `"0.0.0.0"` or `"::"` for the whole network */
  readonly hostname?: string | undefined;
  /** Port to listen on; `0` for any free one. Either this or {@linkcode path}. */
  readonly port?: number | undefined;
  /** Path of a Unix-domain socket to listen on. */
  readonly path?: string | undefined;
  /** Connections at a time. Callers beyond it are closed at once. @default {10_000} */
  readonly maxConnections?: number | undefined;
  /** How often a caller is accepted; those beyond it are closed at once. @default no limit */
  readonly acceptRate?: RateOptions | undefined;
  /** How long a drain may take before what is left is aborted. @default {15_000} as thousand_island */
  readonly drainTimeout?: number | undefined;
  /** Callers that the kernel may hold until they are accepted. Refused where the runtime cannot. @default {511} or 512 */
  readonly backlog?: number | undefined;
  /** Share the port with other processes (`SO_REUSEPORT`). Refused where the runtime cannot. @default {false} */
  readonly reusePort?: boolean | undefined;
  /**
   * Told of what no promise carries: a handler that failed (with its connection), an error that the listener lived
   * through or died of. Must not throw.
   */
  readonly onError?: ((error: unknown, connection?: Connection<In, Out>) => void) | undefined;
}

/**
 * Handles one connection. If it returns a promise, that is the connection's scope: when it is fulfilled the connection
 * closes in good order, when it is rejected the connection ends with `handler-failed`. If it returns nothing, it has
 * set {@linkcode Connection.onMessage}, and the connection lives until the peer has finished.
 */
export type ConnectionHandler<In = Uint8Array, Out = Uint8Array | string> = (
  connection: Connection<In, Out>,
) => PromiseLike<unknown> | void;

/** What a server has counted since it started. */
export interface ServerStats {
  /** Connections at this moment. */
  readonly now: number;
  /** Most connections there ever were at a time. */
  readonly peak: number;
  /** Connections admitted. */
  readonly accepted: number;
  /** Callers turned away because the server was full, or they came too fast. */
  readonly refused: number;
  /** Connections that have ended, by the code of their close reason. */
  readonly ended: Readonly<Partial<Record<ConnectionErrorCode, number>>>;
  /** Probes sent. */
  readonly probesSent: number;
  /** Pongs that answered one. */
  readonly probesAnswered: number;
  /** Probes that were due when the peer turned out to have spoken. */
  readonly probesSuppressed: number;
  /** Pings that came too soon. */
  readonly strikes: number;
  /** How often this process was found to have been asleep or blocked. */
  readonly pauses: number;
  /** How late the last wake-up of the heartbeats' timer was, in milliseconds. */
  readonly lag: number;
  /** Bytes that wait to be sent, over all connections. */
  readonly bufferedBytes: number;
}

/** How a server stops, in milliseconds. */
export interface DrainOptions {
  /** How long it may take. @default {ServeOptions.drainTimeout} */
  readonly timeout?: number;
  /** Over how long the goodbyes are spread. @default 0.2 ms for each connection, at most a quarter of `timeout` */
  readonly spread?: number;
}

/** A listener and the connections it accepted. */
export interface Server<In = Uint8Array, Out = Uint8Array | string> extends AsyncDisposable {
  /** Where it listens, with the port it was given. */
  readonly address: Address;
  /** The connections of this moment. */
  readonly connections: Iterable<Connection<In, Out>>;
  /** Fulfilled when it has stopped and all its connections have ended. Never rejected. */
  readonly closed: Promise<void>;
  /**
   * Stops in good order: accepts no more, answers what has been received, says goodbye. The goodbyes are spread over
   * `spread`, so that those who come back elsewhere do not come all at once. What is left after `timeout` is aborted.
   * Fulfilled when it is over; never rejected.
   */
  drain(options?: DrainOptions): Promise<void>;
  /** Stops now, and aborts every connection with `reason` as the cause. */
  abort(reason?: unknown): void;
  /** What was counted so far. */
  stats(): ServerStats;
  /** Keeps the process alive while it listens, as at the start. */
  ref(): void;
  /** Lets the process end although it listens. Connections keep it alive on their own. */
  unref(): void;
}

/**
 * Starts a server.
 *
 * @throws {TypeError | RangeError} If an option is not what it may be, or the runtime cannot honour it.
 * @throws {ConnectionError} `listen-failed`, with what the system said as the `cause`.
 *
 * @example An echo server, and a client that asks it
 * ```ts
 * import { connect, raw, serve } from "@holdfast/holdfast";
 * import { strictEqual } from "node:assert/strict";
 *
 * await using server = await serve({ port: 0, protocol: raw() }, async (connection) => {
 *   for await (const bytes of connection) await connection.send(bytes);
 * });
 * await using client = await connect(server.address, { protocol: raw() });
 * await client.send("hello");
 * for await (const bytes of client) {
 *   strictEqual(new TextDecoder().decode(bytes), "hello");
 *   break;
 * }
 * ```
 */
export async function serve<In = Uint8Array, Out = Uint8Array | string>(
  options: ServeOptions<In, Out>,
  handler: ConnectionHandler<In, Out>,
): Promise<Server<In, Out>> {
  const server = new LiveServer(options, handler);
  await server.listen(options);
  return server;
}

class LiveServer<In, Out> implements Server<In, Out>, ConnectionKeeper<In, Out> {
  readonly #policy: ConnectionPolicy<In, Out>;
  readonly #handler: ConnectionHandler<In, Out>;
  readonly #maxConnections: number;
  readonly #drainTimeout: number;
  readonly #onError: ServeOptions<In, Out>["onError"];
  readonly #signal: AbortSignal | undefined;
  readonly #connections = new Set<LiveConnection<In, Out>>();
  readonly #acceptRate: TokenBucket | undefined;
  #listener: Listener | undefined;
  #stopped = false;
  #peak = 0;
  #accepted = 0;
  #refused = 0;
  readonly #happened: HappeningCounts = { probesSent: 0, probesAnswered: 0, probesSuppressed: 0, strikes: 0 };
  readonly #ended: Partial<Record<ConnectionErrorCode, number>> = {};
  readonly closed: Promise<void>;
  #resolveClosed!: () => void;

  constructor(options: ServeOptions<In, Out>, handler: ConnectionHandler<In, Out>) {
    if (typeof handler !== "function") {
      throw new TypeError(`Cannot serve as "handler" must be a function: current value is ${handler}`);
    }
    this.#policy = connectionPolicy({ action: "serve", guarded: true }, options);
    this.#maxConnections = count("serve", "maxConnections", options.maxConnections ?? 10_000);
    this.#drainTimeout = duration("serve", "drainTimeout", options.drainTimeout ?? 15_000);
    const { acceptRate } = options;
    if (acceptRate !== undefined) this.#acceptRate = new TokenBucket(this.#policy.clock.now(), acceptRate);
    this.#onError = options.onError;
    this.#signal = options.signal;
    this.#handler = handler;
    this.closed = new Promise((resolve) => this.#resolveClosed = resolve);
  }

  async listen(options: ServeOptions<In, Out>): Promise<void> {
    const target = targetOf(options);
    const { signal, transport = await detectTransport() } = options;
    signal?.throwIfAborted();
    if (transport.listen === undefined) {
      throw new TypeError(
        `Cannot serve as the transport must be able to listen: current one is "${transport.name}"`,
      );
    }
    const { backlog, reusePort, tcpNoDelay, tcpKeepAlive } = options;
    this.#listener = await transport.listen(target, {
      accept: (socket) => this.#accept(socket),
      failed: (error) => this.#onError?.(error),
      died: (error) => {
        this.#onError?.(error);
        this.abort(error);
      },
      backlog,
      reusePort,
      tcpNoDelay,
      tcpKeepAlive,
    });
    // The one listener on the caller's signal: one for each connection would leak.
    signal?.addEventListener("abort", this.#onAbort);
    if (signal?.aborted || this.#stopped) {
      this.abort(signal?.reason);
      await this.closed;
      signal?.throwIfAborted();
    }
  }

  get address(): Address {
    return this.#listener!.address;
  }

  get connections(): Iterable<Connection<In, Out>> {
    return this.#connections;
  }

  async drain(options: DrainOptions = {}): Promise<void> {
    const timeout = duration("drain", "timeout", options.timeout ?? this.#drainTimeout);
    this.#stop();
    const { clock, wheel } = this.#policy;
    // As Phoenix, which says goodbye to 10 000 in 2 s.
    const { spread = Math.min(timeout / 4, this.#connections.size * 0.2) } = options;
    if (!(spread >= 0 && spread < Infinity)) {
      throw new RangeError(`Cannot drain as "spread" must be >= 0 and finite: current value is ${spread}`);
    }
    for (const connection of this.#connections) connection.leave(clock.random() * spread);
    const late = () => {
      this.#abortAll(new Error(`Drain took longer than ${timeout} ms`));
      return Infinity;
    };
    const entry = wheel.add({ due: late }, clock.now() + timeout);
    await this.closed;
    wheel.remove(entry);
  }

  abort(reason?: unknown): void {
    this.#stop();
    this.#abortAll(reason);
  }

  stats(): ServerStats {
    const { wheel } = this.#policy;
    let bufferedBytes = 0;
    for (const connection of this.#connections) bufferedBytes += connection.bufferedAmount;
    return {
      now: this.#connections.size,
      peak: this.#peak,
      accepted: this.#accepted,
      refused: this.#refused,
      ended: { ...this.#ended },
      ...this.#happened,
      pauses: wheel.pauses,
      lag: wheel.lag,
      bufferedBytes,
    };
  }

  ref(): void {
    this.#listener?.ref();
  }

  unref(): void {
    this.#listener?.unref();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.drain();
  }

  // What a connection tells.

  ended(connection: LiveConnection<In, Out>, reason: CloseReason): void {
    this.#connections.delete(connection);
    this.#ended[reason.code] = (this.#ended[reason.code] ?? 0) + 1;
    if (reason.code === "handler-failed") this.#onError?.(reason.cause, connection);
    if (this.#stopped) this.#checkClosed();
  }

  noticed(what: Happening): void {
    switch (what) {
      case "probeSent":
        this.#happened.probesSent++;
        break;
      case "answered":
        this.#happened.probesAnswered++;
        break;
      case "suppressed":
        this.#happened.probesSuppressed++;
        break;
      case "strike":
        this.#happened.strikes++;
    }
  }

  #accept(socket: Socket): void {
    if (this.#stopped) return socket.abort();
    if (
      this.#connections.size >= this.#maxConnections ||
      this.#acceptRate?.take(this.#policy.clock.now()) === false
    ) {
      this.#refused++;
      // FIN first, so that the caller sees an end and not a failure; then let go of it at once.
      socket.shutdown();
      return socket.abort();
    }
    const connection = new LiveConnection(socket, this.#policy, this);
    this.#accepted++;
    this.#connections.add(connection);
    if (this.#connections.size > this.#peak) this.#peak = this.#connections.size;
    let scope;
    try {
      scope = this.#handler(connection);
    } catch (error) {
      return connection.failed(error);
    }
    connection.start();
    if (scope !== undefined) connection.scope(scope);
    else if (connection.onMessage === undefined) void connection.close();
  }

  #onAbort = (): void => this.abort(this.#signal!.reason);

  /** Accepts no more. */
  #stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#signal?.removeEventListener("abort", this.#onAbort);
    this.#checkClosed();
  }

  #abortAll(reason: unknown): void {
    for (const connection of this.#connections) connection.abort(reason);
  }

  #checkClosed(): void {
    const listening = this.#listener?.close() ?? Promise.resolve();
    if (this.#connections.size === 0) void listening.then(this.#resolveClosed, this.#resolveClosed);
  }
}

function targetOf<In, Out>({ hostname = "127.0.0.1", port, path }: ServeOptions<In, Out>): Target {
  if (path !== undefined) {
    if (port === undefined) return { path };
    throw new TypeError(`Cannot serve as either "port" or "path" must be set: both are`);
  }
  if (port === undefined) {
    throw new TypeError(`Cannot serve as either "port" or "path" must be set: neither is`);
  }
  return { hostname, port };
}
