import { test } from "node:test";
import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import type { Connection } from "../../lib/connection.ts";
import { lines } from "../../lib/protocol/lines.ts";
import { type ConnectionHandler, serve, type ServeOptions } from "../../lib/server.ts";
import { FakeClock } from "../../lib/testing/fake_clock.ts";
import { FakeTransport } from "../support/fake_transport.ts";
import { settle } from "../support/live.ts";

async function started<In = Uint8Array, Out = Uint8Array | string>(
  options: ServeOptions<In, Out>,
  handler: ConnectionHandler<In, Out>,
) {
  const transport = new FakeTransport(), clock = new FakeClock();
  const server = await serve({ port: 0, transport, clock, heartbeat: false, ...options }, handler);
  return { clock, server, call: () => transport.call() };
}

const hoarding: ConnectionHandler = async (connection) => void await connection.closed;

test("maxBufferedBytes: so many bytes may wait for the application, and one more costs the heaviest", async () => {
  const { call, clock, server } = await started({ maxBufferedBytes: 1_000 }, hoarding);
  const light = call(), heavy = call();
  light.receive(new Uint8Array(400));
  heavy.receive(new Uint8Array(600));
  clock.advance(1_000);
  assertEquals([server.stats().now, server.stats().heldBytes], [2, 1_000]);
  light.receive(new Uint8Array(1));
  clock.advance(100);
  assertEquals([light.aborted, heavy.aborted], [false, true]);
  assertEquals(server.stats().ended, { "memory-exceeded": 1 });
  assertEquals(server.stats().heldBytes, 401);
});

test("maxBufferedBytes: bytes that wait to be sent count as well, and the reason is told", async () => {
  const held: Connection<Uint8Array, Uint8Array | string>[] = [];
  const { call, clock, server } = await started({ maxBufferedBytes: 1_000 }, (connection) => {
    held.push(connection);
    connection.onMessage = () => {};
  });
  const stuck = call(), well = call();
  stuck.room = 0;
  void held[0]!.send(new Uint8Array(1_001));
  clock.advance(100);
  assertEquals([stuck.aborted, well.aborted], [true, false]);
  const reason = await held[0]!.closed;
  assertEquals([reason.code, reason.origin, reason.facts!.bufferedAmount], [
    "memory-exceeded",
    "local",
    1_001,
  ]);
  assertEquals(reason.message, "Too many bytes wait on all connections, and this one held the most");
  assertStrictEquals(held[0]!.signal.reason, reason);
  await assertRejects(() => held[0]!.send("more"));
  assertEquals(server.stats().heldBytes, 0);
});

test("maxBufferedBytes: a message that has begun to arrive counts, so many beginnings cannot add up", async () => {
  const { call, clock, server } = await started(
    { maxBufferedBytes: 1_000, protocol: lines() },
    (connection) => void (connection.onMessage = () => {}),
  );
  const sockets = Array.from({ length: 3 }, call);
  sockets.forEach((socket, i) => socket.receive("x".repeat(340 + i)));
  assertEquals(server.stats().heldBytes, 340 + 341 + 342);
  clock.advance(100);
  assertEquals(sockets.map(({ aborted }) => aborted), [false, false, true]);
});

test("maxBufferedBytes: of equals the idlest goes, and who holds nothing is not touched", async () => {
  const { call, clock, server } = await started({ maxBufferedBytes: 1_000 }, hoarding);
  const idle = call(), [a, b, c] = [call(), call(), call()];
  for (const socket of [b, c, a]) {
    clock.advance(1);
    socket.receive(new Uint8Array(400));
  }
  clock.advance(100);
  assertEquals([idle, a, b, c].map(({ aborted }) => aborted), [false, false, true, false]);
  assertEquals(server.stats().ended, { "memory-exceeded": 1 });
});

test("maxBufferedBytes: healthy neighbours of a hundred hoarders do not notice", async () => {
  let called = 0;
  const { call, clock, server } = await started({ maxBufferedBytes: 100_000 }, (connection) => {
    if (called++ < 100) return hoarding(connection);
    connection.onMessage = (bytes) => connection.send(bytes);
  });
  const bad = Array.from({ length: 100 }, call), good = Array.from({ length: 20 }, call);
  for (let round = 0; round < 50; round++) {
    for (const socket of bad) if (!socket.aborted) socket.receive(new Uint8Array(1_000));
    for (const socket of good) socket.receive("ask");
    await settle();
    clock.advance(20);
    // The budget, and what comes between two looks.
    assert(server.stats().heldBytes <= 100_000 + 5 * 100_000, `${server.stats().heldBytes}`);
  }
  clock.advance(100);
  assert(server.stats().heldBytes <= 100_000);
  for (const socket of good) {
    assert(!socket.aborted);
    assertEquals(socket.sent.join("").length, 50 * 3);
  }
  assert(server.stats().ended["memory-exceeded"]! > 0);
});

test("maxBufferedBytes: there is no timer without it, and none once all is over", async () => {
  for (const options of [{}, { maxBufferedBytes: 1_000 }]) {
    const { call, clock, server } = await started(options, hoarding);
    call();
    server.abort();
    await server.closed;
    assertEquals(clock.pending, 0);
  }
  await assertRejects(
    () => started({ maxBufferedBytes: 0 }, hoarding),
    RangeError,
    `"maxBufferedBytes" must be a whole number >= 1: current value is 0`,
  );
});
