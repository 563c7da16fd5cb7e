/**
 * Places to go to, as text: `host:port`, `[IPv6]:port`, `unix:path`.
 *
 * @module
 */

import type { Target } from "../transport/transport.ts";

/** Longest place that a frame can tell. */
const MAX_BYTES = 255;

/**
 * The place that `target` is, as a frame tells it.
 *
 * @throws {TypeError | RangeError} If it is none, or too long to be told.
 */
export function placeFor(action: string, target: Target): string {
  if (typeof target !== "object" || target === null || !("path" in target || "hostname" in target)) {
    throw new TypeError(
      `Cannot ${action} as "to" must be { hostname, port } or { path }: current value is ${target}`,
    );
  }
  const place = placeOf(target), { length } = new TextEncoder().encode(place);
  if (length <= MAX_BYTES) return place;
  throw new RangeError(`Cannot ${action} as "to" must be <= ${MAX_BYTES} bytes: current length is ${length}`);
}

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
