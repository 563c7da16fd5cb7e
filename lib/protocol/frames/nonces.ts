/**
 * The pings of ours that have not been answered, by their nonces.
 *
 * @module
 */

/**
 * Pings that are remembered. A path that stalls may hold many, and with a key an answer to one that was forgotten would
 * look like a replay.
 */
const REMEMBERED = 1024;

/** Nonces of pings that are out, the oldest first. */
export class Nonces {
  readonly #out: Uint8Array[] = [];

  /** Remembers a ping that goes out. */
  add(nonce: Uint8Array): void {
    if (this.#out.push(nonce) > REMEMBERED) this.#out.shift();
  }

  /** Takes an answer, which counts for all earlier pings too. Returns whether it answers one of ours. */
  take(nonce: Uint8Array): boolean {
    const at = this.#out.findIndex((ours) => ours.every((byte, i) => byte === nonce[i]));
    if (at < 0) return false;
    this.#out.splice(0, at + 1);
    return true;
  }
}
