/**
 * TLS on Deno: `node:tls` over a `Deno.Conn`.
 *
 * @module
 */

import { TlsAcceptor } from "./tls_acceptor.ts";
import { type TlsClient, TlsServer } from "./tls_engine.ts";
import { TlsSocket } from "./tls_socket.ts";
import type { Listener, ListenOptions, Socket, TlsCapabilities } from "./transport.ts";

/** What it can do. */
export const DENO_TLS: TlsCapabilities = {
  clientCertificate: true,
  serverNames: true,
  replaceCertificate: true,
  halfClose: true,
  truncation: true,
};

/** Makes a handshake as a client over a connected `socket`, which leads to `hostname`. */
export function secureClient(socket: Socket, hostname: string, client: TlsClient): Promise<Socket> {
  return new TlsSocket(socket, (stream, take) => client.open(stream, hostname, take)).opened;
}

/** Makes a listener for plain sockets, as `listen` gives it, one that speaks TLS. */
export async function listenTls(
  options: ListenOptions,
  listen: (plain: ListenOptions) => Promise<Listener>,
): Promise<Listener> {
  const server = new TlsServer(options.tls!);
  const handshakes = new TlsAcceptor(options);
  const listener = await listen({
    ...options,
    tls: undefined,
    accept: (plain) => {
      const socket = new TlsSocket(plain, (stream, take) => server.open(stream, take));
      handshakes.take({
        remoteAddress: plain.remoteAddress,
        opened: socket.opened,
        drop: () => socket.abort(),
      });
    },
    died: (error) => {
      handshakes.close();
      options.died?.(error);
    },
  });
  return {
    address: listener.address,
    close() {
      handshakes.close();
      return listener.close();
    },
    ref: () => listener.ref(),
    unref: () => listener.unref(),
    replaceCertificate: (identity) => server.replace(identity),
  };
}
