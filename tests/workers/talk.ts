/**
 * How tests talk to the Durable Objects of `objects_worker.ts`, and to our server, which those connect to.
 *
 * @module
 */

import { test } from "node:test";
import { assert } from "@std/assert";
import { type Program, start } from "../support/runtime.ts";
import { type Host, host, type HostOptions, noWorkerd } from "./host.ts";
import type { Failure } from "./objects_worker.ts";

const why = noWorkerd();
if (why !== undefined) {
  // One for all of them, which are to be named where they run.
  test("Workers in workerd", { skip: `skipped: ${why}` }, () => {});
  console.log(`skipped: Workers in workerd: ${why}`);
}

/** All tests of a file share one workerd. */
let worker: Host;

/** Programs of the test that runs. */
const programs: Program[] = [];

/** Declares a test that needs workerd. */
export function inWorkerd(name: string, body: () => Promise<void>): void {
  if (why !== undefined) return;
  test(name, { timeout: 60_000 }, async () => {
    try {
      await body();
    } finally {
      for (const program of programs.splice(0)) program.kill("SIGKILL");
    }
  });
}

/** Starts workerd. To be called by the first test. */
export async function begin(options: HostOptions = {}): Promise<void> {
  worker = await host(new URL("objects_worker.ts", import.meta.url), {
    objects: { HOLDER: "Holder" },
    alias: { "node:test": "tests/workers/collector.ts", "@std/assert": "tests/support/assert.ts" },
    ...options,
  });
}

/** Ends workerd. To be called by the last test. */
export async function finish(): Promise<void> {
  await worker.stop();
}

/** Has a Durable Object do something. */
export async function tell<T>(object: string, operation: string, argument?: unknown): Promise<T> {
  const parameter = argument === undefined ? "" : `?with=${encodeURIComponent(JSON.stringify(argument))}`;
  return await worker.ask<T>(`/${object}/${operation}${parameter}`);
}

/** The failure of an operation that must fail. */
export async function failure(object: string, operation: string, argument?: unknown): Promise<Failure> {
  const answer = await tell<{ readonly failure?: Failure } | null>(object, operation, argument);
  assert(answer?.failure, `${operation} did not fail: ${JSON.stringify(answer)}`);
  return answer.failure;
}

/** Starts our server, in a process of its own that ends with the test. */
export async function server(
  protocol: "lines" | "frames" = "lines",
  port = 0,
): Promise<{ readonly program: Program; readonly port: number }> {
  const program = start(new URL("programs/server.ts", import.meta.url), [protocol, String(port)]);
  programs.push(program);
  return { program, port: Number(await program.line()) };
}

/** Waits `ms` milliseconds. */
export const pass = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
