/**
 * connect(): dials once, or stays connected.
 *
 * @module
 */

import { type ConnectionPolicy, connectionPolicy } from "./connection/policy.ts";
import type { Connection, ConnectionOptions } from "./connection.ts";
import type { CloseReason } from "./errors.ts";
import { type IntervalRange, intervalRange, IntervalSearch } from "./liveness/interval.ts";
import { LiveConnection } from "./connection/live_connection.ts";
import type { ReconnectOptions } from "./session/reconnect_options.ts";
import { REDIAL } from "./session/on_demand.ts";
import { systemClock } from "./time/clock.ts";
import { detectTransport } from "./transport/detect.ts";
import { stayAwake, stopStayingAwake } from "./transport/stay_awake.ts";
import type { Socket, Target, TlsClientOptions } from "./transport/transport.ts";

/** Options for {@linkcode connect}. Durations are in milliseconds, sizes in bytes. */
export interface ConnectOptions<In = Uint8Array, Out = Uint8Array | string>
  extends ConnectionOptions<In, Out> {
  /** How long dialling may take, the look-up of the name included. @default {5_000} as NATS (ADR-40) */
  readonly timeout?: number | undefined;
  /** Speak TLS; `true` for all defaults. The server's certificate is always verified. @default no TLS */
  readonly tls?: TlsClientOptions | true | undefined;
  /** Come back when the connection is lost, and how. @default {false}, or with all defaults if {@linkcode resume} is set */
  readonly reconnect?: boolean | ReconnectOptions | undefined;
  /**
   * Ask for a session, so that messages survive the loss of the connection: each arrives once and in order, or its loss is
   * told with `session-lost`. Needs a protocol with sessions, and a server that has them on.
   *
   * @default {false}
   */
  readonly resume?: boolean | undefined;
}

/**
 * Opens a connection.
 *
 * It stays open until {@linkcode Connection.close}, `abort()`, its `signal`, or the peer end it; `await using` closes it
 * with the block. In the callback form it closes by itself once the peer has finished. Of several targets the first that can
 * be connected to is taken.
 *
 * With `reconnect` it stays connected: {@linkcode Connection.state} is `away` while it is not, and it ends only when it is
 * closed, when the peer says that it should not come back, or when it gives up. With `resume` nothing is lost on the way.
 *
 * @throws {TypeError | RangeError} If an option is not what it may be, or the runtime cannot honour it.
 * @throws {ConnectionError} `connect-failed` or `connect-timeout`, with what the system said as the `cause`.
 *
 * @example
 * ```ts
 * import { connect, lines, serve } from "@holdfast/holdfast";
 * import { strictEqual } from "node:assert/strict";
 *
 * await using server = await serve({ port: 0, protocol: lines() }, (connection) => {
 *   connection.onMessage = (line) => connection.send(line.toUpperCase());
 * });
 * await using connection = await connect(server.address, { protocol: lines() });
 * await connection.send("hello");
 * for await (const line of connection) {
 *   strictEqual(line, "HELLO");
 *   break;
 * }
 * ```
 */
export async function connect<In = Uint8Array, Out = Uint8Array | string>(
  target: Target | readonly Target[],
  options: ConnectOptions<In, Out> = {},
): Promise<Connection<In, Out>> {
  const targets = Array.isArray(target) ? target as readonly Target[] : [target as Target];
  if (targets.length === 0) {
    throw new TypeError("Cannot connect as there must be a target: the list is empty");
  }
  const policy = connectionPolicy({
    action: "connect",
    role: "client",
    search: (range) => searchOf(targets[0]!, range),
  }, { ...options, clock: options.clock ?? options.transport?.newClock?.() });
  const { signal, timeout, tcpNoDelay, tcpKeepAlive, tls, resume = false } = options;
  const transport = options.transport ?? await detectTransport();
  const dial = (target: Target, signal?: AbortSignal) =>
    transport.connect(target, { signal, timeout, tcpNoDelay, tcpKeepAlive, tls });
  const { reconnect = resume } = options;
  if (reconnect === false) return connectOnce(targets, policy, dial, signal);
  const { Redial } = await REDIAL.get();
  const setup = { targets, policy, options: reconnect === true ? {} : reconnect, resume, signal, dial };
  return new Redial({ ...setup, ...(policy.clock === systemClock && { hold }) }).open();
}

/** Keeps the process alive while a connection has no socket that does. */
const hold = (on: boolean): void => on ? stayAwake() : stopStayingAwake();

/** Connects to the first target that can be connected to. */
async function connectOnce<In, Out>(
  targets: readonly Target[],
  policy: ConnectionPolicy<In, Out>,
  dial: (target: Target, signal?: AbortSignal) => Promise<Socket>,
  signal: AbortSignal | undefined,
): Promise<Connection<In, Out>> {
  let failure: unknown;
  for (const target of targets) {
    signal?.throwIfAborted();
    try {
      return await greeted(await dial(target, signal), policy, signal);
    } catch (error) {
      failure = error;
    }
  }
  signal?.throwIfAborted();
  throw failure;
}

/** Makes a connection of a socket. Fulfilled when both have greeted, where the protocol does. */
async function greeted<In, Out>(
  socket: Socket,
  policy: ConnectionPolicy<In, Out>,
  signal: AbortSignal | undefined,
): Promise<Connection<In, Out>> {
  const onAbort = () => connection.abort(signal!.reason);
  let opened!: () => void, failed!: (reason: CloseReason) => void;
  const opening = new Promise<void>((resolve, reject) => [opened, failed] = [resolve, reject]);
  // Later it may fail without anybody waiting.
  opening.catch(() => {});
  const connection = new LiveConnection(socket, policy, {
    greeted: () => opened(),
    ended: (_, reason) => {
      signal?.removeEventListener("abort", onAbort);
      failed(reason);
    },
  });
  signal?.addEventListener("abort", onAbort);
  connection.start();
  if (signal?.aborted) onAbort();
  if (policy.protocol.greets) await opening;
  return connection;
}

/** What was learned of the paths to each target. It lasts as long as the process. */
const searches = /* @__PURE__ */ new Map<string, IntervalSearch>();

function searchOf(target: Target, range: IntervalRange): IntervalSearch {
  const { min, max } = intervalRange(range);
  const key = JSON.stringify([target, min, max]);
  let search = searches.get(key);
  if (search === undefined) searches.set(key, search = new IntervalSearch(range));
  return search;
}
