/**
 * Waits for the outbound buffer: for room in it, and for it to be empty.
 *
 * @module
 */

import { ACCEPTED } from "./inbox.ts";

/** A promise shared by everyone who waits for the same. */
interface Wait {
  readonly promise: Promise<void>;
  resolve(): void;
  reject(reason: unknown): void;
}

/** Who waits for the outbound buffer of one connection. Senders wait above a quarter of its bound, and down to an eighth. */
export class Room {
  readonly #maxBytes: number;
  #room: Wait | undefined;
  #empty: Wait | undefined;

  /** @param maxBytes Bound of the buffer. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Whether somebody waits. */
  get awaited(): boolean {
    return this.#room !== undefined || this.#empty !== undefined;
  }

  /** Fulfilled at once while `bytes`, which wait now, are few; otherwise once they are again. */
  wait(bytes: number): Promise<void> {
    if (hasRoom(this.#maxBytes, bytes)) return ACCEPTED;
    return (this.#room ??= newWait()).promise;
  }

  /** Fulfilled once nothing waits; at once if `bytes` is 0. */
  empty(bytes: number): Promise<void> {
    if (bytes === 0) return ACCEPTED;
    return (this.#empty ??= newWait()).promise;
  }

  /** Says that `bytes` wait now. */
  left(bytes: number): void {
    if (bytes === 0) this.#empty = settled(this.#empty);
    if (bytes * 8 <= this.#maxBytes) this.#room = settled(this.#room);
  }

  /** Lets those go on who wait for room: there will be no more of it, and they are not to wait for what cannot come. */
  release(): void {
    this.#room = settled(this.#room);
  }

  /** There will be no room any more. */
  end(reason: unknown): void {
    this.#room?.reject(reason);
    this.#empty?.reject(reason);
    this.#room = this.#empty = undefined;
  }
}

/** Whether nobody has to wait while so many `bytes` do, of at most `maxBytes`. */
export function hasRoom(maxBytes: number, bytes: number): boolean {
  return bytes * 4 <= maxBytes;
}

function newWait(): Wait {
  let resolve!: () => void, reject!: (reason: unknown) => void;
  const promise = new Promise<void>((yes, no) => [resolve, reject] = [yes, no]);
  // A sender that does not wait learns of the end from `closed`.
  promise.catch(() => {});
  return { promise, resolve, reject };
}

function settled(wait: Wait | undefined): undefined {
  wait?.resolve();
}
