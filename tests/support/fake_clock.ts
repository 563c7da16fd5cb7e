/**
 * A clock that moves only when told to, so that tests never wait.
 *
 * @module
 */

import type { Clock, WakeUp } from "../../lib/time/clock.ts";

interface Pending {
  readonly at: number;
  readonly order: number;
  readonly wake: () => void;
}

/** Time and chance under a test's control. The same calls always give the same course of events. */
export class FakeClock implements Clock {
  #now: number;
  #order = 0;
  #pending = new Set<Pending>();
  #turns: (() => void)[] = [];
  #random: () => number;

  /** @param random Where chance comes from; by default there is none, every draw is 0. */
  constructor(now = 0, random: () => number = () => 0) {
    this.#now = now;
    this.#random = random;
  }

  now(): number {
    return this.#now;
  }

  random(): number {
    return this.#random();
  }

  wakeAfter(delay: number, wake: () => void): WakeUp {
    const pending = { at: this.#now + Math.max(delay, 0), order: this.#order++, wake };
    this.#pending.add(pending);
    return { cancel: () => void this.#pending.delete(pending) };
  }

  afterTurn(then: () => void): void {
    this.#turns.push(then);
  }

  /** Moves time on by `ms`, waking whoever is due, in order, each at its own instant. */
  advance(ms: number): void {
    const until = this.#now + ms;
    for (;;) {
      this.turn();
      const next = this.#next();
      if (next === undefined || next.at > until) break;
      this.#now = Math.max(this.#now, next.at);
      this.#pending.delete(next);
      next.wake();
    }
    this.#now = until;
  }

  /** Lets `ms` pass in which nothing of this process runs: who was due is woken late, at the end. */
  sleep(ms: number): void {
    this.#now += ms;
    this.advance(0);
  }

  /** Runs what waits for a turn of the event loop. */
  turn(): void {
    while (this.#turns.length > 0) {
      for (const then of this.#turns.splice(0)) then();
    }
  }

  /** How many wake-ups are pending: 0 once everything was cleaned up. */
  get pending(): number {
    return this.#pending.size;
  }

  /** Instant of the next wake-up; `Infinity` without one. */
  get nextAt(): number {
    return this.#next()?.at ?? Infinity;
  }

  #next(): Pending | undefined {
    let next: Pending | undefined;
    for (const pending of this.#pending) {
      if (
        next === undefined || pending.at < next.at || (pending.at === next.at && pending.order < next.order)
      ) {
        next = pending;
      }
    }
    return next;
  }
}
