import { test } from "node:test";
import { assert, assertEquals, assertThrows } from "@std/assert";
import type { Observer } from "../lib/observer.ts";
import { lines } from "../lib/protocol/lines.ts";
import { raw } from "../lib/protocol/raw.ts";
import { serve } from "../lib/server.ts";
import { FakeClock } from "../lib/testing/fake_clock.ts";
import { FakeTransport } from "./support/fake_transport.ts";
import { live, settle } from "./support/live.ts";

const HEARTBEAT = { interval: 100, timeout: 50 };

/** An observer that writes down everything. */
function writer(clock: FakeClock): { observer: Required<Observer>; log: string[] } {
  const log: string[] = [];
  const note = (what: string) => (_: unknown, fact?: unknown) => {
    const code = (fact as { code?: string } | undefined)?.code ?? fact;
    log.push(`${clock.now()} ${what}${code === undefined ? "" : ` ${code}`}`);
  };
  const names = [
    "opened",
    "probeSent",
    "answered",
    "suppressed",
    "suspect",
    "healthy",
    "verdict",
    "strike",
    "paused",
    "closed",
  ] as const;
  return { observer: Object.fromEntries(names.map((name) => [name, note(name)])) as Required<Observer>, log };
}

function observed(options: { minPingGap?: number } = {}) {
  const clock = new FakeClock();
  const { observer, log } = writer(clock);
  const it = live<string, string>({ protocol: lines(), heartbeat: HEARTBEAT, observer, ...options }, clock);
  it.connection.onMessage = () => {};
  return { ...it, log };
}

test("An observer is told of each thing that happens, when it happens", () => {
  const { clock, socket, log } = observed();
  clock.advance(103);
  socket.receive("PONG\n");
  clock.advance(47);
  socket.receive("x\n");
  clock.advance(200);
  assertEquals(log, [
    "0 opened",
    "100 suspect",
    "100 probeSent",
    "103 answered 3",
    "103 healthy",
    "210 suppressed",
    "250 suspect",
    "250 probeSent",
    "300 verdict heartbeat-timeout",
    "300 closed heartbeat-timeout",
  ]);
});

test("An observer is told of strikes, and of our own pauses", () => {
  const { clock, socket, log } = observed({ minPingGap: 1_000 });
  for (let i = 0; i < 4; i++) socket.receive("PING\n");
  assertEquals(log, [
    "0 opened",
    "0 strike",
    "0 strike",
    "0 strike",
    "0 verdict too-many-pings",
    "0 closed too-many-pings",
  ]);
  const other = observed();
  other.clock.sleep(5_000);
  assert(other.log.includes("5000 paused 4900"), `${other.log}`);
  void clock;
});

test("An orderly end is no verdict", async () => {
  const { socket, connection, log } = observed();
  void connection.close();
  socket.end();
  await settle();
  assertEquals(log, ["0 opened", "0 closed closed"]);
});

test("An observer that throws harms nothing", () => {
  const clock = new FakeClock();
  const { observer } = writer(clock);
  const broken = Object.fromEntries(
    Object.keys(observer).map((name) => [name, () => {
      throw new Error(name);
    }]),
  );
  const { socket, connection, ends } = live<string, string>(
    { protocol: lines(), heartbeat: HEARTBEAT, observer: broken },
    clock,
  );
  connection.onMessage = () => {};
  clock.advance(105);
  socket.receive("PONG\n");
  clock.advance(200);
  assertEquals(ends.map(({ code }) => code), ["heartbeat-timeout"]);
  assertEquals(clock.pending, 0);
});

test("onHealth tells of changes, and only of changes", () => {
  const { clock, socket, connection } = observed();
  const log: string[] = [];
  connection.onHealth = (health, same) => {
    assertEquals([same, same.health], [connection, health]);
    log.push(`${clock.now()} ${health}`);
  };
  clock.advance(120);
  socket.receive("x\n");
  socket.receive("y\n");
  clock.advance(110);
  assertEquals(log, ["100 suspect", "120 healthy", "220 suspect"]);
});

test("An onHealth that throws ends its connection only", () => {
  const { clock, connection, ends } = observed();
  connection.onHealth = () => {
    throw new Error("bug");
  };
  clock.advance(100);
  assertEquals(ends.map(({ code }) => code), ["handler-failed"]);
});

test("server.stats() counts ends, probes, strikes, pauses and waiting bytes", async () => {
  const transport = new FakeTransport(), clock = new FakeClock();
  const server = await serve(
    {
      port: 0,
      transport,
      clock,
      protocol: lines(),
      heartbeat: HEARTBEAT,
      minPingGap: 1_000,
      maxConnections: 3,
    },
    (connection) => {
      connection.onMessage = () => {};
    },
  );
  const [answers, dies, floods] = [transport.call(), transport.call(), transport.call()];
  transport.call();
  for (let i = 0; i < 4; i++) floods.receive("PING\n");
  clock.advance(105);
  answers.receive("PONG\n");
  clock.advance(50);
  answers.receive("x\n");
  clock.advance(60);
  void dies;
  const { ended, probesSent, probesAnswered, probesSuppressed, strikes, refused, now, peak } = server.stats();
  assertEquals(ended, { "too-many-pings": 1, "heartbeat-timeout": 1 });
  assertEquals([probesSent, probesAnswered, probesSuppressed, strikes], [2, 1, 1, 3]);
  assertEquals([now, peak, refused], [1, 3, 1]);
  answers.room = 0;
  for (const connection of server.connections) void connection.send("abc");
  assertEquals(server.stats().bufferedBytes, 4);
  clock.sleep(3_000);
  assertEquals(server.stats().pauses, 1);
  assert(server.stats().lag > 2_000);
});

test("Callers that come faster than acceptRate are closed at once", async () => {
  const transport = new FakeTransport(), clock = new FakeClock();
  const server = await serve(
    { port: 0, transport, clock, heartbeat: false, acceptRate: { perSecond: 10, burst: 2 } },
    (connection) => void (connection.onMessage = () => {}),
  );
  assertEquals([1, 2, 3].map(() => transport.call().aborted), [false, false, true]);
  clock.advance(100);
  assert(!transport.call().aborted);
  assertEquals(server.stats().refused, 1);
});

test("A peer that sends more messages than it may is closed", () => {
  const { clock, socket, ends } = live<string, string>({
    protocol: lines(),
    messageRate: { perSecond: 10, burst: 2 },
  });
  socket.receive("a\nb\n");
  clock.advance(100);
  socket.receive("c\n");
  assertEquals(ends, []);
  socket.receive("d\n");
  assertEquals(ends.map(({ code, origin }) => [code, origin]), [["too-many-messages", "peer"]]);
  assertThrows(() => live({ messageRate: { perSecond: 0 } }), RangeError, `"perSecond" must be > 0`);
});

test("A connection that has lived long enough is drained, and tells so", async () => {
  for (const [phase, at] of [[0, 900], [0.5, 1_000], [0.999, 1_100]] as const) {
    const clock = new FakeClock(0, () => phase);
    const { socket, connection, ends } = live({ maxAge: 1_000, maxAgeGrace: 500 }, clock);
    connection.onMessage = (bytes) => connection.send(bytes);
    clock.advance(at - 10);
    assertEquals(connection.state, "open");
    clock.advance(20);
    assertEquals(connection.state, "draining");
    socket.receive("under way");
    clock.advance(250);
    assertEquals(socket.sent, ["under way"]);
    assert(socket.finished);
    socket.end();
    await settle();
    assertEquals(ends.map(({ code, origin }) => [code, origin]), [["max-age", "local"]]);
  }
});

test("No traffic puts the grace of an old connection off", () => {
  const { clock, socket, connection, ends } = live({ maxAge: 1_000, maxAgeGrace: 500 });
  connection.onMessage = () => {};
  for (let i = 0; i < 20; i++) {
    clock.advance(100);
    if (ends.length === 0) socket.receive("x");
  }
  assertEquals(ends.map(({ code }) => code), ["max-age"]);
  assertEquals(Math.floor(ends[0]!.facts!.endedAt / 100), 14);
});

test("drain() spreads its goodbyes", async () => {
  let draw = 0;
  const transport = new FakeTransport(), clock = new FakeClock(0, () => (draw++ % 100) / 100);
  const server = await serve(
    { port: 0, transport, clock, heartbeat: false, protocol: raw() },
    (connection) => {
      connection.onMessage = () => {};
    },
  );
  const sockets = Array.from({ length: 100 }, () => transport.call());
  void server.drain({ timeout: 10_000, spread: 2_000 });
  const gone: number[] = [];
  for (let i = 0; i < 25; i++) {
    clock.advance(100);
    gone.push(sockets.filter(({ finished }) => finished).length);
  }
  assertEquals(gone.at(-1), 100);
  const busiest = Math.max(...gone.map((n, i) => n - (gone[i - 1] ?? 0)));
  assert(busiest <= 10, `${gone}`);
});
