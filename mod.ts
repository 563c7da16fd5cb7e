/**
 * Connections that last: TCP, TLS and Unix-socket servers and clients with heartbeats, on Deno, Bun and Node.
 *
 * {@linkcode serve} and {@linkcode connect} are the front door; what they give is a {@linkcode Connection}. The wire format
 * is a protocol: {@linkcode raw}, {@linkcode lines}, {@linkcode frames}, {@linkcode json}, or one of your own, as with
 * {@linkcode packets}.
 *
 * @example A server that notices when a client is gone, and a client that comes back
 * ```ts
 * import { connect, lines, serve } from "@holdfast/holdfast";
 * import { strictEqual } from "node:assert/strict";
 *
 * const heartbeat = { interval: 10_000, timeout: 5_000 };
 * await using server = await serve({ port: 0, protocol: lines(), heartbeat }, async (connection) => {
 *   for await (const line of connection) await connection.send(line.toUpperCase());
 * });
 *
 * const connection = await connect(server.address, { protocol: lines(), reconnect: true });
 * await connection.send("hello");
 * for await (const line of connection) {
 *   strictEqual(line, "HELLO");
 *   break;
 * }
 * await connection.close();
 * strictEqual((await connection.closed).code, "closed");
 * ```
 *
 * @module
 */

// The front door.
export {
  type ConnectionHandler,
  type DrainOptions,
  type ProxiedAddress,
  type ProxyProtocolOptions,
  type RefusalCounts,
  serve,
  type ServeOptions,
  type Server,
  type ServerStats,
  type TrustedProxies,
} from "./lib/server.ts";
export type { AnyConnection, Observer } from "./lib/observer.ts";
export { connect, type ConnectOptions } from "./lib/client.ts";
export type {
  Connection,
  ConnectionHeartbeat,
  ConnectionOptions,
  ConnectionState,
  ConnectionStats,
  OnMessage,
} from "./lib/connection.ts";

// Connections that outlive their sockets.
export type { ReconnectOptions } from "./lib/session/reconnect_options.ts";
export type { SessionOptions } from "./lib/session/sessions.ts";
export { memoryStore, type SessionRecord, type SessionStore } from "./lib/session/store.ts";

// What happens on the wire.
export {
  type CloseReason,
  ConnectionError,
  type ConnectionErrorCode,
  type ConnectionErrorOptions,
  type ConnectionFacts,
  type ErrorOrigin,
  type Farewell,
  ProtocolError,
} from "./lib/errors.ts";

// Protocols.
export { raw, type RawOptions } from "./lib/protocol/raw.ts";
export { lines, type LinesOptions } from "./lib/protocol/lines.ts";
export { frames, type FramesOptions } from "./lib/protocol/frames.ts";
export { packets, type PacketsOptions, type PacketWire } from "./lib/protocol/packets.ts";
export { json, type JsonOptions } from "./lib/protocol/json.ts";
export type {
  DrainNotice,
  Hello,
  Offer,
  Pieces,
  Protocol,
  Role,
  SessionOffer,
  SessionTicket,
  Wire,
  WireEvents,
} from "./lib/protocol/protocol.ts";

// Liveness and time.
export type { HeartbeatOptions, TimeoutBounds } from "./lib/liveness/heartbeat_policy.ts";
export type { IntervalRange } from "./lib/liveness/interval.ts";
export type { RoundTripTimes } from "./lib/liveness/rtt.ts";
export type { RateOptions } from "./lib/liveness/rate.ts";
export { backoff, type BackoffOptions } from "./lib/liveness/backoff.ts";
export { type Clock, systemClock, type WakeUp } from "./lib/time/clock.ts";

// Sockets.
export { detectTransport } from "./lib/transport/detect.ts";
export { type SocketInfo, type SocketStreams, toStreams } from "./lib/transport/streams.ts";
export type {
  Address,
  Capabilities,
  ConnectOptions as DialOptions,
  Listener,
  ListenOptions,
  PeerCertificate,
  Place,
  Socket,
  SocketHandler,
  Target,
  TcpAddress,
  TcpKeepAlive,
  TlsCapabilities,
  TlsClientOptions,
  TlsIdentity,
  TlsInfo,
  TlsServerOptions,
  Transport,
  UnixAddress,
} from "./lib/transport/transport.ts";

// The command, when this file is what was run. Never by importing it.
if (import.meta.main) void import("./lib/cli/bin.ts");
