/**
 * Counts the connections of each address.
 *
 * @module
 */

import { addressKey } from "./address_key.ts";
import type { Address } from "../transport/transport.ts";

/** How many places each address has taken. Takes memory only for those that have one. */
export class AddressCount {
  readonly #max: number;
  readonly #counts = new Map<string, number>();

  /** @param max Places for each address. */
  constructor(max: number) {
    this.#max = max;
  }

  /** Addresses that have a place. */
  get size(): number {
    return this.#counts.size;
  }

  /** Takes a place for a caller. Returns whether there was one. */
  take(address: Address): boolean {
    const key = addressKey(address);
    if (key === undefined) return true;
    const taken = this.#counts.get(key) ?? 0;
    if (taken >= this.#max) return false;
    this.#counts.set(key, taken + 1);
    return true;
  }

  /** Gives a place back that {@linkcode take} gave to the same address. */
  free(address: Address): void {
    const key = addressKey(address);
    if (key === undefined) return;
    const left = this.#counts.get(key)! - 1;
    if (left > 0) this.#counts.set(key, left);
    else this.#counts.delete(key);
  }
}
