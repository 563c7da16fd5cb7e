/**
 * Listening over `node:net`.
 *
 * @module
 */

import type net from "node:net";
import { listenerDied, listenFailed, systemCodeOf } from "./failure.ts";
import { watchListener } from "./listener_watch.ts";
import { builtin, localAddressOf, openSocket, prepare, remoteAddressOf, toNode } from "./node_net.ts";
import type { NodeHandshakes } from "./node_tls.ts";
import { removeStalePath, type SocketFiles } from "./stale_path.ts";
import type { Address, Listener, ListenOptions, Target, Transport } from "./transport.ts";

/** What `accept` reports when there is nothing left to accept from. */
const DEAD = new Set(["EBADF", "EINVAL", "ENOTSOCK"]);

/** Listens for `transport`. `admit` may turn a caller away, before anything else is done. */
export async function listenNode(
  transport: Transport,
  target: Target,
  options: ListenOptions,
  admit: (raw: net.Socket) => boolean = () => true,
): Promise<Listener> {
  const handshakes = options.tls && new (await import("./node_tls.ts")).NodeHandshakes(options);
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
  return new NodeListener(transport, server, target, options, admit, handshakes);
}

/** A bound `net.Server`. */
class NodeListener implements Listener {
  readonly address: Address;
  readonly #parent: Transport;
  readonly #server: net.Server;
  readonly #options: ListenOptions;
  /** What every accepted socket has as its local address; `undefined` if it is to be asked. */
  readonly #local: Address | undefined;
  readonly #admit: (raw: net.Socket) => boolean;
  readonly #handshakes: NodeHandshakes | undefined;
  readonly #unwatch: () => void;
  readonly replaceCertificate?: NonNullable<Listener["replaceCertificate"]>;
  #open = true;

  constructor(
    transport: Transport,
    server: net.Server,
    target: Target,
    options: ListenOptions,
    admit: (raw: net.Socket) => boolean,
    handshakes: NodeHandshakes | undefined,
  ) {
    this.#admit = admit;
    this.#handshakes = handshakes;
    if (handshakes !== undefined) {
      this.replaceCertificate = (identity) => handshakes.replaceCertificate(identity);
    }
    this.#parent = transport;
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
      this.#handshakes?.close();
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
    if (!this.#open || !this.#admit(raw)) return void raw.destroy();
    const localAddress = this.#local ?? localAddressOf(raw);
    const remoteAddress = "path" in localAddress ? { path: "" } : remoteAddressOf(raw);
    const ends = { localAddress, remoteAddress };
    if (this.#handshakes !== undefined) {
      return this.#handshakes.take(
        raw,
        remoteAddress,
        (socket, secured) => prepare(this.#parent, socket, this.#options, { ...ends, ...secured }),
      );
    }
    const socket = prepare(this.#parent, raw, this.#options, ends);
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
    this.#handshakes?.close();
    this.#server.close();
    this.#options.died?.(listenerDied(this.address, cause));
  }
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

const files: SocketFiles = {
  async probe(path) {
    (await openSocket({ path }, new AbortController().signal)).destroy();
  },
  isRefusal: (error) => systemCodeOf(error) === "ECONNREFUSED",
  async identify(path) {
    const stats = await builtin().fs.promises.lstat(path);
    return stats.isSocket() ? `${stats.ino} ${stats.ctimeMs}` : undefined;
  },
  remove: (path) => builtin().fs.promises.unlink(path),
};
