/**
 * Many deadlines on one timer.
 *
 * A hierarchical timing wheel on typed arrays (Varghese and Lauck, 1987): three rings of 256 slots, each slot of
 * a ring as long as the whole ring below. A deadline costs some 30 bytes and moves at most twice before it falls
 * due. None falls due early; each at most one tick late, unless the process itself was late.
 *
 * The wheel also is where our own pauses show, since a wake-up that comes late is their only trace; see
 * {@linkcode Wheel.pause}.
 *
 * @module
 */

import type { Clock, WakeUp } from "./clock.ts";
import { type Pause, pauseBetween } from "./pause.ts";

/** Something that has a deadline on a {@linkcode Wheel}. */
export interface Due {
  /**
   * Called at the deadline. Returns the next one, `Infinity` for none until {@linkcode Wheel.set}, or
   * {@linkcode ASK_AGAIN} to be called once more, with `sure`, after the event loop has had a full turn: bytes
   * that change the answer may be in the kernel already.
   */
  due(now: number, sure: boolean): number;
}

/** See {@linkcode Due.due}. */
export const ASK_AGAIN = NaN;

/** Options for {@linkcode Wheel}. */
export interface WheelOptions {
  /** Length of a tick in milliseconds: how late a deadline may fall due. @default {10} */
  readonly tick?: number;
  /** Told of errors that a {@linkcode Due} threw. The others are visited all the same. */
  readonly onError?: (error: unknown) => void;
}

const BITS = 8;
const SLOTS = 1 << BITS;
const RINGS = 3;
/** Ticks that the wheel spans: what lies beyond waits in the last slot and is looked at again. */
const SPAN = 2 ** (BITS * RINGS);
const NONE = -1;

/** Deadlines of many owners, on one timer of one clock. */
export class Wheel {
  readonly #clock: Clock;
  readonly #tick: number;
  readonly #onError: (error: unknown) => void;
  /** Instant of tick 0. */
  readonly #start: number;
  /** The last tick that was handled. */
  #at = 0;

  // Entry i is `#owners[i]`, with its deadline, its neighbours in the slot and the slot itself.
  #owners: (Due | undefined)[] = [];
  #deadlines = new Float64Array(64);
  #next = new Int32Array(64);
  #previous = new Int32Array(64);
  #slots = new Int16Array(64);
  #free: number[] = [];
  readonly #heads = new Int32Array(RINGS * SLOTS).fill(NONE);
  #size = 0;

  #wake: WakeUp | undefined;
  /** Instant for which the timer is set; `Infinity` while it is not. */
  #wakeAt = Infinity;
  #turning = false;
  #pause: Pause | undefined;
  #pauses = 0;
  #lag = 0;
  #doubtful: (readonly [id: number, owner: Due])[] = [];

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
    if (pauseBetween(this.#wakeAt, now, this.#tick) !== undefined) return now;
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
    const id = this.#free.pop() ?? this.#owners.length;
    if (id === this.#deadlines.length) this.#grow();
    this.#owners[id] = owner;
    this.#slots[id] = NONE;
    this.#size++;
    this.#insert(id, deadline);
    return id;
  }

  /** Moves an entry to another deadline; `Infinity` puts it to sleep. */
  set(id: number, deadline: number): void {
    if (this.#deadlines[id] === deadline) return;
    this.#unlink(id);
    this.#insert(id, deadline);
  }

  /** Moves an entry to `deadline` if that is sooner. */
  hasten(id: number, deadline: number): void {
    if (deadline < this.#deadlines[id]!) this.set(id, deadline);
  }

  /** Takes an entry off. Its number may be given to another one. */
  remove(id: number): void {
    this.#unlink(id);
    this.#owners[id] = undefined;
    this.#deadlines[id] = NaN;
    this.#free.push(id);
    this.#size--;
    if (this.#size === 0) this.#sleep();
  }

  #insert(id: number, deadline: number): void {
    this.#deadlines[id] = deadline;
    if (!(deadline < Infinity)) return;
    // No slot that holds anything is visited before the timer comes, so the wheel may be turned up to there at no cost. It
    // has to be: a slot that was due for a visit in the meantime would set the timer to the past, which looks like a pause.
    if (!this.#turning) {
      const next = this.#wakeAt === Infinity ? Infinity : this.#tickAt(this.#wakeAt);
      this.#at = Math.max(this.#at, Math.min(this.#tickAt(this.#clock.now()), next) - 1);
    }
    const slot = this.#link(id, this.#at + 1);
    if (!this.#turning) this.#wakeFor(this.#visit(slot));
  }

  /** Puts an entry into the slot of its deadline, or of the tick `soonest` if that is later. */
  #link(id: number, soonest: number): number {
    const due = Math.ceil((this.#deadlines[id]! - this.#start) / this.#tick);
    const slot = this.#slotOf(Math.max(due, soonest));
    const head = this.#heads[slot]!;
    this.#slots[id] = slot;
    this.#previous[id] = NONE;
    this.#next[id] = head;
    if (head !== NONE) this.#previous[head] = id;
    this.#heads[slot] = id;
    return slot;
  }

  /** The last tick that has come by `instant`. */
  #tickAt(instant: number): number {
    const tick = Math.floor((instant - this.#start) / this.#tick);
    // The quotient may be a hair too small. A timer set for that tick would come at once, again and again.
    return this.#start + (tick + 1) * this.#tick <= instant ? tick + 1 : tick;
  }

  #unlink(id: number): void {
    const slot = this.#slots[id]!;
    if (slot === NONE) return;
    const next = this.#next[id]!, previous = this.#previous[id]!;
    if (previous === NONE) this.#heads[slot] = next;
    else this.#next[previous] = next;
    if (next !== NONE) this.#previous[next] = previous;
    this.#slots[id] = NONE;
  }

  /** The slot in which a deadline of tick `due` waits: in the finest ring that reaches it from here. */
  #slotOf(due: number): number {
    const tick = Math.min(due, this.#at + SPAN - 1);
    const ring = tick - this.#at < SLOTS ? 0 : tick - this.#at < SLOTS * SLOTS ? 1 : 2;
    return ring * SLOTS + Math.floor(tick / SLOTS ** ring) % SLOTS;
  }

  /** The tick at which a slot is next visited. */
  #visit(slot: number): number {
    const width = SLOTS ** Math.floor(slot / SLOTS);
    const here = Math.floor(this.#at / width);
    return (here + ((slot - here - 1) & (SLOTS - 1)) + 1) * width;
  }

  /** Sees to it that the timer comes at `tick` or sooner. */
  #wakeFor(tick: number): void {
    const at = this.#start + tick * this.#tick;
    if (at >= this.#wakeAt) return;
    this.#wake?.cancel();
    this.#wakeAt = at;
    this.#wake = this.#clock.wakeAfter(Math.ceil(at - this.#clock.now()), this.#woken);
  }

  #sleep(): void {
    this.#wake?.cancel();
    this.#wake = undefined;
    this.#wakeAt = Infinity;
  }

  #woken = (): void => {
    const planned = this.#wakeAt;
    this.#wake = undefined;
    this.#wakeAt = Infinity;
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

  /** Visits every slot up to now, and sets the timer for the next one that holds something. */
  #turn(): void {
    const now = this.#clock.now();
    const last = this.#tickAt(now);
    this.#turning = true;
    for (let tick = this.#nextTick(); tick <= last; tick = this.#nextTick()) {
      this.#at = tick;
      for (let ring = RINGS - 1; ring > 0; ring--) {
        if (tick % SLOTS ** ring === 0) {
          this.#cascade(ring * SLOTS + Math.floor(tick / SLOTS ** ring) % SLOTS);
        }
      }
      this.#expire(tick % SLOTS, now);
    }
    if (last > this.#at) this.#at = last;
    this.#turning = false;
    const next = this.#nextTick();
    if (next < Infinity) this.#wakeFor(next);
  }

  /** The next tick at which a slot that holds something is visited. */
  #nextTick(): number {
    let next = Infinity;
    for (let ring = 0; ring < RINGS; ring++) {
      const width = SLOTS ** ring, here = Math.floor(this.#at / width);
      for (let i = 1; i <= SLOTS; i++) {
        if (this.#heads[ring * SLOTS + (here + i) % SLOTS] === NONE) continue;
        next = Math.min(next, (here + i) * width);
        break;
      }
    }
    return next;
  }

  /** Deals the entries of a coarse slot out to the finer rings. */
  #cascade(slot: number): void {
    for (let id = this.#take(slot); id !== NONE; id = this.#take(slot)) this.#link(id, this.#at);
  }

  /** Takes the first entry out of a slot. */
  #take(slot: number): number {
    const id = this.#heads[slot]!;
    if (id !== NONE) this.#unlink(id);
    return id;
  }

  /** Calls the owners in a slot. They may add, move and remove entries, their own and others, as they like. */
  #expire(slot: number, now: number): void {
    for (let id = this.#take(slot); id !== NONE; id = this.#take(slot)) this.#call(id, now, false);
  }

  #call(id: number, now: number, sure: boolean): void {
    const owner = this.#owners[id]!;
    this.#unlink(id);
    // Asleep until it answers, so that what it sets itself meanwhile is told from what it returns.
    this.#deadlines[id] = Infinity;
    let next = Infinity;
    try {
      next = owner.due(now, sure);
    } catch (error) {
      this.#onError(error);
    }
    if (this.#owners[id] !== owner) return;
    if (Number.isNaN(next)) return this.#doubt(id, owner);
    if (next < this.#deadlines[id]!) this.set(id, next);
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

  #grow(): void {
    const size = this.#deadlines.length * 2;
    const grown = <T extends Float64Array | Int32Array | Int16Array>(
      into: T,
      from: T,
    ): T => (into.set(from), into);
    this.#deadlines = grown(new Float64Array(size), this.#deadlines);
    this.#next = grown(new Int32Array(size), this.#next);
    this.#previous = grown(new Int32Array(size), this.#previous);
    this.#slots = grown(new Int16Array(size), this.#slots);
  }
}

/** Lets an error surface as one that nobody caught, without harm to the sweep that met it. */
function reportLater(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}
