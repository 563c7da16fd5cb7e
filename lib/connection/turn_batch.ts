/**
 * Small writes of one turn of the event loop, which leave as one: a system call for each would cost more than all the
 * rest.
 *
 * @module
 */

import type { Wire } from "../protocol/protocol.ts";

/** Writes up to this size are collected, and so many bytes of them; larger ones are worth a system call of their own. */
const SMALL = 16 * 1024;

/**
 * Microtasks for which a batch waits for more, if there was to be more. One that takes a message and answers it needs two,
 * and with a promise or two of its own some more.
 */
const PATIENCE = 8;

/**
 * Short messages are written side by side into one piece of memory, and leave as one. It is never used twice: what is still to
 * be sent keeps all of it, so it is small.
 */
const SLAB = 16 * 1024;
let slab = /* @__PURE__ */ new Uint8Array(0);
/** Bytes of it that are used, and the batch that may go on there. */
let used = 0;
let writer: TurnBatch | undefined;

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
  /** Where in the slab our messages begin, while we are its writer. */
  #from = 0;

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
   * that it waits for meanwhile would else be the ends of turns. Of no account while a chunk is lent.
   */
  write(bytes: Uint8Array, more = false): void {
    if (writer === this) this.#closeRun();
    this.#patience = more && receiving === 0 ? PATIENCE : 0;
    if (bytes.length > SMALL) {
      this.flush();
      return this.#owner.hand(bytes);
    }
    this.#bytes += bytes.length;
    if (this.#first === undefined) flushSoon(this);
    this.#add(bytes);
    this.settle();
  }

  /**
   * Adds a short message, if the wire can write it into memory that is there already. Returns its size; -1 if not. Call
   * {@linkcode settle} next.
   */
  put<Out>(wire: Wire<unknown, Out>, message: Out, more: boolean): number {
    if (slab.length - used < SLAB / 8) {
      if (writer !== undefined) writer.#closeRun();
      slab = new Uint8Array(SLAB);
      used = 0;
    }
    const at = used, end = wire.encodeInto!(message, slab, at);
    if (end < 0) return -1;
    if (writer !== this) {
      if (writer !== undefined) writer.#closeRun();
      writer = this;
      this.#from = at;
      if (this.#first === undefined) flushSoon(this);
    }
    used = end;
    this.#patience = more && receiving === 0 ? PATIENCE : 0;
    this.#bytes += end - at;
    return end - at;
  }

  /** Gives everything to the socket if it is much. Not done by {@linkcode put} itself: its caller has something to note. */
  settle(): void {
    if (this.#bytes > SMALL) this.flush();
  }

  /** What was put becomes a part as any other. */
  #closeRun(): void {
    writer = undefined;
    this.#add(new Uint8Array(slab.buffer, this.#from, used - this.#from));
  }

  #add(bytes: Uint8Array): void {
    if (this.#first === undefined) this.#first = bytes;
    else if (this.#rest === undefined) this.#rest = [bytes];
    else this.#rest.push(bytes);
  }

  /** Adds bytes, and gives everything to the socket now. */
  writeOut(bytes: Uint8Array): void {
    if (this.#bytes === 0) return this.#owner.hand(bytes);
    this.write(bytes);
    this.flush();
  }

  /** Gives everything to the socket, in one piece. */
  flush(): void {
    if (writer === this) this.#closeRun();
    const first = this.#first, rest = this.#rest;
    if (first === undefined) return;
    const bytes = rest === undefined ? first : joined(first, rest, this.#bytes);
    this.clear();
    this.#owner.hand(bytes);
  }

  /** Whether to wait for more. */
  waits(): boolean {
    return this.#bytes > 0 && this.#patience-- > 0;
  }

  /** Drops everything. */
  clear(): void {
    if (writer === this) writer = undefined;
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

/** How many connections are in the midst of receiving: more than one if what one is told makes another receive. */
let receiving = 0;
/** The first batch that was begun meanwhile: most of the time the only one. */
let answering: TurnBatch | undefined;
/** Other batches that hold something. One microtask flushes them all, instead of a closure for each. */
const waiting: TurnBatch[] = [];

/** Whether a chunk is lent: what is written now may be a part of it. */
export function isReceiving(): boolean {
  return receiving > 0;
}

/** Says that a chunk is lent: until {@linkcode endReceiving} nothing is flushed by itself. */
export function beginReceiving(): void {
  receiving++;
}

/** Flushes every batch that was written to meanwhile: that may be a part of the chunk that was lent until now. */
export function endReceiving(): void {
  receiving--;
  const batch = answering;
  answering = undefined;
  if (waiting.length > 0) flushAll();
  batch?.flush();
}

function flushSoon(batch: TurnBatch): void {
  if (receiving > 0 && answering === undefined) answering = batch;
  else {
    waiting.push(batch);
    if (receiving === 0) schedule();
  }
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
