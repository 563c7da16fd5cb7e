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
import { TlsAcceptor } from "./tls_acceptor.ts";
import { type Session, type Taker, type TlsClient, TlsServer } from "./tls_engine.ts";
import type { Address, ListenOptions, Socket, TlsIdentity } from "./transport.ts";

export { tlsClient } from "./tls_engine.ts";
export { listenTls } from "./tls_listener.ts";

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

/** The TLS of one listener: its certificates, and the handshakes under way. */
export class NodeHandshakes {
  readonly #server: TlsServer;
  readonly #acceptor: TlsAcceptor;

  /** @throws {TypeError} If what `options.tls` has in PEM is no good. */
  constructor(options: ListenOptions) {
    this.#server = new TlsServer(options.tls!);
    this.#acceptor = new TlsAcceptor(options);
  }

  /** Makes a handshake over an accepted `carrier`, if there is room for one; otherwise drops it. */
  take(carrier: net.Socket, remoteAddress: Address, wrap: Wrap): void {
    const place = this.#acceptor.admit(remoteAddress);
    if (place === "none") return void carrier.destroy();
    carrier.setNoDelay(true);
    const opened = secure(carrier, wrap, (take) => this.#server.open(carrier, take));
    this.#acceptor.take({ remoteAddress, opened, drop: () => drop(carrier) }, place);
  }

  /** See {@linkcode Listener.replaceCertificate}. */
  replaceCertificate(identity: TlsIdentity): void {
    this.#server.replace(identity);
  }

  /** Drops those under way. */
  close(): void {
    this.#acceptor.close();
  }
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
