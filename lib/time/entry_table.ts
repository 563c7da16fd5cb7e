/**
 * The numbers of the entries of a wheel, and the slots in which they wait.
 *
 * Of 1 000 000 entries none is in the processor's cache when its turn comes. So all that a wheel knows of one is in a single
 * record of 64 bytes, the length of a cache line, and to look at it costs one wait for memory. To move one costs no other:
 * a slot is a list of its entries' numbers, and not of entries that know their neighbours.
 *
 * @module
 */

import { NONE, SlotLists } from "./slot_lists.ts";

/** Bytes of a record: a few fractions, then a few whole numbers. */
const RECORD = 64;

// Fractions of a record. Those not named yet are the place of the whole numbers.
const FRACTIONS = 8;
const DEADLINE = 0;
const TOUCHED = 1;
const SPAN = 2;

// Whole numbers of a record. Nothing is in its last 16 bytes: some runtimes begin an array 16 bytes into a cache line.
const WHOLES = 16;
const PLACE = 6;
const PUT_OFFS = 7;
const PAUSES = 8;

/** Entries, each a number from 0 on, in slots from which the newest is taken first. */
export class EntryTable {
  #fractions = new Float64Array(0);
  #wholes = new Int32Array(0);
  #capacity = 0;
  /** Numbers that were given so far. */
  #given = 0;
  /** The first number that is free again. Its record's `PLACE` has the next one. */
  #free = NONE;
  readonly #slots: SlotLists;

  /** Starts with no entries, and so many slots. */
  constructor(slots: number) {
    this.#slots = new SlotLists(slots);
    this.#grow(64);
  }

  /** A new entry, in no slot and without a deadline. */
  add(): number {
    let id = this.#free;
    if (id !== NONE) this.#free = this.#wholes[WHOLES * id + PLACE]!;
    else id = this.#given++;
    // By a quarter: what is not used yet is memory, too.
    if (id === this.#capacity) this.#grow(this.#capacity * 5 / 4);
    this.#fractions[FRACTIONS * id + DEADLINE] = Infinity;
    this.#fractions[FRACTIONS * id + TOUCHED] = -Infinity;
    this.#fractions[FRACTIONS * id + SPAN] = 0;
    this.#wholes[WHOLES * id + PLACE] = NONE;
    this.#wholes[WHOLES * id + PUT_OFFS] = 0;
    return id;
  }

  /** Forgets an entry that is in no slot. */
  remove(id: number): void {
    this.#fractions[FRACTIONS * id + DEADLINE] = NaN;
    this.#wholes[WHOLES * id + PLACE] = this.#free;
    this.#free = id;
  }

  /** When an entry falls due. */
  deadline(id: number): number {
    return this.#fractions[FRACTIONS * id + DEADLINE]!;
  }

  /** Sets when an entry falls due. */
  setDeadline(id: number, deadline: number): void {
    this.#fractions[FRACTIONS * id + DEADLINE] = deadline;
  }

  /** Notes the instant from which a span counts. */
  touch(id: number, now: number): void {
    this.#fractions[FRACTIONS * id + TOUCHED] = now;
  }

  /** Lets an entry be put off to `span` after it was last touched, as long as `pauses` is the same. */
  spare(id: number, span: number, pauses: number): void {
    this.#fractions[FRACTIONS * id + SPAN] = span;
    this.#wholes[WHOLES * id + PAUSES] = pauses;
  }

  /** Takes back what {@linkcode spare} allowed. */
  unspare(id: number): void {
    this.#fractions[FRACTIONS * id + SPAN] = 0;
  }

  /** Whether an entry may be put off, and has been touched late enough. */
  canPutOff(id: number, now: number, pauses: number): boolean {
    const fractions = this.#fractions, record = FRACTIONS * id;
    const deadline = fractions[record + TOUCHED]! + fractions[record + SPAN]!;
    return deadline > now && this.#wholes[WHOLES * id + PAUSES] === pauses;
  }

  /** Puts an entry off if {@linkcode canPutOff} says so. Returns whether it did. */
  putOff(id: number, now: number, pauses: number): boolean {
    if (!this.canPutOff(id, now, pauses)) return false;
    const fractions = this.#fractions, record = FRACTIONS * id;
    fractions[record + DEADLINE] = fractions[record + TOUCHED]! + fractions[record + SPAN]!;
    this.#wholes[WHOLES * id + PUT_OFFS]!++;
    return true;
  }

  /** How often it did. */
  putOffs(id: number): number {
    return this.#wholes[WHOLES * id + PUT_OFFS]!;
  }

  /** The first slot from `from` on, and before `to`, that holds anything; {@linkcode NONE} if there is none. */
  filledFrom(from: number, to: number): number {
    return this.#slots.filledFrom(from, to);
  }

  /** Puts an entry that is in no slot into this one. */
  link(id: number, slot: number): void {
    this.#wholes[WHOLES * id + PLACE] = this.#slots.push(slot, id);
  }

  /** Takes an entry out of its slot, if it is in one. */
  unlink(id: number): void {
    const place = this.#wholes[WHOLES * id + PLACE]!;
    if (place === NONE) return;
    this.#slots.clear(place);
    this.#wholes[WHOLES * id + PLACE] = NONE;
  }

  /** Takes the newest entry out of a slot; {@linkcode NONE} if there is none. */
  take(slot: number): number {
    const id = this.#slots.take(slot);
    if (id !== NONE) this.#wholes[WHOLES * id + PLACE] = NONE;
    return id;
  }

  /** Writes into `ids` which entries of a slot are taken next. Returns how many there are, at most as many as it holds. */
  ahead(slot: number, ids: Int32Array): number {
    return this.#slots.ahead(slot, ids);
  }

  #grow(capacity: number): void {
    this.#capacity = Math.floor(capacity);
    const bytes = new ArrayBuffer(RECORD * this.#capacity), before = this.#fractions;
    this.#fractions = new Float64Array(bytes);
    this.#wholes = new Int32Array(bytes);
    // Whole numbers that are copied as fractions might be taken for a NaN, and changed.
    new Uint8Array(bytes).set(new Uint8Array(before.buffer));
  }
}
