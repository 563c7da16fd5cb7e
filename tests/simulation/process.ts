/**
 * A process of a run: its clock, and when it is away.
 *
 * A process that is away (stopped, or busy in a callback) runs nothing: its timers, its sockets' news and its
 * turns wait until it is back, and then come as they do on a runtime: what is due first, then the news, then the
 * turns; or the news first.
 *
 * @module
 */

import type { Clock, WakeUp } from "../../lib/time/clock.ts";
import type { Lots } from "./lots.ts";
import type { Event, World } from "./world.ts";

/** A stretch of time in which a process did not run. */
export interface Absence {
  readonly start: number;
  readonly end: number;
}

/** Something of a process that lies with the kernel. */
export interface Held {
  /** The process is away: the kernel keeps what comes. */
  hold(): void;
  /** It is back. */
  release(): void;
  /** It died. The kernel drops the connection. */
  drop(): void;
}

/** How a process behaves. */
export interface Habits {
  /** Most that a timer comes early or late, in milliseconds. */
  readonly early: number;
  readonly late: number;
  /** Due timers run before what waits in sockets, as on Node and Deno; on Bun after. */
  readonly timersFirst: boolean;
  /** Writes reach the kernel in a turn of their own, as on Deno. */
  readonly slowWrites: boolean;
}

/** One simulated process. It is the clock of all that runs in it. */
export class Process implements Clock {
  readonly name: string;
  readonly world: World;
  readonly habits: Habits;
  /** When it was away, oldest first. */
  readonly absences: Absence[] = [];
  /** What lies with the kernel for it. */
  readonly held: Set<Held> = new Set();
  dead = false;
  /** Nothing of it runs. */
  away = false;
  /** Wake-ups that the library has asked for and that have not come. */
  pending = 0;
  /** How long the next callback that asks will keep the process busy. */
  busy = 0;
  readonly #lots: Lots;
  #leftAt = 0;
  #backAt = 0;
  /** What its own code did while its clock ran ahead. */
  #done: (() => void)[] = [];
  #timers: { readonly event: Event | undefined; readonly run: () => void }[] = [];
  #turns: (() => void)[] = [];
  #news: (() => void)[] = [];

  constructor(name: string, world: World, lots: Lots, habits: Habits) {
    this.name = name;
    this.world = world;
    this.#lots = lots;
    this.habits = habits;
  }

  // What the library asks.

  now(): number {
    return this.away ? this.#backAt : this.world.now;
  }

  wakeAfter(delay: number, wake: () => void): WakeUp {
    const { early, late } = this.habits;
    this.pending++;
    let waiting = true;
    const settle = () => {
      if (waiting) this.pending--;
      waiting = false;
    };
    const slop = early + late === 0 ? 0 : this.#lots.real(-early, late);
    const { cancel } = this.world.at(this.now() + Math.max(0, delay + slop), this, () => {
      settle();
      wake();
    });
    return {
      cancel: () => {
        settle();
        cancel();
      },
    };
  }

  afterTurn(then: () => void): void {
    this.world.afterTurn(this, then);
  }

  random(): number {
    return this.#lots.next();
  }

  /** {@linkcode absences}, and the one that is under way. */
  get allAbsences(): readonly Absence[] {
    return this.away ? [...this.absences, { start: this.#leftAt, end: this.#backAt }] : this.absences;
  }

  // What applications ask.

  /** Calls `then` in `delay` ms. */
  after(delay: number, then: () => void): WakeUp {
    return this.world.at(this.now() + delay, this, then);
  }

  /** Fulfilled in `delay` ms. */
  sleep(delay: number): Promise<void> {
    return new Promise((resolve) => this.after(delay, resolve));
  }

  /** Keeps the process busy if a fault wants that: a place where a callback may take its time. */
  work(): void {
    const { busy } = this;
    if (busy === 0 || this.away) return;
    this.busy = 0;
    this.leave(busy, "is busy");
  }

  // What the world does.

  /** Runs code of this process. */
  enter(run: () => void): void {
    this.world.enters(this);
    run();
  }

  /** Away for `length` ms, or as much longer. In the midst of a callback, the rest of it happens after that time. */
  leave(length: number, how = "is stopped"): void {
    if (this.dead) return;
    this.#backAt = Math.max(this.now(), this.world.now) + length;
    if (this.world.trace.on) {
      this.world.trace.add(this.world.now, this.name, `${how} for ${Math.round(length)}`);
    }
    if (this.away) return;
    this.away = true;
    this.#leftAt = this.world.now;
    for (const held of this.held) held.hold();
    this.#returnLater();
  }

  /** Ends at once; its sockets are dropped by the kernel. */
  die(): void {
    this.dead = true;
    for (const held of [...this.held]) held.drop();
    this.held.clear();
  }

  /** Keeps a timer or a turn for later. */
  withhold(event: Event | undefined, run: () => void): void {
    if (event === undefined) this.#turns.push(run);
    else this.#timers.push({ event, run });
  }

  /** Something for the kernel: now, or when the code that does it is reached. */
  kernel(act: () => void): void {
    if (this.away) this.#done.push(act);
    else act();
  }

  /** Something from the kernel: now, or once the process is back. */
  tell(news: () => void): void {
    if (this.dead) return;
    if (this.away) this.#news.push(news);
    else this.enter(news);
  }

  #returnLater(): void {
    this.world.at(this.#backAt, undefined, () => {
      if (this.dead) return;
      if (this.#backAt > this.world.now) this.#returnLater();
      else this.#return();
    });
  }

  #return(): void {
    this.away = false;
    this.absences.push({ start: this.#leftAt, end: this.world.now });
    if (this.world.trace.on) this.world.trace.add(this.world.now, this.name, "is back");
    const done = this.#done, timers = this.#timers, turns = this.#turns, news = this.#news;
    this.#done = [];
    this.#timers = [];
    this.#turns = [];
    this.#news = [];
    for (const act of done) act();
    const again = (run: () => void) => this.world.at(this.world.now, this, run);
    const runTimers = () => {
      // A timer that another one takes back in the meantime does not come.
      for (const { event } of timers) again(() => event!.run?.());
    };
    if (this.habits.timersFirst) runTimers();
    for (const run of news) again(run);
    for (const held of this.held) held.release();
    if (!this.habits.timersFirst) runTimers();
    for (const then of turns) this.afterTurn(then);
  }
}
