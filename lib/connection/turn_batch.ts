/**
 * Small writes of one turn of the event loop, which leave as one: a system call for each would cost more than all the
 * rest.
 *
 * @module
 */

/** Writes up to this size are collected, and so many bytes of them; larger ones are worth a system call of their own. */
const SMALL = 16 * 1024;

/** Takes what a batch gives. */
export interface BatchOwner {
  /** Gives bytes to the socket. */
  hand(bytes: Uint8Array): void;
}

/** What one connection wrote in this turn, and has not given to its socket yet. */
export class TurnBatch {
  readonly #owner: BatchOwner;
  /** Most turns write once: only what follows needs a list. */
  #first: Uint8Array | undefined;
  #rest: Uint8Array[] | undefined;
  #bytes = 0;

  constructor(owner: BatchOwner) {
    this.#owner = owner;
  }

  /** Bytes that wait for the end of the turn. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Adds bytes, in order. They leave with {@linkcode flush}, which comes by itself at the end of the turn. */
  write(bytes: Uint8Array): void {
    if (bytes.length > SMALL) {
      this.flush();
      return this.#owner.hand(bytes);
    }
    this.#bytes += bytes.length;
    if (this.#first === undefined) {
      this.#first = bytes;
      flushSoon(this);
    } else if (this.#rest === undefined) this.#rest = [bytes];
    else this.#rest.push(bytes);
    if (this.#bytes > SMALL) this.flush();
  }

  /** Adds bytes, and gives everything to the socket now. */
  writeOut(bytes: Uint8Array): void {
    if (this.#first === undefined) return this.#owner.hand(bytes);
    this.write(bytes);
    this.flush();
  }

  /** Gives everything to the socket, in one piece. */
  flush(): void {
    const first = this.#first, rest = this.#rest;
    if (first === undefined) return;
    const bytes = rest === undefined ? first : joined(first, rest, this.#bytes);
    this.clear();
    this.#owner.hand(bytes);
  }

  /** Drops everything. */
  clear(): void {
    this.#first = this.#rest = undefined;
    this.#bytes = 0;
  }
}

function joined(first: Uint8Array, rest: readonly Uint8Array[], size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  bytes.set(first);
  let at = first.length;
  for (const part of rest) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** How many connections are in the midst of receiving: more than one if the application writes to itself. */
let receiving = 0;
/** Batches that hold something. One microtask flushes them all, instead of a closure for each. */
let waiting: TurnBatch[] = [];

/** Says that a chunk is lent: until {@linkcode endReceiving} nothing is flushed by itself. */
export function beginReceiving(): void {
  receiving++;
}

/** Flushes every batch, since what was written may be a part of the chunk that was lent until now. */
export function endReceiving(): void {
  if (--receiving === 0 && waiting.length > 0) flushAll();
}

function flushSoon(batch: TurnBatch): void {
  if (waiting.push(batch) === 1 && receiving === 0) queueMicrotask(flushAll);
}

function flushAll(): void {
  const batches = waiting;
  waiting = [];
  for (const batch of batches) batch.flush();
}
