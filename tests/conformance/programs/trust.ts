/**
 * Connects with what the runtime trusts and then with one authority only, and prints what became of each.
 *
 * Arguments: URL of the transport's module, the address as JSON, the authority's certificate.
 *
 * @module
 */

import process from "node:process";
import type { ConnectOptions } from "../../../lib/transport/transport.ts";
import { load } from "./load.ts";

const [module, target, ca] = process.argv.slice(2) as [string, string, string];
const transport = await load(module);

async function attempt(tls: ConnectOptions["tls"]): Promise<string> {
  try {
    const socket = await transport.connect(JSON.parse(target), { tls });
    socket.abort();
    return `${socket.tls?.authorized}`;
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
}
console.log(await attempt(true));
console.log(await attempt({ ca }));
