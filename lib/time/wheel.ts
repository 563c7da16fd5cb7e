/**
 * Many deadlines on one timer.
 *
 * A timing wheel on typed arrays (Varghese and Lauck, 1987), with two rings of slots (`rings.ts`). A deadline commonly
 * costs less than 100 bytes and stays in its slot until it falls due. None falls due early; each at most one tick late, or
 * 16 if it was set more than 255 ticks ahead, unless the process itself was late. Most wait for seconds, and a wake-up of
 * the process costs more than all else here: so those share one.
 *
 * The wheel also is where our own pauses show, since a wake-up that comes late is their only trace; see
 * {@linkcode Wheel.pause}.
 *
 * @module
 */

import type { Clock, WakeUp } from "./clock.ts";
import { EntryTable } from "./entry_table.ts";
import { type Pause, pauseBetween } from "./pause.ts";
import { coarseAt, DUE, FINE, nextVisit, slotOf, visitOf } from "./rings.ts";
import { NONE } from "./slot_lists.ts";

/** Something that has a deadline on a {@linkcode Wheel}. */
export interface Due {
  /**
   * Called at the deadline. Returns the next one, `Infinity` for none until {@linkcode Wheel.set}, or
   * {@linkcode ASK_AGAIN} to be called once more, with `sure`, after the event loop has had a full turn: bytes
   * that change the answer may be in the kernel already.
   */
  due(now: number, sure: boolean): number;
  /**
   * Reads what {@linkcode Due.due} will read, as a number without a meaning, and does nothing else. Called for several owners
   * in a row before they are due: of 100 000 none is in the processor's cache, and so their waits for memory overlap.
   */
  prefetch?(): number;
}

/** See {@linkcode Due.due}. */
export const ASK_AGAIN = NaN;

/** Options for {@linkcode Wheel}. */
export interface WheelOptions {
  /** Length of a tick in milliseconds: how late a deadline may fall due that is near. @default {10} */
  readonly tick?: number;
  /** Told of errors that a {@linkcode Due} threw. The others are visited all the same. */
  readonly onError?: (error: unknown) => void;
}

/** How many owners are read ahead. */
const AHEAD = 16;

/** Deadlines of many owners, on one timer of one clock. */
export class Wheel {
  readonly #clock: Clock;
  readonly #tick: number;
  readonly #onError: (error: unknown) => void;
  /** Instant of tick 0. */
  readonly #start: number;
  /** The last tick that was handled. */
  #at = 0;

  // Entry i is `#owners[i]`, and all its numbers are in the table.
  readonly #owners: (Due | undefined)[] = [];
  readonly #table = new EntryTable(DUE + 1);
  #size = 0;

  #wake: WakeUp | undefined;
  /** Tick for which the timer is set; `Infinity` while it is not. */
  #wakeTick = Infinity;
  #turning = false;
  #pause: Pause | undefined;
  #pauses = 0;
  #lag = 0;
  #doubtful: (readonly [id: number, owner: Due])[] = [];
  readonly #ahead = new Int32Array(AHEAD);
  /** Kept, so that no compiler finds out that nobody needs it. */
  #prefetched = 0;

  /** Starts empty, with no timer. */
  constructor(clock: Clock, options: WheelOptions = {}) {
    this.#clock = clock;
    this.#tick = options.tick ?? 10;
    this.#onError = options.onError ?? reportLater;
    this.#start = clock.now();
  }

  /** Entries on the wheel. */
  get size(): number {
    return this.#size;
  }

  /** The last time this process was found to have been asleep or blocked. */
  get pause(): Pause | undefined {
    return this.#pause;
  }

  /** Instant at which this process was last away, be it that the wake-up which will tell is still to come. */
  awayAt(now: number): number {
    if (pauseBetween(this.#instant(this.#wakeTick), now, this.#tick) !== undefined) return now;
    return this.#pause?.end ?? -Infinity;
  }

  /** How late the last wake-up was, in milliseconds. */
  get lag(): number {
    return this.#lag;
  }

  /** How often it was. */
  get pauses(): number {
    return this.#pauses;
  }

  /** Puts `owner` on the wheel, to be called at `deadline`. Returns the number that the other calls take. */
  add(owner: Due, deadline: number): number {
    const id = this.#table.add();
    this.#owners[id] = owner;
    this.#size++;
    this.#insert(id, deadline);
    return id;
  }

  /** Moves an entry to another deadline; `Infinity` puts it to sleep. Takes back what {@linkcode spare} allowed. */
  set(id: number, deadline: number): void {
    this.#table.unspare(id);
    this.#move(id, deadline);
  }

  /** Moves an entry to `deadline` if that is sooner. Takes back what {@linkcode spare} allowed in any case. */
  hasten(id: number, deadline: number): void {
    this.#table.unspare(id);
    if (deadline < this.deadline(id)) this.#move(id, deadline);
  }

  /** The deadline of an entry. */
  deadline(id: number): number {
    return this.#table.deadline(id);
  }

  /**
   * Says that nothing is due before `span` ms after the last {@linkcode touch}. An entry that falls due is put off to there
   * without a call, until it is set, or this process has been away. `0` takes that back.
   */
  spare(id: number, span: number): void {
    this.#table.spare(id, span, this.#pauses);
  }

  /** Notes a sign of life at `now`: one number is written. */
  touch(id: number, now: number): void {
    this.#table.touch(id, now);
  }

  /** How often an entry was put off. */
  putOffs(id: number): number {
    return this.#table.putOffs(id);
  }

  /** Takes an entry off. Its number may be given to another one. */
  remove(id: number): void {
    this.#table.unlink(id);
    this.#table.remove(id);
    this.#owners[id] = undefined;
    this.#size--;
    if (this.#size === 0) this.#sleep();
  }

  #move(id: number, deadline: number): void {
    if (this.deadline(id) === deadline) return;
    this.#table.unlink(id);
    this.#insert(id, deadline);
  }

  #insert(id: number, deadline: number): void {
    this.#table.setDeadline(id, deadline);
    if (!(deadline < Infinity)) return;
    const tick = this.#tickOf(deadline);
    // Most fall due after others, and it makes no difference how far the wheel has been turned. Then nobody looks at the
    // clock, which takes longer than all else here.
    if (tick < this.#wakeTick || tick - this.#at >= FINE && tick - this.#wakeTick < FINE) this.#catchUp();
    const slot = slotOf(tick, this.#at);
    this.#table.link(id, slot);
    if (tick < this.#wakeTick && !this.#turning) this.#wakeFor(visitOf(slot, this.#at));
  }

  /**
   * Turns the wheel up to now. No slot that holds anything is visited before the timer comes, so up to there it is free. It has
   * to be: a slot that was due for a visit in the meantime would set the timer to the past, which looks like a pause.
   */
  #catchUp(): void {
    if (this.#turning) return;
    this.#at = Math.max(this.#at, Math.min(this.#tickAt(this.#clock.now()), this.#wakeTick) - 1);
  }

  /** When a tick is. */
  #instant(tick: number): number {
    return this.#start + tick * this.#tick;
  }

  /** The first tick at which a deadline is over. */
  #tickOf(deadline: number): number {
    return Math.ceil((deadline - this.#start) / this.#tick);
  }

  /** The last tick that has come by `instant`. */
  #tickAt(instant: number): number {
    const tick = Math.floor((instant - this.#start) / this.#tick);
    // The quotient may be a hair too small. A timer set for that tick would come at once, again and again.
    return this.#instant(tick + 1) <= instant ? tick + 1 : tick;
  }

  /** Sees to it that the timer comes at `tick` or sooner. */
  #wakeFor(tick: number): void {
    if (tick >= this.#wakeTick) return;
    this.#wake?.cancel();
    this.#wakeTick = tick;
    this.#wake = this.#clock.wakeAfter(Math.ceil(this.#instant(tick) - this.#clock.now()), this.#woken);
  }

  #sleep(): void {
    this.#wake?.cancel();
    this.#wake = undefined;
    this.#wakeTick = Infinity;
  }

  #woken = (): void => {
    const planned = this.#instant(this.#wakeTick);
    this.#wake = undefined;
    this.#wakeTick = Infinity;
    const now = this.#clock.now();
    this.#lag = Math.max(0, now - planned);
    const pause = pauseBetween(planned, now, this.#tick, this.#pause);
    if (pause === undefined) return this.#turn();
    this.#pause = pause;
    this.#pauses++;
    // What arrived while we were away is in the kernel: let it be read before anybody is judged.
    this.#turning = true;
    this.#clock.afterTurn(() => this.#turn());
  };

  /** Calls whoever is due by now, and sets the timer for the next one that holds something. */
  #turn(): void {
    const now = this.#clock.now();
    const last = this.#tickAt(now), table = this.#table;
    this.#turning = true;
    for (let tick = nextVisit(table, this.#at); tick <= last; tick = nextVisit(table, tick)) {
      this.#at = tick;
      const coarse = coarseAt(tick);
      if (coarse !== NONE) this.#collect(coarse);
      this.#collect(tick % FINE);
    }
    // Before anybody is called: what they set is measured from now, and not from when they should have been.
    if (last > this.#at) this.#at = last;
    this.#expire(now);
    this.#turning = false;
    const next = nextVisit(table, this.#at);
    if (next < Infinity) this.#wakeFor(next);
  }

  /** Moves everything in a slot to what is due. */
  #collect(slot: number): void {
    const table = this.#table;
    for (let id = table.take(slot); id !== NONE; id = table.take(slot)) table.link(id, DUE);
  }

  /** Calls the owners that are due. They may add, move and remove entries, their own and others, as they like. */
  #expire(now: number): void {
    const table = this.#table;
    let ahead = 0;
    for (let id = table.take(DUE); id !== NONE; id = table.take(DUE)) {
      if (ahead-- === 0) ahead = this.#prefetch(now);
      // One that lies beyond the coarse ring has waited in its last slot.
      if (table.deadline(id) > now || table.putOff(id, now, this.#pauses)) {
        table.link(id, slotOf(this.#tickOf(table.deadline(id)), this.#at));
      } else this.#call(id, now, false);
    }
  }

  /** Reads the next owners that are due, and will be called. Returns how many it went through. */
  #prefetch(now: number): number {
    const table = this.#table;
    const count = table.ahead(DUE, this.#ahead);
    let sum = 0;
    for (let i = 0; i < count; i++) {
      const id = this.#ahead[i]!;
      if (!table.canPutOff(id, now, this.#pauses)) sum += this.#owners[id]!.prefetch?.() ?? 0;
    }
    this.#prefetched = sum;
    return count;
  }

  #call(id: number, now: number, sure: boolean): void {
    const owner = this.#owners[id]!;
    this.#table.unlink(id);
    // Asleep until it answers, so that what it sets itself meanwhile is told from what it returns.
    this.#table.setDeadline(id, Infinity);
    this.#table.unspare(id);
    let next = Infinity;
    try {
      next = owner.due(now, sure);
    } catch (error) {
      this.#onError(error);
    }
    if (this.#owners[id] !== owner) return;
    if (Number.isNaN(next)) return this.#doubt(id, owner);
    if (next < this.deadline(id)) this.#move(id, next);
  }

  /** Asks again after a turn. */
  #doubt(id: number, owner: Due): void {
    if (this.#doubtful.push([id, owner]) > 1) return;
    this.#clock.afterTurn(() => {
      const doubtful = this.#doubtful;
      this.#doubtful = [];
      const now = this.#clock.now();
      // The number may have been given to somebody else meanwhile.
      for (const [id, owner] of doubtful) if (this.#owners[id] === owner) this.#call(id, now, true);
    });
  }
}

/** Lets an error surface as one that nobody caught, without harm to the sweep that met it. */
function reportLater(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}
