/**
 * What a server is to those who use it.
 *
 * @module
 */

import type { Connection } from "../connection.ts";
import type { Address, Target, TlsIdentity, TlsServerOptions } from "../transport/transport.ts";
import type { ServerStats } from "./stats.ts";

/**
 * Handles one connection. If it returns a promise, that is the connection's scope: when it is fulfilled the connection
 * closes in good order, when it is rejected the connection ends with `handler-failed`. If it returns nothing, it has
 * set {@linkcode Connection.onMessage}, and the connection lives until the peer has finished.
 */
export type ConnectionHandler<In = Uint8Array, Out = Uint8Array | string> = (
  connection: Connection<In, Out>,
) => PromiseLike<unknown> | void;

/** How a server stops, in milliseconds. */
export interface DrainOptions {
  /** How long it may take. @default {ServeOptions.drainTimeout} */
  readonly timeout?: number;
  /** Over how long the goodbyes are spread. @default 0.2 ms for each connection, at most a quarter of `timeout` */
  readonly spread?: number;
  /** What clients are told, where the protocol can: come back after so many milliseconds. @default {0} */
  readonly retryAfter?: number;
  /** And where to go. @default the same place */
  readonly to?: Target;
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
  /**
   * Has all TLS handshakes from now on made with this certificate. Open connections live on.
   *
   * @throws {TypeError} If it is no certificate or not its key (the old one stays), or the server does not speak TLS.
   */
  replaceCertificate(identity: TlsIdentity & Pick<TlsServerOptions, "serverNames">): void;
  /** What was counted so far. */
  stats(): ServerStats;
  /** Keeps the process alive while it listens, as at the start. */
  ref(): void;
  /** Lets the process end although it listens. Connections keep it alive on their own. */
  unref(): void;
}
