/**
 * What the application's own code throws once its connection has ended, when no close reason can tell of it any more.
 *
 * @module
 */

import { type CloseReason, ConnectionError } from "../errors.ts";

/**
 * Tells of `error`, unless it only says that the connection has ended, as whoever waits for something is told.
 *
 * @param reason Why the connection has ended. If that was a failure of the application's already, nobody else is hurt by
 * another.
 * @param told Where there is somebody to be told; otherwise it surfaces as an error that nobody caught.
 */
export function failedLate(
  error: unknown,
  reason: CloseReason | undefined,
  told: ((error: unknown) => void) | undefined,
): void {
  for (let cause = error, depth = 0; cause instanceof Error && depth < 8; cause = cause.cause, depth++) {
    if (cause instanceof ConnectionError) return;
  }
  if (told !== undefined) return told(error);
  if (reason?.code === "handler-failed") return;
  queueMicrotask(() => {
    throw error;
  });
}
