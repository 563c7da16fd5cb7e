/**
 * What others on the machine cost a process: how long it waited for a processor.
 *
 * @module
 */

import { readFileSync } from "node:fs";

/** What the main thread of a process has had of the processor, in nanoseconds. */
export type Scheduled = readonly [ran: number, waited: number];

/** No machine is so slow that work may take longer than so many times its time. */
const MOST_STRETCH = 2;

/** How long the main thread of `pid` ran, and how long it waited for a processor. */
export function scheduled(pid: number): Scheduled {
  try {
    const [ran, waited] = readFileSync(`/proc/${pid}/schedstat`, "utf8").split(" ");
    return [Number(ran), Number(waited)];
  } catch {
    return [0, 0]; // It has ended, or the kernel does not tell.
  }
}

/** How many times its time the work of `pid` took since `then`, at most twice. */
export function stretched(pid: number, [ran, waited]: Scheduled): number {
  const [nowRan, nowWaited] = scheduled(pid);
  if (nowRan <= ran) return 1;
  return Math.min(MOST_STRETCH, 1 + Math.max(0, nowWaited - waited) / (nowRan - ran));
}
