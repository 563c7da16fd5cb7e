import { test } from "node:test";
import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import type { Connection } from "../lib/connection.ts";
import { type ConnectionHandler, serve, type ServeOptions } from "../lib/server.ts";
import { FakeClock } from "../lib/testing/fake_clock.ts";
import { FakeTransport } from "./support/fake_transport.ts";
import { settle } from "./support/live.ts";

const echo: ConnectionHandler = (connection) => {
  connection.onMessage = (bytes) => connection.send(bytes);
};

async function started(handler: ConnectionHandler = echo, options: ServeOptions = {}) {
  const transport = new FakeTransport(), clock = new FakeClock();
  const errors: unknown[] = [];
  const onError = (error: unknown) => void errors.push(error);
  const server = await serve({ port: 0, transport, clock, heartbeat: false, onError, ...options }, handler);
  return { transport, clock, server, errors };
}

test("serve() listens on loopback unless told otherwise, and says where", async () => {
  const { server, transport } = await started();
  assertEquals(transport.listenedOn, { hostname: "127.0.0.1", port: 0 });
  assertEquals(server.address, { hostname: "127.0.0.1", port: 4242 });
  const unix = await started(echo, { port: undefined, path: "/x.sock" });
  assertEquals(unix.transport.listenedOn, { path: "/x.sock" });
});

test("serve() rejects what cannot be, before it listens", async () => {
  const transport = new FakeTransport();
  const cases: [ServeOptions, string][] = [
    [{}, `either "port" or "path" must be set: neither is`],
    [{ port: 1, path: "x" }, `either "port" or "path" must be set: both are`],
    [{ port: 1, maxConnections: 0 }, `"maxConnections" must be a whole number >= 1: current value is 0`],
    [{ port: 1, drainTimeout: -1 }, `"drainTimeout" must be > 0: current value is -1`],
    [
      { port: 1, maxInboundBytes: 1.5 },
      `"maxInboundBytes" must be a whole number >= 1: current value is 1.5`,
    ],
    [{ port: 1, heartbeat: { interval: 0 } }, `"interval" must be > 0: current value is 0`],
  ];
  for (const [options, message] of cases) {
    await assertRejects(() => serve({ transport, ...options }, echo), Error, message);
  }
  await assertRejects(
    () => serve({ port: 1, transport }, undefined as unknown as ConnectionHandler),
    TypeError,
    `"handler" must be a function`,
  );
  assertEquals(transport.listening, undefined);
});

test("A handler's promise is the scope of its connection", async () => {
  const { transport, server } = await started(async (connection) => {
    for await (const bytes of connection) await connection.send(bytes);
    await connection.send("bye");
  });
  const socket = transport.call();
  socket.receive("a");
  await settle();
  socket.end();
  await settle();
  assertEquals(socket.sent, ["a", "bye"]);
  assert(socket.finished);
  socket.handler!.close();
  assertEquals(server.stats().ended, { closed: 1 });
});

for (
  const [how, handler] of [
    ["throws", () => {
      throw new Error("bug");
    }],
    ["is rejected", () => Promise.reject(new Error("bug"))],
  ] as [string, ConnectionHandler][]
) {
  test(`A handler that ${how} hurts its own connection only, and is told of`, async () => {
    let first = true;
    const { transport, server, errors } = await started((connection) => {
      if (!first) return echo(connection);
      first = false;
      return handler(connection);
    });
    const hurt = transport.call(), well = transport.call();
    await settle();
    assert(hurt.aborted);
    well.receive("a");
    assertEquals(well.sent, ["a"]);
    assertEquals(errors.map((error) => (error as Error).message), ["bug"]);
    assertEquals(server.stats().ended, { "handler-failed": 1 });
    assertEquals(server.stats().now, 1);
  });
}

test("A handler that neither waits nor listens closes its connection", async () => {
  const { transport } = await started(() => {});
  assert(transport.call().finished);
});

test("Callers beyond maxConnections are closed at once, and places are free again", async () => {
  const { transport, server } = await started(echo, { maxConnections: 2 });
  const sockets = [transport.call(), transport.call(), transport.call()];
  assertEquals(sockets.map(({ aborted }) => aborted), [false, false, true]);
  assert(sockets[2]!.finished, "FIN comes first, so that the caller sees an end");
  const { now, peak, accepted, refused } = server.stats();
  assertEquals([now, peak, accepted, refused], [2, 2, 2, 1]);
  sockets[0]!.fail("ECONNRESET");
  assert(!transport.call().aborted);
});

test("connections lists those of this moment", async () => {
  const { transport, server } = await started();
  const socket = transport.call();
  assertEquals([...server.connections].map(({ state }) => state), ["open"]);
  socket.fail("ECONNRESET");
  assertEquals([...server.connections], []);
});

test("drain() accepts no more, answers what comes, says goodbye, and leaves no timer", async () => {
  const { transport, clock, server } = await started();
  const socket = transport.call();
  let drained = false;
  void server.drain().then(() => drained = true);
  assertEquals(transport.listening, undefined);
  clock.advance(100);
  socket.receive("under way");
  clock.advance(300);
  assertEquals(socket.sent, ["under way"]);
  assert(socket.finished);
  await settle();
  assert(!drained);
  socket.end();
  await settle();
  assert(drained);
  assertEquals(clock.pending, 0);
});

test("drain() with an option that is wrong leaves the server as it was", async () => {
  const { transport, server } = await started(echo);
  const wrong: [object, string][] = [
    [{ timeout: 0 }, `"timeout" must be > 0: current value is 0`],
    [{ spread: -1 }, `"spread" must be >= 0 and finite: current value is -1`],
    [{ spread: "1" }, `"spread" must be >= 0 and finite: current value is 1`],
    [{ retryAfter: Infinity }, `"retryAfter" must be >= 0 and finite: current value is Infinity`],
  ];
  for (const [options, rule] of wrong) await assertRejects(() => server.drain(options), RangeError, rule);
  const socket = transport.call();
  socket.receive("a");
  assertEquals([socket.sent, socket.aborted], [["a"], false]);
});

test("drain() aborts what is left at its deadline", async () => {
  const { transport, clock, server } = await started(echo, { drainTimeout: 1_000 });
  const socket = transport.call();
  const drained = server.drain();
  for (let i = 0; i < 12; i++) {
    clock.advance(100);
    if (!socket.aborted) socket.receive("never quiet");
  }
  assert(socket.aborted);
  await drained;
  assertEquals(server.stats().ended, { aborted: 1 });
});

test("drain() of a server without connections is over at once", async () => {
  const { server, clock } = await started();
  await server.drain();
  await server.closed;
  assertEquals(clock.pending, 0);
});

test("abort() ends everything now, with its reason as the cause", async () => {
  let held!: Connection;
  const { transport, server } = await started((connection) => {
    held = connection;
    return echo(connection);
  });
  const socket = transport.call();
  const cause = new Error("enough");
  server.abort(cause);
  assert(socket.aborted);
  assertStrictEquals((await held.closed).cause, cause);
  await server.closed;
});

test("One listener on the caller's signal ends the server with everything in it", async () => {
  const controller = new AbortController();
  let listeners = 0;
  const { signal } = controller;
  for (const [name, step] of [["addEventListener", 1], ["removeEventListener", -1]] as const) {
    const original = signal[name].bind(signal) as (...args: unknown[]) => void;
    Object.defineProperty(signal, name, {
      value: (...args: unknown[]) => {
        listeners += step;
        original(...args);
      },
    });
  }
  const { transport, server } = await started(echo, { signal });
  const sockets = Array.from({ length: 20 }, () => transport.call());
  assertEquals(listeners, 1);
  controller.abort(new Error("over"));
  assert(sockets.every(({ aborted }) => aborted));
  await server.closed;
  assertEquals(listeners, 0);
});

test("serve() with an aborted signal rejects with its reason", async () => {
  const reason = new Error("changed my mind");
  const error = await started(echo, { signal: AbortSignal.abort(reason) }).catch((error) => error);
  assertStrictEquals(error, reason);
});

test("An error that the listener lives through is told of, and nothing else happens", async () => {
  const { transport, errors } = await started();
  const error = new Error("EMFILE");
  transport.listening!.failed!(error);
  assertEquals(errors, [error]);
  assert(!transport.call().aborted);
});

test("ref() and unref() reach the listener", async () => {
  const { transport, server } = await started();
  server.unref();
  assert(!transport.held);
  server.ref();
  assert(transport.held);
});

test("await using drains", async () => {
  const { transport, server } = await started();
  await server[Symbol.asyncDispose]();
  assertEquals(transport.listening, undefined);
});
