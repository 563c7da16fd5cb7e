/**
 * Makes headers of the PROXY protocol, as HAProxy does.
 *
 * @module
 */

import { parseIp } from "../../lib/server/ip.ts";
import type { TcpAddress } from "../../lib/transport/transport.ts";
import { text } from "../support/feed.ts";

/** How version 2 begins. */
export const SIGNATURE: Uint8Array = text("\r\n\r\n\0\r\nQUIT\n");

/** All of `parts`, one after the other. */
export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

/** A header of version 2. */
export function block(command: number, kind: number, body: Uint8Array): Uint8Array {
  return concat(SIGNATURE, Uint8Array.of(command, kind, body.length >> 8, body.length & 0xff), body);
}

/** The addresses of a caller over IPv4. */
export function ip4(from: TcpAddress, to: TcpAddress): Uint8Array {
  const port = (number: number) => Uint8Array.of(number >> 8, number & 0xff);
  return concat(parseIp(from.hostname)!, parseIp(to.hostname)!, port(from.port), port(to.port));
}

/** The addresses of a caller over IPv6: the same, longer. */
export const ip6 = ip4;

/** The addresses of a caller over a Unix-domain socket. */
export function unix(from: string, to: string): Uint8Array {
  const body = new Uint8Array(216);
  body.set(text(from));
  body.set(text(to), 108);
  return body;
}

/** What a proxy sends on a connection of its own. */
export const LOCAL: Uint8Array = block(0x20, 0x00, new Uint8Array(0));
