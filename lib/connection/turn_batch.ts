/**
 * Small writes of one turn of the event loop, which leave as one: a system call for each would cost more than all the
 * rest.
 *
 * @module
 */

/** Writes up to this size are collected, and so many bytes of them; larger ones are worth a system call of their own. */
const SMALL = 16 * 1024;

/**
 * Microtasks for which a batch waits for more, if there was to be more. One that takes a message and answers it needs two,
 * and with a promise or two of its own some more.
 */
const PATIENCE = 8;

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
  /** How often {@linkcode flushAll} may still pass this by. */
  #patience = 0;

  constructor(owner: BatchOwner) {
    this.#owner = owner;
  }

  /** Bytes that wait for the end of the turn. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Adds bytes, in order. They leave with {@linkcode flush}, which comes by itself at the end of the turn.
   *
   * @param more Whether more will most likely follow in a moment, since the application has more to answer: promises
   * that it waits for meanwhile would else be the ends of turns.
   */
  write(bytes: Uint8Array, more = false): void {
    this.#patience = more ? PATIENCE : 0;
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

  /** Whether to wait for more. */
  waits(): boolean {
    return this.#first !== undefined && this.#patience-- > 0;
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
const waiting: TurnBatch[] = [];

/** Says that a chunk is lent: until {@linkcode endReceiving} nothing is flushed by itself. */
export function beginReceiving(): void {
  receiving++;
}

/** Flushes every batch, since what was written may be a part of the chunk that was lent until now. */
export function endReceiving(): void {
  if (--receiving === 0 && waiting.length > 0) flushAll();
}

function flushSoon(batch: TurnBatch): void {
  waiting.push(batch);
  if (receiving === 0) schedule();
}

/** A promise costs less than `queueMicrotask`. */
const NOW = /* @__PURE__ */ Promise.resolve();
let scheduled = false;

function schedule(): void {
  if (scheduled) return;
  scheduled = true;
  NOW.then(flushScheduled);
}

function flushScheduled(): void {
  scheduled = false;
  flushAll();
}

/** Flushes every batch that does not wait for more. */
function flushAll(): void {
  let kept = 0;
  for (let i = 0; i < waiting.length; i++) {
    const batch = waiting[i]!;
    if (batch.waits()) waiting[kept++] = batch;
    else batch.flush();
  }
  // Not by its length: an array that is made empty so gives its memory back.
  while (waiting.length > kept) waiting.pop();
  if (kept > 0) schedule();
}
