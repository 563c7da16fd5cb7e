/**
 * frames() as a connection keeps it: both ends, on one clock and a memory network.
 *
 * @module
 */

import { test } from "node:test";
import { assert, assertEquals, assertGreater, assertLessOrEqual, assertRejects } from "@std/assert";
import { connect, type ConnectOptions } from "../lib/client.ts";
import type { Connection } from "../lib/connection.ts";
import { frames, type FramesOptions } from "../lib/protocol/frames.ts";
import type { Wire } from "../lib/protocol/protocol.ts";
import { serve, type ServeOptions } from "../lib/server.ts";
import { FakeClock } from "../lib/testing/fake_clock.ts";
import { memoryNetwork } from "../lib/transport/memory.ts";
import type { Socket, Transport } from "../lib/transport/transport.ts";
import { live as alone } from "./support/live.ts";

type Message = Uint8Array | string;

const WHERE = { hostname: "server.test", port: 7 };
const TERMS = { sendEvery: 0, hearEvery: 0, minPingGap: 0 };
const KEY = "a secret of both ends";

/** A server on a network of its own. */
async function serving(options: ServeOptions<Message, Message> = {}, rules: FramesOptions = {}) {
  const clock = new FakeClock(), network = memoryNetwork({ clock });
  const handled: Connection<Message, Message>[] = [];
  const got: Message[] = [];
  const { transport } = network;
  const server = await serve({
    ...WHERE,
    clock,
    transport,
    heartbeat: false,
    protocol: frames(rules),
    ...options,
  }, (connection) => {
    handled.push(connection);
    connection.onMessage = (message) => {
      got.push(typeof message === "string" ? message : message.slice());
      if (message === "throw") throw new Error("bug");
    };
  });
  const dial = (more: ConnectOptions<Message, Message> = {}, protocol = frames(rules)) =>
    clock.until(connect(WHERE, { clock, transport, heartbeat: false, protocol, ...more }));
  return { clock, network, transport, server, handled, got, dial };
}

/** A peer by hand: what it has heard, and how to say something. */
async function byHand(it: { clock: FakeClock; transport: Transport }, rules: FramesOptions = {}) {
  const socket = await it.clock.until(it.transport.connect(WHERE));
  const wire = frames(rules).open("client");
  const heard: string[] = [];
  const pings: Uint8Array[] = [];
  let ends = 0;
  socket.start({
    data(chunk) {
      wire.receive(chunk, {
        message: (message) => heard.push(`${message.length}`),
        ping(nonce) {
          heard.push("ping");
          pings.push(nonce!);
        },
        pong: () => heard.push("pong"),
        hello: () => heard.push("hello"),
        acked() {},
        draining: ({ within, retryAfter, to }) => heard.push(`drain ${within} ${retryAfter} ${to}`),
        farewell: ({ code, text, retryAfter }) => heard.push(`close ${code} ${retryAfter} ${text}`),
      });
    },
    written() {},
    end: () => ends++,
    close: () => ends++,
  });
  return { socket, wire, heard, pings, ends: () => ends };
}

/** As {@linkcode byHand}, after both have greeted. */
async function greeted(it: { clock: FakeClock; transport: Transport }, rules: FramesOptions = {}) {
  const peer = await byHand(it, rules);
  peer.socket.write(peer.wire.greet!(TERMS));
  await it.clock.run(0);
  assertEquals(peer.heard, ["hello"]);
  peer.heard.length = 0;
  return peer;
}

/** A client by the library, and a server by hand that does what `react` says with its bytes. */
async function toHand(
  options: ConnectOptions<Message, Message>,
  rules: FramesOptions,
  react: (socket: Socket, wire: Wire<Message>, ping: Uint8Array | undefined) => void,
) {
  const clock = new FakeClock(), { transport } = memoryNetwork({ clock });
  await transport.listen!(WHERE, {
    accept(socket) {
      const wire = frames(rules).open("server");
      socket.start({
        data(chunk) {
          wire.receive(chunk, {
            message() {},
            ping: (nonce) => react(socket, wire, nonce),
            pong() {},
            hello() {
              socket.write(wire.greet!(TERMS));
              react(socket, wire, undefined);
            },
            farewell() {},
          });
        },
        written() {},
        end() {},
        close() {},
      });
    },
  });
  const connection = await clock.until(
    connect(WHERE, { clock, transport, heartbeat: false, protocol: frames(rules), ...options }),
  );
  return { clock, connection };
}

test("Both ends know what the other told, and are open once both have greeted", async () => {
  const { dial, handled, clock } = await serving({ minPingGap: 123 }, { maxMessageBytes: 5_000 });
  const connection = await dial({ heartbeat: { interval: 4_000, sendEvery: 7_000 } });
  await clock.run(10);
  const { hello } = connection;
  assertEquals([hello?.minPingGap, hello?.maxMessageBytes, hello?.hearEvery], [123, 5_000, 0]);
  assertEquals([handled[0]!.hello?.sendEvery, handled[0]!.hello?.hearEvery], [7_000, 4_000]);
});

test("A client whose server does not greet rejects with handshake-timeout, and leaves nothing", async () => {
  const clock = new FakeClock(), { transport, links } = memoryNetwork({ clock });
  await transport.listen!(WHERE, {
    accept: (socket) => socket.start({ data() {}, written() {}, end() {}, close() {} }),
  });
  const error = await clock.until(
    connect(WHERE, { clock, transport, protocol: frames(), handshakeTimeout: 3_000 }),
  ).catch((error) => error);
  assertEquals([error.code, error.origin], ["handshake-timeout", "peer"]);
  assertLessOrEqual(Math.abs(clock.now() - 3_000), 100);
  await clock.run(5_000);
  assertEquals([clock.pending, links.length], [0, 0]);
});

test("A caller who says nothing is dropped without a word, one who stops in the hello is told why", async () => {
  const it = await serving({ handshakeTimeout: 2_000 });
  const silent = await byHand(it), slow = await byHand(it);
  slow.socket.write(slow.wire.greet!(TERMS).subarray(0, 20));
  await it.clock.run(1_900);
  assertEquals([silent.ends(), slow.ends()], [0, 0]);
  await it.clock.run(2_000);
  assertEquals([silent.heard, slow.heard], [[], ["close 10 0 "]]);
  assert(silent.ends() > 0 && slow.ends() > 0);
  assertEquals([it.server.stats().now, it.handled.length], [0, 0]);
  assertEquals(it.server.stats().ended, { "handshake-timeout": 2 });
});

test("A stranger is dropped without a word", async () => {
  const it = await serving();
  const peer = await byHand(it);
  peer.socket.write(new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n"));
  await it.clock.run(2_000);
  assertEquals([peer.heard, it.handled.length], [[], 0]);
  assertEquals(it.server.stats().ended, { "protocol-error": 1 });
});

test("A ping passes between the pieces of a long message on a slow path", async () => {
  // 10 KiB fit into the kernels, and take 100 ms: some 100 KiB/s.
  const clock = new FakeClock(), network = memoryNetwork({ clock, bufferBytes: 10_240 });
  network.shape({ delay: 50 });
  const { transport } = network, rules = { maxMessageBytes: 1 << 23 };
  let before = 0, bytes = 0, waits = 0;
  await transport.listen!(WHERE, {
    accept(socket) {
      const wire = frames(rules).open("server");
      socket.start({
        data(chunk) {
          bytes += chunk.length;
          wire.receive(chunk, {
            message: () => waits = -1,
            ping(nonce) {
              before = bytes;
              socket.write(wire.pong!(nonce));
            },
            pong() {},
            hello: () => void socket.write(wire.greet!(TERMS)),
            farewell() {},
          });
        },
        written() {},
        end() {},
        close() {},
      });
    },
  });
  const connection = await clock.until(
    connect(WHERE, {
      clock,
      transport,
      protocol: frames(rules),
      heartbeat: false,
      maxOutboundBytes: 1 << 24,
      frameTimeout: Infinity,
    }),
  );
  void connection.send(new Uint8Array(4 << 20));
  await clock.run(2_000);
  const start = clock.now(), read = bytes;
  const rtt = await clock.until(connection.probe());
  // What stood before it: what is with the kernels, at most 64 KiB and a piece in the socket.
  assertLessOrEqual(before - read, 10_240 + (64 << 10) + 2 * (16 << 10));
  assertLessOrEqual(rtt, 1_500);
  assertEquals(clock.now() - start, rtt);
  assert(waits === 0 && connection.bufferedAmount > 1 << 20, "the message is still on its way");
  connection.abort();
});

test("A message of 4 MiB arrives in pieces, whole, with pings and small messages about it", async () => {
  const { dial, got, clock, network } = await serving({ maxInboundBytes: 1 << 24 }, {
    maxMessageBytes: 1 << 23,
  });
  network.shape({ delay: 5 });
  const connection = await dial({ maxOutboundBytes: 1 << 24, heartbeat: { interval: 20, timeout: 5_000 } });
  const long = new Uint8Array(4 << 20).map((_, i) => i * 31);
  void connection.send("before");
  void connection.send(long);
  void connection.send("after");
  await clock.until(connection.flush());
  await clock.run(100);
  assertEquals([got.length, got[0], got[2]], [3, "before", "after"]);
  assertEquals(got[1], long);
});

test("flush() is fulfilled when all is with the kernel, small or large", async () => {
  const { dial, clock } = await serving();
  const connection = await dial();
  for (const size of [0, 1, 100, 20_000, 70_000, 1_000_000]) {
    void connection.send(new Uint8Array(size));
    await clock.until(connection.flush());
    assertEquals(connection.bufferedAmount, 0);
  }
});

// Keyed heartbeats.

const HEARTBEAT = { interval: 1_000, timeout: 500 };

/** Moves time on by `ms`, and lets WebCrypto work meanwhile: it does so on threads of its own. */
async function live(clock: FakeClock, ms: number): Promise<void> {
  for (let at = 0; at < ms; at += 100) {
    await clock.run(100);
    // Proofs are made in real time, on other threads. Those that were asked for before this digest are done with it, or
    // as good as.
    for (let i = 0; i < 3; i++) {
      await crypto.subtle.digest("SHA-256", new Uint8Array(8));
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }
}

test("With the same key both ends prove it, at once and for as long as they live", async () => {
  const heartbeat = { interval: 1_000, timeout: 10_000 };
  const { dial, handled, clock } = await serving({ heartbeat }, { key: KEY });
  const connection = await dial({ heartbeat });
  await live(clock, 500);
  assertGreater(connection.stats().pongsReceived, 0);
  await live(clock, 30_000);
  assertEquals([connection.state, handled[0]!.state], ["open", "open"]);
  assertGreater(handled[0]!.stats().pongsReceived, 20);
});

test("Another key is found out with the first ping: heartbeat-forged, at both ends", async () => {
  const heartbeat = { interval: 1_000, timeout: 10_000 };
  const { dial, handled, clock } = await serving({ heartbeat }, { key: KEY });
  const connection = await dial({ heartbeat }, frames({ key: `${KEY}!` }));
  await live(clock, 3_000);
  assertEquals([connection.state, handled[0]!.state], ["closed", "closed"]);
  assertEquals([(await connection.closed).code, (await handled[0]!.closed).code], [
    "heartbeat-forged",
    "heartbeat-forged",
  ]);
});

test("Keyed at one end only is refused, whichever it is", async () => {
  for (const [ours, theirs] of [[{}, { key: KEY }], [{ key: KEY }, {}]]) {
    const it = await serving({}, theirs);
    const error = await it.dial({}, frames(ours)).catch((error) => error);
    assert(["refused", "protocol-error"].includes(error.code), error.code);
    assertEquals(error.farewell?.code ?? 15, 15);
    assertEquals(it.handled.length, 0);
  }
});

test("A proof that is replayed, or changed, or for nothing that was asked, is forged", async () => {
  const proofs = { replayed: true, changed: true, unasked: true };
  for (const how of Object.keys(proofs)) {
    let last: Uint8Array | undefined;
    const { connection, clock } = await toHand(
      { heartbeat: { interval: 1_000, timeout: 10_000 } },
      { key: KEY },
      async (socket, wire, nonce) => {
        if (nonce === undefined) return;
        const key = await crypto.subtle.importKey(
          "raw",
          new TextEncoder().encode(KEY),
          { name: "HMAC", hash: "SHA-256" },
          false,
          ["sign"],
        );
        const challenge = wire.challenge!(nonce, "us") as Uint8Array<ArrayBuffer>;
        const proof = new Uint8Array(await crypto.subtle.sign("HMAC", key, challenge));
        const pong = wire.pong!(nonce, proof);
        if (last !== undefined && how === "replayed") return void socket.write(last);
        if (last !== undefined && how === "changed") pong[20]! ^= 1;
        if (last !== undefined && how === "unasked") pong[4]! ^= 1;
        socket.write(last = pong);
      },
    );
    await live(clock, 800);
    assertEquals(connection.state, "open", how);
    await live(clock, 2_000);
    for (let i = 0; i < 1_000 && connection.state !== "closed"; i++) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      await clock.run(1);
    }
    assertEquals(connection.state, "closed", how);
    const { code, origin } = await connection.closed;
    assertEquals([code, origin], ["heartbeat-forged", "peer"], how);
  }
});

test("With a key, data without answers is no sign of life: heartbeat-timeout", async () => {
  let timer = () => {};
  const it = await toHand({ heartbeat: HEARTBEAT }, { key: KEY }, (socket, wire, nonce) => {
    if (nonce !== undefined) return;
    timer = () => void socket.write(wire.encode("data") as Uint8Array);
  });
  let ended = false;
  void it.connection.closed.then(() => ended = true);
  let talked = 0;
  while (!ended && it.clock.now() < 10_000) {
    timer();
    talked++;
    await it.clock.run(50);
  }
  assertEquals((await it.connection.closed).code, "heartbeat-timeout");
  assertLessOrEqual(it.clock.now(), 700);
  assertGreater(talked, 5);
});

// Ends.

for (
  const [name, code, options, provoke] of [
    ["too-many-pings", 3, { minPingGap: 1_000 }, ({ socket, wire }) => {
      for (let i = 0; i < 70; i++) socket.write(wire.ping!());
    }],
    ["protocol-error", 2, {}, ({ socket }) => void socket.write(Uint8Array.from([0xf0, 0, 0]))],
    ["handler-failed", 13, {}, ({ socket, wire }) => void socket.write(wire.encode("throw") as Uint8Array)],
    ["idle-timeout", 7, { idleTimeout: 1_000 }, () => {}],
    ["too-many-messages", 8, { messageRate: { perSecond: 1, burst: 2 } }, ({ socket, wire }) => {
      for (let i = 0; i < 5; i++) socket.write(wire.encode("x") as Uint8Array);
    }],
    ["frame-timeout", 9, { frameTimeout: 1_000 }, ({ socket }) => {
      socket.write(Uint8Array.from([0x20, 0, 100, 1]));
    }],
    ["max-age", 14, { maxAge: 1_000 }, () => {}],
  ] as [
    string,
    number,
    ServeOptions<Message, Message>,
    (peer: { socket: Socket; wire: Wire<Message> }) => void,
  ][]
) {
  test(`${name} is told as ${code}, and is the reason here`, async () => {
    const it = await serving(options);
    const peer = await greeted(it);
    provoke(peer);
    await it.clock.run(4_000);
    const close = peer.heard.find((what) => what.startsWith("close"));
    assert(close?.startsWith(`close ${code} 0`), `${peer.heard}`);
    peer.socket.write(peer.wire.goodbye!());
    peer.socket.shutdown();
    assertEquals((await it.clock.until(it.handled[0]!.closed)).code, name);
    await it.clock.run(6_000);
    assertEquals([it.clock.pending, it.network.links.length], [0, 0]);
  });
}

test("A client that is told why ends for that reason, by the peer", async () => {
  for (
    const [options, code, number] of [
      [{ idleTimeout: 1_000 }, "idle-timeout", 7],
      [{ maxAge: 1_000 }, "max-age", 14],
    ] as const
  ) {
    const { dial, clock, handled } = await serving(options);
    const connection = await dial();
    connection.onMessage = () => {};
    const reason = await clock.until(connection.closed);
    assertEquals([reason.code, reason.origin, reason.farewell?.code], [code, "peer", number]);
    const { code: here, origin } = await clock.until(handled[0]!.closed);
    assertEquals([here, origin], [code, "local"]);
  }
});

test("A server without a place says so to those who greet, and lets nobody wait", async () => {
  const { dial, clock, server } = await serving({ maxConnections: 1 });
  await dial();
  const error = await dial().catch((error) => error);
  assertEquals([error.code, error.origin, error.farewell?.code], ["server-full", "peer", 4]);
  await clock.run(2_000);
  assertEquals([server.stats().now, server.stats().refused], [1, 1]);
});

test("A farewell with a code, a text and a time arrives as it was said, either way", async () => {
  for (const by of ["client", "server"]) {
    const { dial, handled, clock } = await serving();
    const connection = await dial();
    connection.onMessage = () => {};
    const [ours, theirs] = by === "client" ? [connection, handled[0]!] : [handled[0]!, connection];
    const farewell = { code: 4321, text: "until tomorrow, schön", retryAfter: 86_400_000 };
    void ours.close(farewell);
    const reason = await clock.until(theirs.closed);
    assertEquals([reason.code, reason.origin, reason.farewell], ["closed", "peer", farewell]);
    assert(reason.message.includes("until tomorrow"), reason.message);
    assertEquals([(await clock.until(ours.closed)).code, (await ours.closed).origin], ["closed", "local"]);
  }
});

test("A farewell that cannot be said is refused, and the connection stays open", async () => {
  const { dial } = await serving();
  const connection = await dial();
  for (const code of [1, 3_999, 5_000, 4000.5, NaN]) {
    await assertRejects(() => connection.close({ code }), RangeError, `"code" must be 0 or 4000 to 4999`);
  }
  await assertRejects(() => connection.close({ retryAfter: -1 }), RangeError, `"retryAfter" must be >= 0`);
  assertEquals(connection.state, "open");
});

test("A stream that ends without a close was cut", async () => {
  const it = await serving();
  const peer = await greeted(it);
  peer.socket.shutdown();
  const { code, origin } = await it.clock.until(it.handled[0]!.closed);
  assertEquals([code, origin], ["reset", "peer"]);
});

test("A stream that ends amid a message was cut, too; a close amid it is an end in order", async () => {
  for (const close of [false, true]) {
    const it = await serving();
    const peer = await greeted(it);
    peer.socket.write(Uint8Array.from([0x22, 0, 1, 9]));
    if (close) peer.socket.write(peer.wire.goodbye!());
    peer.socket.shutdown();
    const { code } = await it.clock.until(it.handled[0]!.closed);
    assertEquals([code, it.got], [close ? "closed" : "reset", []]);
  }
});

test("A last word does not hang on a peer that never reads, nor does a goodbye", async () => {
  const it = await serving({ idleTimeout: 1_000, closeTimeout: 2_000 });
  const deaf = await greeted(it);
  deaf.socket.pause();
  await it.clock.until(it.handled[0]!.closed);
  const told = it.clock.now();
  await it.clock.run(1_100);
  assertEquals([it.network.links.length > 1, it.clock.pending], [false, 0], `${told}`);

  const second = await serving({ closeTimeout: 2_000 });
  const other = await greeted(second);
  other.socket.pause();
  const start = second.clock.now();
  await second.clock.until(second.handled[0]!.close());
  assertEquals((await second.handled[0]!.closed).code, "close-timeout");
  assertLessOrEqual(second.clock.now() - start, 2_100);
});

test("A drain is told to onDrain, and the end after it is going away", async () => {
  const { dial, server, clock } = await serving();
  const connection = await dial();
  connection.onMessage = () => {};
  const notices: unknown[] = [];
  connection.onDrain = (notice, same) => notices.push(notice, same === connection);
  void server.drain({ timeout: 7_000, retryAfter: 1_500, to: { hostname: "::1", port: 99 } });
  const { code, farewell } = await clock.until(connection.closed);
  assertEquals(notices, [{ within: 7_000, retryAfter: 1_500, to: "[::1]:99" }, true]);
  assertEquals([code, farewell], ["closed", { code: 1, text: "", retryAfter: 1_500 }]);
  await clock.until(server.closed);
});

test("A long message that was only lent arrives as it was, however long it waits", async () => {
  const it = await serving();
  const connection = await it.dial(), lender = alone();
  lender.connection.onMessage = (bytes) => connection.send(bytes);
  const sent = Uint8Array.from({ length: 600_000 }, (_, i) => i * 7 % 251);
  for (let at = 0; at < sent.length; at += 200_000) lender.socket.receive(sent.slice(at, at + 200_000));
  // Much of it waits, and what was lent is overwritten by now.
  assertGreater(connection.bufferedAmount, 300_000);
  await it.clock.run(1_000);
  assertEquals(it.got.map(({ length }) => length), [200_000, 200_000, 200_000]);
  assert(it.got.flatMap((bytes) => [...bytes as Uint8Array]).every((byte, i) => byte === sent[i]), "changed");
});
