/**
 * Decides which callers are one and the same for a limit on each address.
 *
 * @module
 */

import { foldIp, groupsOf, parseIp } from "./ip.ts";
import type { Address } from "../transport/transport.ts";

/**
 * The same string for all callers that count as one; `undefined` for those which are not counted.
 *
 * - IPv4: the address, also where a socket for both families shows it as `::ffff:192.0.2.1`.
 * - IPv6: the /64, since that is the least that one customer is given, and who has it has 2⁶⁴ addresses. A zone
 *   (`fe80::1%eth0`) is a part of it: two links are two networks.
 * - Unix-domain sockets: none. Callers have no address, and the permissions of the file say who may call.
 *
 * @example
 * ```ts
 * import { addressKey } from "./address_key.ts";
 * import { strictEqual } from "node:assert/strict";
 *
 * strictEqual(addressKey({ hostname: "::ffff:192.0.2.1", port: 1 }), "192.0.2.1");
 * strictEqual(addressKey({ hostname: "2001:db8:1:2:3::4", port: 1 }), "2001:db8:1:2::/64");
 * strictEqual(addressKey({ path: "" }), undefined);
 * ```
 */
export function addressKey(address: Address): string | undefined {
  if ("path" in address) return undefined;
  const { hostname } = address;
  // The system gives an IPv4 address in one form only.
  if (!hostname.includes(":")) return hostname;
  const percent = hostname.indexOf("%");
  const bytes = parseIp(percent < 0 ? hostname : hostname.slice(0, percent));
  if (bytes === undefined) return hostname;
  const folded = foldIp(bytes);
  if (folded.length === 4) return folded.join(".");
  const network = groupsOf(bytes).slice(0, 4).map((group) => group.toString(16)).join(":");
  return `${network}::/64${percent < 0 ? "" : hostname.slice(percent)}`;
}
