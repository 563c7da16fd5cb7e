/**
 * The patience of a dial, where the runtime has none or too little: a deadline, a signal, and what to do with a
 * socket that opens after both gave up.
 *
 * @module
 */

import { connectFailed, connectTimedOut } from "./failure.ts";
import type { Address, ConnectOptions } from "./transport.ts";

/** Longest delay that `setTimeout` honours. */
const MAX_DELAY = 2 ** 31 - 1;

/**
 * Opens a socket to `target`. `open` is given a signal that is aborted when nobody waits any more; a socket that
 * it opens all the same is given to `drop`.
 *
 * @throws {ConnectionError} `connect-failed` or `connect-timeout`; or the reason of `options.signal`.
 */
export function dial<T>(
  target: Address,
  options: ConnectOptions,
  open: (signal: AbortSignal) => Promise<T>,
  drop: (late: T) => void,
): Promise<T> {
  const { signal, timeout = 5_000 } = options;
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const attempt = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    let waiting = true;

    const settle = (): boolean => {
      if (!waiting) return false;
      waiting = false;
      clearTimeout(timer);
      signal?.removeEventListener("abort", aborted);
      return true;
    };
    const giveUp = (reason: unknown) => {
      if (!settle()) return;
      attempt.abort(reason);
      reject(reason);
    };
    const aborted = () => giveUp(signal!.reason);
    signal?.addEventListener("abort", aborted);

    if (timeout !== Infinity) {
      // If this process was stopped, the answer may have come long ago: the two more timers let it be seen.
      const late = () => giveUp(connectTimedOut(target, timeout));
      timer = setTimeout(() => setTimeout(() => setTimeout(late, 0), 0), Math.min(timeout, MAX_DELAY));
    }
    open(attempt.signal).then(
      (socket) => settle() ? resolve(socket) : drop(socket),
      (error) => settle() && reject(connectFailed(target, error)),
    );
  });
}
