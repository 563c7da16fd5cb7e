import { test } from "node:test";
import {
  assert,
  assertEquals,
  assertGreater,
  assertLessOrEqual,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { connect, type ConnectOptions } from "../../lib/client.ts";
import type { Connection } from "../../lib/connection.ts";
import type { CloseReason } from "../../lib/errors.ts";
import { frames } from "../../lib/protocol/frames.ts";
import { lines } from "../../lib/protocol/lines.ts";
import { raw } from "../../lib/protocol/raw.ts";
import { serve } from "../../lib/server.ts";
import type { ReconnectOptions } from "../../lib/session/reconnect_options.ts";
import { seeded } from "../../lib/testing/seeded.ts";
import type { Target } from "../../lib/transport/transport.ts";
import { at, dialled, type Message, numbers, serving, WHERE, world } from "./pair.ts";

/** The states that a connection goes through, with their instants. */
function statesOf(connection: Connection<Message, Message>, clock: { now(): number }): string[] {
  const states: string[] = [];
  connection.onState = (state, same) => {
    assertEquals([same === connection, connection.state], [true, state]);
    states.push(`${clock.now()} ${state}`);
  };
  return states;
}

/** The ends of connections that have ended. */
function endOf(connection: Connection<Message, Message>): CloseReason[] {
  const ends: CloseReason[] = [];
  void connection.closed.then((reason) => ends.push(reason));
  return ends;
}

test("Of several targets the first that answers is taken, in order, each time", async () => {
  const it = world();
  const last = await serving(it, {}, undefined, at(3));
  const connection = await dialled(it, {}, [at(1), at(2), at(3)]);
  assertEquals(it.dials.map(([, port]) => port), [1, 2, 3]);
  assertEquals(connection.remoteAddress, at(3));
  await serving(it, {}, undefined, at(2));
  it.dials.length = 0;
  it.network.reset();
  await it.clock.run(2_000);
  assertEquals(it.dials.map(([, port]) => port), [1, 2]);
  assertEquals([connection.state, connection.remoteAddress], ["open", at(2)]);
  last.server.abort();
});

test("The first connection is tried once unless waitForFirst says otherwise", async () => {
  const it = world();
  const error = await dialled(it, {}, [at(1), at(2)]).catch((error) => error);
  assertEquals(error.code, "connect-failed");
  assertEquals(it.dials.map(([, port]) => port), [1, 2]);
  assertEquals(it.clock.pending, 0);
});

test("waitForFirst goes on until somebody answers", async () => {
  const it = world();
  it.clock.wakeAfter(5_500, () => void serving(it));
  const connection = await dialled(it, { reconnect: { waitForFirst: true } });
  assertEquals(it.dials.map(([at]) => at), [0, 1_000, 3_000, 7_040]);
  assertEquals(connection.state, "open");
});

test("waitForFirst ends with the last error once its attempts are used up", async () => {
  const it = world();
  const waiting = dialled(it, { reconnect: { waitForFirst: true, attempts: 3 } });
  assertEquals((await waiting.catch((error) => error)).code, "connect-failed");
  assertEquals(it.dials.length, 3);
  assertEquals(it.clock.pending, 0);
});

test("Delays grow to the cap, and what is left to chance stays at the cap", async () => {
  const it = world(seeded(7));
  const { server } = await serving(it);
  const connection = await dialled(it, { reconnect: { initial: 100, max: 1_000 } });
  server.abort();
  it.dials.length = 0;
  await it.clock.run(60_000);
  assertEquals(connection.state, "away");
  const gaps = it.dials.slice(1).map(([at], i) => at - it.dials[i]![0]);
  assert(gaps.every((gap) => gap <= 1_010), `${gaps}`);
  const late = gaps.slice(10);
  assertGreater(late.length, 30);
  assertGreater(new Set(late.map((gap) => Math.round(gap / 50))).size, 10, `${late}`);
  assert(Math.min(...late) < 200 && Math.max(...late) > 800, `${late}`);
});

test("Without chance the delays are initial, times factor, up to max", async () => {
  const it = world();
  const { server } = await serving(it);
  await dialled(it, { reconnect: { initial: 100, factor: 3, max: 1_000, jitter: 0 } });
  server.abort();
  it.dials.length = 0;
  await it.clock.run(4_000);
  const gaps = it.dials.map(([at], i) => at - (it.dials[i - 1]?.[0] ?? 0));
  assertEquals(gaps.slice(0, 5), [100, 300, 900, 1_000, 1_000]);
});

test("Delays start anew only after a connection that lasted", async () => {
  const it = world();
  const { handled } = await serving(it);
  await dialled(it, { reconnect: { initial: 100, stableAfter: 1_000 } });
  it.dials.length = 0;
  const lasting = async (ms: number) => {
    const before = it.clock.now();
    await it.clock.run(ms);
    assertEquals(it.dials.length, 0);
    const then = it.clock.now();
    handled.at(-1)!.abort();
    await it.clock.run(5_000);
    assertEquals(it.dials.length, 1, `${before}`);
    return it.dials.splice(0)[0]![0] - then;
  };
  assertEquals(await lasting(100), 100);
  // By now it has lasted for some 5 s.
  assertEquals(await lasting(0), 100);
  // Three in a row that do not last.
  const gaps: number[] = [];
  for (let i = 0; i < 3; i++) {
    const then = it.clock.now();
    handled.at(-1)!.abort();
    await it.clock.run(100 * 2 ** i + 10);
    gaps.push(it.dials.splice(0)[0]![0] - then);
  }
  assertEquals(gaps, [100, 200, 400]);
  await it.clock.run(980);
  const then = it.clock.now();
  handled.at(-1)!.abort();
  await it.clock.run(2_000);
  assertEquals(it.dials.splice(0)[0]![0] - then, 800);
});

for (const code of [4500, 4999]) {
  test(`A close with ${code} is final`, async () => {
    const it = world();
    const { handled } = await serving(it);
    const connection = await dialled(it);
    void handled[0]!.close({ code, text: "go away" });
    const reason = await it.clock.until(connection.closed);
    assertEquals([reason.code, reason.farewell?.code, reason.farewell?.text], ["closed", code, "go away"]);
    await it.clock.run(60_000);
    assertEquals(it.dials.length, 1);
    assertEquals(it.clock.pending, 0);
  });
}

for (const code of [4000, 4499]) {
  test(`A close with ${code} is not final`, async () => {
    const it = world();
    const { handled } = await serving(it);
    const connection = await dialled(it);
    const states = statesOf(connection, it.clock);
    void handled[0]!.close({ code });
    await it.clock.run(5_000);
    assertEquals(states, ["0 away", "1000 open"]);
    assertEquals(handled.length, 2);
  });
}

test("A close in good order ends it: the peer is done", async () => {
  const it = world();
  const { handled } = await serving(it);
  const connection = await dialled(it);
  connection.onMessage = () => {};
  void handled[0]!.close();
  const reason = await it.clock.until(connection.closed);
  assertEquals([reason.code, reason.farewell?.code], ["closed", 0]);
  await it.clock.run(100);
  assertEquals([it.dials.length, it.clock.pending], [1, 0]);
});

test("What the server says about when to come back is obeyed", async () => {
  const it = world();
  const { handled } = await serving(it);
  const connection = await dialled(it, { reconnect: { initial: 100 } });
  void handled[0]!.close({ code: 4000, retryAfter: 3_000 });
  await it.clock.run(3_090);
  assertEquals([connection.state, it.dials.length], ["away", 1]);
  await it.clock.run(170);
  assertEquals([connection.state, it.dials.length], ["open", 2]);
});

test("A drain is obeyed: not before it says, not all at the same time, and where it says", async () => {
  const it = world(seeded(3));
  const first = await serving(it);
  const connections = await Promise.all(
    Array.from({ length: 20 }, () => dialled(it, { reconnect: { initial: 1_000 } })),
  );
  const second = await serving(it, {}, undefined, at(8));
  it.dials.length = 0;
  const start = it.clock.now();
  void first.server.drain({ retryAfter: 2_000, to: at(8), timeout: 10_000 });
  await it.clock.run(10_000);
  assertEquals(connections.map(({ state }) => state), connections.map(() => "open"));
  assertEquals(second.handled.length, 20);
  assertEquals(it.dials.map(([, port]) => port), it.dials.map(() => 8));
  const delays = it.dials.map(([at]) => at - start);
  assert(delays.every((delay) => delay >= 2_000 && delay <= 3_200), `${delays}`);
  assertGreater(new Set(delays).size, 10);
});

for (
  const [what, follow, port] of [
    ["true", true, 8],
    ["false", false, 7],
    ["a function that agrees", (target: Target) => "port" in target && target.port === 8, 8],
    ["a function that does not", () => false, 7],
  ] as [string, NonNullable<ReconnectOptions["follow"]>, number][]
) {
  test(`follow: ${what} on a drain with a place to go to`, async () => {
    const it = world();
    const first = await serving(it);
    const connection = await dialled(it, { reconnect: { follow } });
    const notices: unknown[] = [];
    connection.onDrain = (notice) => notices.push(notice);
    await serving(it, {}, undefined, at(8));
    it.dials.length = 0;
    await it.clock.until(first.server.drain({ to: at(8), timeout: 5_000 }));
    await serving(it);
    await it.clock.run(10_000);
    assertEquals(it.dials[0]![1], port);
    assertEquals(connection.remoteAddress, at(port));
    assertEquals(notices, [{ within: 5_000, retryAfter: 0, to: "server.test:8" }]);
  });
}

test("A place that nobody answers at is given up for the targets that were named", async () => {
  const it = world();
  const first = await serving(it);
  const connection = await dialled(it);
  it.dials.length = 0;
  await it.clock.until(first.server.drain({ to: at(9) }));
  await serving(it);
  await it.clock.run(20_000);
  assertEquals(connection.state, "open");
  assertEquals(it.dials[0]![1], 9);
  assertEquals(connection.remoteAddress, WHERE);
});

test("The end after a drain is no end, however late one may come back", async () => {
  const it = world();
  const first = await serving(it);
  const connection = await dialled(it);
  connection.onMessage = () => {};
  await it.clock.until(first.server.drain({ retryAfter: 20_000 }));
  assertEquals(connection.state, "away");
  await it.clock.run(15_000);
  const second = await serving(it);
  await it.clock.run(10_000);
  assertEquals([connection.state, second.handled.length], ["open", 1]);
});

test("States are told in order, with the connection, and every cut is one away and one open", async () => {
  const it = world();
  await serving(it);
  const connection = await dialled(it, { reconnect: { initial: 100 } });
  assertEquals(connection.state, "open");
  const states = statesOf(connection, it.clock);
  it.network.reset();
  await it.clock.run(10_200);
  it.network.reset();
  await it.clock.run(9_800);
  const closing = connection.close();
  await it.clock.until(closing);
  await it.clock.run(100);
  assertEquals(states, [
    "0 away",
    "100 open",
    "10200 away",
    "10300 open",
    "20000 closing",
    "20000 closed",
  ]);
  assertEquals(it.clock.pending, 0);
});

test("An onState that throws ends the connection, and hurts nobody else", async () => {
  const it = world();
  await serving(it);
  const connection = await dialled(it);
  connection.onState = (state) => {
    throw new Error(state);
  };
  it.network.reset();
  const { code, cause } = await it.clock.until(connection.closed);
  assertEquals([code, (cause as Error).message], ["handler-failed", "away"]);
});

test("Attempts that are used up end it with the last error", async () => {
  const it = world();
  const { server } = await serving(it);
  const connection = await dialled(it, { reconnect: { initial: 100, attempts: 3 } });
  it.dials.length = 0;
  server.abort();
  const { code, systemCode, cause } = await it.clock.until(connection.closed);
  assertEquals(code, "connect-failed");
  assertEquals([systemCode, (cause as { code?: string }).code], ["ECONNREFUSED", "ECONNREFUSED"]);
  assertEquals(it.dials.length, 3);
  assertEquals(it.clock.pending, 0);
});

test("Connections that never last count as failed attempts", async () => {
  const it = world();
  const { handled } = await serving(it, {}, (_, connection) => connection.abort());
  const connection = await dialled(it, { reconnect: { initial: 100, attempts: 3, stableAfter: 5_000 } });
  connection.onState = (state) => {
    if (state === "open") void connection.send("again");
  };
  void connection.send("first");
  const { code } = await it.clock.until(connection.closed);
  assertEquals([code, handled.length], ["reset", 4]);
});

test("A peer that speaks something else is not dialled again", async () => {
  const it = world();
  await serve({ ...WHERE, transport: it.transport, clock: it.clock, protocol: raw() }, (connection) => {
    connection.onMessage = () => connection.send("HTTP/1.1 400 Bad Request\r\n\r\n");
  });
  const error = await dialled(it, { reconnect: { waitForFirst: true } }).catch((error) => error);
  assertEquals([error.code, it.dials.length], ["protocol-error", 1]);
  await it.clock.run(2_000);
  assertEquals(it.clock.pending, 0);
});

test("A server without sessions refuses one who wants a session", async () => {
  const it = world();
  await serving(it);
  const error = await dialled(it, { resume: true }).catch((error) => error);
  assertEquals([error.code, error.origin, it.dials.length], ["refused", "peer", 1]);
  await it.clock.run(10_000);
  assertEquals(it.clock.pending, 0);
});

test("Messages sent while away wait, in order, and go when it is back", async () => {
  const it = world();
  const { got } = await serving(it);
  const connection = await dialled(it);
  it.network.reset();
  await it.clock.run(100);
  assertEquals(connection.state, "away");
  for (const message of numbers(1, 50)) await connection.send(message);
  assertGreater(connection.bufferedAmount, 50);
  let flushed = false;
  void connection.flush().then(() => flushed = true);
  await it.clock.run(500);
  assert(!flushed);
  await it.clock.run(5_000);
  assertEquals(got, numbers(1, 50));
  assertEquals([connection.bufferedAmount, flushed], [0, true]);
});

test("whileAway: refuse refuses them, and the connection lives on", async () => {
  const it = world();
  const { got } = await serving(it);
  const connection = await dialled(it, { reconnect: { whileAway: "refuse" } });
  it.network.reset();
  await it.clock.run(100);
  const error = await connection.send("lost").catch((error) => error);
  assertEquals([error.code, error.origin, connection.state], ["closed", "local", "away"]);
  await it.clock.run(5_000);
  await connection.send("kept");
  await it.clock.run(100);
  assertEquals(got, ["kept"]);
});

test("Past the bound, a caller who does not wait ends it with write-overflow, and one who waits does not", async () => {
  const it = world();
  await serving(it);
  const message = new Uint8Array(100);
  for (const waits of [true, false]) {
    const connection = await dialled(it, { maxOutboundBytes: 1_000 });
    it.network.reset();
    await it.clock.run(10);
    let accepted = 0;
    for (let i = 0; i < 30; i++) {
      const sent = connection.send(message).then(() => accepted++, () => {});
      if (waits && connection.bufferedAmount > 250) break;
      void sent;
    }
    await it.clock.run(100);
    if (waits) {
      assertEquals([connection.state, accepted], ["away", 2]);
      await it.clock.run(5_000);
      assertEquals([connection.state, accepted], ["open", 3]);
      connection.abort();
    } else {
      const { code, origin } = await it.clock.until(connection.closed);
      assertEquals([code, origin], ["write-overflow", "local"]);
    }
  }
  assertEquals(it.clock.pending, 0);
});

test("whenSuspect dials while the old one is only in question, and the new one takes over", async () => {
  const it = world();
  const { handled } = await serving(it);
  const connection = await dialled(it, {
    heartbeat: { interval: 1_000, timeout: 10_000 },
    reconnect: { whenSuspect: true },
  });
  const states = statesOf(connection, it.clock);
  it.network.links[0]!.cut("to-client");
  await it.clock.run(3_400);
  assertEquals([it.dials.length, handled.length, connection.health], [1, 1, "suspect"]);
  await it.clock.run(200);
  assertEquals([it.dials.length, handled.length], [2, 2]);
  assertEquals([connection.state, connection.health], ["open", "healthy"]);
  assertEquals(states, []);
  await connection.send("on the new one");
  await it.clock.run(60_000);
  assertEquals([states, it.dials.length], [[], 2], "an idle peer that answers is not in question");
});

test("A replacement that cannot be made leaves the old one as it is", async () => {
  const it = world();
  await serving(it);
  const connection = await dialled(it, {
    heartbeat: { interval: 1_000, timeout: 10_000 },
    reconnect: { whenSuspect: true },
  });
  const states = statesOf(connection, it.clock);
  it.dials.length = 0;
  // The dialling takes 5 s and fails: the network is cut for 9 s.
  it.network.cut();
  await it.clock.run(9_000);
  assertEquals([it.dials.length, connection.health], [1, "suspect"]);
  it.network.heal();
  await it.clock.run(20_000);
  assertEquals([connection.state, states], ["open", []]);
});

test("reconnectNow() dials at once when away, and does nothing when open", async () => {
  const it = world();
  const { server } = await serving(it);
  const connection = await dialled(it, { reconnect: { initial: 60_000, max: 60_000 } });
  connection.reconnectNow();
  await it.clock.run(100);
  assertEquals(it.dials.length, 1);
  server.abort();
  await it.clock.run(100);
  await serving(it);
  connection.reconnectNow();
  connection.reconnectNow();
  await it.clock.run(20);
  assertEquals([it.dials.length, connection.state], [2, "open"]);
  await it.clock.run(120_000);
  assertEquals(it.dials.length, 2);
});

test("reconnectNow() is for clients that reconnect", async () => {
  const it = world();
  const { handled } = await serving(it, { resume: true });
  const once = await dialled(it, { reconnect: false });
  assertThrows(() => once.reconnectNow(), TypeError, `must be made with "reconnect": this one is not`);
  await dialled(it, { resume: true });
  assertThrows(() => handled[1]!.reconnectNow(), TypeError, "only a client can");
});

for (
  const [options, message] of [
    [{ reconnect: { initial: 0 } }, `"initial" must be > 0: current value is 0`],
    [{ reconnect: { max: NaN } }, `"max" must be > 0: current value is NaN`],
    [{ reconnect: { factor: 0.9 } }, `"factor" must be >= 1: current value is 0.9`],
    [{ reconnect: { jitter: 1.1 } }, `"jitter" must be from 0 to 1: current value is 1.1`],
    [
      { reconnect: { attempts: 0 } },
      `Cannot connect as "reconnect.attempts" must be a whole number >= 1: current value is 0`,
    ],
    [
      { reconnect: { stableAfter: -1 } },
      `Cannot connect as "reconnect.stableAfter" must be > 0: current value is -1`,
    ],
    [
      { reconnect: { whileAway: "drop" as "keep" } },
      `Cannot connect as "reconnect.whileAway" must be "keep" or "refuse": current value is drop`,
    ],
    [{ resume: true, protocol: lines() as never }, `"resume" needs a protocol with sessions, as frames()`],
  ] as [ConnectOptions<Message, Message>, string][]
) {
  test(`connect() rejects ${message}`, async () => {
    const it = world();
    const { transport, clock } = it;
    await assertRejects(
      () => connect(WHERE, { transport, clock, protocol: frames(), ...options }),
      Error,
      message,
    );
    assertEquals([it.dials.length, clock.pending], [0, 0]);
  });
}

test("connect() rejects an empty list of targets", async () => {
  await assertRejects(
    () => connect([], { transport: world().transport }),
    TypeError,
    "Cannot connect as there must be a target: the list is empty",
  );
});

for (const [name, protocol] of [["raw", raw()], ["lines", lines()]] as const) {
  test(`${name}() comes back too, whether it was cut or the server ended in good order`, async () => {
    const it = world();
    const { clock, transport } = it;
    const got: string[] = [];
    const servers: { close(): Promise<void> }[] = [];
    await serve(
      { ...WHERE, transport, clock, protocol: protocol as never, heartbeat: false },
      (connection) => {
        servers.push(connection);
        connection.onMessage = (message) => {
          got.push(typeof message === "string" ? message : new TextDecoder().decode(message));
        };
      },
    );
    const connection = await dialled(it, { protocol: protocol as never });
    const states = statesOf(connection, clock);
    await connection.send("one");
    await clock.run(100);
    it.network.reset();
    await clock.run(100);
    void connection.send("two");
    await clock.run(3_900);
    void servers.at(-1)!.close();
    await clock.run(4_000);
    await connection.send("three");
    await clock.run(100);
    assertEquals(got, ["one", "two", "three"]);
    assertEquals(states, ["100 away", "1100 open", "4100 away", "6100 open"]);
    await clock.until(connection.close());
    assertEquals(states.slice(4).map((state) => state.split(" ")[1]), ["closing", "closed"]);
  });
}

test("A connection that ends for good is told of once, by closed and by its signal", async () => {
  const it = world();
  const { handled } = await serving(it);
  const connection = await dialled(it);
  const ends = endOf(connection);
  let aborted = 0;
  connection.signal.addEventListener("abort", () => aborted++);
  it.network.reset();
  await it.clock.run(5_000);
  assertEquals([ends, aborted], [[], 0]);
  void handled.at(-1)!.close({ code: 4600 });
  await it.clock.run(5_000);
  connection.abort();
  assertEquals([ends.length, aborted], [1, 1]);
  assertStrictEquals(connection.signal.reason, ends[0]);
  assertLessOrEqual(it.dials.length, 2);
});
