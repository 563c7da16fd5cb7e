/**
 * The way between two ends of a memory network, and what can go wrong on it.
 *
 * TCP does not lose bytes, it stalls: what is sent while a lane is cut waits, and arrives after it is healed. Only
 * a reset is sent once and lost for good, as on a real network.
 *
 * @module
 */

import type { Schedule } from "./memory_schedule.ts";
import type { Address } from "./transport.ts";

/** One of the two ways of a connection, or both. `server` is the end that accepted. */
export type Direction = "to-server" | "to-client" | "both";

/** How long packets take, in milliseconds. They never overtake each other. */
export interface Weather {
  /** Time that every packet takes. @default {0} */
  readonly delay?: number | undefined;
  /** Most that is added to it, by lot. @default {0} */
  readonly jitter?: number | undefined;
}

/** What can be done to connections of a memory network. */
export interface Faults {
  /** Holds packets back: neither data nor FIN nor RST arrives that way any more. */
  cut(direction?: Direction): void;
  /** Ends every cut. What waited sets out again; resets that were sent meanwhile are lost. */
  heal(): void;
  /** Sets how long packets take from now on. */
  shape(weather: Weather, direction?: Direction): void;
  /** Breaks the connection: both ends see `ECONNRESET`, also across a cut. */
  reset(): void;
}

/** A connection of a memory network. */
export interface MemoryLink extends Faults {
  /** What was connected to. */
  readonly target: Address;
  /** The address of the end that connected. */
  readonly client: Address;
}

interface Packet {
  at: number;
  readonly arrive: () => void;
  readonly lossy: boolean;
}

/** One way of a connection. */
export class Lane {
  readonly #schedule: Schedule;
  #packets: Packet[] = [];
  #delay = 0;
  #jitter = 0;
  #cut = false;

  constructor(schedule: Schedule) {
    this.#schedule = schedule;
  }

  shape({ delay = 0, jitter = 0 }: Weather): void {
    this.#delay = delay;
    this.#jitter = jitter;
  }

  /** Has `arrive` called at the other end, after all that was sent before. A `lossy` packet does not survive a cut. */
  send(arrive: () => void, lossy = false): void {
    if (lossy && this.#cut) return;
    const packet = { at: this.#arrival(), arrive, lossy };
    this.#packets.push(packet);
    if (!this.#cut) this.#schedule.at(packet.at, () => this.#arrive());
  }

  cut(): void {
    this.#cut = true;
    this.#packets = this.#packets.filter(({ lossy }) => !lossy);
  }

  heal(): void {
    if (!this.#cut) return;
    this.#cut = false;
    const packets = this.#packets;
    this.#packets = [];
    for (const { arrive } of packets) this.send(arrive);
  }

  #arrival(): number {
    const { clock } = this.#schedule;
    const lot = this.#jitter > 0 ? clock.random() * this.#jitter : 0;
    return Math.max(clock.now() + this.#delay + lot, this.#packets.at(-1)?.at ?? 0);
  }

  #arrive(): void {
    const now = this.#schedule.clock.now();
    while (!this.#cut && this.#packets.length > 0 && this.#packets[0]!.at <= now) {
      this.#packets.shift()!.arrive();
    }
  }
}

/** Both ways of one connection. */
export class Link implements MemoryLink {
  readonly target: Address;
  readonly client: Address;
  readonly toServer: Lane;
  readonly toClient: Lane;
  /** What {@linkcode reset} does; set once the ends are there. */
  broken: () => void = () => {};

  constructor(schedule: Schedule, target: Address, client: Address) {
    this.target = target;
    this.client = client;
    this.toServer = new Lane(schedule);
    this.toClient = new Lane(schedule);
  }

  cut(direction: Direction = "both"): void {
    for (const lane of this.#lanes(direction)) lane.cut();
  }

  heal(): void {
    for (const lane of this.#lanes("both")) lane.heal();
  }

  shape(weather: Weather, direction: Direction = "both"): void {
    for (const lane of this.#lanes(direction)) lane.shape(weather);
  }

  reset(): void {
    this.broken();
  }

  #lanes(direction: Direction): Lane[] {
    if (direction === "both") return [this.toServer, this.toClient];
    return [direction === "to-server" ? this.toServer : this.toClient];
  }
}
