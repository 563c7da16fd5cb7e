/**
 * Messages that were sent and are not known to have arrived: numbered, kept, sent again.
 *
 * @module
 */

import { type Encoded, sizeOf } from "../connection/encoded.ts";

/** What one end of a session has sent, and the other has not acknowledged. */
export class Outbox {
  /** The messages, from `#head` on. */
  #messages: Encoded[] = [];
  #head = 0;
  #acknowledged: number;
  #bytes = 0;

  /** @param acknowledged How many messages of the session have been acknowledged before these. */
  constructor(acknowledged = 0, messages: readonly Encoded[] = []) {
    this.#acknowledged = acknowledged;
    for (const message of messages) this.add(message);
  }

  /** Bytes that are kept. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Messages that are kept. */
  get size(): number {
    return this.#messages.length - this.#head;
  }

  /** How many messages of the session have been acknowledged. */
  get acknowledged(): number {
    return this.#acknowledged;
  }

  /** The messages that are kept, in order. */
  get messages(): readonly Encoded[] {
    return this.#messages.slice(this.#head);
  }

  /** Keeps a message. */
  add(message: Encoded): void {
    this.#messages.push(message);
    this.#bytes += sizeOf(message);
  }

  /**
   * Lets go of the messages up to number `count`.
   *
   * @returns `false`, and does nothing, if that is more than were sent, or less than were acknowledged before.
   */
  acknowledge(count: number): boolean {
    const acknowledged = count - this.#acknowledged;
    if (acknowledged < 0 || acknowledged > this.size) return false;
    for (let i = 0; i < acknowledged; i++) {
      this.#bytes -= sizeOf(this.#messages[this.#head]!);
      this.#messages[this.#head++] = GONE;
    }
    this.#acknowledged = count;
    if (this.#head === this.#messages.length) {
      this.#messages = [];
      this.#head = 0;
    } else if (this.#head >= 1024 && this.#head * 2 >= this.#messages.length) {
      this.#messages.splice(0, this.#head);
      this.#head = 0;
    }
    return true;
  }

  /** Lets go of everything, as sent and of no more concern. */
  clear(): void {
    this.acknowledge(this.#acknowledged + this.size);
  }
}

const GONE: Encoded = [];
