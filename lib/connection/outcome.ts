/**
 * How a connection ended, for all who want to know.
 *
 * @module
 */

import { type CloseReason, ConnectionError } from "../errors.ts";

/** The end of one connection. The promise and the signal are made when first asked for: most are never. */
export class Outcome {
  #reason: CloseReason | undefined;
  #closed: { readonly promise: Promise<CloseReason>; resolve(reason: CloseReason): void } | undefined;
  #controller: AbortController | undefined;

  /** Why it ended; `undefined` before it has. */
  get reason(): CloseReason | undefined {
    return this.#reason;
  }

  /** See {@linkcode Connection.closed}. */
  get closed(): Promise<CloseReason> {
    if (this.#closed === undefined) {
      let resolve!: (reason: CloseReason) => void;
      const promise = new Promise<CloseReason>((done) => resolve = done);
      this.#closed = { promise, resolve };
      if (this.#reason !== undefined) resolve(this.#reason);
    }
    return this.#closed.promise;
  }

  /** See {@linkcode Connection.signal}. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#reason !== undefined) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  /** What is asked of it too late is refused: for how it ended, or before that for the reason `why`. */
  refuse(why: string): Promise<never> {
    const refused = Promise.reject(
      this.#reason ?? new ConnectionError("closed", why, { origin: "local" }),
    );
    // Whoever does not wait for the answer does not want to hear of it.
    refused.catch(() => {});
    return refused;
  }

  /** Says how it ended, without telling anybody yet. */
  decide(reason: CloseReason): void {
    this.#reason = reason;
  }

  /** Tells. */
  announce(): void {
    this.#closed?.resolve(this.#reason!);
    this.#controller?.abort(this.#reason);
  }
}
