/**
 * Decides when one connection is read: not while its application has no room, and not at the others' expense.
 *
 * What was read and not handled yet, since it was too much for one turn of the event loop, waits here. Nothing more is read
 * meanwhile.
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

/** Whom the gate gives what waited. */
export interface ReadGateOwner {
  /** Handles `chunk`, which nobody else has any more. What is not handled comes back with {@linkcode ReadGate.keep}. */
  goOn(chunk: Uint8Array): void;
  /** Nothing waits any more. */
  caughtUp(): void;
}

/** Pauses and resumes the reading of one socket. */
export class ReadGate {
  readonly #socket: Socket;
  readonly #clock: Clock;
  readonly #owner: ReadGateOwner;
  #burst = 0;
  #full = false;
  #yielding = false;
  #shut = false;
  #paused = false;
  /** What waits, in order; most of the time nothing. */
  #kept: Uint8Array[] | undefined;

  constructor(socket: Socket, clock: Clock, owner: ReadGateOwner) {
    this.#socket = socket;
    this.#clock = clock;
    this.#owner = owner;
  }

  /** Whether something that was read has not been handled. */
  get behind(): boolean {
    return this.#kept !== undefined;
  }

  /** Bytes of it. */
  get bytes(): number {
    return this.#kept?.reduce((sum, { length }) => sum + length, 0) ?? 0;
  }

  /** Keeps `chunk`, which nobody else may change, for a later turn. */
  keep(chunk: Uint8Array): void {
    (this.#kept ??= []).push(chunk);
  }

  /** Counts what was handled, and lets others have a turn when it was much, or something is left. */
  received(bytes: number, enough = false): void {
    this.#burst += bytes;
    if (this.#burst < BURST && !enough) return;
    this.#burst = 0;
    this.#yield(!enough);
  }

  /** Stops reading while the application has no room. Returns whether that is news. */
  hold(full: boolean): boolean {
    if (full === this.#full || this.#shut) return false;
    this.#full = full;
    if (this.#yielding) return true;
    if (full) this.#pause();
    else if (this.#kept !== undefined) this.#yield(false);
    else this.#resume();
    return true;
  }

  /** Never touches the socket again, and lets go of what waits. */
  shut(): void {
    this.#shut = true;
    this.#kept = undefined;
  }

  /** @param brief See {@linkcode Clock.afterTurn}: bytes that are handed over in few messages take little time. */
  #yield(brief: boolean): void {
    if (this.#yielding || this.#full || this.#shut) return;
    this.#yielding = true;
    this.#pause();
    this.#clock.afterTurn(() => {
      this.#yielding = false;
      if (this.#kept !== undefined) this.#goOn(this.#kept);
      if (this.#ready && this.#kept === undefined) this.#resume();
    }, brief);
  }

  /** Whether nothing speaks against handling more. */
  get #ready(): boolean {
    return !this.#full && !this.#yielding && !this.#shut;
  }

  #goOn(kept: Uint8Array[]): void {
    while (this.#ready && kept.length > 0) {
      const next = kept.shift()!;
      // What is left of it stands before the others.
      this.#kept = undefined;
      this.#owner.goOn(next);
      const left: readonly Uint8Array[] = this.#kept ?? [];
      kept.unshift(...left);
      if (!this.#shut) this.#kept = kept;
    }
    if (this.#shut || kept.length > 0) return;
    this.#kept = undefined;
    this.#owner.caughtUp();
  }

  #pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.#socket.pause();
  }

  #resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#socket.resume();
  }
}
