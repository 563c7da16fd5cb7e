/**
 * TLS, as `serve` and `connect` are told of it: PEM files.
 *
 * @module
 */

import { readFile } from "node:fs/promises";
import type { ServeOptions } from "../server.ts";
import type { ConnectOptions } from "../client.ts";
import { Failure } from "./failure.ts";
import { flag, text, UsageError, type Values } from "./options.ts";

/** For a server. */
export const SERVER_TLS = {
  "tls-cert": text("speak TLS, with the certificate (and those above it) in this PEM file", "FILE"),
  "tls-key": text("the key of that certificate, a PEM file", "FILE"),
  "tls-ca": text("let in only clients with a certificate that one in this PEM file signed", "FILE"),
};

/** For a client. */
export const CLIENT_TLS = {
  tls: flag("speak TLS; so do the options that begin with --tls-"),
  "tls-ca": text("trust the certificates in this PEM file, in place of the system's", "FILE"),
  "tls-cert": text("show the server the certificate in this PEM file", "FILE"),
  "tls-key": text("the key of that certificate, a PEM file", "FILE"),
};

/** What a server is told. @throws {UsageError | Failure} If a file is missing from the options, or on the disk. */
export async function serverTls(
  name: string,
  values: Values<typeof SERVER_TLS>,
): Promise<ServeOptions["tls"]> {
  const { "tls-cert": certificate, "tls-key": key, "tls-ca": ca } = values;
  goTogether(name, certificate, key);
  if (certificate === undefined || key === undefined) {
    if (ca !== undefined) throw new UsageError(`${name}: --tls-ca needs --tls-cert`);
    return undefined;
  }
  return {
    certificate: await read(certificate),
    key: await read(key),
    ...(ca !== undefined && { ca: await read(ca), clientCertificate: "required" }),
  };
}

/** What a client is told. @throws {UsageError | Failure} If a file is missing from the options, or on the disk. */
export async function clientTls(
  name: string,
  values: Values<typeof CLIENT_TLS>,
): Promise<ConnectOptions["tls"]> {
  const { tls, "tls-cert": certificate, "tls-key": key, "tls-ca": ca } = values;
  goTogether(name, certificate, key);
  if (!tls && certificate === undefined && ca === undefined) return undefined;
  return {
    ...(ca !== undefined && { ca: await read(ca) }),
    ...(certificate !== undefined && { certificate: await read(certificate), key: await read(key!) }),
  };
}

/** What TLS was refused for, be it a file that is no certificate or a runtime that cannot, in one line. */
export function tlsFailure(error: unknown): unknown {
  return error instanceof TypeError ? new Failure(error.message, { cause: error }) : error;
}

function goTogether(name: string, certificate: string | undefined, key: string | undefined): void {
  if ((certificate === undefined) === (key === undefined)) return;
  throw new UsageError(`${name}: --tls-cert and --tls-key go together`);
}

async function read(path: string): Promise<string> {
  return await readFile(path, "utf8").catch((cause) => {
    throw new Failure(`cannot read a PEM file: ${cause instanceof Error ? cause.message : cause}`, { cause });
  });
}
