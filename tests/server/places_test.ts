import { test } from "node:test";
import { assertEquals } from "@std/assert";
import { placesWithin } from "../../lib/server/descriptors.ts";
import { serve, type ServeOptions } from "../../lib/server.ts";
import { FakeClock } from "../../lib/testing/fake_clock.ts";
import { descriptorLimit } from "../../lib/transport/descriptor_limit.ts";
import { FakeTransport } from "../support/fake_transport.ts";

async function inForce(options: ServeOptions): Promise<[number, string[]]> {
  const errors: string[] = [];
  const transport = new FakeTransport();
  const onError = (error: unknown) => void errors.push((error as Error).message);
  const server = await serve({ port: 0, transport, clock: new FakeClock(), onError, ...options }, () => {});
  const { maxConnections } = server.stats();
  await server.drain();
  return [maxConnections, errors];
}

test("No more connections than there are descriptors for are in force, and who asked for more is told", async () => {
  const limit = descriptorLimit(), places = placesWithin(limit);
  assertEquals(await inForce({}), [Math.min(10_000, places), []]);
  assertEquals(await inForce({ maxConnections: 1 }), [1, []]);
  assertEquals(await inForce({ maxConnections: Infinity }), [places, []]);
  if (limit === Infinity) return console.log("skipped: the system does not tell its limit");
  assertEquals(await inForce({ maxConnections: places }), [places, []]);
  assertEquals(await inForce({ maxConnections: places + 1 }), [places, [
    `Only ${places} of ${
      places + 1
    } connections have a place, since this process may hold no more descriptors`,
  ]]);
});
