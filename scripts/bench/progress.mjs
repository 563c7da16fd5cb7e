/**
 * How far a run is: a bar on a terminal, plain lines elsewhere.
 *
 * @module
 */

import cliProgress from "cli-progress";
import { performance } from "node:perf_hooks";
import process from "node:process";

/** Least time between two lines, in milliseconds. */
const GAP = 15_000;

/** @typedef {{ step(what: string): void, stop(): void }} Progress */

/** @param {number} total steps @returns {Progress} */
export function progress(total) {
  return process.stderr.isTTY ? bar(total) : lines(total);
}

/** @param {number} total @returns {Progress} */
function bar(total) {
  const shown = new cliProgress.SingleBar({
    format: "{bar} {percentage} %, {eta_formatted} left  {what}",
    stream: process.stderr,
    hideCursor: true,
    etaBuffer: 50,
  }, cliProgress.Presets.shades_classic);
  shown.start(total, 0, { what: "" });
  return { step: (what) => shown.increment(1, { what }), stop: () => shown.stop() };
}

/** @param {number} total @returns {Progress} */
function lines(total) {
  const start = performance.now();
  let done = 0, told = start;
  return {
    step(what) {
      done++;
      const now = performance.now();
      if (now - told < GAP && done < total) return;
      told = now;
      const left = (now - start) / done * (total - done) / 1000;
      console.error(`${done} of ${total}, about ${Math.round(left)} s left: ${what}`);
    },
    stop() {},
  };
}
