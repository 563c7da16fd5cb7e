/**
 * How long an orderly end may take while the peer makes no progress.
 *
 * @module
 */

import type { Clock } from "../time/clock.ts";
import type { Due, Wheel } from "../time/wheel.ts";

/** Ends what does not end by itself. */
export class CloseWait implements Due {
  readonly #clock: Clock;
  readonly #wheel: Wheel;
  readonly #timeout: number;
  readonly #late: () => void;
  #entry = -1;
  #progress = -1;

  /** @param late Called when there has been no progress for too long. */
  constructor(
    { clock, wheel, watch }: { clock: Clock; wheel: Wheel; watch: { closeTimeout: number } },
    late: () => void,
  ) {
    this.#clock = clock;
    this.#wheel = wheel;
    this.#timeout = watch.closeTimeout;
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
    this.#entry = -1;
  }

  due(): number {
    this.#late();
    return Infinity;
  }
}
