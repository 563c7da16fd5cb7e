/**
 * Which failures would come again.
 *
 * @module
 */

import { ConnectionError } from "../errors.ts";
import { isFinal } from "../protocol/close_codes.ts";

/** Whether trying again would end the same way. */
export function isHopeless(error: unknown): boolean {
  if (!(error instanceof ConnectionError)) return true;
  const { code, farewell } = error;
  if (farewell !== undefined) return isFinal(farewell.code);
  return code === "protocol-error" || code === "refused" || code === "heartbeat-forged";
}
