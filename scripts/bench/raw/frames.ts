/**
 * Messages with their length in front, as one would write them by hand: a byte of type and flags and two of length, as
 * the frames of the library have them, but with nothing else: no hello, no pings, no limits.
 *
 * @module
 */

const HEAD = 3, DATA = 0x20;

/** What the application does. */
const onMessage = (payload: Uint8Array): Uint8Array => payload;

/** Answers that leave together. */
export class Outgoing {
  #bytes = new Uint8Array(64 * 1024);
  #size = 0;

  /** Adds a message. */
  put(payload: Uint8Array): void {
    const at = this.#size, { length } = payload, end = at + HEAD + length;
    if (end > this.#bytes.length) this.#grow(end);
    const bytes = this.#bytes;
    bytes[at] = DATA;
    bytes[at + 1] = length >> 8;
    bytes[at + 2] = length;
    bytes.set(payload, at + HEAD);
    this.#size = end;
  }

  /** Takes what was put; it is valid until the next {@linkcode put}. */
  take(): Uint8Array {
    const bytes = this.#bytes.subarray(0, this.#size);
    this.#size = 0;
    return bytes;
  }

  /** Leaves the memory of what was taken to whoever has it. */
  leave(): void {
    this.#bytes = new Uint8Array(64 * 1024);
  }

  #grow(size: number): void {
    const grown = new Uint8Array(size * 2);
    grown.set(this.#bytes.subarray(0, this.#size));
    this.#bytes = grown;
  }
}

/** Cuts what arrives on one connection into messages. */
export class Incoming {
  /** The beginning of a frame whose end has not come yet. */
  #part: Uint8Array | undefined;

  /** Answers every message that is whole. */
  answer(chunk: Uint8Array, out: Outgoing): void {
    const bytes = this.#part === undefined ? chunk : joined(this.#part, chunk), { length } = bytes;
    let at = 0;
    while (at + HEAD <= length) {
      const end = at + HEAD + (bytes[at + 1]! << 8 | bytes[at + 2]!);
      if (end > length) break;
      out.put(onMessage(bytes.subarray(at + HEAD, end)));
      at = end;
    }
    // The chunk may be borrowed.
    this.#part = at === length ? undefined : bytes.slice(at);
  }
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}
