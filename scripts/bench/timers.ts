/**
 * What deadlines cost by themselves: 1 000 000 on one wheel, and 100 000 that fall due within a second.
 *
 * Prints, as JSON, the memory of one, what it takes to add, to move and to cancel one, and for how long at most the event loop
 * did not turn while the 100 000 fell due.
 *
 * @module
 */

import { readFileSync } from "node:fs";
import process from "node:process";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { systemClock } from "../../lib/time/clock.ts";
import { type Due, Wheel } from "../../lib/time/wheel.ts";

const MANY = 1_000_000, BUSY = 100_000, MINUTE = 60_000;

/** What is written into memory of this process, without the pages of files. */
function anonymousBytes(): number {
  const status = readFileSync("/proc/self/status", "utf8");
  return Number(/^RssAnon:\s+(\d+) kB/m.exec(status)?.[1]) * 1024;
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

let calls = 0;
const owner: Due = {
  due: () => {
    calls++;
    return Infinity;
  },
};

/** Deadlines in an order of chance, at `from` ms from now or up to `span` ms later. */
function deadlines(count: number, from: number, span: number): Float64Array {
  const start = systemClock.now() + from;
  return Float64Array.from({ length: count }, () => start + Math.random() * span);
}

/** Nanoseconds of CPU time that `work` takes for each of `count`: other programs may run meanwhile. */
function nanoseconds(count: number, work: () => void): number {
  const start = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(start);
  return (user + system) * 1e3 / count;
}

/** Collects garbage: a table that has grown leaves its old memory behind. */
function collect(): void {
  const { Bun } = globalThis as { Bun?: { gc(sync: boolean): void } };
  if (Bun !== undefined) return Bun.gc(true);
  setFlagsFromString("--expose-gc");
  const gc = runInNewContext("gc") as () => void;
  gc();
}

/** Sets, moves and cancels as many as there are, so that what follows runs in compiled code. */
function warmUp(): void {
  for (let i = 0; i < 5; i++) {
    const wheel = new Wheel(systemClock);
    const ids = [...deadlines(50_000, MINUTE, MINUTE)].map((deadline) => wheel.add(owner, deadline));
    for (const deadline of deadlines(1, MINUTE, MINUTE)) for (const id of ids) wheel.set(id, deadline + id);
    for (const id of ids) wheel.remove(id);
  }
}

/** Lets many fall due within a second. Returns the longest time in which the event loop did not turn. */
async function longestStall(): Promise<number> {
  const wheel = new Wheel(systemClock);
  calls = 0;
  for (const deadline of deadlines(BUSY, 300, 1_000)) wheel.add(owner, deadline);
  let longest = 0, last = systemClock.now();
  // The first turn is that of setting them.
  await pause(0);
  for (last = systemClock.now(); calls < BUSY;) {
    await new Promise<void>((resolve) => setImmediate(resolve));
    const now = systemClock.now();
    longest = Math.max(longest, now - last);
    last = now;
  }
  return longest;
}

warmUp();
await pause(500);
const wheel = new Wheel(systemClock);
const first = deadlines(MANY, MINUTE, MINUTE), second = deadlines(MANY, MINUTE, MINUTE);
const ids = new Int32Array(MANY);
collect();
await pause(500);
const before = anonymousBytes();
const add = nanoseconds(MANY, () => {
  for (let i = 0; i < MANY; i++) ids[i] = wheel.add(owner, first[i]!);
});
collect();
await pause(500);
const bytes = (anonymousBytes() - before) / MANY;
const set = nanoseconds(MANY, () => {
  for (let i = 0; i < MANY; i++) wheel.set(ids[i]!, second[i]!);
});
const cancel = nanoseconds(MANY, () => {
  for (let i = 0; i < MANY; i++) wheel.remove(ids[i]!);
});
const stall = await longestStall();
const speeds = { "add, ns": add, "set, ns": set, "cancel, ns": cancel };
console.log(JSON.stringify({ "bytes each": bytes, ...speeds, "longest stall, ms": stall }));
process.exit(0);
