/**
 * Bytes that wait for the kernel, in order, for sockets which have no queue of their own.
 *
 * Small chunks that wait leave together: one system call for a few kilobytes costs as much as one for
 * nine bytes.
 *
 * @module
 */

/** Most bytes that are copied together. A chunk that is not well below this is sent as it is. */
const JOINED_SIZE = 64 * 1024;

/** Chunks taken by `write()` and not yet given to the kernel. Chunks are not copied until they are joined. */
export class WriteQueue {
  #chunks: Uint8Array[] = [];
  /** Index of the first chunk that still waits. */
  #first = 0;
  #bytes = 0;

  /** Bytes that wait. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Puts `chunk` last. */
  push(chunk: Uint8Array): void {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
  }

  /** Takes what is to be sent next: the first chunk, or several small ones in one; `undefined` if nothing waits. */
  shift(): Uint8Array | undefined {
    const chunks = this.#chunks;
    const first = this.#first;
    if (first === chunks.length) return undefined;
    let end = first + 1;
    let size = chunks[first]!.length;
    while (end < chunks.length && size + chunks[end]!.length <= JOINED_SIZE) size += chunks[end++]!.length;
    const next = end === first + 1 ? chunks[first]! : join(chunks, first, end, size);
    this.#bytes -= size;
    this.#forget(end);
    return next;
  }

  /** Puts what the kernel did not take of the last {@linkcode shift} first again. */
  unshift(rest: Uint8Array): void {
    if (this.#first > 0) this.#chunks[--this.#first] = rest;
    else this.#chunks.unshift(rest);
    this.#bytes += rest.length;
  }

  /** Drops all that waits. */
  clear(): void {
    this.#chunks = [];
    this.#first = 0;
    this.#bytes = 0;
  }

  /** Lets go of the chunks before `end`, and now and then of their places. */
  #forget(end: number): void {
    const chunks = this.#chunks;
    if (end === chunks.length) {
      chunks.length = 0;
      this.#first = 0;
    } else if (end >= 1024 && end * 2 >= chunks.length) {
      this.#chunks = chunks.slice(end);
      this.#first = 0;
    } else {
      chunks.fill(EMPTY, this.#first, end);
      this.#first = end;
    }
  }
}

const EMPTY = new Uint8Array(0);

function join(chunks: Uint8Array[], from: number, end: number, size: number): Uint8Array {
  const joined = new Uint8Array(size);
  for (let i = from, at = 0; i < end; i++) {
    joined.set(chunks[i]!, at);
    at += chunks[i]!.length;
  }
  return joined;
}
