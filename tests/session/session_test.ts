import { test } from "node:test";
import { assert, assertEquals, assertGreater, assertLessOrEqual, assertStrictEquals } from "@std/assert";
import type { Connection } from "../../lib/connection.ts";
import type { CloseReason } from "../../lib/errors.ts";
import { json } from "../../lib/protocol/json.ts";
import { serve } from "../../lib/server.ts";
import { connect } from "../../lib/client.ts";
import { seeded } from "../../lib/testing/seeded.ts";
import {
  comeBack,
  dialled,
  type Message,
  numbers,
  serving,
  sessionOf,
  ticketOf,
  WHERE,
  world,
} from "./pair.ts";

/** How a connection ended. */
const ended = (connection: Connection<Message, Message>, clock: ReturnType<typeof world>["clock"]) =>
  clock.until(connection.closed);

test("What is sent arrives once and in order, both ways, across cuts at any moment", async () => {
  const given = world(seeded(11));
  given.network.shape({ delay: 5, jitter: 20 });
  const { connection, back, got, handled, network, clock } = await sessionOf({
    world: given,
    client: { reconnect: { initial: 20, max: 50 } },
    answer: (message, connection) => void connection.send(`re ${message}`),
  });
  const sent = numbers(1, 1_000);
  for (const message of sent) {
    void connection.send(message);
    if (Number(message) % 3 === 0) void handled[0]!.send(`own ${message}`);
    await clock.run(clock.random() * 20);
    if (clock.random() < 0.1) network.reset();
  }
  await clock.until(connection.flush());
  await clock.until(handled[0]!.flush());
  assertEquals(got, sent);
  assertEquals(
    back.filter((message) => `${message}`.startsWith("re")),
    sent.map((message) => `re ${message}`),
  );
  const own = sent.filter((message) => Number(message) % 3 === 0);
  assertEquals(
    back.filter((message) => `${message}`.startsWith("own")),
    own.map((message) => `own ${message}`),
  );
  assertEquals(handled.length, 1);
});

test("Nobody is heard twice after a hello whose answer was lost", async () => {
  const { connection, network, clock, got, back, handled } = await sessionOf({
    client: { reconnect: { initial: 10 } },
  });
  network.shape({ delay: 20 });
  void connection.send("1");
  void handled[0]!.send("a");
  for (let i = 0; i < 8; i++) {
    network.reset();
    await clock.run(60 + 5 * i);
  }
  void connection.send("2");
  void handled[0]!.send("b");
  await clock.run(5_000);
  assertEquals([got, back], [["1", "2"], ["a", "b"]]);
});

test("Acknowledgements are few: one for 16 messages, or one 50 ms after the first", async () => {
  const { connection, clock, handled } = await sessionOf();
  const acked = () => connection.bufferedAmount === 0;
  void connection.send("1");
  await clock.run(40);
  assert(!acked());
  await clock.run(20);
  assert(acked());
  const { bytesSent } = handled[0]!.stats();
  for (const message of numbers(1, 64)) void connection.send(message);
  await clock.run(5);
  assert(acked());
  assertEquals(handled[0]!.stats().bytesSent - bytesSent, 4 * 11);
  await clock.run(1_000);
  assertEquals(handled[0]!.stats().bytesSent - bytesSent, 4 * 11);
});

test("Acknowledgements go along with data that is sent anyway, in the same write", async () => {
  const { connection, clock } = await sessionOf({
    answer: (message, connection) => connection.send(message),
  });
  void connection.send("1");
  await clock.run(0);
  assertEquals(connection.bufferedAmount, 0);
});

test("flush() is fulfilled when all is acknowledged, not before, and rejected with the reason at the end", async () => {
  const { connection, network, clock } = await sessionOf();
  network.shape({ delay: 30 });
  void connection.send("1");
  const start = clock.now();
  await clock.until(connection.flush());
  assertEquals(clock.now() - start >= 110 && clock.now() - start <= 120, true, `${clock.now() - start}`);
  network.reset();
  void connection.send("2");
  const flushed = connection.flush().catch((error) => error);
  connection.abort();
  assertStrictEquals(await flushed, await connection.closed);
  assertStrictEquals(await connection.flush().catch((error) => error), await connection.closed);
});

test("close() waits for the acknowledgement, across a cut", async () => {
  const { connection, network, clock, got, handled } = await sessionOf();
  network.reset();
  void connection.send("last");
  await clock.until(connection.close(), 4_000);
  assertEquals(got, ["last"]);
  const { code, unacknowledged } = await connection.closed;
  assertEquals([code, unacknowledged], ["closed", []]);
  assertEquals((await ended(handled[0]!, clock)).code, "closed");
});

test("close() gives up after closeTimeout without progress, and says what was not acknowledged", async () => {
  const { connection, network, clock } = await sessionOf({ client: { closeTimeout: 3_000 } });
  network.cut();
  void connection.send("last");
  const start = clock.now();
  await clock.until(connection.close());
  assertLessOrEqual(clock.now() - start, 3_100);
  const { code, unacknowledged } = await connection.closed;
  assertEquals([code, unacknowledged], ["close-timeout", ["last"]]);
});

for (
  const [what, arrange] of [
    ["the window is over", { window: 2_000 }],
    ["the server was started anew", { restart: true }],
  ] as [string, { window?: number; restart?: boolean }][]
) {
  test(`session-lost tells exactly what was not acknowledged: ${what}`, async () => {
    const given = world();
    const it = await sessionOf({
      world: given,
      client: { reconnect: { initial: 100, max: 5_000 } },
      server: { resume: arrange.window === undefined ? true : { window: arrange.window } },
    });
    const { connection, network, clock, server } = it;
    await connection.send("acknowledged");
    await clock.until(connection.flush());
    network.cut();
    const long = new Uint8Array(100_000).map((_, i) => i);
    const lost: Message[] = ["text", Uint8Array.from([1, 2, 3]), "", long, "é".repeat(40_000)];
    for (const message of lost) void connection.send(message);
    await clock.run(100);
    if (arrange.restart) {
      server.abort();
      await serving(given, { resume: true });
    }
    network.reset();
    await clock.run(4_000);
    network.heal();
    const reason = await ended(connection, clock);
    assertEquals([reason.code, reason.origin], ["session-lost", "peer"]);
    assertEquals(reason.unacknowledged, lost);
    if (arrange.window === undefined) return;
    // The server's end is told as well.
    const { code, unacknowledged } = await ended(it.handled[0]!, clock);
    assertEquals([code, unacknowledged], ["session-lost", []]);
  });
}

test("The server is told what its client has not acknowledged when the window is over", async () => {
  const { handled, network, clock } = await sessionOf({
    server: { resume: { window: 1_000 } },
    client: { reconnect: { initial: 60_000, max: 60_000 } },
  });
  await handled[0]!.send("acknowledged");
  await clock.until(handled[0]!.flush());
  network.reset();
  void handled[0]!.send("lost");
  const start = clock.now();
  const { code, unacknowledged } = await ended(handled[0]!, clock);
  assertEquals([code, unacknowledged], ["session-lost", ["lost"]]);
  assertEquals(clock.now() - start >= 1_000 && clock.now() - start <= 1_020, true);
});

test("session-lost gives back values where the messages were JSON", async () => {
  const { clock, transport, network } = world();
  const common = { transport, clock, protocol: json<{ n: number }>(), heartbeat: false } as const;
  await serve({ ...common, ...WHERE, resume: { window: 500 } }, (connection) => {
    connection.onMessage = () => {};
  });
  const connection = await clock.until(connect(WHERE, { ...common, resume: true }));
  network.cut();
  void connection.send({ n: 1 });
  void connection.send({ n: 2 });
  network.reset();
  await clock.run(3_000);
  network.heal();
  const { code, unacknowledged } = await clock.until(connection.closed);
  assertEquals([code, unacknowledged], ["session-lost", [{ n: 1 }, { n: 2 }]]);
});

test("A wrong secret gets a session of its own, and the session is left alone", async () => {
  const it = await sessionOf();
  void it.handled[0]!.send("mine");
  const ticket = ticketOf(it.connection);
  ticket.secret[15]! ^= 1;
  const stranger = await comeBack(it.world, ticket);
  assertEquals([stranger.granted()?.resumed, stranger.seen], [false, []]);
  assertEquals([it.connection.state, it.handled.length, it.back], ["open", 2, ["mine"]]);
});

test("Who has the ticket takes the session over; the one before ends as superseded, for good", async () => {
  const it = await sessionOf();
  void it.handled[0]!.send("a");
  await it.clock.run(100);
  const thief = await comeBack(it.world, ticketOf(it.connection), 1);
  void it.handled[0]!.send("b");
  await it.clock.run(100);
  assertEquals([thief.granted()?.resumed, thief.seen, it.handled.length], [true, ["b"], 1]);
  const { code, origin, farewell } = await ended(it.connection, it.clock);
  assertEquals([code, origin, farewell?.code], ["superseded", "peer", 5]);
  await it.clock.run(10_000);
  assertEquals(it.dials.length, 2);
});

test("A count of what was never sent is a protocol error; of less than was acknowledged, a hello too late", async () => {
  for (const [received, code] of [[3, 2], [0, 5]] as const) {
    const it = await sessionOf();
    void it.handled[0]!.send("a");
    void it.handled[0]!.send("b");
    await it.clock.run(100);
    const liar = await comeBack(it.world, ticketOf(it.connection), received);
    assertEquals([liar.granted(), liar.seen], [undefined, [`close ${code}`]]);
    assertEquals(it.connection.state, "open");
  }
});

test("The handler is called once for a session, and its observer once for each link", async () => {
  const seen: string[] = [];
  const observer = {
    opened: () => void seen.push("opened"),
    closed: (_: unknown, { code }: CloseReason) => void seen.push(code),
  };
  const it = await sessionOf({ server: { observer } });
  for (let i = 0; i < 3; i++) {
    it.network.reset();
    await it.clock.run(5_000);
  }
  assertEquals(it.handled.length, 1);
  assertEquals(seen, ["opened", "reset", "opened", "reset", "opened", "reset", "opened"]);
  assertEquals([...it.server.connections], it.handled);
});

test("A message of which a part had come is sent whole again", async () => {
  const { connection, network, clock, got } = await sessionOf({ server: { maxInboundBytes: 1 << 22 } });
  const long = new Uint8Array(900_000).map((_, i) => i * 7);
  network.shape({ delay: 10 });
  void connection.send("before");
  void connection.send(long);
  void connection.send("after");
  await clock.run(15);
  network.reset();
  await clock.run(5_000);
  assertEquals(got.length, 3);
  assertEquals([got[0], got[2]], ["before", "after"]);
  assertEquals(got[1], long);
});

test("A handler that is slow holds the acknowledgements back, and in the end send(), also across a cut", async () => {
  let release = () => {};
  const { connection, network, clock, got } = await sessionOf({
    client: { maxOutboundBytes: 4_000 },
    answer: () => new Promise<void>((resolve) => release = resolve),
  });
  let accepted = 0;
  const sender = (async () => {
    for (let i = 0; i < 40; i++) {
      await connection.send(new Uint8Array(100).fill(i));
      accepted++;
    }
  })();
  await clock.run(1_000);
  const first = accepted;
  assertGreater(first, 5);
  assertLessOrEqual(first, 12);
  assertEquals(got.length, 1);
  for (let i = 0; i < 200 && accepted < 40; i++) {
    if (i % 10 === 5) network.reset();
    release();
    await clock.run(200);
  }
  await sender;
  for (let i = 0; i < 100; i++) {
    release();
    await clock.run(60);
  }
  assertEquals(got.map((message) => (message as Uint8Array)[0]), Array.from({ length: 40 }, (_, i) => i));
  assertEquals([connection.state, connection.bufferedAmount], ["open", 0]);
});

/** The client's bound, and the sizes of its messages, in turn. */
const BOUNDS: readonly (readonly [maxOutboundBytes: number, sizes: readonly number[]])[] = [
  [1_000, [500]],
  [1_000, [200, 90_000]],
  [100_000, [500]],
];

test("A handler that waits for room never holds up the acknowledgement that makes it, whatever the bounds", async () => {
  for (const [maxOutboundBytes, sizes] of BOUNDS) {
    const it = await sessionOf({
      server: { maxInboundBytes: 1_000, maxOutboundBytes: 1_000, writeTimeout: 2_000 },
      client: { maxOutboundBytes, reconnect: { initial: 20, max: 50 } },
      answer: (message, connection) => connection.send(new Uint8Array(400).fill((message as Uint8Array)[0]!)),
    });
    it.network.shape({ delay: 20 });
    const sent = Array.from({ length: 60 }, (_, i) => i);
    const sender = (async () => {
      for (const i of sent) await it.connection.send(new Uint8Array(sizes[i % sizes.length]!).fill(i));
      await it.connection.flush();
    })();
    await it.clock.run(200_000);
    assertEquals(it.back.map((message) => (message as Uint8Array)[0]), sent);
    assertEquals([it.connection.bufferedAmount, it.handled.length], [0, 1]);
    // With bounds alike no link is broken for it.
    if (maxOutboundBytes === 1_000) assertEquals(it.dials.length, 1);
    await sender;
  }
});

test("Counts go on over all links, and count each message once, however often it went", async () => {
  const { connection, network, clock, handled } = await sessionOf();
  for (let i = 0; i < 4; i++) {
    await connection.send("x");
    await clock.until(connection.flush());
    network.cut();
    await connection.send("again");
    await clock.run(10);
    network.reset();
    network.heal();
    await connection.send("away");
    const away = connection.stats();
    await clock.run(10_000);
    assertGreater(connection.stats().bytesSent, away.bytesSent);
  }
  assertEquals(connection.stats().messagesSent, 12);
  assertEquals(handled[0]!.stats().messagesReceived, 12);
  assertEquals(connection.stats().messagesReceived, 0);
  connection.abort();
  assertEquals(connection.stats().messagesSent, 12);
});

test("A server that closes says first what it has taken, and not what it threw away", async () => {
  const it = await sessionOf({
    answer: (_, connection) => {
      void connection.close();
      return new Promise(() => {});
    },
  });
  for (const message of numbers(1, 3)) void it.connection.send(message);
  const { code, unacknowledged } = await ended(it.connection, it.clock);
  assertEquals([it.got, code, unacknowledged], [["1"], "closed", ["2", "3"]]);
});

test("unref() and ref() stay in force on the next link", async () => {
  const given = world();
  const log: string[] = [];
  const { connect: dial } = given.transport;
  given.transport.connect = async (target, options) => {
    const socket = await dial.call(given.transport, target, options);
    socket.ref = () => void log.push("ref");
    socket.unref = () => void log.push("unref");
    return socket;
  };
  const it = await sessionOf({ world: given });
  assertEquals(log, []);
  it.connection.unref();
  it.network.reset();
  await it.clock.run(5_000);
  assertEquals(log, ["unref", "unref"]);
  it.network.reset();
  await it.clock.run(10);
  it.connection.ref();
  await it.clock.run(10_000);
  assertEquals([log, it.connection.state], [["unref", "unref"], "open"]);
});

test("probe() while away is refused, and works again afterwards", async () => {
  const { connection, network, clock } = await sessionOf();
  network.reset();
  await clock.run(10);
  assertEquals((await connection.probe().catch((error) => error)).code, "closed");
  await clock.run(5_000);
  network.shape({ delay: 20 });
  assertEquals(await clock.until(connection.probe()), 40);
});

test("Rules of the heartbeat that were changed stay changed on the next link", async () => {
  const { connection, network, clock } = await sessionOf({
    client: { heartbeat: { interval: 30_000, timeout: 10_000 } },
  });
  connection.heartbeat.update({ interval: 5_000 });
  connection.heartbeat.update({ timeout: 2_000 });
  const rules = () => [connection.heartbeat.interval, connection.heartbeat.timeout];
  assertEquals(rules(), [5_000, 2_000]);
  network.reset();
  await clock.run(5_000);
  assertEquals([connection.state, ...rules()], ["open", 5_000, 2_000]);
  network.cut();
  const start = clock.now();
  while (connection.state === "open") await clock.run(10);
  assertLessOrEqual(clock.now() - start, 7_200);
});

test("maxAge replaces the link, at either end, and the session goes on", async () => {
  for (const end of ["client", "server"]) {
    const it = await sessionOf({ [end]: { maxAge: 10_000 } });
    const states: string[] = [];
    it.connection.onState = (state) => states.push(state);
    for (const message of numbers(1, 60)) {
      void it.connection.send(message);
      void it.handled[0]!.send(message);
      await it.clock.run(1_000);
    }
    await it.clock.until(it.connection.flush());
    await it.clock.run(100);
    assertEquals([it.got, it.back], [numbers(1, 60), numbers(1, 60)], end);
    assertGreater(it.dials.length, 4);
    assertEquals(new Set(states), new Set(["away", "open"]));
    assertEquals(it.handled.length, 1);
  }
});

test("closed and signal tell of the end of the session, once, and of no link's", async () => {
  const it = await sessionOf();
  let closed = 0, aborted = 0;
  for (const connection of [it.connection, it.handled[0]!]) {
    void connection.closed.then(() => closed++);
    connection.signal.addEventListener("abort", () => aborted++);
  }
  for (let i = 0; i < 3; i++) {
    it.network.reset();
    await it.clock.run(5_000);
  }
  assertEquals([closed, aborted], [0, 0]);
  await it.clock.until(it.connection.close());
  await it.clock.run(1_000);
  assertEquals([closed, aborted], [2, 2]);
  assertStrictEquals(it.connection.signal.reason, await it.connection.closed);
  it.server.abort();
  await it.clock.run(1_000);
  assertEquals(it.clock.pending, 0);
});

test("A handler that fails while its client is away ends the session, and the server is told of it", async () => {
  let fail: (error: Error) => void = () => {};
  const it = await sessionOf({ answer: () => new Promise((_, reject) => fail = reject) });
  void it.connection.send("1");
  await it.clock.run(10);
  it.network.reset();
  await it.clock.run(10);
  const bug = new Error("bug");
  fail(bug);
  const { code, cause } = await ended(it.handled[0]!, it.clock);
  assertEquals([code, cause], ["handler-failed", bug]);
  assertEquals(it.errors, [bug]);
});

test("A session without a connection is listed, and ends with abort()", async () => {
  const it = await sessionOf();
  it.network.reset();
  await it.clock.run(10);
  assertEquals([...it.server.connections].map(({ state }) => state), ["away"]);
  const cause = new Error("enough");
  it.server.abort(cause);
  await it.clock.until(it.server.closed);
  assertStrictEquals((await it.handled[0]!.closed).cause, cause);
});

test("for await goes on across links, and ends with the session", async () => {
  const given = world();
  const { handled } = await serving(given, { resume: true });
  const connection = await dialled(given, { resume: true });
  const seen: Message[] = [];
  const reading = (async () => {
    for await (const message of connection) seen.push(message);
  })();
  for (const message of numbers(1, 5)) {
    void handled[0]!.send(message);
    await given.clock.run(10);
    given.network.reset();
    await given.clock.run(5_000);
  }
  void handled[0]!.close();
  await given.clock.run(100);
  await reading;
  assertEquals(seen, numbers(1, 5));
  await given.clock.until(connection.close());
});

test("Who has finished and comes back gets the rest, as long as the session is there", async () => {
  const { connection, network, clock, back, handled } = await sessionOf({
    client: { heartbeat: { interval: 1_000, timeout: 2_000 }, reconnect: { whenSuspect: true } },
  });
  network.links[0]!.cut("to-client");
  // More than the kernel takes.
  for (let i = 0; i < 10; i++) void handled[0]!.send(new Uint8Array(50_000).fill(i));
  await clock.run(1_200);
  assertEquals(connection.health, "suspect");
  connection.finish();
  await clock.run(50);
  // The server has heard it and says goodbye too, but nothing of that arrives.
  assertEquals([handled[0]!.state, back], ["closing", []]);
  assertEquals((await ended(connection, clock)).code, "closed");
  assertEquals(back.map((message) => message[0] as number | string), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  assertEquals([(await ended(handled[0]!, clock)).code, handled.length], ["closed", 1]);
});
