/**
 * Callers who are turned away, and told why where their protocol can.
 *
 * @module
 */

import { LiveConnection } from "../connection/live_connection.ts";
import type { ConnectionPolicy } from "../connection/policy.ts";
import type { Place, Socket } from "../transport/transport.ts";

/** Callers that may be about to be told at a time; others are just closed, so that a flood of them costs nothing. */
const AT_A_TIME = 64;

/** How long such a caller may take to greet, in milliseconds. */
const PATIENCE = 1_000;

/** Sees those off for whom there is no place. */
export class TurnedAway<In, Out> {
  readonly #policy: ConnectionPolicy<In, Out>;
  #telling = 0;

  constructor(policy: ConnectionPolicy<In, Out>) {
    const { handshakeTimeout } = policy;
    this.#policy = {
      ...policy,
      observer: undefined,
      handshakeTimeout: Math.min(handshakeTimeout, PATIENCE),
    };
  }

  /**
   * Keeps a place for a caller who can be told only after its TLS handshake, and whom {@linkcode take} is given then, once
   * the place is free. None if it is to be closed without a word.
   */
  expect(): Place | undefined {
    if (!this.#policy.protocol.greets || this.#telling >= AT_A_TIME) return undefined;
    this.#telling++;
    return { free: () => this.#telling-- };
  }

  /** Closes a connection that was just accepted. */
  take(socket: Socket): void {
    if (!this.#policy.protocol.greets || this.#telling >= AT_A_TIME) {
      // FIN first, so that the caller sees an end and not a failure; then let go of it at once.
      socket.shutdown();
      return socket.abort();
    }
    this.#telling++;
    const connection = new LiveConnection<In, Out>(socket, this.#policy, {
      asked: () => connection.dismiss("server-full"),
      ended: () => this.#telling--,
    });
    connection.start();
  }
}
