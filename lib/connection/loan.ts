/**
 * The chunk that a socket has lent, and what of it was kept.
 *
 * @module
 */

/**
 * A message is kept in the chunk it came in, and not copied, if that takes no more than so many times its own memory: to make a
 * small array costs more than to handle a message.
 */
const MOST_MEMORY = 64;

/** One socket's chunk, while it is being received. */
export class Loan {
  #chunk: Uint8Array | undefined;
  /** Its memory, once that has been asked for: on V8 that is a call. */
  #memory: ArrayBufferLike | undefined;
  #kept = false;

  /** A chunk is lent from now on. */
  begin(chunk: Uint8Array): void {
    this.#chunk = chunk;
    this.#kept = false;
  }

  /** The chunk is given back. Returns whether it was kept instead. */
  end(): boolean {
    this.#chunk = this.#memory = undefined;
    return this.#kept;
  }

  /** Keeps the chunk, whatever its size. */
  keep(): void {
    this.#kept = true;
  }

  /** Makes a message the receiver's own, whatever becomes of the chunk it came in. */
  own<T>(message: T): T {
    if (!(message instanceof Uint8Array)) return message;
    // The chunk itself is kept without asking for its buffer, which JavaScriptCore makes when it is first asked for.
    if (message === this.#chunk) {
      this.#kept = true;
      return message;
    }
    const { buffer } = message;
    if (
      buffer === (this.#memory ??= this.#chunk?.buffer) && message.length * MOST_MEMORY >= buffer.byteLength
    ) {
      this.#kept = true;
      return message;
    }
    return new Uint8Array(message) as T & Uint8Array;
  }
}
