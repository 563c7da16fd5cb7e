/**
 * Keeps the process alive where the runtime does so only while it works on a read.
 *
 * @module
 */

/** Longest interval that `setInterval` honours. */
const LONG = 2 ** 31 - 1;

let users = 0;
let timer: ReturnType<typeof setInterval> | undefined;

/** Keeps the process alive until {@linkcode stopStayingAwake} was called as often as this. */
export function stayAwake(): void {
  if (users++ === 0) timer = setInterval(() => {}, LONG);
}

/** Takes one {@linkcode stayAwake} back. */
export function stopStayingAwake(): void {
  if (--users === 0) clearInterval(timer);
}
