/**
 * A wait for room in the outbound buffer.
 *
 * @module
 */

/** A promise shared by everyone who waits for room. */
export interface Room {
  readonly promise: Promise<void>;
  /** There is room again. */
  resolve(): void;
  /** There will be none any more. */
  reject(reason: unknown): void;
}

/** Starts a wait. */
export function newRoom(): Room {
  let resolve!: () => void, reject!: (reason: unknown) => void;
  const promise = new Promise<void>((yes, no) => [resolve, reject] = [yes, no]);
  // A sender that does not wait learns of the end from `closed`.
  promise.catch(() => {});
  return { promise, resolve, reject };
}
