/**
 * TLS on Deno: `node:tls` over a `Deno.Conn`.
 *
 * @module
 */

import type { TlsClient } from "./tls_engine.ts";
import { TlsSocket } from "./tls_socket.ts";
import type { Socket } from "./transport.ts";

export { tlsClient } from "./tls_engine.ts";
export { listenTls } from "./tls_listener.ts";

/** Makes a handshake as a client over a connected `socket`, which leads to `hostname`. */
export function secureClient(socket: Socket, hostname: string, client: TlsClient): Promise<Socket> {
  return new TlsSocket(socket, (stream, take) => client.open(stream, hostname, take)).opened;
}
