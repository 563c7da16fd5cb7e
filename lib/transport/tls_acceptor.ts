/**
 * Handshakes under way at a listener. One that fails, or takes too long, harms nobody else.
 *
 * @module
 */

import { describe, explain } from "./failure.ts";
import type { Address, ListenOptions, Socket } from "./transport.ts";

/** A handshake under way. */
export interface Handshake {
  readonly remoteAddress: Address;
  /** Resolves to the socket that it made. */
  readonly opened: Promise<Socket>;
  /** Drops the connection at once. */
  drop(): void;
}

/** Most handshakes under way at a listener. Beyond, the oldest is dropped: it is the likeliest never to end. */
const MOST = 1_000;
/** Most failures told in a second. */
const MOST_REPORTS = 10;
/** Longest delay that `setTimeout` honours. */
const MAX_DELAY = 2 ** 31 - 1;

/** Sees handshakes through, and gives the sockets they make to the listener's `accept`. */
export class TlsAcceptor {
  readonly #options: ListenOptions;
  readonly #timeout: number;
  /** With the timers that end them, oldest first. */
  readonly #pending = new Map<Handshake, ReturnType<typeof setTimeout> | undefined>();
  #open = true;
  #reports = 0;
  #reportsSince = -Infinity;

  constructor(options: ListenOptions) {
    this.#options = options;
    this.#timeout = options.tls?.handshakeTimeout ?? 5_000;
  }

  /** Sees `handshake` through. */
  take(handshake: Handshake): void {
    if (!this.#open) return handshake.drop();
    const [oldest] = this.#pending.keys();
    if (this.#pending.size >= MOST && oldest !== undefined) {
      this.#fail(oldest, new Error(`more than ${MOST} handshakes under way`));
    }
    this.#pending.set(handshake, this.#setTimer(handshake));
    handshake.opened.then(
      (socket) => this.#accept(handshake, socket),
      (error) => this.#fail(handshake, error),
    );
  }

  /** Drops all that is under way. */
  close(): void {
    this.#open = false;
    for (const handshake of [...this.#pending.keys()]) {
      this.#forget(handshake);
      handshake.drop();
    }
  }

  #setTimer(handshake: Handshake): ReturnType<typeof setTimeout> | undefined {
    if (this.#timeout === Infinity) return undefined;
    const late = () => this.#fail(handshake, new Error(`not over in ${this.#timeout} ms`));
    // If this process was stopped, the answer may have come long ago: the two more timers let it be seen.
    const timer = setTimeout(
      () => setTimeout(() => setTimeout(late, 0), 0),
      Math.min(this.#timeout, MAX_DELAY),
    );
    (timer as { unref?(): void }).unref?.();
    return timer;
  }

  #forget(handshake: Handshake): boolean {
    clearTimeout(this.#pending.get(handshake));
    return this.#pending.delete(handshake);
  }

  #accept(handshake: Handshake, socket: Socket): void {
    if (!this.#forget(handshake)) return socket.abort();
    const { accept, failed } = this.#options;
    try {
      accept(socket);
    } catch (error) {
      socket.abort();
      failed?.(error);
    }
  }

  #fail(handshake: Handshake, cause: unknown): void {
    if (!this.#forget(handshake)) return;
    handshake.drop();
    const now = performance.now();
    if (now - this.#reportsSince >= 1_000) {
      this.#reportsSince = now;
      this.#reports = 0;
    }
    if (++this.#reports > MOST_REPORTS) return;
    const { code } = cause as { code?: unknown };
    const who = describe(handshake.remoteAddress);
    const error = new Error(`TLS handshake with ${who} failed: ${explain(cause)}`, { cause });
    this.#options.failed?.(Object.assign(error, typeof code === "string" && { code }));
  }
}
