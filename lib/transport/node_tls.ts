/**
 * TLS over a `net.Socket`.
 *
 * A `TLSSocket` is a `net.Socket` too, and so a {@linkcode NodeSocket} takes it as it is. Only its reset must be asked of
 * the socket below. Whether an end came with `close_notify` or not, `node:tls` does not tell.
 *
 * @module
 */

import type net from "node:net";
import type tls from "node:tls";
import type { Ends } from "./node_socket.ts";
import type { Session, Taker, TlsClient, TlsServer } from "./tls_engine.ts";
import type { Socket, TlsCapabilities } from "./transport.ts";

/** What `node:tls` can do on Node and on Bun. */
export const NODE_TLS: TlsCapabilities = {
  clientCertificate: true,
  serverNames: true,
  replaceCertificate: true,
  halfClose: true,
  truncation: false,
  plainFirst: true,
};

/** Makes a socket of one whose handshake is over. `tls` is added to its ends. */
export type Wrap = (raw: tls.TLSSocket, tls: Required<Pick<Ends, "carrier" | "tls">>) => Socket;

/** Makes a handshake as a client over a connected `carrier`, which leads to `hostname`. */
export function secureClient(
  carrier: net.Socket,
  hostname: string,
  client: TlsClient,
  wrap: Wrap,
): Promise<Socket> {
  return secure(carrier, wrap, (take) => client.open(carrier, hostname, take));
}

/** Makes a handshake as a server over an accepted `carrier`. */
export function secureServer(carrier: net.Socket, server: TlsServer, wrap: Wrap): Promise<Socket> {
  return secure(carrier, wrap, (take) => server.open(carrier, take));
}

async function secure(
  carrier: net.Socket,
  wrap: Wrap,
  open: (take: Taker<Socket>) => Session<Socket>,
): Promise<Socket> {
  // What goes wrong with it, its TLSSocket tells.
  carrier.on("error", () => {});
  try {
    return await open((raw, tls) => wrap(raw, { carrier, tls })).opened;
  } catch (error) {
    drop(carrier);
    throw error;
  }
}

/** Ends `carrier` in a turn of its own: Node crashes if it goes away while its TLSSocket is at work further up the stack. */
export function drop(carrier: net.Socket): void {
  setImmediate(() => carrier.destroy());
}
