/**
 * How long something may take while nothing of it moves.
 *
 * @module
 */

import type { Clock } from "../time/clock.ts";
import type { Due, Wheel } from "../time/wheel.ts";

/** Ends what does not end by itself. */
export class Patience implements Due {
  readonly #clock: Clock;
  readonly #wheel: Wheel;
  readonly #timeout: number;
  readonly #late: () => void;
  #entry = -1;
  #progress = -1;

  /**
   * @param timeout How long there may be no progress, in milliseconds.
   * @param late Called when there has been none for that long.
   */
  constructor({ clock, wheel }: { clock: Clock; wheel: Wheel }, timeout: number, late: () => void) {
    this.#clock = clock;
    this.#wheel = wheel;
    this.#timeout = timeout;
    this.#late = late;
  }

  /** Begins to wait; if that has begun already, and there is `progress`, it begins anew. */
  begin(progress: number): void {
    if (progress === this.#progress) return;
    this.#progress = progress;
    const deadline = this.#clock.now() + this.#timeout;
    if (this.#entry < 0) this.#entry = this.#wheel.add(this, deadline);
    else this.#wheel.set(this.#entry, deadline);
  }

  /** Waits no more. */
  end(): void {
    if (this.#entry >= 0) this.#wheel.remove(this.#entry);
    this.#entry = this.#progress = -1;
  }

  due(): number {
    this.#late();
    return Infinity;
  }
}
