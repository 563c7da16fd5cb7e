/**
 * When to acknowledge: not for each message, and not too late.
 *
 * @module
 */

import type { Due, Wheel } from "../time/wheel.ts";
import type { Clock } from "../time/clock.ts";

/** After so many messages, or so many milliseconds, whichever comes first; sooner with data that is sent anyway. */
const MESSAGES = 16;
const DELAY = 50;

/** What an {@linkcode Acks} needs from the session it belongs to. */
export interface AcksOwner {
  /** How many messages of the session the application has taken. */
  readonly taken: number;
  /** Whether messages wait for the application. */
  readonly waiting: boolean;
  /** Tells the peer. Returns whether there is a peer to tell. */
  acknowledge(count: number): boolean;
}

/** What one end of a session owes the other. */
export class Acks implements Due {
  readonly #owner: AcksOwner;
  readonly #clock: Clock;
  readonly #wheel: Wheel;
  readonly #entry: number;
  #told: number;
  #armed = false;
  #over = false;

  /** @param told How many messages the peer knows to have been taken. */
  constructor(owner: AcksOwner, clock: Clock, wheel: Wheel, told: number) {
    this.#owner = owner;
    this.#clock = clock;
    this.#wheel = wheel;
    this.#told = told;
    this.#entry = wheel.add(this, Infinity);
  }

  /** A message has come. */
  arrived(): void {
    if (this.#owner.taken - this.#told >= MESSAGES) return this.tell();
    // The number of an entry that was removed may be somebody else's by now.
    if (this.#armed || this.#over) return;
    this.#armed = true;
    this.#wheel.set(this.#entry, this.#clock.now() + DELAY);
  }

  /**
   * Data is about to be sent, so that what there is to tell need not leave alone. One for each message would be as many
   * frames again: it goes with the `first` of a turn, and with others before it is so much that it could not wait.
   */
  sending(first: boolean): void {
    if (first || this.#owner.taken - this.#told >= MESSAGES / 2) this.tell();
  }

  /** Tells what there is to tell. */
  tell(): void {
    const { taken } = this.#owner;
    if (taken > this.#told && this.#owner.acknowledge(taken)) this.#told = taken;
  }

  /** The peer was told by other means. */
  told(count: number): void {
    this.#told = count;
  }

  /** Nobody is told any more. */
  end(): void {
    this.#over = true;
    this.#wheel.remove(this.#entry);
  }

  due(now: number): number {
    this.tell();
    // What the application has not taken yet is told when it has.
    this.#armed = this.#owner.waiting;
    return this.#armed ? now + DELAY : Infinity;
  }
}
