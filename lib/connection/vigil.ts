/**
 * Puts the clocks of one connection on the wheel, and does what they say.
 *
 * @module
 */

import type { FatalVerdict, Watch } from "../liveness/watch.ts";
import type { Happening } from "../observer.ts";
import type { Pause } from "../time/pause.ts";
import { ASK_AGAIN, type Due, type Wheel } from "../time/wheel.ts";

/** What a {@linkcode Vigil} tells. */
export interface VigilOwner {
  /** A sign of life is due, of the peer or of ours. */
  beat(verdict: "suspect" | "probe" | "beat", now: number): void;
  /** It has lived as long as it may. */
  aged(): void;
  /** A drain found nothing under way. */
  quiet(): void;
  /** Something was noticed. For `paused`, `fact` is how long it was at least. */
  noticed(what: Happening, fact?: number): void;
  /** What came from the peer is still being looked at, and may prove it alive. */
  readonly doubtful: boolean;
  /** Each look at the clocks is wanted: the wheel may not put any off by itself. */
  readonly observed: boolean;
  /** Reads what {@linkcode beat} will. See {@linkcode Due.prefetch}. */
  prefetch(): number;
  /** The peer is given up. */
  break(verdict: FatalVerdict): void;
}

/** The wheel's entry of one connection. */
export class Vigil implements Due {
  readonly #watch: Watch;
  readonly #wheel: Wheel;
  readonly #owner: VigilOwner;
  #entry = -1;
  #over = false;
  /** Instant at which a probe is due if the peer says nothing. */
  #askAt = Infinity;
  /** The wheel may put the next looks off by itself. */
  #spared = false;
  /** Looks that it did put off, once the clocks have stopped. */
  #putOffs = 0;
  /** The last pause of ours that was told of. */
  #pause: Pause | undefined;

  constructor(watch: Watch, wheel: Wheel, owner: VigilOwner) {
    this.#watch = watch;
    this.#wheel = wheel;
    this.#owner = owner;
    this.#pause = wheel.pause;
  }

  /** Starts the clocks. */
  begin(): void {
    this.#entry = this.#wheel.add(this, this.#watch.deadline(this.#wheel.pause));
  }

  /** A deadline may have come nearer. */
  rearm(): void {
    if (this.#entry >= 0) this.rearmBy(this.#watch.deadline(this.#wheel.pause));
  }

  /** A clock has begun that runs out at `deadline`. */
  rearmBy(deadline: number): void {
    if (this.#entry < 0) return;
    if (this.#spared) this.#askAt = this.#wheel.deadline(this.#entry);
    this.#spared = false;
    this.#wheel.hasten(this.#entry, deadline);
  }

  /** The peer was heard. */
  heard(now: number): void {
    if (this.#entry >= 0) this.#wheel.touch(this.#entry, now);
  }

  /** Probes that were due when the peer turned out to have spoken, as far as only the wheel knows. */
  get putOffs(): number {
    return this.#entry >= 0 ? this.#wheel.putOffs(this.#entry) : this.#putOffs;
  }

  /** The clocks stop. */
  end(): void {
    this.#over = true;
    this.#putOffs = this.putOffs;
    if (this.#entry >= 0) this.#wheel.remove(this.#entry);
    this.#entry = -1;
  }

  prefetch(): number {
    return this.#watch.heartbeat.heardAt + this.#watch.stall.limit + this.#owner.prefetch();
  }

  due(now: number, sure: boolean): number {
    this.#notePause();
    this.#spared = false;
    const watch = this.#watch, { pause } = this.#wheel;
    // Woken for a probe that is not due any more: the peer has spoken.
    if (this.#askAt <= now && watch.heartbeat.askAt > now) this.#owner.noticed("suppressed");
    while (!this.#over) {
      const deadline = watch.deadline(pause);
      if (deadline > now) {
        this.#askAt = watch.heartbeat.askAt;
        this.#spare(deadline);
        return deadline;
      }
      const verdict = watch.check(now, pause);
      switch (verdict) {
        case "wait":
          return deadline;
        case "suspect":
        case "probe":
        case "beat":
          this.#owner.beat(verdict, now);
          break;
        case "aged":
          this.#owner.aged();
          break;
        case "quiet":
          this.#owner.quiet();
          break;
        default:
          // Bytes that prove the peer alive may wait in the kernel, or for their proof: no verdict before.
          if (!sure || this.#owner.doubtful) return ASK_AGAIN;
          this.#owner.break(verdict);
      }
    }
    return Infinity;
  }

  /** Lets the wheel put looks off by itself, where each of them would only find that the peer has spoken. */
  #spare(deadline: number): void {
    const span = this.#owner.observed || this.#askAt !== deadline ? 0 : this.#watch.lull;
    this.#spared = span > 0;
    if (this.#spared) this.#wheel.spare(this.#entry, span);
  }

  /** Tells of a pause of ours, once. */
  #notePause(): void {
    const { pause } = this.#wheel;
    if (pause === this.#pause) return;
    this.#pause = pause;
    this.#owner.noticed("paused", pause!.length);
  }
}
