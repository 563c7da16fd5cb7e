/**
 * The contract between this module and a runtime's sockets.
 *
 * A {@linkcode Transport} opens {@linkcode Socket}s and {@linkcode Listener}s. All that stands above it
 * (protocols, heartbeats, limits, draining) is written once, against these types, and never names a
 * runtime. A socket pushes: it calls its {@linkcode SocketHandler}, since streams cost up to twice as
 * much on small messages. `streams.ts` shows any socket as WHATWG streams.
 *
 * ## Who owns a buffer, and until when
 *
 * - **Received.** A chunk given to {@linkcode SocketHandler.data} is *borrowed*: it is valid during the
 *   call, in which the handler may also change it in place. A handler that returns `true` keeps the
 *   chunk: the transport will never touch those bytes again.
 * - **Sent.** Bytes given to {@linkcode Socket.write} belong to the socket until they are with the
 *   kernel: the caller must not change them. A chunk that is borrowed may be written as it is, to this
 *   socket or to another one, during the call it was borrowed for; the transport sees to the rest.
 *
 * @module
 */

import type { Clock } from "../time/clock.ts";
import type { TlsCapabilities, TlsClientOptions, TlsIdentity, TlsInfo, TlsServerOptions } from "./tls.ts";

export type {
  PeerCertificate,
  TlsCapabilities,
  TlsClientOptions,
  TlsIdentity,
  TlsInfo,
  TlsServerOptions,
} from "./tls.ts";

/** A TCP endpoint. */
export interface TcpAddress {
  /** Host name or IP address. */
  readonly hostname: string;
  /** Port number, 0 to 65535. Port `0` asks a listener for any free port. */
  readonly port: number;
}

/** A Unix-domain socket. */
export interface UnixAddress {
  /** Path in the file system; `""` where the other end of a socket has no name. */
  readonly path: string;
}

/** One end of a socket. */
export type Address = TcpAddress | UnixAddress;

/** What can be connected to or listened on. */
export type Target = Address;

/** Options for {@linkcode Transport.connect}. Durations are in milliseconds. */
export interface ConnectOptions {
  /** Gives up, with the signal's own reason. After the socket is open it has no effect. */
  readonly signal?: AbortSignal | undefined;
  /**
   * How long the attempt may take, with the look-up of the name and TLS's handshake. The kernel alone would try
   * for minutes. `Infinity` for no limit.
   *
   * @default {5_000} as NATS (ADR-40) and ranch
   */
  readonly timeout?: number | undefined;
  /** Send small writes at once instead of collecting them (RFC 896). @default {true} */
  readonly tcpNoDelay?: boolean | undefined;
  /** The kernel's own probes. @default {false} */
  readonly tcpKeepAlive?: TcpKeepAlive | undefined;
  /**
   * Speaks TLS: `true` for the defaults, which trust what the runtime trusts. The server's certificate and name are
   * verified. A server that asks for a client's certificate may refuse it later, which closes the socket with an
   * error. Refused where the runtime cannot. @default plain text
   */
  readonly tls?: TlsClientOptions | true | undefined;
}

/**
 * The kernel's own probes (`SO_KEEPALIVE`): off, on with the system's timing (2 hours on Linux), or on with
 * a delay before the first. They prove that the peer's *kernel* lives, no more, and only while nothing
 * waits to be sent; the heartbeat is what finds dead peers.
 */
export type TcpKeepAlive =
  | boolean
  | {
    /** Silence before the first probe, in milliseconds; whole seconds, at least 1000. */
    readonly initialDelay: number;
  };

/** Options for {@linkcode Transport.listen}. */
export interface ListenOptions {
  /**
   * Takes each accepted socket. Call {@linkcode Socket.start} before returning or later; nothing is
   * delivered before that. Must not throw.
   *
   * @param place What {@linkcode admit} gave for it. It is not freed any more.
   */
  readonly accept: (socket: Socket, place?: Place) => void;
  /**
   * Asked of each caller before its TLS handshake begins, so that handshakes can be limited. One that gets no place is
   * closed at once. Must not throw. Without TLS it is not asked. @default everybody gets one
   */
  readonly admit?: ((remoteAddress: Address) => Place | undefined) | undefined;
  /**
   * Takes each accepted socket before its TLS handshake, of which it may read and answer what comes in plain text, as the
   * header of a proxy. `secure` goes on with the handshake, over this socket or one that stands for it. Must not throw.
   * Only with {@linkcode tls}; refused where the runtime cannot.
   */
  readonly beforeTls?: ((socket: Socket, secure: (socket: Socket) => void) => void) | undefined;
  /**
   * Told of errors that the listener lives through, such as running out of descriptors. It pauses and
   * then goes on by itself.
   */
  readonly failed?: ((error: unknown) => void) | undefined;
  /** Told once if the listener died although nobody closed it. */
  readonly died?: ((error: unknown) => void) | undefined;
  /**
   * Connections that the kernel may hold until they are accepted. Refused, if given, where the runtime cannot.
   *
   * @default the runtime's own: 511 or 512
   */
  readonly backlog?: number | undefined;
  /** Share the port with other listeners (`SO_REUSEPORT`); refused where the runtime cannot. @default {false} */
  readonly reusePort?: boolean | undefined;
  /** As in {@linkcode ConnectOptions.tcpNoDelay}, for accepted sockets. @default {true} */
  readonly tcpNoDelay?: boolean | undefined;
  /** As in {@linkcode ConnectOptions.tcpKeepAlive}, for accepted sockets. @default {false} */
  readonly tcpKeepAlive?: TcpKeepAlive | undefined;
  /**
   * Speaks TLS. `accept` is given a socket only after its handshake; of those that fail, `failed` is told, ten times a
   * second at most. Refused where the runtime cannot. @default plain text
   */
  readonly tls?: TlsServerOptions | undefined;
}

/** A caller's place while its handshake lasts. */
export interface Place {
  /** Gives it back: the handshake came to nothing. */
  free(): void;
}

/** What a runtime can do. Data, so that tests and callers never ask for a runtime's name. */
export interface Capabilities {
  /** Whether `tcpKeepAlive: true` reaches the kernel. */
  readonly tcpKeepAlive: boolean;
  /** Whether `tcpKeepAlive: { initialDelay }` reaches the kernel. */
  readonly tcpKeepAliveDelay: boolean;
  /** Whether `reusePort` reaches the kernel. */
  readonly reusePort: boolean;
  /** Whether `backlog` reaches the kernel. */
  readonly backlog: boolean;
  /** Whether {@linkcode Socket.abort} sends a reset (RST) instead of an ordinary end (FIN). */
  readonly reset: boolean;
  /** Whether Unix-domain sockets work. */
  readonly unix: boolean;
  /** What it can do of TLS; absent where it has none. */
  readonly tls?: TlsCapabilities | undefined;
}

/** Opens sockets and listeners on one runtime. */
export interface Transport {
  /** Short name for messages, as `"deno"`. */
  readonly name: string;
  /** What it can do. */
  readonly capabilities: Capabilities;
  /**
   * Opens a socket to `target`.
   *
   * @throws {ConnectionError} `connect-failed` or `connect-timeout`.
   * @throws {TypeError} If an option was set that this runtime cannot honour.
   */
  connect(target: Target, options?: ConnectOptions): Promise<Socket>;
  /**
   * Accepts sockets on `target`. Absent, or refused with a `TypeError` that says more, where the runtime cannot listen.
   *
   * @throws {ConnectionError} `listen-failed`.
   * @throws {TypeError} If an option was set that this runtime cannot honour.
   */
  listen?(target: Target, options: ListenOptions): Promise<Listener>;
  /**
   * Makes the clock of one connection, where a timer belongs to whoever set it: on Cloudflare Workers it ends with its
   * request or Durable Object, and so connections cannot share one. Absent where they can.
   */
  newClock?(): Clock;
}

/** A bound address on which sockets are accepted. */
export interface Listener {
  /** Where it listens, with the port it was given. */
  readonly address: Address;
  /** Stops accepting and frees the address. Accepted sockets live on. Calling it again does nothing. */
  close(): Promise<void>;
  /**
   * Has all handshakes from now on made with this certificate, and these for other server names; a list left out
   * stays as it is. Open sockets live on. Present where the listener speaks TLS and the runtime can.
   *
   * @throws {TypeError} If it is no certificate or not its key; the old one stays.
   */
  replaceCertificate?(identity: TlsIdentity & Pick<TlsServerOptions, "serverNames">): void;
  /** Keeps the process alive while listening, as at the start. */
  ref(): void;
  /** Lets the process end although this listens. */
  unref(): void;
}

/**
 * A byte pipe to one peer.
 *
 * The two directions end separately: {@linkcode SocketHandler.end} says that the peer will send no more,
 * {@linkcode shutdown} tells the peer the same of us, and the socket is closed once both have happened.
 * A peer's reset is noticed while nothing is written, and also while paused where the runtime sees it.
 */
export interface Socket {
  /** This end; host `""` and port `0` where the runtime does not tell. Readable after the socket has closed too. */
  readonly localAddress: Address;
  /** The peer's end. Readable after the socket has closed too. */
  readonly remoteAddress: Address;
  /** What TLS's handshake brought; `undefined` or absent on a plain socket. Readable after the socket has closed too. */
  readonly tls?: TlsInfo | undefined;
  /** Bytes taken by {@linkcode write} and not yet with the kernel. `0` once closed. */
  readonly bufferedAmount: number;
  /** Starts delivery. Nothing is delivered before it, and nothing during it. Called once. */
  start(handler: SocketHandler): void;
  /**
   * Takes all of `bytes`, in order, and never throws. Returns whether all of it is with the kernel
   * already; after `false`, {@linkcode SocketHandler.written} tells of the progress. Does nothing (and
   * returns `true`) after {@linkcode shutdown}, {@linkcode abort} or the end of the socket.
   *
   * The caller does not change `bytes`, with one exception: they may be of a chunk that is borrowed from this transport, or
   * another, and valid during this call only. What of them has to wait is copied. The transports of this module know each
   * other's chunks; one of your own copies whatever waits, and does not use the memory of a chunk again.
   */
  write(bytes: Uint8Array): boolean;
  /** Stops delivery of data, so that the kernel's window holds the peer back. Never blocks `close`. */
  pause(): void;
  /** Goes on with what {@linkcode pause} stopped. Nothing is delivered during the call. */
  resume(): void;
  /** Sends FIN after what is buffered (over TLS: `close_notify`, then FIN). Reading goes on. Calling it again does nothing. */
  shutdown(): void;
  /**
   * Drops the socket now, in both directions, and what is buffered with it. Never waits. Sends RST where
   * the runtime can. The handler's `close` is called once, without an error, soon after this returns and
   * never during it; nothing else is called any more. Calling it again does nothing.
   */
  abort(): void;
  /**
   * See {@linkcode ConnectOptions.tcpNoDelay}. Does nothing on Unix-domain sockets and closed ones.
   *
   * @throws {TypeError} If this runtime cannot honour it.
   */
  setNoDelay(on: boolean): void;
  /**
   * See {@linkcode TcpKeepAlive}. Does nothing on a closed socket.
   *
   * @throws {TypeError} If this runtime or this kind of socket cannot honour it.
   */
  setTcpKeepAlive(setting: TcpKeepAlive): void;
  /** Keeps the process alive while this socket is open, as at the start. */
  ref(): void;
  /** Lets the process end although this socket is open. */
  unref(): void;
}

/** What a socket calls. None of it may throw. */
export interface SocketHandler {
  /**
   * Bytes arrived. The chunk is borrowed: valid, and free to be changed, during this call. Return `true`
   * to keep it for good.
   */
  data(chunk: Uint8Array): boolean | void;
  /**
   * Some of what waited has gone to the kernel: {@linkcode Socket.bufferedAmount} says what is left. Called
   * for each step of progress, if only of 16 KiB, so that a slow peer can be told from a stuck one; never during
   * {@linkcode Socket.write}.
   */
  written(): void;
  /** The peer will send no more (FIN). Called at most once, after the last `data`. */
  end(): void;
  /**
   * The socket is gone: called exactly once, and last. `error` is absent after an orderly end and after
   * our own {@linkcode Socket.abort}; otherwise it is what the runtime reported, or an `Error` with
   * the `code` of the system if the runtime reported less.
   */
  close(error?: Error): void;
}
