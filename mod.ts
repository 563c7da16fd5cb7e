/**
 * Connections that last: TCP and Unix-socket servers and clients with heartbeats, on Deno, Bun and Node.
 *
 * @module
 */

// The front door.
export {
  type ConnectionHandler,
  type DrainOptions,
  serve,
  type ServeOptions,
  type Server,
  type ServerStats,
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

// What happens on the wire.
export {
  type CloseReason,
  ConnectionError,
  type ConnectionErrorCode,
  type ConnectionErrorOptions,
  type ConnectionFacts,
  type ErrorOrigin,
  ProtocolError,
} from "./lib/errors.ts";

// Protocols.
export { raw, type RawOptions } from "./lib/protocol/raw.ts";
export { lines, type LinesOptions } from "./lib/protocol/lines.ts";
export type { Protocol, Wire, WireEvents } from "./lib/protocol/protocol.ts";

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
  Socket,
  SocketHandler,
  Target,
  TcpAddress,
  TcpKeepAlive,
  Transport,
  UnixAddress,
} from "./lib/transport/transport.ts";

// The command, when this file is what was run. Never by importing it.
if (import.meta.main) void import("./lib/cli/bin.ts");
