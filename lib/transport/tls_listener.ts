/**
 * A listener for plain sockets as one that speaks TLS, over `node:tls`.
 *
 * @module
 */

import { TlsAcceptor } from "./tls_acceptor.ts";
import { TlsServer } from "./tls_engine.ts";
import { TlsSocket } from "./tls_socket.ts";
import type { Listener, ListenOptions, Socket } from "./transport.ts";

/** Makes a listener for plain sockets, as `listen` gives it, one that speaks TLS. */
export async function listenTls(
  options: ListenOptions,
  listen: (plain: ListenOptions) => Promise<Listener>,
): Promise<Listener> {
  const server = new TlsServer(options.tls!);
  const handshakes = new TlsAcceptor(options);
  const { beforeTls } = options;
  const secure = (plain: Socket) => {
    const { remoteAddress } = plain;
    const place = handshakes.admit(remoteAddress);
    if (place === "none") {
      plain.shutdown();
      return plain.abort();
    }
    const socket = new TlsSocket(plain, (stream, take) => server.open(stream, take));
    handshakes.take({ remoteAddress, opened: socket.opened, drop: () => socket.abort() }, place);
  };
  const listener = await listen({
    ...options,
    tls: undefined,
    admit: undefined,
    beforeTls: undefined,
    accept: (plain) => beforeTls === undefined ? secure(plain) : beforeTls(plain, secure),
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
