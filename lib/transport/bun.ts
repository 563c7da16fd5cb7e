/**
 * TCP and Unix-domain sockets over `Bun.listen`, and over Bun's `node:net` for dialling and for TLS.
 *
 * `Bun.connect` can neither be cancelled nor given a deadline, and keeps the process alive for the minutes that
 * the kernel may take over an address that does not answer; there is nothing to terminate before it opens. A
 * `net.Socket` can be destroyed at any time.
 *
 * {@linkcode transport} is found by itself on its runtime; import it to be sure of it, or to use its sockets alone.
 *
 * @example
 * ```ts ignore
 * import { connect, serve } from "@holdfast/holdfast";
 * import { transport } from "@holdfast/holdfast/bun";
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

import type dns from "node:dns";
import type fs from "node:fs";
import type net from "node:net";
import { BunDescriptors } from "./bun_descriptors.ts";
import { BunSocket, type RawHandlers, type RawSocket, throwLater } from "./bun_socket.ts";
import { listenerDied, listenFailed, systemCodeOf } from "./failure.ts";
import { watchListener } from "./listener_watch.ts";
import { checkConnect, checkListen } from "./options.ts";
import { removeStalePath, type SocketFiles } from "./stale_path.ts";
import { NODE_TLS } from "./tls_capabilities.ts";
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

/** The part of Bun's listener used here. */
interface RawListener {
  readonly hostname: string;
  readonly port: number;
  stop(closeConnections?: boolean): void;
  ref(): void;
  unref(): void;
}

/** The part of `process` used here. */
interface ProcessLike {
  getBuiltinModule(id: "node:dns"): typeof dns;
  getBuiltinModule(id: "node:fs"): typeof fs;
  getBuiltinModule(id: "node:net"): typeof net;
}

/** The part of the `Bun` namespace used here. */
interface BunLike {
  listen(
    options: {
      readonly hostname?: string;
      readonly port?: number;
      readonly unix?: string;
      readonly reusePort?: boolean;
      readonly allowHalfOpen: true;
      readonly socket: RawHandlers;
    },
  ): RawListener;
  connect(options: { readonly unix: string; readonly socket: object }): Promise<{ terminate(): void }>;
}

const { process } = globalThis as unknown as { process: ProcessLike };
const bun = (globalThis as { Bun?: BunLike }).Bun!;

/** TCP and Unix-domain sockets on Bun. */
class BunTransport implements Transport {
  readonly name = "bun";
  readonly capabilities: Capabilities = {
    tcpKeepAlive: true,
    tcpKeepAliveDelay: true,
    reusePort: true,
    backlog: false,
    reset: true,
    unix: true,
    tls: NODE_TLS,
  };

  async connect(target: Target, options: ConnectOptions = {}): Promise<Socket> {
    checkConnect(this, target, options);
    return await (await import("./node.ts")).transport.connect(target, options);
  }

  async listen(target: Target, options: ListenOptions): Promise<Listener> {
    checkListen(this, target, options);
    if (options.beforeTls !== undefined) {
      const { listenTls } = await import("./tls_listener.ts");
      return await listenTls(options, (plain) => this.listen(target, plain));
    }
    if (options.tls !== undefined) {
      return await (await import("./bun_tls.ts")).listenTls(this, target, options);
    }
    try {
      const bound = await lookUp(target);
      try {
        return new BunListener(this, bound, options);
      } catch (error) {
        if (!("path" in target) || systemCodeOf(error) !== "EADDRINUSE") throw error;
        if (!await removeStalePath(target.path, files)) throw error;
        return new BunListener(this, bound, options);
      }
    } catch (error) {
      throw listenFailed(target, error);
    }
  }
}

/** Accepts connections. */
class BunListener implements Listener {
  readonly address: Address;
  readonly #parent: BunTransport;
  readonly #options: ListenOptions;
  readonly #raw: RawListener;
  /** What every accepted socket has as its local address; `undefined` if it is to be asked. */
  readonly #local: Address | undefined;
  readonly #descriptors: BunDescriptors;
  readonly #unwatch: () => void;
  #open = true;

  constructor(transport: BunTransport, target: Target, options: ListenOptions) {
    this.#parent = transport;
    this.#options = options;
    this.#descriptors = new BunDescriptors(options.failed);
    this.#raw = bun.listen({
      ...("path" in target ? { unix: target.path } : { hostname: target.hostname, port: target.port }),
      reusePort: options.reusePort ?? false,
      allowHalfOpen: true,
      socket: {
        binaryType: "uint8array",
        open: (raw) => this.#accept(raw),
        data: onData,
        drain: onDrain,
        end: onEnd,
        close: onClose,
        error: onError,
      },
    });
    const { hostname, port } = this.#raw;
    this.address = "path" in target ? { path: target.path } : { hostname, port };
    this.#local = ["0.0.0.0", "::"].includes(hostname) ? undefined : this.address;
    const lost = () => this.#died(new Error("the system took it away"));
    this.#unwatch = "port" in this.address ? watchListener(this.address, lost) : () => {};
  }

  close(): Promise<void> {
    this.#stop();
    return Promise.resolve();
  }

  ref(): void {
    if (this.#open) this.#raw.ref();
  }

  unref(): void {
    if (this.#open) this.#raw.unref();
  }

  #accept(raw: RawSocket): void {
    if (!this.#open || !this.#descriptors.admits(raw.fd)) return raw.terminate();
    const { accept, failed, tcpNoDelay = true, tcpKeepAlive = false } = this.#options;
    const local = this.#local ?? { hostname: raw.localAddress ?? "", port: raw.localPort ?? 0 };
    const socket = new BunSocket(this.#parent, raw, local);
    if (!tcpNoDelay) socket.setNoDelay(false);
    if (tcpKeepAlive !== false) socket.setTcpKeepAlive(tcpKeepAlive);
    try {
      accept(socket);
    } catch (error) {
      socket.abort();
      failed?.(error);
      return;
    }
    if (!socket.started) raw.pause();
  }

  #died(cause: Error): void {
    if (!this.#open) return;
    this.#stop();
    this.#options.died?.(listenerDied(this.address, cause));
  }

  #stop(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#unwatch();
    this.#raw.stop();
  }
}

/** `target` with its host's IP address: a listener on a name would give the name as its address. */
async function lookUp(target: Target): Promise<Target> {
  if ("path" in target || process.getBuiltinModule("node:net").isIP(target.hostname) !== 0) return target;
  const { address } = await process.getBuiltinModule("node:dns").promises.lookup(target.hostname);
  return { hostname: address, port: target.port };
}

/** Bun's side of the search for socket files that nobody listens on. */
const files: SocketFiles = {
  probe: async (path) => (await bun.connect({ unix: path, socket: { data() {}, error() {} } })).terminate(),
  isRefusal: (error) => systemCodeOf(error) === "ECONNREFUSED",
  async identify(path) {
    const stats = await process.getBuiltinModule("node:fs").promises.lstat(path);
    return stats.isSocket() ? `${stats.ino} ${stats.ctimeMs}` : undefined;
  },
  remove: (path) => process.getBuiltinModule("node:fs").promises.unlink(path),
};

function onData(raw: RawSocket, chunk: Uint8Array): void {
  raw.data?.received(chunk);
}

function onDrain(raw: RawSocket): void {
  raw.data?.drained();
}

function onEnd(raw: RawSocket): void {
  raw.data?.ended();
}

function onClose(raw: RawSocket, error?: unknown): void {
  raw.data?.closed(error);
}

/** Bun reports what a callback threw; ours throw nothing but our own mistakes. */
function onError(_raw: RawSocket, error: unknown): void {
  throwLater(error);
}

/** TCP and Unix-domain sockets on Bun. */
export const transport: Transport = new BunTransport();
