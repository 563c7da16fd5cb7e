/**
 * A Worker of the tests in a real workerd, which miniflare runs.
 *
 * @module
 */

import { existsSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";

/** The part of esbuild used here. */
interface Esbuild {
  build(options: object): Promise<{ readonly outputFiles: readonly { readonly text: string }[] }>;
}

/** The part of miniflare used here. */
interface Miniflare {
  dispatchFetch(url: string, init?: object): Promise<Response>;
  dispose(): Promise<void>;
}

/** What a Worker asks of the process that runs it. */
export type Desk = (request: Request) => Response | Promise<Response>;

/** How to run a Worker. */
export interface HostOptions {
  /** Its Durable Object classes, by the names under which it finds them. */
  readonly objects?: Readonly<Record<string, string>>;
  /** Answers what it asks of `env.DESK`. */
  readonly desk?: Desk;
  /** Instead of these modules it gets those. Paths from the root. */
  readonly alias?: Readonly<Record<string, string>>;
  /** Texts that it finds by their names. */
  readonly bindings?: Readonly<Record<string, string>>;
  /** A file with certificates to be trusted, in PEM. Counts for the first Worker of a process. */
  readonly ca?: string;
}

/** A Worker that runs. */
export interface Host {
  /** Has it answer a request for `path`; the answer is JSON. Rejects with the text of any answer that is not 200. */
  ask<T>(path: string): Promise<T>;
  stop(): Promise<void>;
}

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** The newest workerd that is installed; miniflare brings an older one. */
const WORKERD = `${ROOT}node_modules/workerd/bin/workerd`;

/** Since then a Worker has Node's modules by default. */
const DATE = "2026-10-01";

/** Why no Worker can be run here; `undefined` if one can. */
export function noWorkerd(): string | undefined {
  const { deno, bun, node } = process.versions as { deno?: string; bun?: string; node: string };
  if (deno !== undefined || bun !== undefined || Number.parseInt(node) < 22) {
    return "miniflare needs Node 22 or later";
  }
  return existsSync(WORKERD) ? undefined : "workerd is not installed";
}

/** Runs a Worker: the one at a URL, or the one whose text is given. */
export async function host(entry: URL | string, options: HostOptions = {}): Promise<Host> {
  const { objects = {}, desk, alias = {}, bindings = {}, ca } = options;
  // By names in variables, as runtimes that run no Worker do not find them.
  const [esbuild, miniflare] = ["esbuild", "miniflare"];
  const { build } = await import(esbuild!) as Esbuild;
  const { outputFiles } = await build({
    ...(typeof entry === "string"
      ? { stdin: { contents: entry, resolveDir: ROOT, loader: "ts" } }
      : { entryPoints: [fileURLToPath(entry)] }),
    ...{ bundle: true, format: "esm", platform: "neutral", target: "es2022", write: false },
    ...{ external: ["node:*"], logLevel: "error", sourcemap: "inline" },
    define: { "import.meta.url": JSON.stringify("file:///tests/workers/bundle.js") },
    alias: Object.fromEntries(Object.entries(alias).map(([name, path]) => [name, ROOT + path])),
  });

  process.env["MINIFLARE_WORKERD_PATH"] ??= WORKERD;
  if (ca !== undefined) process.env["NODE_EXTRA_CA_CERTS"] = ca;
  const { Miniflare } = await import(miniflare!) as { Miniflare: new (options: object) => Miniflare };
  const worker = new Miniflare({
    modules: [{ type: "ESModule", path: "worker.js", contents: outputFiles[0]!.text }],
    compatibilityDate: DATE,
    bindings,
    durableObjects: objects,
    ...(desk && { serviceBindings: { DESK: desk } }),
  });
  return {
    async ask<T>(path: string): Promise<T> {
      const answer = await worker.dispatchFetch(`http://worker${path}`);
      const text = await answer.text();
      if (answer.status !== 200) throw new Error(`${path}: ${text}`);
      return JSON.parse(text) as T;
    },
    stop: () => worker.dispose(),
  };
}
