/**
 * Starts the server of a storm as a process of its own, on any of the runtimes.
 *
 * @module
 */

import process from "node:process";
import { fileURLToPath } from "node:url";
import { launch, type Running } from "../../tests/support/processes.ts";

/** The runtimes there are. */
export type Runtime = "node" | "bun" | "deno";

const { versions } = process as { versions: Record<string, string | undefined> };

/** The runtime that runs this. */
export const OWN: Runtime = versions["deno"] !== undefined
  ? "deno"
  : versions["bun"] !== undefined
  ? "bun"
  : "node";

const SERVER = fileURLToPath(new URL("server.ts", import.meta.url));
const BIN = fileURLToPath(new URL("../../node_modules/.bin/", import.meta.url));

/** How a program is run. */
const COMMANDS: Readonly<Record<Runtime, readonly string[]>> = {
  deno: ["run", "-A", "--no-lock", "--no-check"],
  bun: ["run"],
  node: ["--import", "tsx"],
};

/** Starts the server. Its first line says where it listens. */
export async function startServer(
  runtime: Runtime,
  options: { readonly port?: number; readonly resume?: boolean },
): Promise<{ server: Running; port: number }> {
  const program = runtime === OWN ? process.execPath : runtime === "node" ? "node" : BIN + runtime;
  const server = launch([program, ...COMMANDS[runtime], SERVER, JSON.stringify(options)]);
  const { port } = await server.told<{ port: number }>();
  return { server, port };
}
