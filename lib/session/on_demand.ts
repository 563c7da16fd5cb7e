/**
 * Connections that outlive their sockets, for those who ask for them.
 *
 * @module
 */

import { OnDemand } from "../on_demand.ts";

/** Clients that come back. */
export const REDIAL: OnDemand<typeof import("./redial.ts")> = /* @__PURE__ */ new OnDemand(
  () => import("./redial.ts"),
);

/** Sessions of a server. */
export const SESSIONS: OnDemand<typeof import("./sessions.ts")> = /* @__PURE__ */ new OnDemand(
  () => import("./sessions.ts"),
);
