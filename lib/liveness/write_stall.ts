/**
 * Decides when a peer that takes nothing is given up.
 *
 * A probe which cannot leave proves nothing, so the heartbeat never judges it. This clock does: it runs while
 * bytes wait, and starts again with every byte that the kernel takes.
 *
 * @module
 */

import { lostSince, type Pause } from "../time/pause.ts";

/**
 * Watches bytes that wait to be sent.
 *
 * @example
 * ```ts
 * import { WriteStall } from "./write_stall.ts";
 * import { strictEqual } from "node:assert/strict";
 *
 * const stall = new WriteStall(100);
 * strictEqual(stall.deadline(), Infinity);
 * stall.waiting(0);
 * stall.progress(60, 5);
 * strictEqual(stall.deadline(), 160);
 * stall.progress(70, 0);
 * strictEqual(stall.deadline(), Infinity);
 * ```
 */
export class WriteStall {
  /** How long bytes may wait without progress, in milliseconds. */
  readonly limit: number;
  /** Instant of the last progress while something waits; `Infinity` while nothing does. */
  #since = Infinity;

  /** Starts with nothing waiting. */
  constructor(limit: number) {
    this.limit = limit;
  }

  /**
   * Says that bytes wait. Bytes that join others which wait already give no new time.
   *
   * @returns Whether its time begins with these.
   */
  waiting(now: number): boolean {
    if (this.#since !== Infinity) return false;
    this.#since = now;
    return true;
  }

  /** Says that the kernel took some, and how many bytes are left. */
  progress(now: number, left: number): void {
    this.#since = left > 0 ? now : Infinity;
  }

  /**
   * Instant of the verdict if nothing moves. What we slept through does not count against the peer, and after a long
   * pause it has the whole limit; but once only, or a process that stutters would keep a peer that takes nothing.
   */
  deadline(pause?: Pause): number {
    let since = this.#since;
    if (since === Infinity) return Infinity;
    for (let p = pause; p !== undefined && p.end > this.#since; p = p.before) {
      if (p.length * 4 >= this.limit) since = p.end;
    }
    return since + this.limit + lostSince(since, pause);
  }
}
