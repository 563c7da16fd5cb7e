/**
 * Places to go to, as text: `host:port`, `[IPv6]:port`, `unix:path`.
 *
 * @module
 */

import type { Target } from "../transport/transport.ts";

/** The place that `target` is. */
export function placeOf(target: Target): string {
  if ("path" in target) return `unix:${target.path}`;
  const { hostname, port } = target;
  return hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`;
}

/** The target that `place` names; `undefined` if it names none. */
export function targetOf(place: string): Target | undefined {
  if (place.startsWith("unix:")) return place.length > 5 ? { path: place.slice(5) } : undefined;
  const parts = /^(?:\[([^\]]+)\]|([^:\[\]]+)):(\d{1,5})$/.exec(place);
  if (parts === null) return undefined;
  const port = Number(parts[3]);
  return port >= 1 && port <= 65_535 ? { hostname: parts[1] ?? parts[2]!, port } : undefined;
}
