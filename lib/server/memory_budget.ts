/**
 * Keeps what waits on all connections together within a bound.
 *
 * Each connection has bounds of its own, and many connections near theirs are still more than a machine has. Nothing is
 * counted as messages pass: the sum is taken now and then, which costs a message nothing, and 10 000 connections less
 * than a millisecond a time.
 *
 * @module
 */

import type { Clock } from "../time/clock.ts";
import type { Due, Wheel } from "../time/wheel.ts";

/** Time between looks, in milliseconds. */
const CALM = 100;
/** And while more than half of the budget is in use: a flood of 1 GB/s has brought 20 MB by then. */
const TENSE = 20;

/** Somebody who holds bytes. */
export interface Holder {
  /** Bytes that wait, for the application or to be sent. */
  readonly heldBytes: number;
  /** Instant of the last message either way. */
  readonly messageAt: number;
  /** Ends, and lets go of everything. */
  shed(): void;
}

/** The bytes of many, and a bound. */
export class MemoryBudget<H extends Holder> implements Due {
  readonly #max: number;
  readonly #holders: ReadonlySet<H>;
  readonly #clock: Clock;
  readonly #wheel: Wheel;
  /** Place on the wheel while there is anybody. */
  #entry = -1;

  /** Looks after `holders`, a set that may change at any time; {@linkcode watch} says that it has grown. */
  constructor(
    max: number,
    holders: ReadonlySet<H>,
    { clock, wheel }: { readonly clock: Clock; readonly wheel: Wheel },
  ) {
    this.#max = max;
    this.#holders = holders;
    this.#clock = clock;
    this.#wheel = wheel;
  }

  /** Somebody came: from now on there is something to look after. */
  watch(): void {
    if (this.#entry < 0) this.#entry = this.#wheel.add(this, this.#clock.now() + CALM);
  }

  /** Looks no more, until somebody comes. */
  end(): void {
    if (this.#entry >= 0) this.#wheel.remove(this.#entry);
    this.#entry = -1;
  }

  due(now: number): number {
    let total = 0;
    for (const holder of this.#holders) total += holder.heldBytes;
    if (total > this.#max) total = this.#relieve(total);
    if (this.#holders.size === 0) {
      this.end();
      return Infinity;
    }
    return now + (total * 2 > this.#max ? TENSE : CALM);
  }

  /** Sheds the heaviest, and of equals the idlest, until the rest is within the bound. Returns what is left. */
  #relieve(total: number): number {
    const weighed = Array.from(this.#holders, (holder) => ({ holder, bytes: holder.heldBytes }));
    weighed.sort((a, b) => b.bytes - a.bytes || a.holder.messageAt - b.holder.messageAt);
    for (const { holder, bytes } of weighed) {
      if (total <= this.#max) break;
      total -= bytes;
      holder.shed();
    }
    return total;
  }
}
