/**
 * The limits of `holdfast serve`: who is let in, how fast, and how much may wait.
 *
 * @module
 */

import type { ServeOptions } from "../server.ts";
import { trustedProxies } from "../server/trusted_proxies.ts";
import { duration, integer, type Option, size, UsageError, type Values } from "./options.ts";

/** Networks of proxies, separated by commas. */
function proxies(help: string): Option<readonly string[] | undefined> {
  return {
    help,
    placeholder: "NETWORKS",
    read(text) {
      const list = text.split(",").map((network) => network.trim());
      try {
        trustedProxies(list);
      } catch {
        throw new RangeError("must be networks such as 10.0.0.0/8,2001:db8::7 (or unix:)");
      }
      return list;
    },
  };
}

/** What `--help` says of them, and how they are read. */
export const LIMIT_OPTIONS = {
  "max-connections": integer("connections at a time; callers beyond it are closed at once", "10000", 1),
  "max-connections-per-address": integer(
    "the same for one address or IPv6 /64 (default: no limit)",
    undefined,
    1,
  ),
  "accept-rate": integer(
    "callers a second; those beyond it are closed at once (default: no limit)",
    undefined,
    1,
  ),
  "handshake-timeout": duration("frames, TLS, PROXY: how long a caller may take for its greeting", "5s"),
  "max-message": size("longest line (default 64k) or message of frames (default 1m)", undefined, 1),
  "max-buffer": size("bytes that may wait for one peer before it is read no more", "4m", 4096),
  "max-memory": size(
    "bytes that may wait on all connections together (default: no limit)",
    undefined,
    65_536,
  ),
  "proxy-protocol": proxies("callers are these proxies (CIDR, comma between), which send PROXY headers"),
};

/** What else of the options decides whether a limit means anything. */
interface Around {
  readonly protocol: "raw" | "lines" | "frames";
  readonly unix: string | undefined;
  readonly "tls-cert": string | undefined;
}

type Limits = Pick<
  ServeOptions,
  | "maxConnections"
  | "maxConnectionsPerAddress"
  | "acceptRate"
  | "handshakeTimeout"
  | "maxOutboundBytes"
  | "maxInboundBytes"
  | "maxBufferedBytes"
  | "proxyProtocol"
>;

/**
 * The limits as the server takes them.
 *
 * @throws {UsageError} If one was given that would limit nothing.
 */
export function limitsOf(
  name: string,
  values: Values<typeof LIMIT_OPTIONS> & Around,
  given: ReadonlySet<string>,
): Limits {
  const { protocol, unix, "tls-cert": tls, "proxy-protocol": trusted, "accept-rate": perSecond } = values;
  if (protocol === "raw" && given.has("max-message")) {
    throw new UsageError(`${name}: --max-message is for the protocols lines and frames`);
  }
  // Behind a proxy on a Unix socket callers have addresses again.
  if (unix !== undefined && trusted === undefined && given.has("max-connections-per-address")) {
    throw new UsageError(`${name}: --unix and --max-connections-per-address exclude each other`);
  }
  if (given.has("handshake-timeout") && protocol !== "frames" && tls === undefined && trusted === undefined) {
    throw new UsageError(`${name}: --handshake-timeout is for frames, --tls-cert and --proxy-protocol`);
  }
  const { "max-buffer": buffer } = values;
  return {
    maxConnections: values["max-connections"],
    maxConnectionsPerAddress: values["max-connections-per-address"],
    acceptRate: perSecond === undefined ? undefined : { perSecond },
    handshakeTimeout: values["handshake-timeout"],
    maxOutboundBytes: buffer,
    maxInboundBytes: Math.min(buffer, 1 << 20),
    maxBufferedBytes: values["max-memory"],
    proxyProtocol: trusted === undefined ? undefined : { trusted },
  };
}
