/**
 * The numbers of the entries of a wheel, and the slots in which they wait.
 *
 * Of 100 000 entries none is in the processor's cache when its turn comes. So all that a wheel knows of one is in a single
 * record of 64 bytes, the length of a cache line, and to look at it costs one wait for memory.
 *
 * @module
 */

/** Not in any slot, or the end of one. */
export const NONE = -1;

/** Bytes of a record: a few fractions, then a few whole numbers. */
const RECORD = 64;

// Fractions of a record. Those not named yet are the place of the whole numbers.
const FRACTIONS = 8;
const DEADLINE = 0;
const TOUCHED = 1;
const SPAN = 2;

// Whole numbers of a record. Nothing is in its last 16 bytes: some runtimes begin an array 16 bytes into a cache line.
const WHOLES = 16;
const NEXT = 6;
const PREVIOUS = 7;
const SLOT = 8;
const PUT_OFFS = 9;
const PAUSES = 10;

/** Entries, each a number from 0 on, in slots that are doubly linked lists. */
export class EntryTable {
  #fractions = new Float64Array(0);
  #wholes = new Int32Array(0);
  #capacity = 0;
  /** Numbers that were given so far. */
  #given = 0;
  readonly #free: number[] = [];
  readonly #heads: Int32Array;
  /** A bit for each slot: whether it holds anything. A search that looks at slot after slot takes longer than what is due. */
  readonly #filled: Int32Array;

  /** Starts with no entries, and so many slots. */
  constructor(slots: number) {
    this.#heads = new Int32Array(slots).fill(NONE);
    this.#filled = new Int32Array(Math.ceil(slots / 32));
    this.#grow(64);
  }

  /** A new entry, in no slot and without a deadline. */
  add(): number {
    const id = this.#free.pop() ?? this.#given++;
    // By a quarter: what is not used yet is memory, too.
    if (id === this.#capacity) this.#grow(this.#capacity * 5 / 4);
    this.#fractions[FRACTIONS * id + DEADLINE] = Infinity;
    this.#fractions[FRACTIONS * id + TOUCHED] = -Infinity;
    this.#fractions[FRACTIONS * id + SPAN] = 0;
    this.#wholes[WHOLES * id + SLOT] = NONE;
    this.#wholes[WHOLES * id + PUT_OFFS] = 0;
    return id;
  }

  /** Forgets an entry that is in no slot. */
  remove(id: number): void {
    this.#fractions[FRACTIONS * id + DEADLINE] = NaN;
    this.#free.push(id);
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
    const filled = this.#filled;
    for (let word = from >> 5, bits = filled[word]! & -1 << from; word << 5 < to; bits = filled[++word]!) {
      if (bits === 0) continue;
      const slot = (word << 5) + 31 - Math.clz32(bits & -bits);
      return slot < to ? slot : NONE;
    }
    return NONE;
  }

  /** Puts an entry that is in no slot into this one. */
  link(id: number, slot: number): void {
    const wholes = this.#wholes, record = WHOLES * id, head = this.#heads[slot]!;
    wholes[record + SLOT] = slot;
    wholes[record + PREVIOUS] = NONE;
    wholes[record + NEXT] = head;
    if (head !== NONE) wholes[WHOLES * head + PREVIOUS] = id;
    else this.#filled[slot >> 5]! |= 1 << slot;
    this.#heads[slot] = id;
  }

  /** Takes an entry out of its slot, if it is in one. */
  unlink(id: number): void {
    const wholes = this.#wholes, record = WHOLES * id, slot = wholes[record + SLOT]!;
    if (slot === NONE) return;
    const next = wholes[record + NEXT]!, previous = wholes[record + PREVIOUS]!;
    if (previous !== NONE) wholes[WHOLES * previous + NEXT] = next;
    else {
      this.#heads[slot] = next;
      if (next === NONE) this.#filled[slot >> 5]! &= ~(1 << slot);
    }
    if (next !== NONE) wholes[WHOLES * next + PREVIOUS] = previous;
    wholes[record + SLOT] = NONE;
  }

  /** The first entry of a slot; {@linkcode NONE} if there is none. */
  first(slot: number): number {
    return this.#heads[slot]!;
  }

  /** The entry after this one in its slot; {@linkcode NONE} after the last. */
  next(id: number): number {
    return this.#wholes[WHOLES * id + NEXT]!;
  }

  /** Takes the first entry out of a slot; {@linkcode NONE} if there is none. */
  take(slot: number): number {
    const id = this.#heads[slot]!;
    if (id !== NONE) this.unlink(id);
    return id;
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
