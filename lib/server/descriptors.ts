/**
 * How many connections a process can hold.
 *
 * Who runs out of descriptors can neither accept a caller to turn it away, nor open a file, nor print why. So it must not
 * come to that.
 *
 * @module
 */

/**
 * Descriptors that connections leave to the rest of the process: the runtime's own are some 30, and files, look-ups
 * and connections to others need theirs.
 */
const RESERVE = 64;

/** Places for connections in a process that may hold `limit` descriptors: a quarter of them where there are few. */
export function placesWithin(limit: number): number {
  return limit === Infinity ? Infinity : Math.max(limit - RESERVE, Math.floor(limit / 4), 1);
}

/** Tells that fewer connections have a place than `asked` for. */
export function tooFewDescriptors(asked: number, places: number): Error {
  return new Error(
    `Only ${places} of ${asked} connections have a place, since this process may hold no more descriptors`,
  );
}
