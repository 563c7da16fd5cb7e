/**
 * The process we run in, on Deno, Bun and Node.
 *
 * `node:process` is alike on all three but for its streams on Deno: writing to its `stdout` blocks the event
 * loop while the reader is slow, so that no heartbeat is answered, and a read of its `stdin` that is under way
 * holds the process whatever is done to it. There, Deno's own streams are used.
 *
 * @module
 */

import process from "node:process";
import { Failure } from "./failure.ts";
import type { EndSignal, Host, Input } from "./host.ts";

/** The part of the `Deno` namespace used here. */
interface DenoLike {
  readonly stdin: { readonly readable: ReadableStream<Uint8Array> };
  readonly stdout: { write(bytes: Uint8Array): Promise<number> };
}

const deno = (globalThis as { Deno?: DenoLike }).Deno;

const SIGNALS: readonly EndSignal[] = ["SIGINT", "SIGTERM"];

/** A {@linkcode Host} that can be left. */
export interface ProcessHost extends Host {
  /** Fulfilled when all that was written has gone. */
  flush(): Promise<void>;
}

/** The process we run in. */
export function processHost(): ProcessHost {
  const write = deno === undefined ? nodeOutput() : denoOutput(deno);
  let told = Promise.resolve();
  // Nobody is left to be told that standard error is gone.
  process.stderr.on("error", () => {});

  return {
    input: () => deno === undefined ? nodeInput() : denoInput(deno),
    async output(data) {
      try {
        await write(data);
      } catch (error) {
        const { code, message } = error as { code?: unknown; message: string };
        throw code === "EPIPE"
          ? error
          : new Failure(`cannot write standard output: ${message}`, { cause: error });
      }
    },
    tell(line) {
      const gone = new Promise<void>((resolve) => void process.stderr.write(`${line}\n`, () => resolve()));
      told = told.then(() => gone);
    },
    onSignal(listener) {
      const handlers = SIGNALS.map((signal) => [signal, () => listener(signal)] as const);
      for (const [signal, handler] of handlers) process.on(signal, handler);
      return () => {
        for (const [signal, handler] of handlers) process.removeListener(signal, handler);
      };
    },
    flush: () => told,
  };
}

function denoOutput({ stdout }: DenoLike): Host["output"] {
  const encoder = new TextEncoder();
  return async (data) => {
    let bytes = typeof data === "string" ? encoder.encode(data) : data;
    while (bytes.length > 0) bytes = bytes.subarray(await stdout.write(bytes));
  };
}

function denoInput({ stdin }: DenoLike): Input {
  const reader = stdin.readable.getReader();
  return {
    read: async () => (await reader.read()).value,
    cancel: () => void reader.cancel().catch(() => {}),
  };
}

function nodeOutput(): Host["output"] {
  let failed: { readonly error: unknown } | undefined;
  const waiting = new Set<(error: unknown) => void>();
  // A failed write calls back, but on Bun no event says that the stream is of no use any more.
  process.stdout.on("error", (error) => {
    failed ??= { error };
    for (const reject of waiting) reject(error);
  });
  return (data) =>
    new Promise((resolve, reject) => {
      if (failed !== undefined) return reject(failed.error);
      waiting.add(reject);
      process.stdout.write(data, (error) => {
        waiting.delete(reject);
        if (error) reject(error);
        else resolve();
      });
    });
}

function nodeInput(): Input {
  const { stdin } = process;
  const chunks: AsyncIterator<Uint8Array> = stdin[Symbol.asyncIterator]();
  let cancelled = false;
  return {
    async read() {
      try {
        const { done, value } = await chunks.next();
        return done ? undefined : value;
      } catch (error) {
        if (cancelled) return undefined;
        throw error;
      }
    },
    cancel() {
      cancelled = true;
      stdin.destroy();
    },
  };
}
