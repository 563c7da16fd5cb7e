/**
 * Loads a transport by the URL of its module.
 *
 * @module
 */

import type { Transport } from "../../../lib/transport/transport.ts";
import { securedTransport } from "../secured.ts";

/** Before the URL of a transport's module, asks for the same over TLS. */
export const TLS_PREFIX = "tls+";

/** The transport that the module at `url` exports, under the name all of them use. */
export async function load(url: string): Promise<Transport> {
  const secured = url.startsWith(TLS_PREFIX);
  const module = secured ? url.slice(TLS_PREFIX.length) : url;
  const { transport } = await import(module) as { readonly transport?: Transport };
  if (transport === undefined) throw new Error(`${module} exports no "transport"`);
  return secured ? await securedTransport(transport) : transport;
}
