import { test } from "node:test";
import process from "node:process";
import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { detectTransport } from "../../lib/transport/detect.ts";

const { deno, bun } = process.versions as { readonly deno?: string; readonly bun?: string };

test("detectTransport finds the runtime's own transport, the same each time", async () => {
  const transport = await detectTransport();
  assertEquals(transport.name, deno ? "deno" : bun ? "bun" : "node");
  assertStrictEquals(await detectTransport(), transport);
});

test("detectTransport takes a runtime that only has Node's modules for Node", async () => {
  const transport = await detectTransport({
    process: { getBuiltinModule() {}, versions: { node: "22.0.0" } },
  });
  assertEquals(transport.name, "node");
});

test("detectTransport refuses a runtime that has no sockets", async () => {
  const nowhere = [
    {},
    { process: { versions: { node: "18.0.0" } } }, // Too old, or a bundler's shim.
    { process: { getBuiltinModule() {}, versions: {} } },
    { Deno: { version: "a shim" }, Bun: {} },
  ];
  for (const globals of nowhere) {
    await assertRejects(
      () => detectTransport(globals),
      TypeError,
      `Cannot find a transport as this runtime is none of: deno, bun, node. Pass one as the option "transport"`,
    );
  }
});

test("detectTransport does not take Cloudflare Workers for Node, whose modules they have", async () => {
  await assertRejects(
    () =>
      detectTransport({
        navigator: { userAgent: "Cloudflare-Workers" },
        process: { getBuiltinModule() {}, versions: { node: "22.0.0" } },
      }),
    TypeError,
    `pass the one of "@holdfast/holdfast/workers" as the option "transport"`,
  );
});
