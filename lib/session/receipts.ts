/**
 * What one end of a session has received: numbered by counting, told to the peer, and known again when it comes twice.
 *
 * @module
 */

/** Messages of a session that have come, and how many of them the peer was told of. */
export class Receipts {
  /** Messages that have come. */
  #arrived: number;
  /** How many of them a link that is being made was told of. */
  #offered: number | undefined;
  /** Messages to come that have come already. */
  #again = 0;

  /** @param arrived How many had come before. */
  constructor(arrived = 0) {
    this.#arrived = arrived;
  }

  /** Whether a link is being made that was told of some. */
  get offering(): boolean {
    return this.#offered !== undefined;
  }

  /** Whether some are to come once more. */
  get expectsAgain(): boolean {
    return this.#again > 0;
  }

  /** How many the application has taken while so many wait for it. */
  taken(waiting: number): number {
    return this.#arrived - waiting;
  }

  /** Those that wait were thrown away: they have not come. */
  discard(waiting: number): void {
    this.#arrived -= waiting;
  }

  /**
   * What the peer of a new link is told to have been received: what the application has `taken`. Until {@linkcode linked}
   * or {@linkcode withdraw} nothing beyond that is acknowledged; what waits for the application, and what the old link
   * still brings, is known to come once more. Were it told as received, and the application never took it, its loss would
   * be told to nobody.
   */
  offer(taken: number): number {
    return this.#offered = taken;
  }

  /** Nothing came of the last offer. */
  withdraw(): void {
    this.#offered = undefined;
  }

  /** The new link is there. Returns how many its peer knows of, which is all that were `taken` if none was offered. */
  linked(taken: number): number {
    const offered = this.#offered ?? taken;
    this.#again = this.#arrived - offered;
    this.#offered = undefined;
    return offered;
  }

  /** Whether a message that comes now is news. If so, it counts. */
  count(): boolean {
    if (this.#again > 0) {
      this.#again--;
      return false;
    }
    this.#arrived++;
    return true;
  }
}
