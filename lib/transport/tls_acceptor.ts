/**
 * Handshakes under way at a listener. One that fails, or takes too long, harms nobody else.
 *
 * @module
 */

import { describe, explain } from "./failure.ts";
import type { Address, ListenOptions, Place, Socket } from "./transport.ts";

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

/** What belongs to a handshake: the timer that ends it, and its place. */
interface Pending {
  readonly timer: ReturnType<typeof setTimeout> | undefined;
  readonly place: Place | undefined;
}

/** Sees handshakes through, and gives the sockets they make to the listener's `accept`. */
export class TlsAcceptor {
  readonly #options: ListenOptions;
  readonly #timeout: number;
  /** Oldest first. */
  readonly #pending = new Map<Handshake, Pending>();
  #open = true;
  #reports = 0;
  #reportsSince = -Infinity;

  constructor(options: ListenOptions) {
    this.#options = options;
    this.#timeout = options.tls?.handshakeTimeout ?? 5_000;
  }

  /** The place of a caller whose handshake is to be {@linkcode take}n next; "none" if it is to be closed at once. */
  admit(remoteAddress: Address): Place | undefined | "none" {
    const { admit } = this.#options;
    return admit === undefined ? undefined : admit(remoteAddress) ?? "none";
  }

  /** Sees `handshake` through. */
  take(handshake: Handshake, place?: Place): void {
    if (!this.#open) {
      place?.free();
      return handshake.drop();
    }
    const [oldest] = this.#pending.keys();
    if (this.#pending.size >= MOST && oldest !== undefined) {
      this.#fail(oldest, new Error(`more than ${MOST} handshakes under way`));
    }
    this.#pending.set(handshake, { timer: this.#setTimer(handshake), place });
    handshake.opened.then(
      (socket) => this.#accept(handshake, socket),
      (error) => this.#fail(handshake, error),
    );
  }

  /** Drops all that is under way. */
  close(): void {
    this.#open = false;
    for (const handshake of [...this.#pending.keys()]) {
      this.#forget(handshake)?.place?.free();
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

  #forget(handshake: Handshake): Pending | undefined {
    const pending = this.#pending.get(handshake);
    clearTimeout(pending?.timer);
    this.#pending.delete(handshake);
    return pending;
  }

  #accept(handshake: Handshake, socket: Socket): void {
    const pending = this.#forget(handshake);
    if (pending === undefined) return socket.abort();
    const { accept, failed } = this.#options;
    try {
      accept(socket, pending.place);
    } catch (error) {
      socket.abort();
      failed?.(error);
    }
  }

  #fail(handshake: Handshake, cause: unknown): void {
    const pending = this.#forget(handshake);
    if (pending === undefined) return;
    pending.place?.free();
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
