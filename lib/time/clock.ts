/**
 * Time and chance, as the rest of the module is allowed to know them.
 *
 * @module
 */

/** A wake-up that has been asked for. */
export interface WakeUp {
  /** Takes the wake-up back. Does nothing if it has happened. */
  cancel(): void;
}

/**
 * Tells the time, wakes callers up, and draws lots. Tests pass their own.
 *
 * @example
 * ```ts
 * import { systemClock } from "@holdfast/holdfast";
 * import { ok } from "node:assert/strict";
 *
 * const before = systemClock.now();
 * ok(systemClock.now() >= before);
 * ```
 */
export interface Clock {
  /** Milliseconds since some fixed instant. Never runs backwards, whatever the wall clock does. */
  now(): number;
  /**
   * Calls `wake` once, `delay` milliseconds from now or later. It may come a little early, and comes early
   * for delays past 2³¹ − 1 ms: ask {@linkcode now}, and ask again. Does not keep the process alive.
   */
  wakeAfter(delay: number, wake: () => void): WakeUp;
  /**
   * Calls `then` after the event loop has had a full turn, so that all bytes which wait in the kernel by
   * now have been delivered first.
   *
   * @param brief Whether what goes on meanwhile takes so little time that it is enough if the kernel is asked now and then,
   * where each turn in which it is asked costs a millisecond (Deno). @default {false}
   */
  afterTurn(then: () => void, brief?: boolean): void;
  /** A number in [0, 1), to spread things that must not happen together. Not for secrets. */
  random(): number;
}

/** Longest delay that every runtime's `setTimeout` honours: past 2³¹ − 1 ms it fires at once. */
const MAX_DELAY = 2 ** 31 - 1;

/** On Node the global one is an accessor, and to go through it takes as long as to look at the clock. */
const { performance } = globalThis;

/**
 * The runtime's own clock and timers. They do not keep the process alive: an open socket does that, and
 * nothing should once it is closed.
 */
export const systemClock: Clock = {
  now: () => performance.now(),

  wakeAfter(delay, wake) {
    const timer = setTimeout(wake, Math.min(Math.max(delay, 0), MAX_DELAY));
    unref(timer);
    return { cancel: () => clearTimeout(timer) };
  },

  // Two steps, not one: the first may still run in the turn that is under way, before the sockets that wait are
  // polled (on Node and Deno a due timer runs before them). Its successor cannot.
  afterTurn(then, brief = false) {
    if (POLLS_SELDOM && !brief) letPoll(then);
    else nextTurn(() => nextTurn(then));
  },

  random: () => Math.random(),
};

/**
 * Deno (2.9.6) looks at its sockets only in every 61st turn while the next turn is always asked for already, as it is for
 * connections that are flooded. It looks when there is nothing to do but to wait for a timer: so all do, together.
 */
const POLLS_SELDOM = "Deno" in globalThis;
/** Who waits for the timer. */
let waiting: (() => void)[] = [];

function letPoll(then: () => void): void {
  if (waiting.push(then) > 1) return;
  const go = () => {
    const all = waiting;
    waiting = [];
    for (const then of all) nextTurn(then);
  };
  // A timer that is set before others have done their work may be due as soon as they have, and nothing was waited for.
  nextTurn(() => void setTimeout(go, 0));
}

/** Calls `then` when the event loop comes round again. */
const nextTurn: (then: () => void) => void =
  (globalThis as { setImmediate?: (then: () => void) => unknown }).setImmediate ??
    ((then) => void setTimeout(then, 0));

/** Lets the process end while `timer` is pending, where the runtime can. */
function unref(timer: unknown): void {
  (timer as { unref?(): void }).unref?.();
}
