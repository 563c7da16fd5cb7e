/**
 * Lists of whole numbers, one for each slot of a wheel, from which any may be taken out.
 *
 * They lie in blocks of 32, and each number has a place. To take one out empties its place, and a block without any is
 * given to whoever needs one next. So neither looks at other numbers, which would mean to wait for memory. A block holds at
 * least one number, so in the worst case each costs 144 bytes, and commonly 5.
 *
 * @module
 */

/** No number, no place, and no slot. */
export const NONE = -1;

/** Numbers in a block. */
const SHIFT = 5;
const BLOCK = 1 << SHIFT;

// What is known of a block. The one before a free one is the next free one.
const FIELDS = 4;
const BEFORE = 0;
const AFTER = 1;
const SLOT = 2;
const COUNT = 3;

/** Lists from which the newest is taken first. */
export class SlotLists {
  /** Blocks of numbers, `NONE` where there is none any more. */
  #numbers = new Int32Array(0);
  #blocks = new Int32Array(0);
  /** Blocks that were given so far. */
  #given = 0;
  /** The first block that is free again. */
  #free = NONE;
  /** The place that was filled last, for each slot, or one where that has been; `NONE` for one that is empty. */
  readonly #tops: Int32Array;
  /** A bit for each slot: whether it holds anything. A search that looks at slot after slot takes longer than what is due. */
  readonly #filled: Int32Array;

  /** Starts with so many slots, all empty. */
  constructor(slots: number) {
    this.#tops = new Int32Array(slots).fill(NONE);
    this.#filled = new Int32Array(Math.ceil(slots / 32));
  }

  /** Puts a number into a slot. Returns its place. */
  push(slot: number, number: number): number {
    let place = this.#tops[slot]! + 1;
    // The place after `NONE` is 0, which begins a block, too.
    if (place % BLOCK === 0) place = this.#open(slot, place - 1) * BLOCK;
    this.#tops[slot] = place;
    this.#numbers[place] = number;
    this.#blocks[(place >> SHIFT) * FIELDS + COUNT]!++;
    return place;
  }

  /** Takes out the number at a place. */
  clear(place: number): void {
    this.#numbers[place] = NONE;
    const block = place >> SHIFT;
    if (--this.#blocks[block * FIELDS + COUNT]! === 0) this.#close(block);
  }

  /** Takes the newest number out of a slot; {@linkcode NONE} if there is none. */
  take(slot: number): number {
    let place = this.#tops[slot]!;
    if (place === NONE) return NONE;
    const numbers = this.#numbers;
    while (numbers[place] === NONE) place--;
    const number = numbers[place]!;
    this.#tops[slot] = place;
    this.clear(place);
    return number;
  }

  /** Writes into `numbers` which of a slot are taken next. Returns how many there are, at most as many as it holds. */
  ahead(slot: number, numbers: Int32Array): number {
    let count = 0;
    for (let place = this.#tops[slot]!; place !== NONE && count < numbers.length;) {
      const number = this.#numbers[place]!;
      if (number !== NONE) numbers[count++] = number;
      place = place % BLOCK === 0 ? this.#endBefore(place >> SHIFT) : place - 1;
    }
    return count;
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

  /** Appends a block to a slot whose last place is `end`. */
  #open(slot: number, end: number): number {
    const block = this.#allot(), blocks = this.#blocks, record = block * FIELDS;
    const before = end === NONE ? NONE : end >> SHIFT;
    blocks[record + BEFORE] = before;
    blocks[record + AFTER] = NONE;
    blocks[record + SLOT] = slot;
    if (before !== NONE) blocks[before * FIELDS + AFTER] = block;
    else this.#filled[slot >> 5]! |= 1 << slot;
    return block;
  }

  /** Takes a block that is empty out of its slot. */
  #close(block: number): void {
    const blocks = this.#blocks, record = block * FIELDS;
    const before = blocks[record + BEFORE]!, after = blocks[record + AFTER]!, slot = blocks[record + SLOT]!;
    if (before !== NONE) blocks[before * FIELDS + AFTER] = after;
    if (after !== NONE) blocks[after * FIELDS + BEFORE] = before;
    else this.#tops[slot] = this.#endBefore(block);
    if (before === NONE && after === NONE) this.#filled[slot >> 5]! &= ~(1 << slot);
    blocks[record + BEFORE] = this.#free;
    this.#free = block;
  }

  /** The last place of the block before this one, which is full up to there, or has been; `NONE` for the first. */
  #endBefore(block: number): number {
    const before = this.#blocks[block * FIELDS + BEFORE]!;
    return before === NONE ? NONE : before * BLOCK + BLOCK - 1;
  }

  /** A block without numbers: one that is free again, or a new one. */
  #allot(): number {
    const block = this.#free;
    if (block !== NONE) {
      this.#free = this.#blocks[block * FIELDS + BEFORE]!;
      return block;
    }
    if (this.#given * FIELDS === this.#blocks.length) this.#grow(Math.ceil(this.#given * 5 / 4) + 8);
    return this.#given++;
  }

  /** Makes room for more blocks: by a quarter, as what is not used yet is memory, too. */
  #grow(capacity: number): void {
    const numbers = new Int32Array(capacity * BLOCK);
    numbers.set(this.#numbers);
    this.#numbers = numbers;
    const blocks = new Int32Array(capacity * FIELDS);
    blocks.set(this.#blocks);
    this.#blocks = blocks;
  }
}
