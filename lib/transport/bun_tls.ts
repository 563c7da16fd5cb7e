/**
 * TLS on Bun, over its `node:tls`.
 *
 * `Bun.listen` speaks TLS too, but its listeners keep their certificate for ever, have one for all server names, and have no
 * deadline for a handshake.
 *
 * @module
 */

import type net from "node:net";
import { BunDescriptors } from "./bun_descriptors.ts";
import { listenNode } from "./node_listener.ts";
import type { Listener, ListenOptions, Target, Transport } from "./transport.ts";

/** A `net.Socket` as Bun makes it. */
interface RawSocket extends net.Socket {
  readonly _handle?: { readonly fd?: number } | null;
}

/** Listens for TLS on `target`. */
export function listenTls(transport: Transport, target: Target, options: ListenOptions): Promise<Listener> {
  const descriptors = new BunDescriptors(options.failed);
  return listenNode(
    transport,
    target,
    options,
    (raw) => descriptors.admits((raw as RawSocket)._handle?.fd ?? -1),
  );
}
