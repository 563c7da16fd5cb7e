/**
 * serve(): accepts connections, admits them up to a limit, counts them, and sees them off.
 *
 * @module
 */

import { count, delay, duration } from "./checked.ts";
import { type ConnectionPolicy, connectionPolicy } from "./connection/policy.ts";
import type { Connection } from "./connection.ts";
import type { CloseReason, ConnectionError } from "./errors.ts";
import type { ConnectionKeeper } from "./connection/keeper.ts";
import { LiveConnection } from "./connection/live_connection.ts";
import type { Happening } from "./observer.ts";
import { Admission } from "./server/admission.ts";
import { placesWithin, tooFewDescriptors } from "./server/descriptors.ts";
import type { ConnectionHandler, DrainOptions, Server } from "./server/contract.ts";
import { Entrance, type EntranceOwner } from "./server/entrance.ts";
import { MemoryBudget } from "./server/memory_budget.ts";
import { type ServeOptions, targetOf } from "./server/options.ts";
import { PROXY_GATE } from "./server/on_demand.ts";
import type { GateOwner, ProxyGate } from "./server/proxy_gate.ts";
import { type Refusal, type ServerStats, Tally } from "./server/stats.ts";
import type { Hello } from "./protocol/protocol.ts";
import type { LastingConnection } from "./session/lasting_connection.ts";
import { SESSIONS } from "./session/on_demand.ts";
import { placeFor } from "./session/place.ts";
import type { Sessions } from "./session/sessions.ts";
import { TurnedAway } from "./server/turned_away.ts";
import { descriptorLimit } from "./transport/descriptor_limit.ts";
import { detectTransport } from "./transport/detect.ts";
import type { Address, Place, Socket, TlsIdentity, TlsServerOptions } from "./transport/transport.ts";

export type { ConnectionHandler, DrainOptions, Server } from "./server/contract.ts";
export type { ServeOptions } from "./server/options.ts";
export type { ProxiedAddress } from "./server/proxied_socket.ts";
export type { ProxyProtocolOptions } from "./server/proxy_gate.ts";
export type { RefusalCounts, ServerStats } from "./server/stats.ts";
export type { TrustedProxies } from "./server/trusted_proxies.ts";

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
  const { proxyProtocol, resume = false } = options;
  const server = new LiveServer(options, handler, {
    ProxyGate: proxyProtocol === undefined ? undefined : (await PROXY_GATE.get()).ProxyGate,
    Sessions: resume === false ? undefined : (await SESSIONS.get()).Sessions,
  });
  await server.listen(options);
  return server;
}

/** Parts of a server that are loaded only where they are asked for. */
interface Parts {
  readonly ProxyGate: typeof ProxyGate | undefined;
  readonly Sessions: typeof Sessions | undefined;
}

class LiveServer<In, Out> implements Server<In, Out>, ConnectionKeeper<In, Out>, EntranceOwner, GateOwner {
  readonly #policy: ConnectionPolicy<In, Out>;
  readonly #handler: ConnectionHandler<In, Out>;
  readonly #drainTimeout: number;
  readonly #onError: ServeOptions<In, Out>["onError"];
  readonly #signal: AbortSignal | undefined;
  readonly #connections = new Set<LiveConnection<In, Out>>();
  readonly #admission: Admission;
  /** Places of those whose TLS handshake is under way. */
  readonly #handshakes = new Set<Place>();
  /** Goes on with a handshake after the header of a proxy. */
  #secure: ((socket: Socket) => void) | undefined;
  /** Where connections wait for the header of a proxy, if there are proxies. */
  readonly #gate: ProxyGate | undefined;
  readonly #turnedAway: TurnedAway<In, Out>;
  readonly #sessions: Sessions<In, Out> | undefined;
  readonly #budget: MemoryBudget<LiveConnection<In, Out>> | undefined;
  readonly #tally = new Tally();
  #entrance: Entrance | undefined;
  #stopped = false;
  readonly closed: Promise<void>;
  #resolveClosed!: () => void;

  constructor(
    options: ServeOptions<In, Out>,
    handler: ConnectionHandler<In, Out>,
    { ProxyGate, Sessions }: Parts,
  ) {
    if (typeof handler !== "function") {
      throw new TypeError(`Cannot serve as "handler" must be a function: current value is ${handler}`);
    }
    const policy = this.#policy = connectionPolicy({ action: "serve", role: "server" }, options);
    const { maxConnections = 10_000, maxConnectionsPerAddress = Infinity, acceptRate, proxyProtocol } =
      options;
    this.#admission = new Admission(
      { maxConnections, places: placesWithin(descriptorLimit()), maxConnectionsPerAddress, acceptRate },
      policy.clock.now(),
    );
    if (proxyProtocol !== undefined) this.#gate = new ProxyGate!(proxyProtocol, policy, this);
    this.#turnedAway = new TurnedAway(policy);
    const { resume = false } = options;
    if (resume !== false) {
      const handle = (connection: LastingConnection<In, Out>) => this.#handle(connection)?.();
      const emptied = () => this.#stopped && this.#checkClosed();
      this.#sessions = new Sessions!(policy, this, handle, emptied, resume === true ? {} : resume);
    }
    const budget = count("serve", "maxBufferedBytes", options.maxBufferedBytes ?? Infinity);
    if (budget < Infinity) this.#budget = new MemoryBudget(budget, this.#connections, policy);
    this.#drainTimeout = duration("serve", "drainTimeout", options.drainTimeout ?? 15_000);
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
    const { tls, backlog, reusePort, tcpNoDelay, tcpKeepAlive } = options;
    const behindProxy = tls !== undefined && this.#gate !== undefined;
    const can = transport.capabilities.tls;
    if (behindProxy && can !== undefined && can.plainFirst !== true) {
      throw new TypeError(
        `Cannot serve as transport "${transport.name}" cannot honour "proxyProtocol" together with "tls"`,
      );
    }
    const { handshakeTimeout } = this.#policy;
    this.#entrance = new Entrance(
      transport,
      {
        accept: (socket, place) => this.#accept(socket, place),
        admit: (address) => this.#reserve(address),
        beforeTls: behindProxy ? (socket, secure) => this.#receive(socket, secure) : undefined,
        failed: (error) => this.#onError?.(error),
        backlog,
        reusePort,
        tcpNoDelay,
        tcpKeepAlive,
        tls: tls && { handshakeTimeout, ...tls },
      },
      this.#policy,
      this,
    );
    await this.#entrance.open(target);
    const { maxConnections } = this.#admission;
    const asked = options.maxConnections ?? 0;
    if (asked > maxConnections && asked < Infinity) this.#onError?.(tooFewDescriptors(asked, maxConnections));
    // The one listener on the caller's signal: one for each connection would leak.
    signal?.addEventListener("abort", this.#onAbort);
    if (signal?.aborted || this.#stopped) {
      this.abort(signal?.reason);
      await this.closed;
      signal?.throwIfAborted();
    }
  }

  get address(): Address {
    return this.#entrance!.address;
  }

  get connections(): Iterable<Connection<In, Out>> {
    return this.#usable();
  }

  async drain(options: DrainOptions = {}): Promise<void> {
    const { clock, wheel } = this.#policy, { to } = options;
    const timeout = duration("drain", "timeout", options.timeout ?? this.#drainTimeout);
    // As Phoenix, which says goodbye to 10 000 in 2 s.
    const most = Math.min(timeout / 4, this.#connections.size * 0.2);
    const spread = delay("drain", "spread", options.spread ?? most);
    const retryAfter = delay("drain", "retryAfter", options.retryAfter ?? 0);
    const notice = { within: timeout, retryAfter, to: to === undefined ? "" : placeFor("drain", to) };
    // Only now: a mistake in the options leaves the server as it was.
    this.#stop();
    for (const connection of this.#connections) {
      if (!connection.carries) connection.leave(clock.random() * spread, notice);
    }
    this.#sessions?.leave(spread, notice);
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
    return this.#tally.stats(this.#connections, this.#admission.maxConnections, this.#policy.wheel);
  }

  replaceCertificate(identity: TlsIdentity & Pick<TlsServerOptions, "serverNames">): void {
    this.#entrance!.replaceCertificate(identity);
  }

  ref(): void {
    this.#entrance?.ref();
  }

  unref(): void {
    this.#entrance?.unref();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.drain();
  }

  // What a connection tells.

  asked(connection: LiveConnection<In, Out>, { session }: Hello): void {
    if (session === undefined || this.#sessions === undefined) connection.greet();
    else this.#sessions.asked(connection, session);
  }

  greeted(connection: LiveConnection<In, Out>): void {
    if (this.#sessions?.greeted(connection)) return;
    this.#handle(connection)?.();
  }

  ended(connection: LiveConnection<In, Out>, reason: CloseReason): void {
    this.#connections.delete(connection);
    this.#admission.left(connection.remoteAddress);
    this.#tally.ended(reason, connection);
    if (reason.code === "handler-failed") this.#onError?.(reason.cause, connection);
    if (this.#stopped) this.#checkClosed();
  }

  handlerFailed(error: unknown, connection: Connection<In, Out>): void {
    this.#onError?.(error, connection);
  }

  noticed(what: Happening): void {
    this.#tally.noticed(what);
  }

  // What the entrance tells.

  died(error: unknown): void {
    this.#onError?.(error);
  }

  reopened(): void {
    this.#tally.reopened++;
  }

  lost(error: ConnectionError): void {
    this.#onError?.(error);
    void this.drain();
  }

  // What the gate tells.

  passed(socket: Socket): void {
    if (this.#secure === undefined) this.#admit(socket);
    else this.#secure(socket);
  }

  refused(why: Refusal, error?: unknown): void {
    this.#tally.refusedBy[why]++;
    if (error !== undefined) this.#onError?.(error);
  }

  /** Places that are taken, also by those who wait for the header of their proxy, or make their TLS handshake. */
  get #taken(): number {
    return this.#connections.size + (this.#gate?.waiting ?? 0) + this.#handshakes.size;
  }

  /** Keeps a place for a caller whose TLS handshake begins. */
  #reserve(address: Address): Place | undefined {
    if (this.#stopped) return undefined;
    const refusal = this.#admission.admit(address, this.#taken, this.#policy.clock.now());
    if (refusal !== undefined) {
      this.refused(refusal);
      return this.#turnedAway.expect();
    }
    const place = { free: () => this.#handshakes.delete(place) && this.#admission.left(address) };
    this.#handshakes.add(place);
    return place;
  }

  /** Takes a caller that has not begun its TLS handshake. */
  #receive(socket: Socket, secure: (socket: Socket) => void): void {
    this.#secure = secure;
    this.#greet(socket, this.#gate!);
  }

  /** Takes a caller that has made its TLS handshake, if there is to be one. */
  #accept(socket: Socket, place?: Place): void {
    if (this.#stopped) {
      place?.free();
      return socket.abort();
    }
    if (place !== undefined) return this.#settle(socket, place);
    if (this.#gate === undefined || this.#secure !== undefined) return this.#admit(socket);
    this.#greet(socket, this.#gate);
  }

  /** Has a proxy say whom it speaks for. */
  #greet(socket: Socket, gate: ProxyGate): void {
    if (this.#stopped) return socket.abort();
    if (this.#admission.isFull(this.#taken)) return this.#refuse(socket, "full");
    gate.take(socket);
  }

  /** Gives a caller the place that was kept for it, or the word. */
  #settle(socket: Socket, place: Place): void {
    if (this.#handshakes.delete(place)) return this.#begin(socket);
    place.free();
    this.#turnedAway.take(socket);
  }

  #admit(socket: Socket): void {
    const { clock } = this.#policy;
    const refusal = this.#admission.admit(socket.remoteAddress, this.#taken, clock.now());
    if (refusal !== undefined) return this.#refuse(socket, refusal);
    this.#begin(socket);
  }

  #begin(socket: Socket): void {
    const connection = new LiveConnection(socket, this.#policy, this);
    this.#connections.add(connection);
    this.#tally.admitted(this.#connections.size);
    this.#budget?.watch();
    // Who has to greet is handled when it has.
    if (this.#policy.protocol.greets) return connection.start();
    const scope = this.#handle(connection);
    connection.start();
    scope?.();
  }

  /** Calls the handler. Returns how to go on once the connection has started. */
  #handle(connection: LiveConnection<In, Out> | LastingConnection<In, Out>): (() => void) | undefined {
    let scope: PromiseLike<unknown> | void;
    try {
      scope = this.#handler(connection);
    } catch (error) {
      connection.failed(error);
      return undefined;
    }
    return () => {
      if (scope !== undefined) connection.scope(scope);
      else if (connection.onMessage === undefined) void connection.close();
    };
  }

  #refuse(socket: Socket, why: Refusal): void {
    this.refused(why);
    this.#turnedAway.take(socket);
  }

  /** What the application may use: connections that carry nothing but themselves and have greeted, and sessions. */
  *#usable(): Iterable<Connection<In, Out>> {
    const { greets } = this.#policy.protocol;
    for (const connection of this.#connections) {
      if (!connection.carries && !(greets && connection.hello === undefined)) yield connection;
    }
    yield* this.#sessions?.connections ?? [];
  }

  #onAbort = (): void => this.abort(this.#signal!.reason);

  /** Accepts no more. */
  #stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#signal?.removeEventListener("abort", this.#onAbort);
    this.#gate?.clear();
    this.#checkClosed();
  }

  #abortAll(reason: unknown): void {
    this.#sessions?.abort(reason);
    for (const connection of this.#connections) connection.abort(reason);
  }

  #checkClosed(): void {
    const listening = this.#entrance?.close() ?? Promise.resolve();
    if (this.#connections.size > 0 || (this.#sessions?.size ?? 0) > 0) return;
    this.#budget?.end();
    void listening.then(this.#resolveClosed, this.#resolveClosed);
  }
}
