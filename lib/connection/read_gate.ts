/**
 * Decides when one connection is read: not while its application has no room, and not at the others' expense.
 *
 * @module
 */

import type { Clock } from "../time/clock.ts";
import type { Socket } from "../transport/transport.ts";

/**
 * Bytes that one connection may deliver before the others get a turn of the event loop. Large enough to cost nothing
 * (4096 messages of 64 bytes), small enough to be handled in well under a millisecond.
 */
const BURST = 256 * 1024;

/** Pauses and resumes the reading of one socket. */
export class ReadGate {
  readonly #socket: Socket;
  readonly #clock: Clock;
  #burst = 0;
  #full = false;
  #yielding = false;
  #shut = false;

  constructor(socket: Socket, clock: Clock) {
    this.#socket = socket;
    this.#clock = clock;
  }

  /** Counts what was read, and lets others have a turn when it was much. */
  received(bytes: number): void {
    this.#burst += bytes;
    if (this.#burst < BURST) return;
    this.#burst = 0;
    if (this.#yielding || this.#full) return;
    this.#yielding = true;
    this.#socket.pause();
    this.#clock.afterTurn(() => {
      this.#yielding = false;
      if (!this.#full && !this.#shut) this.#socket.resume();
    });
  }

  /** Stops reading while the application has no room. Returns whether that is news. */
  hold(full: boolean): boolean {
    if (full === this.#full || this.#shut) return false;
    this.#full = full;
    if (this.#yielding) return true;
    if (full) this.#socket.pause();
    else this.#socket.resume();
    return true;
  }

  /** Never touches the socket again. */
  shut(): void {
    this.#shut = true;
  }
}
