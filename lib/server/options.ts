/**
 * What a server can be told.
 *
 * @module
 */

import type { Connection, ConnectionOptions } from "../connection.ts";
import type { SessionOptions } from "../session/sessions.ts";
import type { RateOptions } from "../liveness/rate.ts";
import type { Target, TlsServerOptions } from "../transport/transport.ts";
import type { ProxyProtocolOptions } from "./proxy_gate.ts";

/** Options for {@linkcode serve}. Durations are in milliseconds, sizes in bytes. */
export interface ServeOptions<In = Uint8Array, Out = Uint8Array | string> extends ConnectionOptions<In, Out> {
  /** Host name or IP address to listen on. @default {"127.0.0.1"}; `"0.0.0.0"` or `"::"` for the whole network */
  readonly hostname?: string | undefined;
  /** Port to listen on; `0` for any free one. Either this or {@linkcode path}. */
  readonly port?: number | undefined;
  /** Path of a Unix-domain socket to listen on. */
  readonly path?: string | undefined;
  /**
   * Connections at a time. Callers beyond it are closed at once. Never more than the process may hold descriptors
   * (`RLIMIT_NOFILE`), less 64 for all else that needs one; if it was asked for more, `onError` is told at the start.
   *
   * @default {10_000}
   */
  readonly maxConnections?: number | undefined;
  /**
   * Connections at a time from one address, so that nobody takes the places of all others. Callers beyond it are closed
   * at once. An IPv6 /64 is one address; an IPv4 address is the same one in its IPv6 form. Unix-domain sockets have none
   * and are not limited. Behind a proxy, set {@linkcode proxyProtocol} too, or all callers are the proxy.
   *
   * @default {Infinity}
   */
  readonly maxConnectionsPerAddress?: number | undefined;
  /** How often a caller is accepted; those beyond it are closed at once. @default no limit */
  readonly acceptRate?: RateOptions | undefined;
  /**
   * For a server behind a proxy that sends the PROXY protocol of HAProxy, version 1 or 2: each connection must begin with
   * its header, whole within `handshakeTimeout` or `firstByteTimeout`, whichever is less.
   * {@linkcode Connection.remoteAddress} is then the caller's own, a {@linkcode ProxiedAddress}, and limits count that
   * one; where the proxy speaks for itself or does not know its caller it is the proxy's.
   *
   * @default off: such a header is data like any other
   */
  readonly proxyProtocol?: ProxyProtocolOptions | undefined;
  /**
   * Speak TLS, with this certificate. Handshakes have a deadline of their own, `handshakeTimeout` unless it is set here
   * too. One that fails is told to {@linkcode onError}, and disturbs nobody.
   *
   * @default no TLS
   */
  readonly tls?: TlsServerOptions | undefined;
  /**
   * Give clients sessions if they ask for one, so that messages survive the loss of a connection. The handler is called
   * once for a session, however often its connection is replaced. Needs a protocol with sessions.
   *
   * @default {false}
   */
  readonly resume?: boolean | SessionOptions | undefined;
  /**
   * Bytes that may wait on all connections together: for the application, to be sent, and of messages that have begun to
   * arrive. When there are more, connections end with `memory-exceeded` until there are not: those that hold most first,
   * of equals the one that had no message for longest. Looked at every 100 ms, and every 20 ms above half of it.
   *
   * @default {Infinity}
   */
  readonly maxBufferedBytes?: number | undefined;
  /** How long a drain may take before what is left is aborted. @default {15_000} as thousand_island */
  readonly drainTimeout?: number | undefined;
  /** Callers that the kernel may hold until they are accepted. Refused where the runtime cannot. @default {511} or 512 */
  readonly backlog?: number | undefined;
  /** Share the port with other processes (`SO_REUSEPORT`). Refused where the runtime cannot. @default {false} */
  readonly reusePort?: boolean | undefined;
  /**
   * Told of what no promise carries: a handler that failed (with its connection), an error that the listener lived
   * through or died of, a proxy that sent no header. Must not throw.
   *
   * A listener that dies is opened again at the same address, and the connections live on. If that fails for some 2.5 s,
   * this is told of a {@linkcode ConnectionError} `listen-failed`, and the server drains.
   */
  readonly onError?: ((error: unknown, connection?: Connection<In, Out>) => void) | undefined;
}

/** What `options` say to listen on. @throws {TypeError} If that is not one thing. */
export function targetOf<In, Out>({ hostname = "127.0.0.1", port, path }: ServeOptions<In, Out>): Target {
  if (path !== undefined) {
    if (port === undefined) return { path };
    throw new TypeError(`Cannot serve as either "port" or "path" must be set: both are`);
  }
  if (port === undefined) {
    throw new TypeError(`Cannot serve as either "port" or "path" must be set: neither is`);
  }
  return { hostname, port };
}
