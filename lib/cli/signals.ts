/**
 * What signals do: the first one asks for an orderly end, a second one cuts it short.
 *
 * @module
 */

import { systemClock } from "../time/clock.ts";
import type { EndSignal, Host } from "./host.ts";

/** Exit codes of a process that died of a signal. */
const CODES: Readonly<Record<EndSignal, number>> = { SIGINT: 130, SIGTERM: 143 };

/**
 * A terminal gives Ctrl-C to the whole group, and a launcher as bunx hands its own on: what comes within so many milliseconds of
 * the first is no second one.
 */
const SAME = 200;

/** What to do when signals come. */
export interface Ending {
  /** The first signal: begin an orderly end. */
  begin(signal: EndSignal): void;
  /** The second: drop everything. */
  cut(signal: EndSignal): void;
}

/** Runs `work` until it is done, or until it was cut short. Returns the exit code of whichever came first. */
export async function untilCut(
  host: Host,
  { begin, cut }: Ending,
  work: () => Promise<number>,
): Promise<number> {
  let begunAt = Infinity;
  let release = () => {};
  const cutShort = new Promise<number>((resolve) => {
    release = host.onSignal((signal) => {
      const now = systemClock.now();
      if (begunAt === Infinity) {
        begunAt = now;
        begin(signal);
      } else if (now - begunAt >= SAME) {
        cut(signal);
        resolve(CODES[signal]);
      }
    });
  });
  try {
    return await Promise.race([work(), cutShort]);
  } finally {
    release();
  }
}
