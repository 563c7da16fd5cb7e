/**
 * Loads a transport by the URL of its module.
 *
 * @module
 */

import type { Transport } from "../../../lib/transport/transport.ts";

/** The transport that the module at `url` exports, under the name all of them use. */
export async function load(url: string): Promise<Transport> {
  const { transport } = await import(url) as { readonly transport?: Transport };
  if (transport === undefined) throw new Error(`${url} exports no "transport"`);
  return transport;
}
