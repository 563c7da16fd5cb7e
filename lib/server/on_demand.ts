/**
 * Servers behind a proxy, for those who ask for them.
 *
 * @module
 */

import { OnDemand } from "../on_demand.ts";

/** Where connections wait for the header of a proxy. */
export const PROXY_GATE: OnDemand<typeof import("./proxy_gate.ts")> = /* @__PURE__ */ new OnDemand(
  () => import("./proxy_gate.ts"),
);
