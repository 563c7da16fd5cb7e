/**
 * A process that is none, for tests of the command.
 *
 * @module
 */

import type { EndSignal, Host } from "../../lib/cli/host.ts";

/** A {@linkcode Host} that remembers. */
export interface FakeHost extends Host {
  /** What was written to standard output. */
  readonly out: () => string;
  /** What was written to standard error. */
  readonly err: () => string;
  /** Makes every later write to standard output fail. */
  breakOutput(error: Error): void;
  /** Delivers a signal. */
  signal(signal: EndSignal): void;
  /** How many listeners there are for signals. */
  readonly listeners: () => number;
}

/** Creates a process with `stdin`, chunk by chunk, as its input; without it the input never ends. */
export function fakeHost(stdin?: readonly (string | Error)[]): FakeHost {
  const out: Uint8Array[] = [], err: string[] = [];
  let broken: Error | undefined;
  const listeners = new Set<(signal: EndSignal) => void>();
  const encoder = new TextEncoder(), decoder = new TextDecoder();
  return {
    out: () => out.map((bytes) => decoder.decode(bytes, { stream: true })).join("") + decoder.decode(),
    err: () => err.join(""),
    listeners: () => listeners.size,
    signal(signal) {
      for (const listener of listeners) listener(signal);
    },
    input() {
      const left = [...stdin ?? []];
      let cancelled = () => {};
      const cancel = new Promise<undefined>((resolve) => cancelled = () => resolve(undefined));
      return {
        async read() {
          const next = left.shift();
          if (next === undefined) return stdin === undefined ? await cancel : undefined;
          if (next instanceof Error) throw next;
          return encoder.encode(next);
        },
        cancel: () => cancelled(),
      };
    },
    breakOutput: (error) => void (broken = error),
    async output(data) {
      if (broken !== undefined) throw broken;
      out.push(typeof data === "string" ? encoder.encode(data) : new Uint8Array(data));
    },
    tell: (line) => void err.push(`${line}\n`),
    onSignal(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}
