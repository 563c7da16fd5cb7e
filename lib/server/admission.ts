/**
 * Decides who is let in: as many as there are places, so many from one address, and not too fast.
 *
 * @module
 */

import { count } from "../checked.ts";
import { AddressCount } from "./address_count.ts";
import { type RateOptions, TokenBucket } from "../liveness/rate.ts";
import type { Address } from "../transport/transport.ts";

/** The limits that callers meet. */
export interface AdmissionLimits {
  readonly maxConnections: number;
  /** Places that the process has descriptors for, where that is known. */
  readonly places?: number;
  readonly maxConnectionsPerAddress: number;
  readonly acceptRate: RateOptions | undefined;
}

/** Why a caller was not let in. */
export type AdmissionRefusal = "full" | "perAddress" | "rate";

/** Lets callers in, or not. */
export class Admission {
  /** Places there are. */
  readonly maxConnections: number;
  readonly #perAddress: AddressCount | undefined;
  readonly #rate: TokenBucket | undefined;

  /** @throws {RangeError} If a limit is not what it may be. */
  constructor(limits: AdmissionLimits, now: number) {
    this.maxConnections = Math.min(
      count("serve", "maxConnections", limits.maxConnections),
      limits.places ?? Infinity,
    );
    const perAddress = count("serve", "maxConnectionsPerAddress", limits.maxConnectionsPerAddress);
    if (perAddress < Infinity) this.#perAddress = new AddressCount(perAddress);
    if (limits.acceptRate !== undefined) this.#rate = new TokenBucket(now, limits.acceptRate);
  }

  /** Whether all places are taken when `taken` are. */
  isFull(taken: number): boolean {
    return taken >= this.maxConnections;
  }

  /** Lets a caller in while `taken` places are taken, or says why not. */
  admit(address: Address, taken: number, now: number): AdmissionRefusal | undefined {
    if (this.isFull(taken)) return "full";
    if (this.#perAddress?.take(address) === false) return "perAddress";
    // Last, so that a single address cannot use up what all others may.
    if (this.#rate?.take(now) !== false) return undefined;
    this.#perAddress?.free(address);
    return "rate";
  }

  /** A caller that was let in has left. */
  left(address: Address): void {
    this.#perAddress?.free(address);
  }
}
