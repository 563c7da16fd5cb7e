import { test } from "node:test";
import { assertEquals } from "@std/assert";
import { memoryStore } from "../../lib/session/store.ts";
import { at, comeBack, numbers, serving, sessionOf, ticketOf, world } from "./pair.ts";

test("drain() with a store: the next server goes on, and calls its handler; nothing is lost or doubled", async () => {
  const given = world();
  const store = memoryStore(given.clock);
  const it = await sessionOf({
    world: given,
    server: { resume: { store } },
    client: { reconnect: { initial: 100 } },
    answer: (message, connection) => connection.send(`1 ${message}`),
  });
  for (const message of numbers(1, 5)) void it.connection.send(message);
  await it.clock.run(100);
  const drained = it.server.drain();
  await it.clock.run(10);
  void it.connection.send("6");
  await it.clock.until(drained, 5_000);
  void it.connection.send("7");
  const second = await serving(
    given,
    { resume: { store } },
    (message, connection) => connection.send(`2 ${message}`),
  );
  await it.clock.run(5_000);
  assertEquals([it.handled.length, second.handled.length], [1, 1]);
  assertEquals([...it.got, ...second.got], numbers(1, 7));
  assertEquals(it.back.map((message) => `${message}`.split(" ")[1]), numbers(1, 7));
  assertEquals((await it.handled[0]!.closed).code, "closed");
  assertEquals(it.connection.state, "open");
});

test("drain() with a store hands over a session whose client is away, or is cut off amid it", async () => {
  for (const when of ["before", "amid"]) {
    const given = world();
    const store = memoryStore(given.clock);
    const it = await sessionOf({ world: given, server: { resume: { store } } });
    void it.handled[0]!.send("a");
    await it.clock.run(100);
    if (when === "before") {
      it.network.reset();
      await it.clock.run(10);
    }
    void it.handled[0]!.send("b");
    const drained = it.server.drain();
    if (when === "amid") it.network.reset();
    await it.clock.until(drained, 5_000);
    void it.connection.send("1");
    const second = await serving(given, { resume: { store } });
    await it.clock.run(10_000);
    assertEquals([it.connection.state, it.back, second.got], ["open", ["a", "b"], ["1"]], when);
  }
});

test("drain() with a store waits for a handler at work, and hands over what it did", async () => {
  const given = world();
  const store = memoryStore(given.clock);
  let release = () => {};
  const it = await sessionOf({
    world: given,
    server: { resume: { store } },
    answer: (message, connection) =>
      new Promise<void>((resolve) => {
        release = () => {
          void connection.send(`done ${message}`);
          resolve();
        };
      }),
  });
  void it.connection.send("1");
  await it.clock.run(100);
  const drained = it.server.drain();
  await it.clock.run(1_000);
  it.network.reset();
  await it.clock.run(100);
  release();
  await it.clock.until(drained, 5_000);
  const second = await serving(given, { resume: { store } });
  await it.clock.run(10_000);
  assertEquals([it.got, second.got, it.back], [["1"], [], ["done 1"]]);
});

test("drain() with a store lets a handler at work send as much as may wait, refuses more, and loses nothing", async () => {
  const given = world();
  const store = memoryStore(given.clock);
  let accepted = 0;
  const it = await sessionOf({
    world: given,
    server: { resume: { store }, maxOutboundBytes: 1_000 },
    answer: async (_, connection) => {
      for (; accepted < 30; accepted++) await connection.send(new Uint8Array(100).fill(accepted));
    },
  });
  it.network.cut("to-client");
  void it.connection.send("go");
  await it.clock.run(100);
  it.network.reset();
  it.network.heal();
  const drained = it.server.drain();
  await it.clock.until(drained, 5_000);
  assertEquals([accepted, (await it.handled[0]!.closed).code], [10, "closed"]);
  await serving(given, { resume: { store } });
  await it.clock.run(10_000);
  assertEquals(
    it.back.map((message) => (message as Uint8Array)[0]),
    Array.from({ length: accepted }, (_, i) => i),
  );
  assertEquals(it.connection.state, "open");
});

test("drain() without a store: session-lost is told, with what was not acknowledged", async () => {
  const given = world();
  const it = await sessionOf({ world: given });
  await it.clock.until(it.server.drain(), 5_000);
  void it.connection.send("lost");
  await serving(given, { resume: true });
  const { code, unacknowledged } = await it.clock.until(it.connection.closed);
  assertEquals([code, unacknowledged], ["session-lost", ["lost"]]);
});

test("A store that fails loses the session, and says so at both ends", async () => {
  const given = world();
  const store = { put: () => Promise.reject(new Error("disk")), take: () => undefined };
  const it = await sessionOf({ world: given, server: { resume: { store } } });
  await it.clock.until(it.server.drain(), 5_000);
  const { code, cause } = await it.handled[0]!.closed;
  assertEquals([code, (cause as Error).message], ["handler-failed", "disk"]);
  const taking = { put() {}, take: () => Promise.reject(new Error("disk")) };
  await serving(given, { resume: { store: taking } });
  assertEquals((await it.clock.until(it.connection.closed)).code, "session-lost");
});

test("A session in the store is not given away for a wrong secret, and ends with its window or its server", async () => {
  for (const how of ["window", "abort", "drain"]) {
    const given = world();
    const store = memoryStore(given.clock);
    const it = await sessionOf({
      world: given,
      server: { resume: { store, window: 5_000 } },
      client: { reconnect: { initial: 3_000 } },
    });
    void it.connection.send("1");
    await it.clock.until(it.connection.flush());
    const ticket = ticketOf(it.connection);
    await it.clock.until(it.server.drain(), 5_000);
    const second = await serving(given, { resume: { store, window: 5_000 } });
    ticket.secret[0]! ^= 1;
    const stranger = await comeBack(given, ticket);
    assertEquals(stranger.granted()?.resumed, false);
    assertEquals([...second.server.connections].length, 1, "a session at rest is nobody's yet");
    if (how === "window") {
      await it.clock.run(5_000);
      assertEquals([it.connection.state, second.handled.length], ["open", 2]);
      it.connection.abort();
      await it.clock.run(10_000);
    } else if (how === "abort") second.server.abort();
    else await it.clock.until(second.server.drain(), 20_000);
    await it.clock.until(how === "window" ? Promise.resolve() : second.server.closed, 1_000);
  }
});

test("A drain with a place to go to takes the session there", async () => {
  const given = world();
  const store = memoryStore(given.clock);
  const it = await sessionOf({ world: given, server: { resume: { store } } });
  const second = await serving(given, { resume: { store } }, undefined, at(8));
  await it.clock.until(it.server.drain({ to: at(8) }), 5_000);
  void it.connection.send("there");
  await it.clock.run(5_000);
  assertEquals([second.got, it.connection.remoteAddress], [["there"], at(8)]);
});

/** A store that takes its time to give a session away. */
function slowStore(given: ReturnType<typeof world>, delay: number) {
  const store = memoryStore(given.clock);
  return {
    put: store.put,
    take: (id: string) =>
      new Promise<Awaited<ReturnType<typeof store.take>>>((resolve) => {
        given.clock.wakeAfter(delay, () => resolve(store.take(id)));
      }),
  };
}

test("A store may take its time; several who ask for the same session meanwhile get one", async () => {
  const given = world();
  const store = slowStore(given, 300);
  const it = await sessionOf({ world: given, server: { resume: { store } } });
  void it.handled[0]!.send("a");
  await it.clock.run(100);
  void it.handled[0]!.send("b");
  const ticket = ticketOf(it.connection);
  it.network.reset();
  await it.clock.until(it.server.drain(), 5_000);
  const second = await serving(given, { resume: { store } });
  const thief = await comeBack(given, ticket, 1);
  await it.clock.run(10_000);
  assertEquals(thief.granted()?.resumed, true);
  assertEquals(second.handled.length, 1);
});

test("A server that stops while its store gives it a session puts the session back", async () => {
  const given = world();
  const store = slowStore(given, 1_000);
  const it = await sessionOf({
    world: given,
    server: { resume: { store } },
    client: { reconnect: { initial: 100, max: 100, jitter: 0 } },
  });
  await it.clock.until(it.server.drain(), 5_000);
  void it.connection.send("kept");
  const second = await serving(given, { resume: { store } });
  await it.clock.run(500);
  const start = it.clock.now();
  await it.clock.until(second.server.drain(), 20_000);
  assertEquals([second.handled.length, it.clock.now() - start < 2_000], [0, true]);
  const third = await serving(given, { resume: { store } });
  await it.clock.run(5_000);
  assertEquals([third.got, it.connection.state], [["kept"], "open"]);
});

test("A server that is aborted while its store gives it a session leaves nothing behind", async () => {
  const given = world();
  const store = slowStore(given, 1_000);
  const it = await sessionOf({
    world: given,
    server: { resume: { store } },
    client: { reconnect: { initial: 100, max: 100, jitter: 0 } },
  });
  await it.clock.until(it.server.drain(), 5_000);
  const second = await serving(given, { resume: { store } });
  await it.clock.run(500);
  second.server.abort();
  it.connection.abort();
  await it.clock.until(second.server.closed, 1);
  await it.clock.run(2_000);
  assertEquals([it.clock.pending, [...second.server.connections]], [0, []]);
});
