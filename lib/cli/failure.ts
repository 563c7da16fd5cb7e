/**
 * Failures that a user can do something about, in the words of the command line.
 *
 * @module
 */

import { ConnectionError } from "../errors.ts";

/** Something went wrong that is no bug of ours. The message is one line. */
export class Failure extends Error {
  /** Creates an error. */
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "Failure";
  }
}

/** What `serve()` or `connect()` failed with, for the user. `unix` says whether it was about a Unix socket. */
export function inPlainWords(error: unknown, unix: boolean): unknown {
  if (!(error instanceof ConnectionError)) return error;
  // Deno names the permissions one by one, as it comes upon them. All that is needed is said at once.
  if (unix && error.cause instanceof Error && error.cause.name === "NotCapable") {
    const before = error.message.slice(0, error.message.indexOf(": "));
    return new Failure(
      `${before}: Deno was not given the permission, run it with --allow-net --allow-read --allow-write`,
      { cause: error },
    );
  }
  return new Failure(error.message, { cause: error });
}

/** Says in one line why a connection ended. */
export function whyEnded(reason: ConnectionError): string {
  return `${reason.message} (${reason.code})`;
}
