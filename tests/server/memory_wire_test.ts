import { test } from "node:test";
import { assert, assertEquals, assertLessOrEqual } from "@std/assert";
import { serve, type TcpAddress } from "../../mod.ts";
import { call, until } from "./callers.ts";

const MIB = 1024 * 1024;

test("Peers that never read cannot hold more than the budget, and their neighbour is served", {
  timeout: 60_000,
}, async () => {
  const server = await serve(
    { port: 0, heartbeat: false, maxOutboundBytes: 16 * MIB, maxBufferedBytes: 20 * MIB },
    (connection) => {
      connection.onMessage = (bytes) => {
        if (bytes[0] !== 0x21) return connection.send(bytes);
        // More than the kernel takes for a peer that does not read.
        for (let i = 0; i < 10; i++) void connection.send(new Uint8Array(MIB));
      };
    },
  );
  const { port } = server.address as TcpAddress;
  const good = await call(port);
  const bad = await Promise.all(Array.from({ length: 10 }, () => call(port)));
  for (const caller of bad) {
    caller.pause();
    caller.write("!");
  }
  const took = await until(() => (server.stats().ended["memory-exceeded"] ?? 0) > 0);
  assertLessOrEqual(took, 3_000);
  await until(() => server.stats().heldBytes <= 20 * MIB);
  assertLessOrEqual(server.stats().heldBytes, 20 * MIB);
  assert(await good.ask());
  assertEquals(Object.keys(server.stats().ended), ["memory-exceeded"]);
  assert(server.stats().now > 1, "those within the budget live on");
  for (const caller of [good, ...bad]) caller.leave();
  server.abort();
  await server.closed;
});
