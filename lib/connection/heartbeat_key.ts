/**
 * The secret of keyed heartbeats: HMAC-SHA-256 (RFC 2104) by WebCrypto.
 *
 * @module
 */

/** What WebCrypto makes of it. Not every set of type declarations has a name for it. */
type Key = Awaited<ReturnType<typeof crypto.subtle.importKey>>;

const ALGORITHM = { name: "HMAC", hash: "SHA-256" };

/** Proves, and checks proofs. One for all connections that share a protocol. */
export class HeartbeatKey {
  readonly #bytes: Uint8Array;
  #key: Promise<Key> | undefined;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** The proof for `challenge`. */
  async sign(challenge: Uint8Array): Promise<Uint8Array> {
    return new Uint8Array(await crypto.subtle.sign("HMAC", await this.#imported(), owned(challenge)));
  }

  /** Whether `proof` is the one for `challenge`. Takes as long whichever byte is wrong. */
  async verify(proof: Uint8Array, challenge: Uint8Array): Promise<boolean> {
    return await crypto.subtle.verify("HMAC", await this.#imported(), owned(proof), owned(challenge));
  }

  #imported(): Promise<Key> {
    return this.#key ??= crypto.subtle.importKey("raw", owned(this.#bytes), ALGORITHM, false, [
      "sign",
      "verify",
    ]);
  }
}

/** WebCrypto takes no shared memory; none of ours is. */
const owned = (bytes: Uint8Array): Uint8Array<ArrayBuffer> => bytes as Uint8Array<ArrayBuffer>;
