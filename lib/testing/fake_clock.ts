/**
 * A clock that moves only when told to, so that tests never wait.
 *
 * @module
 */

import { type Clock, systemClock, type WakeUp } from "../time/clock.ts";
import { preload } from "./preload.ts";

interface Pending {
  readonly at: number;
  readonly order: number;
  readonly wake: () => void;
}

/**
 * Time and chance under a test's control, as the option `clock` takes it. The same calls always give the same
 * course of events.
 *
 * Two ways to move time: {@linkcode run} and {@linkcode until} let all promises settle after each wake-up, as an
 * event loop does, and are what tests of whole connections want. {@linkcode advance} and {@linkcode sleep} do
 * everything before they return, so that promises settle only after all of it.
 *
 * @example
 * ```ts
 * import { FakeClock } from "@holdfast/holdfast/testing";
 * import { equal } from "node:assert/strict";
 *
 * const clock = new FakeClock();
 * let woken = 0;
 * clock.wakeAfter(60_000, () => woken = clock.now());
 * await clock.run(3_600_000);
 * equal(woken, 60_000);
 * equal(clock.pending, 0);
 * ```
 */
export class FakeClock implements Clock {
  #now: number;
  #order = 0;
  #pending = new Set<Pending>();
  #turns: (() => void)[] = [];
  #random: () => number;

  /**
   * Starts a clock that stands still.
   *
   * @param now The instant at which it starts, in milliseconds.
   * @param random Where chance comes from; by default there is none, every draw is 0.
   */
  constructor(now = 0, random: () => number = () => 0) {
    this.#now = now;
    this.#random = random;
    preload();
  }

  /** The instant that it shows, in milliseconds. */
  now(): number {
    return this.#now;
  }

  /** Draws from the source that the constructor was given. */
  random(): number {
    return this.#random();
  }

  /** Calls `wake` when time has been moved on by `delay` milliseconds. */
  wakeAfter(delay: number, wake: () => void): WakeUp {
    const pending = { at: this.#now + Math.max(delay, 0), order: this.#order++, wake };
    this.#pending.add(pending);
    return { cancel: () => void this.#pending.delete(pending) };
  }

  /** Calls `then` in the next turn: when time is moved on, or by {@linkcode turn}. */
  afterTurn(then: () => void): void {
    this.#turns.push(then);
  }

  /**
   * Moves time on by `ms`, waking whoever is due, in order, each at its own instant. After each of them all
   * promises settle that wait for nothing else.
   *
   * @throws {RangeError} If `ms` is below 0 or not finite, as for all that moves time.
   */
  async run(ms: number): Promise<void> {
    const until = this.#after(ms);
    do await settled(); while (this.#step(until));
    this.#now = until;
  }

  /**
   * Moves time on until `promise` is settled, and gives what it gives. Time stops there.
   *
   * @param promise What is waited for.
   * @param limit How far time may be moved, in milliseconds. By default an hour.
   * @throws {Error} If the promise is still pending after `limit`, or when nothing is due any more.
   */
  async until<T>(promise: PromiseLike<T>, limit = 3_600_000): Promise<T> {
    const latest = this.#after(limit);
    let pending = true;
    const end = () => void (pending = false);
    promise.then(end, end);
    for (await settled(); pending; await settled()) {
      if (this.#step(latest)) continue;
      const why = this.#pending.size === 0 ? "nothing is due any more" : `${limit} ms have passed`;
      throw new Error(`Cannot wait for the promise as ${why}: the clock shows ${this.#now}`);
    }
    return await promise;
  }

  /** Moves time on by `ms`, waking whoever is due, in order, each at its own instant. No promise settles meanwhile. */
  advance(ms: number): void {
    const until = this.#after(ms);
    do this.turn(); while (this.#wake(until));
    this.#now = until;
  }

  /**
   * Lets `ms` pass in which nothing of this process runs, as while a laptop sleeps: who was due is woken late, at
   * the end.
   */
  sleep(ms: number): void {
    this.#now = this.#after(ms);
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

  /** The instant `ms` from now. */
  #after(ms: number): number {
    if (ms >= 0 && ms < Infinity) return this.#now + ms;
    throw new RangeError(`Cannot move time as it must be by a finite number >= 0: current value is ${ms}`);
  }

  /** Does the one thing that is next, if that is before `until`. Returns whether there was anything. */
  #step(until: number): boolean {
    const turns = this.#turns.splice(0);
    for (const then of turns) then();
    return turns.length > 0 || this.#wake(until);
  }

  /** Wakes who is due first, unless that is after `until`. */
  #wake(until: number): boolean {
    const next = this.#next();
    if (next === undefined || next.at > until) return false;
    this.#now = Math.max(this.#now, next.at);
    this.#pending.delete(next);
    next.wake();
    return true;
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

/** Fulfilled when nothing but time and the outside world can move anything: a real turn of the event loop. */
function settled(): Promise<void> {
  return new Promise((resolve) => systemClock.afterTurn(resolve));
}
