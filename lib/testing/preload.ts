/**
 * Has those parts at hand that are loaded on demand: under a clock that stands still nobody waits for a file.
 *
 * @module
 */

import { PROXY_GATE } from "../server/on_demand.ts";
import { REDIAL, SESSIONS } from "../session/on_demand.ts";
import * as proxyGate from "../server/proxy_gate.ts";
import * as redial from "../session/redial.ts";
import * as sessions from "../session/sessions.ts";

/** Provides them all. */
export function preload(): void {
  PROXY_GATE.provide(proxyGate);
  REDIAL.provide(redial);
  SESSIONS.provide(sessions);
}
