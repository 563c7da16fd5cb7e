/**
 * Time for everything in a run, and the order of what happens in it.
 *
 * One queue of events, by time and then by who asked first. Between two events all promises settle. Nothing else
 * moves time, so that a run is the same each time.
 *
 * @module
 */

import { preload } from "../../lib/testing/preload.ts";
import type { Clock, WakeUp } from "../../lib/time/clock.ts";
import { Lots } from "./lots.ts";
import type { Process } from "./process.ts";
import { Trace } from "./trace.ts";

/** Something that happens at a time. */
export interface Event {
  readonly at: number;
  readonly order: number;
  /** Whose it is; withheld while that process is away. The network has none. */
  readonly process: Process | undefined;
  run: (() => void) | undefined;
}

/** Steps in which a promise settles that others wait for: more than the longest chain has in which nothing else happens. */
const HOPS = 16;

/** More events than this at one instant are a loop without end. */
const CROWD = 50_000;

/** Everything in a run shares one. */
export class World {
  now = 0;
  readonly lots: Lots;
  readonly trace: Trace;
  /** Called after each event of a process; without one after an event of several. */
  observe: (process: Process | undefined) => void = () => {};
  /** Dials under way: the network settles promises then. */
  dialling = 0;
  /** Counts what applications do. */
  activity = 0;
  /** The process that ran last in this event. */
  entered: Process | undefined;
  #several = false;
  /** The latest event is the last element. */
  readonly #events: Event[] = [];
  #order = 0;
  #turns: { readonly process: Process; readonly then: () => void }[] = [];
  readonly #violations: string[] = [];

  constructor(seed: number, tracing: boolean) {
    this.lots = new Lots(seed);
    this.trace = new Trace(tracing);
    preload();
  }

  /** The clock of the network itself, which is never away. */
  networkClock(lots: Lots): Clock {
    return {
      now: () => this.now,
      wakeAfter: (delay, wake) => this.at(this.now + delay, undefined, wake),
      afterTurn: (then) => void this.at(this.now, undefined, then),
      random: lots.next,
    };
  }

  /** Has `run` called at the instant `at`, in its turn. */
  at(at: number, process: Process | undefined, run: () => void): WakeUp {
    const event: Event = { at: at > this.now ? at : this.now, order: this.#order++, process, run };
    const events = this.#events;
    let place = events.length;
    while (place > 0 && events[place - 1]!.at <= event.at) place--;
    events.splice(place, 0, event);
    return { cancel: () => event.run = undefined };
  }

  /** Has `then` called once nothing else is due at this instant. */
  afterTurn(process: Process, then: () => void): void {
    this.#turns.push({ process, then });
  }

  /** Notes a broken rule. Only the first is of interest; what follows may follow from it. */
  violated(what: string): void {
    this.#violations.push(what);
    if (this.trace.on) this.trace.add(this.now, "RULE", what);
  }

  get violations(): readonly string[] {
    return this.#violations;
  }

  /** Events that are still to come. */
  get pending(): number {
    return this.#events.reduce(
      (sum, { run, process }) => run === undefined || process?.dead ? sum : sum + 1,
      0,
    );
  }

  /** Says that code of `process` runs. */
  enters(process: Process): void {
    if (this.entered !== undefined && this.entered !== process) this.#several = true;
    this.entered = process;
  }

  /** Lets time pass up to `until`, or until `enough` says so. */
  async run(until: number, enough?: () => boolean): Promise<void> {
    const events = this.#events;
    let crowd = 0;
    while (this.#violations.length === 0) {
      const event = events[events.length - 1];
      if ((event === undefined || event.at > this.now) && this.#turns.length > 0) {
        const turns = this.#turns;
        this.#turns = [];
        for (const { process, then } of turns) {
          if (process.dead) continue;
          if (process.away) process.withhold(undefined, then);
          else {
            process.enter(then);
            await this.#settle();
          }
        }
        continue;
      }
      if (event === undefined || event.at > until || enough?.() === true) break;
      events.pop();
      const { run, process } = event;
      if (run === undefined || process?.dead) continue;
      if (event.at > this.now) {
        this.now = event.at;
        crowd = 0;
      } else if (++crowd > CROWD) this.violated("time stands still");
      if (process === undefined) run();
      else if (process.away) {
        process.withhold(event, run);
        continue;
      } else process.enter(run);
      event.run = undefined;
      if (this.entered !== undefined || this.dialling > 0) await this.#settle();
    }
    if (enough === undefined && until > this.now && until < Infinity) this.now = until;
  }

  async #settle(): Promise<void> {
    // A loop over many messages takes many steps, but does something in each round.
    let rounds = 0;
    for (let before = -1; before !== this.#order + this.activity;) {
      if (++rounds > CROWD) {
        this.violated("somebody is busy without end");
        break;
      }
      before = this.#order + this.activity;
      for (let i = 0; i < HOPS; i++) await undefined;
    }
    const entered = this.#several ? undefined : this.entered;
    this.entered = undefined;
    this.#several = false;
    this.observe(entered);
  }
}
