/**
 * Draws from a seed, in the shapes that a plan needs.
 *
 * Only sums and products: powers and logarithms may differ in the last bit from one engine to the next.
 *
 * @module
 */

import { seeded } from "../../lib/testing/seeded.ts";

/** Chance with a seed. The same seed draws the same. */
export class Lots {
  /** A number in [0, 1). */
  readonly next: () => number;

  constructor(seed: number) {
    this.next = seeded(seed);
  }

  /** Whether something happens that does so with probability `p`. */
  chance(p: number): boolean {
    return this.next() < p;
  }

  /** A whole number from `min` to `max`, both included. */
  int(min: number, max: number): number {
    return min + Math.floor(this.next() * (max - min + 1));
  }

  /** A number from `min` up to `max`. */
  real(min: number, max: number): number {
    return min + this.next() * (max - min);
  }

  /** A whole number from `min` to `max`, as likely small as large: each doubling is drawn alike. */
  scale(min: number, max: number): number {
    let doublings = 0;
    for (let top = min; top * 2 <= max; top *= 2) doublings++;
    let low = min;
    for (let i = this.int(0, doublings); i > 0; i--) low *= 2;
    return Math.floor(this.real(low, Math.min(max, low * 2)));
  }

  /** One of `things`. */
  pick<T>(things: readonly T[]): T {
    return things[this.int(0, things.length - 1)]!;
  }

  /** A source of its own, so that what one part draws does not change what another part does. */
  fork(): Lots {
    return new Lots(Math.floor(this.next() * 2 ** 32));
  }
}
