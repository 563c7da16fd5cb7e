/**
 * A transport that speaks TLS in all it does, so that the suite for plain sockets runs over TLS as it is.
 *
 * @module
 */

import process from "node:process";
import type { Transport } from "../../lib/transport/transport.ts";
import { certificates, type Identity } from "../support/certificates.ts";

/** What both ends of the suite need. */
export interface Material {
  /** Who signed it. */
  readonly ca: string;
  readonly server: Identity;
}

/** Where child processes find the certificates of the process that started them. */
const VARIABLE = "HOLDFAST_TEST_TLS";

let made: Promise<Material> | undefined;

/** The certificates of the suite: those of the process that started this one, or new ones. */
export function material(): Promise<Material> {
  return made ??= make();
}

async function make(): Promise<Material> {
  const inherited = process.env[VARIABLE];
  if (inherited !== undefined) return JSON.parse(inherited);
  const { authority, server } = await certificates();
  const fresh: Material = { ca: authority.certificate, server };
  process.env[VARIABLE] = JSON.stringify(fresh);
  return fresh;
}

/** `transport`, with TLS where nothing else is asked for. */
export async function securedTransport(transport: Transport): Promise<Transport> {
  const { ca, server: { certificate, key } } = await material();
  const client = { ca };
  return {
    name: transport.name,
    capabilities: transport.capabilities,
    connect: (target, options) =>
      transport.connect(target, {
        tls: "path" in target ? { ...client, serverName: "localhost" } : client,
        ...options,
      }),
    listen: (target, options) => transport.listen!(target, { tls: { certificate, key }, ...options }),
  };
}
