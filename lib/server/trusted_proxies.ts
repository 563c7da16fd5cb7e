/**
 * Which callers are proxies that may speak for others.
 *
 * @module
 */

import { foldIp, parseIp } from "./ip.ts";
import type { Address } from "../transport/transport.ts";

/** Decides whether the caller at `address` is a proxy of ours, or lists those that are. */
export type TrustedProxies = ((address: Address) => boolean) | readonly string[];

/** What a list calls every caller of a Unix-domain socket, as in nginx. */
const UNIX = "unix:";

/** Addresses that begin with the same bits. */
interface Network {
  readonly bytes: Uint8Array;
  readonly bits: number;
}

/**
 * Makes the decision of `trusted`: of a list, those in one of its networks (`10.0.0.0/8`, `2001:db8::/32`), or at one
 * of its addresses; with `unix:` in it also every caller of a Unix-domain socket.
 *
 * @throws {TypeError} If it is neither a function nor a list of networks and addresses.
 */
export function trustedProxies(trusted: TrustedProxies): (address: Address) => boolean {
  if (typeof trusted === "function") return trusted;
  if (!Array.isArray(trusted) || trusted.length === 0) {
    throw new TypeError(
      `Cannot serve as "proxyProtocol.trusted" must be a function or a list of networks: current value is ${
        Array.isArray(trusted) ? "an empty list" : trusted
      }`,
    );
  }
  const unix = trusted.includes(UNIX);
  const networks = trusted.filter((text) => text !== UNIX).map(parseNetwork);
  return (address) => {
    if ("path" in address) return unix;
    const parsed = parseIp(address.hostname.replace(/%.*$/, ""));
    if (parsed === undefined) return false;
    const bytes = foldIp(parsed);
    return networks.some((network) => includes(network, bytes));
  };
}

function parseNetwork(text: string): Network {
  const [, hostname = "", mask] = /^([^/]*)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const parsed = parseIp(hostname);
  if (parsed !== undefined) {
    const bytes = foldIp(parsed);
    // Of an IPv4-mapped one, 96 bits say only that it is one.
    const bits = mask === undefined ? bytes.length * 8 : Number(mask) - (parsed.length - bytes.length) * 8;
    const network = { bytes, bits };
    if (bits >= 0 && bits <= bytes.length * 8 && hasNoMore(network)) return network;
  }
  throw new TypeError(
    `Cannot serve as "proxyProtocol.trusted" must list networks as 10.0.0.0/8 or 2001:db8::/32, with no bit ` +
      `set beyond the mask: one is "${text}"`,
  );
}

/** Whether nothing is set beyond the mask: `10.0.0.1/8` means either less or more than it says. */
function hasNoMore({ bytes, bits }: Network): boolean {
  return bytes.every((byte, i) => (byte & ~maskOf(bits, i)) === 0);
}

function includes({ bytes, bits }: Network, other: Uint8Array): boolean {
  if (other.length !== bytes.length) return false;
  return bytes.every((byte, i) => (other[i]! & maskOf(bits, i)) === byte);
}

/** The bits of byte `i` that a mask of `bits` keeps. */
function maskOf(bits: number, i: number): number {
  const kept = Math.min(8, Math.max(0, bits - 8 * i));
  return 0xff << (8 - kept) & 0xff;
}
