/**
 * Where connections from proxies wait until it is known whom they are for.
 *
 * @module
 */

import type { ConnectionPolicy } from "../connection/policy.ts";
import { ProtocolError } from "../errors.ts";
import { type GreetingOwner, ProxiedSocket } from "./proxied_socket.ts";
import { type TrustedProxies, trustedProxies } from "./trusted_proxies.ts";
import type { Clock } from "../time/clock.ts";
import type { Wheel } from "../time/wheel.ts";
import type { Address, Socket } from "../transport/transport.ts";

/** The PROXY protocol of HAProxy, for servers behind a proxy. */
export interface ProxyProtocolOptions {
  /**
   * The proxies: networks and addresses (`["10.0.0.0/8", "2001:db8::7"]`; `"unix:"` for every caller of a Unix-domain
   * socket), or a function that knows them. Whoever else connects is closed at once: a caller that could send a header
   * could be anybody.
   */
  readonly trusted: TrustedProxies;
}

/** Why a gate turned a caller away: it is no proxy of ours, or sent no header. */
export type GateRefusal = "untrusted" | "proxyHeader";

/** What a gate goes by. */
type GatePolicy = Pick<ConnectionPolicy<never, never>, "clock" | "wheel" | "watch" | "handshakeTimeout">;

/** What a gate tells. */
export interface GateOwner {
  /** A header was read: the socket is as if its caller had come directly. */
  passed(socket: Socket): void;
  /** A caller was turned away. `error` tells what an operator should know of it. */
  refused(why: GateRefusal, error?: unknown): void;
}

/** Reads the headers of many sockets. */
export class ProxyGate implements GreetingOwner {
  readonly #trusts: (address: Address) => boolean;
  readonly #timeout: number;
  readonly #clock: Clock;
  readonly #wheel: Wheel;
  readonly #owner: GateOwner;
  /** Sockets without a header yet, and their places on the wheel. */
  readonly #waiting = new Map<ProxiedSocket, number>();

  /** @throws {TypeError} If it is not said who is trusted. */
  constructor(
    { trusted }: ProxyProtocolOptions,
    { clock, wheel, watch, handshakeTimeout }: GatePolicy,
    owner: GateOwner,
  ) {
    this.#trusts = trustedProxies(trusted);
    // By default 5 s: HAProxy's specification wants at least 3, since a lost segment has to be sent again.
    this.#timeout = Math.min(handshakeTimeout, watch.firstByteTimeout);
    this.#clock = clock;
    this.#wheel = wheel;
    this.#owner = owner;
  }

  /** Sockets that wait for their header. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Takes a socket that nobody has started. */
  take(raw: Socket): void {
    const socket = new ProxiedSocket(raw, this);
    if (!this.#isTrusted(raw.remoteAddress)) return socket.refuse();
    const late = () => {
      this.ungreeted(socket, new ProtocolError(`PROXY header must come within ${this.#timeout} ms`));
      return Infinity;
    };
    this.#waiting.set(socket, this.#wheel.add({ due: late }, this.#clock.now() + this.#timeout));
    socket.greet();
  }

  /** Drops all that wait. */
  clear(): void {
    for (const [socket, entry] of this.#waiting) {
      this.#wheel.remove(entry);
      socket.abort();
    }
    this.#waiting.clear();
  }

  greeted(socket: ProxiedSocket): void {
    if (this.#forget(socket)) this.#owner.passed(socket);
  }

  ungreeted(socket: ProxiedSocket, error: unknown): void {
    if (!this.#forget(socket)) return;
    socket.refuse();
    // A proxy that connects and goes without a word only wanted to see whether we are there.
    this.#owner.refused("proxyHeader", error instanceof ProtocolError ? error : undefined);
  }

  #isTrusted(address: Address): boolean {
    let error: unknown;
    try {
      if (this.#trusts(address)) return true;
    } catch (thrown) {
      error = thrown;
    }
    this.#owner.refused("untrusted", error);
    return false;
  }

  #forget(socket: ProxiedSocket): boolean {
    const entry = this.#waiting.get(socket);
    if (entry === undefined) return false;
    this.#wheel.remove(entry);
    return this.#waiting.delete(socket);
  }
}
