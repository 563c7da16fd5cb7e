/**
 * What both ends of a storm share: how they count, and how fast their hearts beat.
 *
 * @module
 */

/** Short, so that a black hole is found soon. */
export const HEARTBEAT = { interval: 300, timeout: 300 } as const;

/** Of those whose server is just started anew. */
export const PLAIN_HEARTBEAT = { interval: 5_000, timeout: 5_000 } as const;

/** One message in so many is a long one. */
const SELDOM = 500;

/** Bytes that long messages have at most: they go in several pieces, and a cut finds them in the midst. */
const LONG = 100_000;

/** What is put behind the number of a message, so that not all are alike. */
export function padding(random: () => number): string {
  return "x".repeat(Math.floor(random() * (random() * SELDOM < 1 ? LONG : 100)));
}

/** Counts numbered messages, which should come as 1, 2, 3... */
export class Tally {
  readonly #seen = new Set<number>();
  #last = 0;
  /** Different messages that have come. */
  count = 0;
  /** Messages that came once more. */
  twice = 0;
  /** Messages that came before one with a lower number, or after one with a higher. */
  disordered = 0;

  /** Takes message `number`. */
  take(number: number): void {
    if (this.#seen.has(number)) {
      this.twice++;
      return;
    }
    this.#seen.add(number);
    this.count++;
    if (number !== this.#last + 1) this.disordered++;
    this.#last = Math.max(this.#last, number);
  }

  /** Adds what another has counted. */
  add({ count, twice, disordered }: Tally): void {
    this.count += count;
    this.twice += twice;
    this.disordered += disordered;
  }
}

/** What the server tells at the end. */
export interface ServerReport {
  readonly clients: number;
  /** Messages that it sent. */
  readonly sent: number;
  readonly count: number;
  readonly twice: number;
  readonly disordered: number;
  /** How often a handler was called: once a session, and once more after each restart. */
  readonly sessions: number;
  /** How its connections ended. */
  readonly ends: Readonly<Record<string, number>>;
}
