/**
 * The slots of a wheel, and when they are visited: a fine ring of 256, a tick long each, and a coarse one of 512, of 16
 * ticks each, for what is farther away. `at` is the last tick that was handled.
 *
 * @module
 */

import type { EntryTable } from "./entry_table.ts";
import { NONE } from "./slot_lists.ts";

/** Slots of the fine ring. */
export const FINE = 256;
/** Slots of the coarse ring. They follow the fine ones. What lies beyond waits in the last one and is looked at again. */
const COARSE = 512;
/** Ticks in a coarse slot. */
const WIDTH = 16;
/** The slot after all others: what is due now. */
export const DUE = FINE + COARSE;

/** The slot in which waits what is due at `tick`: that of the tick, or the first coarse one that is not too early. */
export function slotOf(tick: number, at: number): number {
  // By bits: a remainder of numbers that might be fractions is a call.
  if (tick - at < FINE) return Math.max(tick, at + 1) & FINE - 1;
  const last = Math.floor(at / WIDTH) + COARSE - 1;
  return FINE + (Math.min(Math.ceil(tick / WIDTH), last) & COARSE - 1);
}

/** The tick at which a slot is next visited. */
export function visitOf(slot: number, at: number): number {
  if (slot < FINE) return following(at, slot, FINE);
  return following(Math.floor(at / WIDTH), slot - FINE, COARSE) * WIDTH;
}

/** The coarse slot that is visited at `tick`; {@linkcode NONE} if none is. */
export function coarseAt(tick: number): number {
  return tick % WIDTH === 0 ? FINE + tick / WIDTH % COARSE : NONE;
}

/** The next tick at which a slot of `table` that holds something is visited; `Infinity` if there is none. */
export function nextVisit(table: EntryTable, at: number): number {
  const coarse = nextIn(table, FINE, COARSE, Math.floor(at / WIDTH));
  return Math.min(nextIn(table, 0, FINE, at), coarse * WIDTH);
}

/** The first number after `at` whose slot holds something, in the ring of `size` slots from `from` on. */
function nextIn(table: EntryTable, from: number, size: number, at: number): number {
  const next = (at + 1) % size;
  let slot = table.filledFrom(from + next, from + size);
  if (slot === NONE) slot = table.filledFrom(from, from + next);
  return slot === NONE ? Infinity : following(at, slot - from, size);
}

/** The first number after `at` that is `slot` in a ring of `size`. */
function following(at: number, slot: number, size: number): number {
  return at + 1 + (slot - at % size - 1 + size) % size;
}
