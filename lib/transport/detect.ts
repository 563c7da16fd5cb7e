/**
 * Finds the transport of the runtime we are on. The only file that knows which transports exist.
 *
 * @module
 */

import type { Transport } from "./transport.ts";

/** A transport, loaded only where it is used. */
interface Entry {
  /** Tells its runtime by its globals. */
  isHere(globals: Globals): boolean;
  load(): Promise<Transport>;
}

/** The globals by which runtimes are told apart. */
interface Globals {
  readonly Deno?: { readonly listen?: unknown };
  readonly Bun?: { readonly listen?: unknown };
  readonly navigator?: { readonly userAgent?: string };
  readonly process?: { readonly getBuiltinModule?: unknown; readonly versions?: { readonly node?: string } };
}

/** Tried from the top, as Deno and Bun have Node's globals too. Add yours here. */
const transports: Readonly<Record<string, Entry>> = {
  deno: {
    isHere: ({ Deno }) => typeof Deno?.listen === "function",
    load: async () => (await import("./deno.ts")).transport,
  },
  bun: {
    isHere: ({ Bun }) => typeof Bun?.listen === "function",
    load: async () => (await import("./bun.ts")).transport,
  },
  node: {
    isHere: ({ process }) =>
      typeof process?.getBuiltinModule === "function" && process.versions?.node !== undefined,
    load: async () => (await import("./node.ts")).transport,
  },
};

/**
 * Loads the transport of the runtime we are on. The runtime keeps the module, so that all calls give the same
 * object.
 *
 * @param globals Where to look; a test passes its own.
 * @throws {TypeError} If this runtime is none that has a transport here.
 *
 * @example
 * ```ts
 * import { detectTransport } from "@holdfast/holdfast";
 * import { ok } from "node:assert/strict";
 *
 * const { name } = await detectTransport();
 * ok(["deno", "bun", "node"].includes(name));
 * ```
 */
export async function detectTransport(globals: object = globalThis): Promise<Transport> {
  // They have Node's globals as well, and a node:net without half of what it should do.
  if ((globals as Globals).navigator?.userAgent === "Cloudflare-Workers") {
    throw new TypeError(
      `Cannot find a transport as Cloudflare Workers must be given theirs: ` +
        `pass the one of "@holdfast/holdfast/workers" as the option "transport"`,
    );
  }
  for (const { isHere, load } of Object.values(transports)) {
    if (isHere(globals as Globals)) return await load();
  }
  const names = Object.keys(transports).join(", ");
  throw new TypeError(
    `Cannot find a transport as this runtime is none of: ${names}. Pass one as the option "transport"`,
  );
}
