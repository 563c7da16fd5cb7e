/**
 * Lets a peer hear why it was dropped. A reset would take the word with it, as it takes everything that the peer has not
 * read; so the socket is let go of a moment later.
 *
 * @module
 */

import type { Clock } from "../time/clock.ts";
import type { Due, Wheel } from "../time/wheel.ts";
import type { Socket } from "../transport/transport.ts";

/** How long a peer has to hear it, in milliseconds. */
const PATIENCE = 1_000;

/** Bytes that may still stand before it. A peer behind with more will not hear it in time. */
const MAX_BEFORE = 64 * 1024;

/** The end of one socket. */
export class LastWord implements Due {
  readonly #socket: Socket;
  readonly #wheel: Wheel;
  readonly #entry: number;

  private constructor(socket: Socket, clock: Clock, wheel: Wheel) {
    this.#socket = socket;
    this.#wheel = wheel;
    this.#entry = wheel.add(this, clock.now() + PATIENCE);
  }

  /** Drops `socket`, after `goodbye` if there is one and it may be heard. Returns what waits for that. */
  static say(
    socket: Socket,
    goodbye: () => Uint8Array | undefined,
    clock: Clock,
    wheel: Wheel,
  ): LastWord | undefined {
    const bytes = socket.bufferedAmount > MAX_BEFORE ? undefined : goodbye();
    if (bytes === undefined || bytes.length === 0) return void socket.abort();
    socket.write(bytes);
    socket.shutdown();
    return new LastWord(socket, clock, wheel);
  }

  /** The peer has finished too. The socket then ends by itself, unless the word still waits: a reset could overtake it. */
  heard(): void {
    if (this.#socket.bufferedAmount > 0) this.#socket.abort();
  }

  /** The socket is gone. */
  over(): void {
    this.#wheel.remove(this.#entry);
  }

  due(): number {
    this.#socket.abort();
    return Infinity;
  }
}
