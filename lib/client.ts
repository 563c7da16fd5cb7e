/**
 * connect(): dials once.
 *
 * @module
 */

import { connectionPolicy } from "./connection/policy.ts";
import type { Connection, ConnectionOptions } from "./connection.ts";
import { type IntervalRange, intervalRange, IntervalSearch } from "./liveness/interval.ts";
import { type ConnectionKeeper, LiveConnection } from "./connection/live_connection.ts";
import { detectTransport } from "./transport/detect.ts";
import type { Target } from "./transport/transport.ts";

/** Options for {@linkcode connect}. Durations are in milliseconds, sizes in bytes. */
export interface ConnectOptions<In = Uint8Array, Out = Uint8Array | string>
  extends ConnectionOptions<In, Out> {
  /** How long dialling may take, the look-up of the name included. @default {5_000} as NATS (ADR-40) */
  readonly timeout?: number | undefined;
}

/**
 * Opens a connection.
 *
 * It stays open until {@linkcode Connection.close}, `abort()`, its `signal`, or the peer end it; `await using` closes it
 * with the block. In the callback form it closes by itself once the peer has finished.
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
  target: Target,
  options: ConnectOptions<In, Out> = {},
): Promise<Connection<In, Out>> {
  const policy = connectionPolicy({
    action: "connect",
    guarded: false,
    search: (range) => searchOf(target, range),
  }, options);
  const { signal, timeout, tcpNoDelay, tcpKeepAlive, transport = await detectTransport() } = options;
  signal?.throwIfAborted();
  const socket = await transport.connect(target, { signal, timeout, tcpNoDelay, tcpKeepAlive });
  const onAbort = () => connection.abort(signal!.reason);
  const keeper: ConnectionKeeper<In, Out> = { ended: () => signal?.removeEventListener("abort", onAbort) };
  const connection = new LiveConnection(socket, policy, keeper);
  signal?.addEventListener("abort", onAbort);
  connection.start();
  if (signal?.aborted) onAbort();
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
