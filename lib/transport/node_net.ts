/**
 * What dialling and listening over `node:net` share.
 *
 * The module is taken through `process.getBuiltinModule`, so that a bundler for a browser or an edge worker has
 * nothing to resolve.
 *
 * @module
 */

import type fs from "node:fs";
import type net from "node:net";
import { type Ends, NodeSocket } from "./node_socket.ts";
import type { Address, ConnectOptions, Socket, Target, Transport } from "./transport.ts";

/** The part of `process` used here. */
interface ProcessLike {
  getBuiltinModule?(id: "node:net"): typeof net;
  getBuiltinModule?(id: "node:fs"): typeof fs;
}

/** Starts a `net.Socket` on its way. It does not read before it is told to. */
export function openSocket(target: Target, signal: AbortSignal): Promise<net.Socket> {
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
export function prepare(
  transport: Transport,
  raw: net.Socket,
  { tcpNoDelay = true, tcpKeepAlive = false }: Pick<ConnectOptions, "tcpNoDelay" | "tcpKeepAlive">,
  ends: Ends,
): Socket {
  const socket = new NodeSocket(transport, raw, ends);
  socket.setNoDelay(tcpNoDelay);
  if (tcpKeepAlive !== false) socket.setTcpKeepAlive(tcpKeepAlive);
  return socket;
}

/** `target` in the words of `node:net`. */
export function toNode(target: Target): net.TcpSocketConnectOpts | net.IpcSocketConnectOpts {
  return "path" in target ? { path: target.path } : { host: target.hostname, port: target.port };
}

/** This end of `raw`, which must be connected. */
export function localAddressOf({ localAddress = "", localPort = 0 }: net.Socket): Address {
  return { hostname: localAddress, port: localPort };
}

/** The peer's end of `raw`, which must be connected. */
export function remoteAddressOf({ remoteAddress = "", remotePort = 0 }: net.Socket): Address {
  return { hostname: remoteAddress, port: remotePort };
}

/** Node's own modules, looked for only when they are used. */
export function builtin(): { net: typeof net; fs: typeof fs } {
  const { process } = globalThis as { process?: ProcessLike };
  if (process?.getBuiltinModule === undefined) {
    throw new TypeError(`Cannot use transport "node" as this runtime has no process.getBuiltinModule`);
  }
  return { net: process.getBuiltinModule("node:net"), fs: process.getBuiltinModule("node:fs") };
}
