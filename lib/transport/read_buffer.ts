/**
 * The memory that one socket reads into, where the runtime leaves that to the caller.
 *
 * An idle connection always has a read pending and so pins its buffer: it is small at first, grows while
 * reads fill it, and becomes small again when they no longer come near to that (as Netty's
 * AdaptiveRecvByteBufAllocator). 10 000 idle connections with 64 KiB each would be 640 MB.
 *
 * @module
 */

/** Size at first, and when idle. */
const SMALLEST = 1024;
/** Largest size: with more a read gains nothing. */
const LARGEST = 64 * 1024;
/** Factor from one size to the next. */
const STEP = 4;
/** Reads in a row that were small for the buffer before it shrinks. */
const SPARSE_READS = 4;

const NONE = new Uint8Array(0);

/** A buffer that adapts to what its reads bring. */
export class ReadBuffer {
  /** Where the next read goes. */
  space: Uint8Array;
  readonly #allocate: (size: number) => Uint8Array;
  #size = SMALLEST;
  #sparse = 0;

  /** @param allocate Makes memory, which nobody reads before something has been read into it. */
  constructor(allocate: (size: number) => Uint8Array = (size) => new Uint8Array(size)) {
    this.#allocate = allocate;
    this.space = allocate(SMALLEST);
  }

  /** What a read of `length` bytes brought. */
  chunk(length: number): Uint8Array {
    return length === this.space.length ? this.space : this.space.subarray(0, length);
  }

  /** Makes room for the next read, after one of `length` bytes that nobody kept. */
  reuse(length: number): void {
    this.#learn(length);
    const { space } = this;
    const unfit = length === space.length ? space.length < this.#size : space.buffer.byteLength > this.#size;
    if (unfit) this.renew();
  }

  /** Makes room for the next read, after one of `length` bytes that are no longer ours. */
  keep(length: number): void {
    this.#learn(length);
    const rest = this.space.length - length;
    if (rest * STEP >= this.#size) this.space = this.space.subarray(length);
    else this.renew();
  }

  /** As {@linkcode keep}, and what is left of the buffer is not used again: whoever has the bytes may give all of it away. */
  leave(length: number): void {
    this.#learn(length);
    this.renew();
  }

  /** Leaves the whole buffer to whoever uses it. */
  renew(): void {
    this.space = this.#allocate(this.#size);
  }

  /** No more reads come. */
  drop(): void {
    this.space = NONE;
  }

  #learn(length: number): void {
    if (length === this.space.length) {
      this.#sparse = 0;
      if (this.#size < LARGEST) this.#size *= STEP;
    } else if (length * STEP * 2 > this.#size || this.#size === SMALLEST) {
      this.#sparse = 0;
    } else if (++this.#sparse === SPARSE_READS) {
      // Only where the smaller one would be half empty: a size that just fits would fill up, and grow again.
      this.#sparse = 0;
      this.#size /= STEP;
    }
  }
}
