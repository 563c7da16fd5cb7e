/**
 * The chunk that a socket has lent, and what of it was kept.
 *
 * @module
 */

/** From this size on a chunk is kept rather than copied. */
const KEEP_FROM = 1024;

/** One socket's chunk, while it is being received. */
export class Loan {
  #chunk: Uint8Array | undefined;
  #kept = false;

  /** A chunk is lent from now on. */
  begin(chunk: Uint8Array): void {
    this.#chunk = chunk;
    this.#kept = false;
  }

  /** The chunk is given back. Returns whether it was kept instead. */
  end(): boolean {
    this.#chunk = undefined;
    return this.#kept;
  }

  /** Keeps the chunk, whatever its size. */
  keep(): void {
    this.#kept = true;
  }

  /** Makes a message the receiver's own, whatever becomes of the chunk it came in. */
  own<T>(message: T): T {
    if (!(message instanceof Uint8Array)) return message;
    if (message.buffer === this.#chunk?.buffer && message.length >= KEEP_FROM) {
      this.#kept = true;
      return message;
    }
    return new Uint8Array(message) as T & Uint8Array;
  }
}
