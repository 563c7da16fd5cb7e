/**
 * What TLS can do, by what it runs over.
 *
 * @module
 */

import type { TlsCapabilities } from "./transport.ts";

/** `node:tls` over a `Deno.Conn`. */
export const DENO_TLS: TlsCapabilities = {
  clientCertificate: true,
  serverNames: true,
  replaceCertificate: true,
  halfClose: true,
  truncation: true,
  plainFirst: true,
};

/** `node:tls` over a `net.Socket`, on Node and on Bun. */
export const NODE_TLS: TlsCapabilities = { ...DENO_TLS, truncation: false };
