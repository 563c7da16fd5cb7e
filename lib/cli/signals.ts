/**
 * What signals do: the first one asks for an orderly end, a second one cuts it short.
 *
 * @module
 */

import type { EndSignal, Host } from "./host.ts";

/** Exit codes of a process that died of a signal. */
const CODES: Readonly<Record<EndSignal, number>> = { SIGINT: 130, SIGTERM: 143 };

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
  let begun = false;
  let release = () => {};
  const cutShort = new Promise<number>((resolve) => {
    release = host.onSignal((signal) => {
      if (begun) {
        cut(signal);
        return resolve(CODES[signal]);
      }
      begun = true;
      begin(signal);
    });
  });
  try {
    return await Promise.race([work(), cutShort]);
  } finally {
    release();
  }
}
