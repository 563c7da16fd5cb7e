import { test } from "node:test";
import { deafListener } from "./dialling.ts";
import type { BlackHole } from "./harness.ts";
import { type Host, host, noWorkerd } from "../workers/host.ts";
import { Relay } from "../workers/relay.ts";

/** The conformance suite on the transport of Cloudflare Workers, in a real workerd. */
async function testWorkers(): Promise<void> {
  const relay = new Relay();
  let hole: BlackHole | undefined;
  const worker: Host = await host(new URL("../workers/conformance_worker.ts", import.meta.url), {
    alias: { "node:test": "tests/workers/collector.ts", "@std/assert": "tests/support/assert.ts" },
    async desk(request) {
      if (new URL(request.url).pathname !== "/black-hole") return await relay.answer(request);
      hole ??= await deafListener();
      return Response.json(hole.target);
    },
  });
  const list = await worker.ask<{ readonly name: string; readonly skip?: string }[]>("/list");
  for (const { name, skip } of list) {
    if (skip !== undefined) console.log(skip.replace(/^skipped/, `skipped: ${name}`));
    test(name, { timeout: 120_000, ...(skip !== undefined && { skip }) }, async () => {
      try {
        await worker.ask(`/run?name=${encodeURIComponent(name)}`);
      } finally {
        relay.clear();
      }
    });
  }
  test("the Worker ends", { timeout: 20_000 }, async () => {
    await worker.stop();
    await hole?.close();
  });
}

const why = noWorkerd();
if (why === undefined) await testWorkers();
else {
  console.log(`skipped: the conformance suite in workerd: ${why}`);
  test("the conformance suite in workerd", { skip: `skipped: ${why}` }, () => {});
}
