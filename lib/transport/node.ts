/**
 * TCP and Unix-domain sockets over `node:net`: on Node, and on any runtime that has the module.
 *
 * The module is taken through `process.getBuiltinModule`, so that a bundler for a browser or an edge worker has
 * nothing to resolve.
 *
 * @module
 */

import type fs from "node:fs";
import type net from "node:net";
import { dial } from "./dial.ts";
import { listenerDied, listenFailed, systemCodeOf } from "./failure.ts";
import { watchListener } from "./listener_watch.ts";
import { NodeSocket } from "./node_socket.ts";
import { checkConnect, checkListen } from "./options.ts";
import { removeStalePath, type SocketFiles } from "./stale_path.ts";
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

/** The part of `process` used here. */
interface ProcessLike {
  readonly versions: { readonly node?: string; readonly bun?: string };
  getBuiltinModule?(id: "node:net"): typeof net;
  getBuiltinModule?(id: "node:fs"): typeof fs;
}

const { process } = globalThis as { process?: ProcessLike };

/** What `accept` reports when there is nothing left to accept from. */
const DEAD = new Set(["EBADF", "EINVAL", "ENOTSOCK"]);

/** TCP and Unix-domain sockets over `node:net`. */
class NodeTransport implements Transport {
  readonly name = "node";
  readonly capabilities: Capabilities = {
    tcpKeepAlive: true,
    tcpKeepAliveDelay: true,
    reusePort: sharesPorts(process?.versions.node),
    backlog: process?.versions.bun === undefined, // Bun takes the option and does nothing with it.
    reset: true,
    unix: true,
  };

  async connect(target: Target, options: ConnectOptions = {}): Promise<Socket> {
    checkConnect(this, target, options);
    const raw = await dial(target, options, (signal) => open(target, signal), (late) => late.destroy());
    return prepare(this, raw, options, {
      localAddress: "path" in target ? { path: "" } : localAddressOf(raw),
      remoteAddress: "path" in target ? { path: target.path } : remoteAddressOf(raw),
    });
  }

  async listen(target: Target, options: ListenOptions): Promise<Listener> {
    checkListen(this, target, options);
    const server = builtin().net.createServer({ allowHalfOpen: true, pauseOnConnect: true });
    try {
      try {
        await bind(server, target, options);
      } catch (error) {
        if (!("path" in target) || systemCodeOf(error) !== "EADDRINUSE") throw error;
        if (!await removeStalePath(target.path, files)) throw error;
        await bind(server, target, options);
      }
    } catch (error) {
      throw listenFailed(target, error);
    }
    return new NodeListener(this, server, target, options);
  }
}

/** A bound `net.Server`. */
class NodeListener implements Listener {
  readonly address: Address;
  readonly #transport: Transport;
  readonly #server: net.Server;
  readonly #options: ListenOptions;
  /** What every accepted socket has as its local address; `undefined` if it is to be asked. */
  readonly #local: Address | undefined;
  readonly #unwatch: () => void;
  #open = true;

  constructor(transport: Transport, server: net.Server, target: Target, options: ListenOptions) {
    this.#transport = transport;
    this.#server = server;
    this.#options = options;
    if ("path" in target) this.address = { path: target.path };
    else {
      const { address, port } = server.address() as net.AddressInfo;
      this.address = { hostname: address, port };
    }
    this.#local = "hostname" in this.address && ["0.0.0.0", "::"].includes(this.address.hostname)
      ? undefined
      : this.address;
    server.on("connection", (raw) => this.#accept(raw));
    server.on("error", (error) => this.#failed(error));
    server.on("close", () => this.#died(new Error("the listener was closed")));
    const lost = () => this.#died(new Error("the system took it away"));
    this.#unwatch = "port" in this.address ? watchListener(this.address, lost) : () => {};
  }

  close(): Promise<void> {
    if (this.#open) {
      this.#open = false;
      this.#unwatch();
      this.#server.close(); // Its own callback would wait for all accepted sockets.
    }
    return Promise.resolve();
  }

  ref(): void {
    this.#server.ref();
  }

  unref(): void {
    this.#server.unref();
  }

  #accept(raw: net.Socket): void {
    const { accept, failed } = this.#options;
    if (!this.#open) return void raw.destroy();
    const localAddress = this.#local ?? localAddressOf(raw);
    const remoteAddress = "path" in localAddress ? { path: "" } : remoteAddressOf(raw);
    const socket = prepare(this.#transport, raw, this.#options, { localAddress, remoteAddress });
    try {
      accept(socket);
    } catch (error) {
      socket.abort();
      failed?.(error);
    }
  }

  #failed(error: Error): void {
    if (DEAD.has(systemCodeOf(error) ?? "")) this.#died(error);
    else this.#options.failed?.(error);
  }

  #died(cause: Error): void {
    if (!this.#open) return;
    this.#open = false;
    this.#unwatch();
    this.#server.close();
    this.#options.died?.(listenerDied(this.address, cause));
  }
}

/** TCP and Unix-domain sockets on Node. */
export const transport: Transport = new NodeTransport();

/** Starts a `net.Socket` on its way. It does not read before it is told to. */
function open(target: Target, signal: AbortSignal): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    const raw = builtin().net.connect({ ...toNode(target), allowHalfOpen: true });
    raw.pause();
    raw.once("connect", () => {
      signal.removeEventListener("abort", drop);
      raw.off("error", reject);
      resolve(raw);
    });
    raw.once("error", reject);
    // Without an error, so that nothing is reported to nobody.
    const drop = () => void raw.destroy();
    signal.addEventListener("abort", drop);
  });
}

/** Wraps a connected `raw`, with its options set. */
function prepare(
  transport: Transport,
  raw: net.Socket,
  { tcpNoDelay = true, tcpKeepAlive = false }: Pick<ConnectOptions, "tcpNoDelay" | "tcpKeepAlive">,
  ends: { localAddress: Address; remoteAddress: Address },
): Socket {
  const socket = new NodeSocket(transport, raw, ends);
  socket.setNoDelay(tcpNoDelay);
  if (tcpKeepAlive !== false) socket.setTcpKeepAlive(tcpKeepAlive);
  return socket;
}

function bind(server: net.Server, target: Target, options: ListenOptions): Promise<void> {
  const { backlog = 511, reusePort = false } = options;
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ ...toNode(target), backlog, ...(reusePort && { reusePort }) }, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

function toNode(target: Target): net.TcpSocketConnectOpts | net.IpcSocketConnectOpts {
  return "path" in target ? { path: target.path } : { host: target.hostname, port: target.port };
}

function localAddressOf({ localAddress = "", localPort = 0 }: net.Socket): Address {
  return { hostname: localAddress, port: localPort };
}

function remoteAddressOf({ remoteAddress = "", remotePort = 0 }: net.Socket): Address {
  return { hostname: remoteAddress, port: remotePort };
}

const files: SocketFiles = {
  async probe(path) {
    (await open({ path }, new AbortController().signal)).destroy();
  },
  isRefusal: (error) => systemCodeOf(error) === "ECONNREFUSED",
  async identify(path) {
    const stats = await builtin().fs.promises.lstat(path);
    return stats.isSocket() ? `${stats.ino} ${stats.ctimeMs}` : undefined;
  },
  remove: (path) => builtin().fs.promises.unlink(path),
};

/** Node's own modules, looked for only when they are used. */
function builtin(): { net: typeof net; fs: typeof fs } {
  if (process?.getBuiltinModule === undefined) {
    throw new TypeError(`Cannot use transport "node" as this runtime has no process.getBuiltinModule`);
  }
  return { net: process.getBuiltinModule("node:net"), fs: process.getBuiltinModule("node:fs") };
}

/** Whether `node:net` of this version passes `reusePort` on: since 22.12 and 23.1. */
function sharesPorts(version = "0.0"): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major > 23 || (major === 23 && minor >= 1) || (major === 22 && minor >= 12);
}
