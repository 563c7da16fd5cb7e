/**
 * Puts what happens in a memory network in order: by its time, and at the same time by who asked first, so that
 * a run is the same each time whatever the clock does.
 *
 * @module
 */

import type { Clock, WakeUp } from "../time/clock.ts";

interface Event {
  readonly at: number;
  readonly run: () => void;
}

/** Runs events at their time, on one wake-up of a clock. */
export class Schedule {
  readonly clock: Clock;
  /** By time; those of the same time in the order in which they were asked for. */
  readonly #events: Event[] = [];
  #wakeUp: WakeUp | undefined;
  /** When the wake-up is due. */
  #wakeAt = Infinity;
  #running = false;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** Runs `run` at the instant `at`, or in the next turn if that has passed. Never during this call. */
  at(at: number, run: () => void): WakeUp {
    const event: Event = { at: Math.max(at, this.clock.now()), run };
    let place = this.#events.length;
    while (place > 0 && this.#events[place - 1]!.at > event.at) place--;
    this.#events.splice(place, 0, event);
    this.#arm();
    return { cancel: () => this.#cancel(event) };
  }

  /** Runs `run` in the next turn. */
  soon(run: () => void): void {
    this.at(0, run);
  }

  #cancel(event: Event): void {
    const place = this.#events.indexOf(event);
    if (place < 0) return;
    this.#events.splice(place, 1);
    this.#arm();
  }

  /** Asks to be woken for the first event, if that is not asked already. */
  #arm(): void {
    if (this.#running) return;
    const at = this.#events[0]?.at ?? Infinity;
    if (at === this.#wakeAt) return;
    this.#wakeUp?.cancel();
    this.#wakeAt = at;
    this.#wakeUp = at === Infinity
      ? undefined
      : this.clock.wakeAfter(Math.max(0, at - this.clock.now()), () => this.#wake());
  }

  #wake(): void {
    this.#wakeUp = undefined;
    this.#wakeAt = Infinity;
    const now = this.clock.now();
    let due = 0;
    while (due < this.#events.length && this.#events[due]!.at <= now) due++;
    // What these ask for comes in a turn of its own, so that timers of others are not kept waiting.
    const events = this.#events.splice(0, due);
    this.#running = true;
    try {
      while (events.length > 0) events.shift()!.run();
    } finally {
      this.#running = false;
      this.#events.unshift(...events);
      this.#arm();
    }
  }
}
