import { test } from "node:test";
import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { connect, type ConnectOptions } from "../lib/client.ts";
import { lines } from "../lib/protocol/lines.ts";
import { serve } from "../lib/server.ts";
import { FakeClock } from "../lib/testing/fake_clock.ts";
import { FakeTransport } from "./support/fake_transport.ts";

const TARGET = { hostname: "127.0.0.1", port: 1 };

async function connected(options: ConnectOptions = {}) {
  const transport = new FakeTransport(), clock = new FakeClock();
  const connection = await connect(TARGET, { transport, clock, ...options });
  return { transport, clock, connection, socket: transport.dialled[0]! };
}

test("connect() opens a connection that sends and receives", async () => {
  const { connection, socket } = await connected();
  const got: string[] = [];
  connection.onMessage = (bytes) => void got.push(new TextDecoder().decode(bytes));
  socket.receive("hello");
  assertEquals(got, ["hello"]);
  assertEquals(connection.state, "open");
});

test("connect() rejects with what the transport said", async () => {
  const transport = new FakeTransport();
  transport.refusal = new Error("refused");
  assertStrictEquals(await connect(TARGET, { transport }).catch((error) => error), transport.refusal);
});

test("connect() rejects what cannot be, before it dials", async () => {
  const transport = new FakeTransport();
  await assertRejects(
    () => connect(TARGET, { transport, idleTimeout: 0 }),
    RangeError,
    `"idleTimeout" must be > 0`,
  );
  assertEquals(transport.dialled, []);
});

test("connect() with an aborted signal rejects with its reason, and does not dial", async () => {
  const transport = new FakeTransport(), reason = new Error("changed my mind");
  const error = await connect(TARGET, { transport, signal: AbortSignal.abort(reason) }).catch((error) =>
    error
  );
  assertStrictEquals(error, reason);
  assertEquals(transport.dialled, []);
});

test("The signal ends the connection at any time, and nothing is left on it afterwards", async () => {
  const controller = new AbortController();
  const { connection, socket, clock } = await connected({ signal: controller.signal });
  const cause = new Error("over");
  controller.abort(cause);
  assert(socket.aborted);
  const reason = await connection.closed;
  assertEquals([reason.code, reason.origin, reason.cause], ["aborted", "local", cause]);
  assertEquals(clock.pending, 0);
});

test("A plain peer is not given up for its silence: it owes us nothing", async () => {
  const { connection, clock } = await connected();
  clock.advance(3_600_000);
  assertEquals(connection.state, "open");
  assertEquals(connection.heartbeat.timeout, Infinity);
});

/** Answers pings of a client, unless both sides have been quiet for more than `limit`. */
async function onPath(limit: number, target: { hostname: string; port: number }, clock: FakeClock) {
  const transport = new FakeTransport();
  const connection = await connect(target, {
    transport,
    clock,
    protocol: lines(),
    heartbeat: { interval: { min: 100, max: 1_000 }, timeout: 50 },
  });
  const socket = transport.dialled[0]!, write = socket.write.bind(socket);
  const probed: number[] = [];
  let quietSince = clock.now();
  socket.write = (bytes) => {
    const quiet = clock.now() - quietSince;
    probed.push(quiet);
    quietSince = clock.now();
    if (quiet <= limit) clock.wakeAfter(1, () => socket.receive("PONG\n"));
    return write(bytes);
  };
  return { connection, probed };
}

test("A client learns the longest interval that the path survives, and the next one starts from there", async () => {
  const clock = new FakeClock(), target = { hostname: "127.0.0.1", port: 71 };
  const first = await onPath(400, target, clock);
  clock.advance(20_000);
  const { code } = await first.connection.closed;
  assertEquals(code, "heartbeat-timeout");
  assert(first.probed.at(-1)! > 500, `${first.probed}`);
  const second = await onPath(400, target, clock);
  assertEquals(second.connection.heartbeat.interval, 337.5);
  clock.advance(20_000);
  assertEquals(second.connection.state, "open");
  assert(second.probed.every((quiet) => quiet > 330 && quiet < 360), `${second.probed}`);
  const elsewhere = await onPath(400, { ...target, port: 72 }, clock);
  assertEquals(elsewhere.connection.heartbeat.interval, 100);
});

test("Only a client can learn an interval", async () => {
  const heartbeat = { interval: { min: 1, max: 2 } };
  await assertRejects(
    () => serve({ port: 1, transport: new FakeTransport(), heartbeat }, () => {}),
    TypeError,
    `"interval" must be a number: only a client can learn one`,
  );
});
