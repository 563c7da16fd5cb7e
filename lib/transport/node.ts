/**
 * TCP, TLS and Unix-domain sockets over `node:net`: on Node, and on any runtime that has the module. TLS on Deno is refused
 * here.
 *
 * {@linkcode transport} is found by itself on its runtime; import it to be sure of it, or to use its sockets alone.
 *
 * @example
 * ```ts
 * import { connect, serve } from "@holdfast/holdfast";
 * import { transport } from "@holdfast/holdfast/node";
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

import type net from "node:net";
import { dial } from "./dial.ts";
import { listenNode } from "./node_listener.ts";
import { localAddressOf, openSocket, prepare, remoteAddressOf } from "./node_net.ts";
import type { Ends } from "./node_socket.ts";
import { checkConnect, checkListen } from "./options.ts";
import { NODE_TLS } from "./tls_capabilities.ts";
import type {
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
  readonly versions: { readonly node?: string; readonly bun?: string; readonly deno?: string };
}

const { process } = globalThis as { process?: ProcessLike };

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
    // On Deno a TLSSocket takes all that is written at once, without end, and takes a reset for an end.
    tls: process?.versions.deno === undefined ? NODE_TLS : undefined,
  };
  /** @internal See the checks of TLS's options. */
  readonly withoutTls = `on Deno use transport "deno"`;

  async connect(target: Target, options: ConnectOptions = {}): Promise<Socket> {
    checkConnect(this, target, options);
    const tls = options.tls && await loadTls();
    const client = options.tls && tls!.tlsClient(options.tls);
    const wrap = (raw: net.Socket, carrier: net.Socket, secured?: Partial<Ends>): Socket =>
      prepare(this, raw, options, {
        ...secured,
        localAddress: "path" in target ? { path: "" } : localAddressOf(carrier),
        remoteAddress: "path" in target ? { path: target.path } : remoteAddressOf(carrier),
      });
    return await dial(target, options, async (signal) => {
      const raw = await openSocket(target, signal);
      if (client === undefined) return wrap(raw, raw);
      const { drop, secureClient } = tls!;
      signal.addEventListener("abort", () => drop(raw));
      if (signal.aborted) drop(raw);
      raw.setNoDelay(true);
      const hostname = "path" in target ? "" : target.hostname;
      return await secureClient(raw, hostname, client, (socket, secured) => wrap(socket, raw, secured));
    }, (late) => late.abort());
  }

  async listen(target: Target, options: ListenOptions): Promise<Listener> {
    checkListen(this, target, options);
    if (options.beforeTls !== undefined) {
      const { listenTls } = await loadTls();
      return await listenTls(options, (plain) => this.listen(target, plain));
    }
    return await listenNode(this, target, options);
  }
}

/** TLS is loaded where it is spoken. */
const loadTls = () => import("./node_tls.ts");

/** TCP and Unix-domain sockets on Node. */
export const transport: Transport = new NodeTransport();

/** Whether `node:net` of this version passes `reusePort` on: since 22.12 and 23.1. */
function sharesPorts(version = "0.0"): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major > 23 || (major === 23 && minor >= 1) || (major === 22 && minor >= 12);
}
