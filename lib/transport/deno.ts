/**
 * TCP, TLS and Unix-domain sockets over `Deno.connect` and `Deno.listen`.
 *
 * Deno has no way to send a reset: an aborted socket ends with FIN. While a socket is paused and a read has
 * already brought something, nothing notices that the peer is gone until {@linkcode Socket.resume} or a write.
 *
 * {@linkcode transport} is found by itself on its runtime; import it to be sure of it, or to use its sockets alone.
 *
 * @example
 * ```ts
 * import { connect, serve } from "@holdfast/holdfast";
 * import { transport } from "@holdfast/holdfast/deno";
 * import { strictEqual } from "node:assert/strict";
 *
 * await using server = await serve({ port: 0, transport }, (connection) => {
 *   connection.onMessage = (bytes) => connection.send(bytes);
 * });
 * await using connection = await connect(server.address, { transport });
 * await connection.send("hello");
 * for await (const bytes of connection) {
 *   strictEqual(new TextDecoder().decode(bytes), "hello");
 *   break;
 * }
 * ```
 *
 * @module
 */

import { type DenoAddr, type DenoConn, DenoSocket, toAddress } from "./deno_socket.ts";
import { dial } from "./dial.ts";
import { listenerDied, listenFailed, systemCodeOf } from "./failure.ts";
import { checkConnect, checkListen } from "./options.ts";
import { removeStalePath, type SocketFiles } from "./stale_path.ts";
import { DENO_TLS } from "./tls_capabilities.ts";
import type {
  Address,
  Capabilities,
  ConnectOptions,
  Listener,
  ListenOptions,
  Socket,
  Target,
  Transport,
} from "./transport.ts";

/** The part of `Deno.Listener` used here. */
interface DenoAcceptor {
  readonly addr: DenoAddr;
  accept(): Promise<DenoConn>;
  close(): void;
  ref(): void;
  unref(): void;
}

/** The part of the `Deno` namespace used here. */
interface DenoLike {
  connect(options: object): Promise<DenoConn>;
  listen(options: object): DenoAcceptor;
  lstat(path: string): Promise<{ isSocket: boolean | null; ino: number | null; mtime: Date | null }>;
  remove(path: string): Promise<void>;
  /** Exists only with `--unstable-net`. */
  listenDatagram?: unknown;
}

const deno = (globalThis as { Deno?: DenoLike }).Deno!;

/** Pause after an `accept` that failed for want of something, in milliseconds; doubled each time. */
const FIRST_PAUSE = 100;
const LONGEST_PAUSE = 1_000;

/** What `accept` reports when there is nothing left to accept from. */
const DEAD = new Set(["EBADF", "EINVAL", "ENOTSOCK"]);
/**
 * What `accept` reports of a connection that ended while it waited (accept(2), "Error handling"; ENOTCONN is Deno's own, when
 * it asks for the address of a caller that has reset). A pause for such a caller would let anybody hold up all others.
 */
const SKIPPED = new Set([
  ...["ECONNABORTED", "ECONNRESET", "EINTR", "ENOTCONN", "EPERM", "EPROTO", "ENOPROTOOPT", "EOPNOTSUPP"],
  ...["EHOSTDOWN", "EHOSTUNREACH", "ENETDOWN", "ENETUNREACH", "ENONET", "ETIMEDOUT"],
]);

/** TCP and Unix-domain sockets on Deno. */
class DenoTransport implements Transport {
  readonly name = "deno";
  readonly capabilities: Capabilities = {
    tcpKeepAlive: true,
    tcpKeepAliveDelay: false,
    // Asked for without the flag, it ends the process with code 70, and nothing can catch that. Another
    // function behind the same flag tells.
    reusePort: typeof deno?.listenDatagram === "function",
    backlog: true,
    reset: false,
    unix: true,
    tls: DENO_TLS,
  };

  async connect(target: Target, options: ConnectOptions = {}): Promise<Socket> {
    checkConnect(this, target, options);
    const tls = options.tls && await loadTls();
    const client = options.tls && tls!.tlsClient(options.tls);
    return await dial(target, options, async (signal) => {
      const socket = this.open(await deno.connect({ ...toOptions(target), signal }), options);
      socket.keepAwake();
      if (client === undefined) return socket;
      signal.addEventListener("abort", () => socket.abort());
      if (signal.aborted) socket.abort();
      return await tls!.secureClient(socket, "path" in target ? "" : target.hostname, client);
    }, (late) => late.abort());
  }

  async listen(target: Target, options: ListenOptions): Promise<Listener> {
    checkListen(this, target, options);
    if (options.tls !== undefined) {
      const { listenTls } = await loadTls();
      return await listenTls(options, (plain) => this.listen(target, plain));
    }
    try {
      try {
        return new DenoListener(this, bind(target, options), options);
      } catch (error) {
        if (!("path" in target) || systemCodeOf(error) !== "EADDRINUSE") throw error;
        if (!await removeStalePath(target.path, files)) throw error;
        return new DenoListener(this, bind(target, options), options);
      }
    } catch (error) {
      throw listenFailed(target, error);
    }
  }

  /** Makes a socket of an open connection. */
  open(conn: DenoConn, options: Pick<ConnectOptions, "tcpNoDelay" | "tcpKeepAlive">): DenoSocket {
    const socket = new DenoSocket(conn, this);
    if (options.tcpNoDelay ?? true) socket.setNoDelay(true);
    if (options.tcpKeepAlive !== undefined && options.tcpKeepAlive !== false) {
      socket.setTcpKeepAlive(options.tcpKeepAlive);
    }
    return socket;
  }
}

/** Accepts one connection after the other. */
class DenoListener implements Listener {
  readonly address: Address;
  readonly #parent: DenoTransport;
  readonly #acceptor: DenoAcceptor;
  readonly #options: ListenOptions;
  readonly #onAccepted: (conn: DenoConn) => void;
  readonly #onFailed: (error: unknown) => void;
  /** Resolves when the address is free. */
  readonly #ended: Promise<void>;
  #end!: () => void;
  #accepting = false;
  #closed = false;
  #wanted = true;
  #pause = FIRST_PAUSE;
  #timer: ReturnType<typeof setTimeout> | undefined = undefined;

  constructor(transport: DenoTransport, acceptor: DenoAcceptor, options: ListenOptions) {
    this.address = toAddress(acceptor.addr);
    this.#parent = transport;
    this.#acceptor = acceptor;
    this.#options = options;
    this.#onAccepted = this.#accepted.bind(this);
    this.#onFailed = this.#failed.bind(this);
    this.#ended = new Promise((resolve) => this.#end = resolve);
    this.#accept();
  }

  close(): Promise<void> {
    this.#stop();
    return this.#ended;
  }

  ref(): void {
    this.#wanted = true;
    if (!this.#closed) this.#acceptor.ref();
  }

  unref(): void {
    this.#wanted = false;
    if (!this.#closed) this.#acceptor.unref();
    unrefTimer(this.#timer);
  }

  #accept(): void {
    if (this.#closed) return;
    this.#accepting = true;
    this.#acceptor.accept().then(this.#onAccepted, this.#onFailed);
  }

  #accepted(conn: DenoConn): void {
    this.#accepting = false;
    if (this.#closed) {
      conn.close();
      return this.#end();
    }
    this.#pause = FIRST_PAUSE;
    const socket = this.#parent.open(conn, this.#options);
    this.#accept();
    try {
      this.#options.accept(socket);
      socket.keepAwake();
    } catch (error) {
      socket.abort();
      this.#options.failed?.(error);
    }
  }

  #failed(error: unknown): void {
    this.#accepting = false;
    if (this.#closed) return this.#end();
    const code = systemCodeOf(error);
    if ((error as Error).name === "BadResource" || code !== undefined && DEAD.has(code)) {
      this.#stop();
      this.#options.died?.(listenerDied(this.address, error));
      return;
    }
    if (code !== undefined && SKIPPED.has(code)) return this.#accept();
    this.#timer = setTimeout(() => this.#accept(), this.#pause);
    if (!this.#wanted) unrefTimer(this.#timer);
    this.#pause = Math.min(this.#pause * 2, LONGEST_PAUSE);
    this.#options.failed?.(error);
  }

  #stop(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#acceptor.close();
    // A pending `accept` holds the address until it has been cancelled, a turn later.
    if (!this.#accepting) this.#end();
  }
}

/** TLS is loaded where it is spoken. */
const loadTls = () => import("./deno_tls.ts");

/** Deno's side of the search for socket files that nobody listens on. */
const files: SocketFiles = {
  probe: async (path) => (await deno.connect({ transport: "unix", path })).close(),
  isRefusal: (error) => systemCodeOf(error) === "ECONNREFUSED",
  async identify(path) {
    const { isSocket, ino, mtime } = await deno.lstat(path);
    return isSocket ? `${ino} ${mtime?.getTime()}` : undefined;
  },
  remove: (path) => deno.remove(path),
};

function bind(target: Target, { backlog = 511, reusePort = false }: ListenOptions): DenoAcceptor {
  return deno.listen({ ...toOptions(target), tcpBacklog: backlog, ...(reusePort && { reusePort }) });
}

function toOptions(target: Target): object {
  return "path" in target
    ? { transport: "unix", path: target.path }
    : { transport: "tcp", hostname: target.hostname, port: target.port };
}

function unrefTimer(timer: unknown): void {
  (timer as { unref?(): void } | undefined)?.unref?.();
}

/** TCP and Unix-domain sockets on Deno. */
export const transport: Transport = new DenoTransport();
