import { test } from "node:test";
import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { connect, type ConnectOptions } from "../../lib/client.ts";
import type { Connection } from "../../lib/connection.ts";
import { frames } from "../../lib/protocol/frames.ts";
import { lines } from "../../lib/protocol/lines.ts";
import { raw } from "../../lib/protocol/raw.ts";
import { serve } from "../../lib/server.ts";
import type { Socket, Transport } from "../../lib/transport/transport.ts";
import { countedSignal } from "../support/counted_signal.ts";
import { live } from "../support/live.ts";
import { at, dialled, dialling, type Message, serving, sessionOf, WHERE, type World, world } from "./pair.ts";

const TERMS = { sendEvery: 0, hearEvery: 0, minPingGap: 0 };

/** A server that greets each caller with `farewell` behind the hello, in one chunk. */
async function leaving({ transport, clock }: World, codes: number[], text = "") {
  const protocol = raw();
  const dropped: number[] = [];
  await serve({ ...WHERE, transport, clock, protocol, heartbeat: false }, (connection) => {
    const wire = frames().open("server");
    connection.onMessage = (bytes) => {
      wire.receive(bytes, {
        message() {},
        ping() {},
        pong() {},
        hello() {
          const code = codes.shift();
          const hello = wire.greet!(TERMS);
          const goodbye = code === undefined
            ? new Uint8Array()
            : wire.goodbye!({ code, text, retryAfter: 0 });
          void connection.send(Uint8Array.from([...hello, ...goodbye]));
          if (code !== undefined) connection.finish();
        },
        farewell: ({ code }) => dropped.push(code),
      });
    };
  });
  return { dropped };
}

for (
  const [code, name] of [
    [2, "protocol-error"],
    [5, "superseded"],
    [6, "heartbeat-forged"],
    [11, "protocol-error"],
    [12, "refused"],
    [15, "refused"],
    [4500, "closed"],
    [4999, "closed"],
  ] as const
) {
  test(`After a close with ${code} it is not dialled again`, async () => {
    const it = world();
    await leaving(it, [code], "never again");
    const connection = await dialled(it, { reconnect: { initial: 100 } });
    const reason = await it.clock.until(connection.closed);
    assertEquals([reason.code, reason.origin, reason.farewell], [name, "peer", {
      code,
      text: "never again",
      retryAfter: 0,
    }]);
    await it.clock.run(60_000);
    assertEquals([it.dials.length, it.clock.pending], [1, 0]);
  });
}

for (const code of [1, 3, 4, 7, 8, 9, 10, 13, 14, 16, 17, 999, 4000, 4499, 5000, 65_535]) {
  test(`After a close with ${code} it is dialled again, even if that came with the hello`, async () => {
    const it = world();
    const { dropped } = await leaving(it, [code, code]);
    const connection = await dialled(it, { reconnect: { initial: 100 } });
    await it.clock.run(60_000);
    assertEquals([connection.state, it.dials.length], ["open", 3]);
    assertEquals(dropped, [0, 0], "who was told why answers that it is done");
  });
}

test("Who is turned away because the server is full comes back when told to wait for the first", async () => {
  const it = world();
  const { handled, server } = await serving(it, { maxConnections: 1 });
  const first = await dialled(it, { reconnect: false });
  it.clock.wakeAfter(2_500, () => first.abort());
  const second = await dialled(it, { reconnect: { waitForFirst: true, initial: 100 } });
  assertEquals([second.state, handled.length], ["open", 2]);
  assertEquals(server.stats().refusedBy.full > 2, true);
});

// Aborts, in every state.

/** Leaves nothing: no listener, no timer, no link. */
async function assertNothingLeft({ clock, network }: World, listeners: () => number): Promise<void> {
  assertEquals(listeners(), 0);
  network.heal();
  await clock.run(2_000);
  assertEquals([clock.pending, network.links.length], [0, 0]);
}

/** A client with a signal, on a world of its own, that was brought `there`. */
async function aborted(
  there: (
    it: World & { connection: Connection<Message, Message>; far: Awaited<ReturnType<typeof serving>> },
  ) => unknown,
  state: string,
  options: ConnectOptions<Message, Message> = {},
) {
  const it = world();
  const far = await serving(it, options.resume ? { resume: { window: 500 } } : {});
  const { signal, listeners, abort } = countedSignal();
  const connection = await dialled(it, { signal, ...options });
  assertEquals(listeners(), 1);
  await there({ ...it, connection, far });
  assertEquals(connection.state, state);
  const reason = abort();
  const end = await it.clock.until(connection.closed);
  assertEquals([end.code, end.origin, end.cause], ["aborted", "local", reason]);
  far.server.abort();
  await assertNothingLeft(it, listeners);
}

for (const resume of [false, true]) {
  const with_ = resume ? "with a session" : "without a session";

  test(`A signal ends an open connection, ${with_}`, () => aborted(() => {}, "open", { resume }));

  test(`A signal ends a connection that waits to come back, ${with_}`, () =>
    aborted(
      async ({ network, clock }) => {
        network.reset();
        await clock.run(500);
      },
      "away",
      { resume },
    ));

  test(`A signal ends a connection that is being dialled again, ${with_}`, () =>
    aborted(
      async ({ network, clock, dials }) => {
        network.reset();
        network.cut();
        await clock.run(2_000);
        assertEquals(dials.length, 2);
      },
      "away",
      { resume },
    ));

  test(`A signal ends a connection that greets again, ${with_}`, () =>
    aborted(
      async ({ network, clock, dials }) => {
        network.reset();
        network.shape({ delay: 400 });
        await clock.run(2_000);
        assertEquals(dials.length, 2);
        assert(network.links.length === 1);
      },
      "away",
      { resume },
    ));

  test(`A signal ends a connection that is closing, ${with_}`, () =>
    aborted(
      async ({ network, clock, connection }) => {
        network.cut();
        void connection.send("on its way");
        void connection.close();
        await clock.run(500);
      },
      "closing",
      { resume },
    ));

  test(`A signal ends a connection that closes while it is away, ${with_}`, () =>
    aborted(
      async ({ network, clock, connection }) => {
        network.reset();
        await clock.run(100);
        void connection.send("kept");
        void connection.close();
        await clock.run(100);
      },
      "closing",
      { resume },
    ));

  test(`A signal ends the first dial, ${with_}`, async () => {
    const it = world();
    it.network.cut();
    const { signal, listeners, abort } = countedSignal();
    const waiting = dialling(it, { signal, resume }).catch((error) => error);
    await it.clock.run(100);
    const reason = abort();
    assertStrictEquals(await waiting, reason);
    await assertNothingLeft(it, listeners);
  });

  test(`A signal ends the first greeting, ${with_}`, async () => {
    const it = world();
    await serve({ ...WHERE, transport: it.transport, clock: it.clock, heartbeat: false }, (connection) => {
      connection.onMessage = () => {};
    });
    const { signal, listeners, abort } = countedSignal();
    const waiting = dialling(it, { signal, resume, handshakeTimeout: 3_000 }).catch((error) => error);
    await it.clock.run(1_000);
    assertEquals(it.network.links.length, 1);
    const reason = abort();
    assertStrictEquals(await waiting, reason);
    await assertNothingLeft(it, listeners);
  });

  test(`A signal ends the wait before the first connection, ${with_}`, async () => {
    const it = world();
    const { signal, listeners, abort } = countedSignal();
    const waiting = dialling(it, { signal, resume, reconnect: { waitForFirst: true } }).catch((error) =>
      error
    );
    await it.clock.run(500);
    const reason = abort();
    assertStrictEquals(await waiting, reason);
    await assertNothingLeft(it, listeners);
  });
}

test("A signal that has fired already keeps it from dialling", async () => {
  const it = world();
  const { signal, listeners, abort } = countedSignal();
  const reason = abort();
  assertStrictEquals(await dialled(it, { signal }).catch((error) => error), reason);
  assertEquals([it.dials.length, listeners()], [0, 0]);
});

test("A signal that fires between the dial and the greeting rejects with its reason", async () => {
  const it = world();
  await serving(it);
  const { signal, listeners, abort } = countedSignal();
  let reason: Error | undefined;
  const sockets: Socket[] = [];
  const transport: Transport = {
    name: "memory",
    capabilities: it.transport.capabilities,
    connect: async (target, options) => {
      const socket = await it.transport.connect(target, options);
      sockets.push(socket);
      // The dial has been made by now, and nobody has been told.
      reason = abort();
      return socket;
    },
  };
  const error = await dialled(it, { signal, transport }).catch((error) => error);
  assertStrictEquals(error, reason);
  await assertNothingLeft(it, listeners);
});

test("A connection that ends otherwise leaves no listener on the signal", async () => {
  const it = world();
  const { handled } = await serving(it);
  const { signal, listeners } = countedSignal();
  const connection = await dialled(it, { signal });
  void handled[0]!.close({ code: 4500 });
  await it.clock.until(connection.closed);
  await assertNothingLeft(it, listeners);
  assertEquals((await dialled(it, { signal }, at(99)).catch((error) => error)).code, "connect-failed");
  assertEquals(listeners(), 0);
});

test("Cuts without end leave one listener, one link and a bounded number of timers", async () => {
  const it = world();
  await serving(it);
  const { signal, listeners } = countedSignal();
  const connection = await dialled(it, { signal, reconnect: { initial: 10, stableAfter: 100 } });
  for (let i = 0; i < 50; i++) {
    it.network.reset();
    await it.clock.run(200);
    assertEquals(connection.state, "open");
  }
  assertEquals([listeners(), it.network.links.length], [1, 1]);
  connection.abort();
  await assertNothingLeft(it, listeners);
});

// Replacements.

test("The server may close the old one as superseded before the new one is told: nothing ends", async () => {
  const it = await sessionOf({
    client: { heartbeat: { interval: 1_000, timeout: 10_000 }, reconnect: { whenSuspect: true } },
  });
  const { connection, network, clock, got } = it;
  const states: string[] = [];
  connection.onState = (state) => states.push(state);
  const [old] = network.links;
  // The new one is slow: its hello takes longer than the close of the old one.
  old!.shape({ delay: 1 });
  old!.cut("to-client");
  await connection.send("1");
  await clock.run(3_300);
  network.shape({ delay: 100 }, "to-client");
  old!.shape({ delay: 0 });
  clock.wakeAfter(400, () => old!.heal());
  await clock.run(2_000);
  await connection.send("2");
  await clock.run(2_000);
  assertEquals([connection.state, it.dials.length, it.handled.length], ["open", 2, 1]);
  assertEquals(got, ["1", "2"]);
});

test("What comes on the old one after the new one has greeted is not delivered twice", async () => {
  const it = await sessionOf({
    client: { heartbeat: { interval: 1_000, timeout: 10_000 }, reconnect: { whenSuspect: true } },
  });
  const { connection, network, clock, back, handled } = it;
  const [old] = network.links;
  old!.cut("to-client");
  for (let i = 1; i <= 20; i++) void handled[0]!.send(`${i}`);
  // Dialled after 3.5 s; the new one's hello needs 2 s, and the old one comes back to life meanwhile.
  clock.wakeAfter(3_400, () => network.shape({ delay: 1_000 }));
  clock.wakeAfter(3_450, () => old!.shape({ delay: 0 }));
  clock.wakeAfter(5_700, () => old!.heal());
  await clock.run(20_000);
  assertEquals(back, Array.from({ length: 20 }, (_, i) => `${i + 1}`));
  assertEquals([connection.state, it.dials.length], ["open", 2]);
  void handled[0]!.send("21");
  await connection.send("x");
  await clock.until(connection.flush());
  await clock.run(2_100);
  assertEquals(back.at(-1), "21");
});

test("Without a session the old link is drained when a new one takes over, and dropped with the connection", async () => {
  const it = world();
  await serving(it);
  const connection = await dialled(it, {
    protocol: lines() as never,
    reconnect: false,
  }).catch((error) => error);
  assertEquals(connection.code ?? connection.state, "open");
  connection.abort();

  const far = await serving(it, {}, undefined, at(8));
  const { signal, listeners, abort } = countedSignal();
  const client = await dialled(it, {
    signal,
    heartbeat: { interval: 1_000, timeout: 60_000 },
    reconnect: { whenSuspect: true },
  }, at(8));
  const [old] = it.network.links.slice(-1);
  old!.cut();
  await it.clock.run(17_000);
  assertEquals([far.handled.length, client.state], [2, "open"]);
  assertEquals(it.network.links.includes(old!), true);
  abort();
  far.server.abort();
  assertEquals(listeners(), 0);
  await it.clock.run(100);
  assertEquals(it.network.links.includes(old!), false);
});

test("drain() of a connection that is cut meanwhile ends all the same", async () => {
  for (const resume of [false, true]) {
    const it = world();
    await serving(it, { resume: true });
    const connection = await dialled(it, { resume, reconnect: { initial: 100 } });
    connection.onMessage = () => {};
    void connection.send("x");
    const drained = connection.drain();
    it.network.reset();
    await it.clock.until(drained, 10_000);
    assertEquals(connection.state, "closed");
  }
});

test("drain() of a connection that is away ends once what waits has been sent", async () => {
  const it = world();
  const { got } = await serving(it);
  const connection = await dialled(it);
  connection.onMessage = () => {};
  it.network.reset();
  await it.clock.run(100);
  void connection.send("kept");
  await it.clock.until(connection.drain(), 10_000);
  assertEquals(got, ["kept"]);
});

test("connect() of a client that reconnects is given by the options alone", async () => {
  const it = world();
  await serving(it, { resume: true });
  const { transport, clock } = it;
  const common = { transport, clock, protocol: frames(), heartbeat: false } as const;
  for (
    const [options, dials] of [
      [{}, 1],
      [{ reconnect: false, resume: false }, 1],
      [{ reconnect: true }, 2],
      [{ resume: true }, 2],
      [{ reconnect: {} }, 2],
    ] as [ConnectOptions<Message, Message>, number][]
  ) {
    it.dials.length = 0;
    const connection = await clock.until(connect(WHERE, { ...common, ...options }));
    it.network.reset();
    await clock.run(1_500);
    assertEquals(it.dials.length, dials);
    connection.abort();
  }
});

test("Messages sent while the peer says goodbye wait for the next link, or are refused by policy", async () => {
  for (const whileAway of ["keep", "refuse"] as const) {
    const it = world();
    const { got, handled } = await serving(it);
    const connection = await dialled(it, { reconnect: { whileAway } });
    it.network.shape({ delay: 50 });
    void handled[0]!.close({ code: 4000 });
    await it.clock.run(60);
    const sent = connection.send("late").then(() => "accepted", () => "refused");
    await it.clock.run(5_000);
    assertEquals([await sent, got], whileAway === "keep" ? ["accepted", ["late"]] : ["refused", []]);
  }
});

test("What was only lent, and is sent while there is no link, arrives as it was", async () => {
  const it = world(), { transport, clock } = it, got: string[] = [];
  const options = { transport, clock, protocol: raw(), heartbeat: false } as const;
  await serve({ ...WHERE, ...options }, (connection) => {
    connection.onMessage = (bytes) => void got.push(new TextDecoder().decode(bytes));
  });
  const connection = await clock.until(connect(WHERE, { ...options, reconnect: { initial: 100 } }));
  it.network.reset();
  await clock.run(10);
  assertEquals(connection.state, "away");
  const lender = live();
  lender.connection.onMessage = (bytes) => connection.send(bytes);
  lender.socket.receive("hello");
  await clock.run(1_000);
  assertEquals(got, ["hello"]);
});
