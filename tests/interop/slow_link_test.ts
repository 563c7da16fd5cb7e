/**
 * A long message over a slow link does not hold up heartbeats: pings pass between its pieces.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { connect as dial, createServer } from "node:net";
import { test } from "node:test";
import { assert, assertEquals, assertGreaterOrEqual } from "@std/assert";
import { connect, type Connection, frames, serve } from "../../mod.ts";

const SIZE = 64 << 20;
/** Bytes a second that the link carries. */
const RATE = 16 << 20;

/** Stands between clients and the server at `port`, and is slow from there. */
async function slowLink(port: number) {
  const server = createServer((client) => {
    const upstream = dial(port, "127.0.0.1");
    client.pipe(upstream);
    client.on("error", () => upstream.destroy());
    upstream.on("error", () => client.destroy()).on("close", () => client.destroy());
    let carried = 0, start = 0;
    upstream.on("data", (chunk) => {
      start ||= performance.now();
      carried += chunk.length;
      client.write(chunk);
      const ahead = carried / RATE * 1000 - (performance.now() - start);
      if (ahead < 20) return;
      upstream.pause();
      setTimeout(() => upstream.resume(), ahead);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { port: (server.address() as { port: number }).port, close: () => server.close() };
}

test("Pings pass between the pieces of a 64 MiB message on a slow link", { timeout: 120_000 }, async () => {
  const protocol = frames({ maxMessageBytes: SIZE });
  const opened: Connection<Uint8Array | string>[] = [];
  // Far less time than the message takes, so that a ping behind it would end the connection.
  const heartbeat = { interval: 200, timeout: 2_500 };
  await using server = await serve(
    { port: 0, protocol, heartbeat, maxOutboundBytes: 2 * SIZE, minPingGap: 50 },
    (connection) => {
      opened.push(connection);
      connection.onMessage = () => {};
    },
  );
  const link = await slowLink((server.address as { port: number }).port);
  const connection = await connect({ hostname: "127.0.0.1", port: link.port }, { protocol, heartbeat });
  const message = new Uint8Array(SIZE);
  for (let i = 0; i < SIZE; i += 4093) message[i] = i % 251;
  const sender = opened[0]!;
  const arrival = (async () => {
    for await (const bytes of connection) return bytes as Uint8Array;
  })();
  let arrived = false;
  void arrival.then(() => arrived = true);
  void sender.send(message);
  const trips: number[] = [];
  while (!arrived) {
    trips.push(await sender.probe());
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const bytes = (await arrival)!;
  assertEquals(bytes.length, SIZE);
  assert(Buffer.compare(bytes, message) === 0, "the message came in another shape");
  assertGreaterOrEqual(trips.length, 3, `round trips: ${trips}`);
  assertEquals([sender.state, connection.state], ["open", "open"]);
  await connection.close();
  link.close();
});
