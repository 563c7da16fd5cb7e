/**
 * Runs the conformance suite on every transport that this runtime has.
 *
 * @module
 */

import process from "node:process";
import { memoryNetwork } from "../../lib/transport/memory.ts";
import { load, TLS_PREFIX } from "./programs/load.ts";
import { testTransport, type Traits } from "./suite.ts";

const { deno, bun } = process.versions as { readonly deno?: string; readonly bun?: string };

/** A transport whose sockets are the system's. */
interface Entry {
  readonly label: string;
  readonly module: URL;
  /** Whether it runs on this runtime. */
  readonly here: boolean;
  /** It is another one's, but for how its TCP sockets read. */
  readonly tcpOnly?: boolean;
  /** Tests that it fails here for a reason which is not ours, by name. */
  readonly cannot?: Traits["cannot"];
}

const lib = (name: string): URL => new URL(`../../lib/transport/${name}.ts`, import.meta.url);

/** What `node:net` cannot do on the runtimes that only lend it. They have transports of their own. */
function borrowed(): Traits["cannot"] {
  const exhaustion = "running out of descriptors pauses the listener, and harms nobody";
  if (deno !== undefined) {
    return {
      [exhaustion]: "node:net on Deno accepts nobody any more after the first EMFILE (runtimes A9)",
      "an address that is not this machine's": "node:net on Deno reports EINVAL instead of EADDRNOTAVAIL",
    };
  }
  if (bun !== undefined) {
    return { [exhaustion]: "Bun spins while it has no descriptor left (runtimes A9, oven-sh/bun#32705)" };
  }
  return undefined;
}

const entries: readonly Entry[] = [
  { label: "deno", module: lib("deno"), here: deno !== undefined },
  { label: "bun", module: lib("bun"), here: bun !== undefined },
  { label: "node", module: lib("node"), here: true, cannot: borrowed() },
  {
    label: "node, busy",
    module: new URL("./programs/busy_node.ts", import.meta.url),
    here: deno === undefined && bun === undefined,
    tcpOnly: true,
  },
];

for (const { label, module, here, tcpOnly, cannot } of entries) {
  if (!here) continue;
  const transport = await load(module.href);
  testTransport(transport, label, "tcp", { module, cannot });
  if (tcpOnly) continue;
  if (transport.capabilities.unix) testTransport(transport, label, "unix", { module, cannot });
  if (transport.capabilities.tls === undefined) continue;
  if (label === "node" && bun !== undefined) {
    console.log(`skipped: node tcp+tls on Bun: it is what Bun's own transport uses, and tested with that`);
    continue;
  }
  const secured = new URL(TLS_PREFIX + module.href);
  testTransport(await load(secured.href), label, "tcp", { module: secured, cannot });
}

for (const kind of ["tcp", "unix"] as const) {
  const network = memoryNetwork();
  testTransport(network.transport, "memory", kind, {
    async blackHole() {
      const target = kind === "tcp" ? { hostname: "10.0.0.1", port: 9 } : { path: "/black-hole" };
      network.to(target).cut();
      return { target, close: async () => network.to(target).heal() };
    },
  });
}
