import { test } from "node:test";
import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import type { Connection } from "../lib/connection.ts";
import { lines } from "../lib/protocol/lines.ts";
import { raw } from "../lib/protocol/raw.ts";
import { live, settle } from "./support/live.ts";

const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/** Collects what an iterator gives, and how it ends. */
function collect<In>(connection: Connection<In, never>, show: (message: In) => string): string[] {
  const log: string[] = [];
  (async () => {
    for await (const message of connection) log.push(show(message));
    log.push("done");
  })().catch((error) => log.push(error.code));
  return log;
}

test("A callback may change the bytes it is lent, and send them on at once", () => {
  const { socket, connection } = live();
  connection.onMessage = (bytes, same) => {
    assertStrictEquals(same, connection);
    for (let i = 0; i < bytes.length; i++) bytes[i]! -= 32;
    return connection.send(bytes);
  };
  socket.receive("hello");
  socket.receive("world");
  assertEquals(socket.sent, ["HELLO", "WORLD"]);
});

test("Small messages of one chunk leave in one write, in order", () => {
  const { socket, connection } = live({ protocol: lines() });
  connection.onMessage = (line) => connection.send(line.toUpperCase());
  socket.receive("a\nb\nc\n");
  assertEquals(socket.sent, ["A\nB\nC\n"]);
});

test("Small messages of one turn leave in one write, before a large one that follows", async () => {
  const { socket, connection } = live();
  connection.send("a");
  connection.send("b");
  assertEquals(socket.sent, []);
  assertEquals(connection.bufferedAmount, 2);
  const large = "x".repeat(20_000);
  connection.send(large);
  connection.send("c");
  assertEquals(socket.sent, ["ab", large]);
  await settle();
  assertEquals(socket.sent, ["ab", large, "c"]);
});

test("What leaves together has one date, and what is sent in a later turn another", async () => {
  const plain = raw();
  const writing: typeof plain = {
    ...plain,
    open: () =>
      Object.assign(plain.open(), {
        encodeInto: (text: string, space: Uint8Array, at: number) =>
          at + new TextEncoder().encodeInto(text, space.subarray(at)).written,
      }),
  };
  for (const protocol of [plain, writing]) {
    const { clock, connection } = live({ protocol });
    const sentAt = (bytes: string) => {
      connection.send(bytes);
      return [connection.lastSentAt, connection.messageAt];
    };
    clock.advance(7);
    assertEquals(sentAt("a"), [7, 7]);
    clock.advance(5);
    assertEquals(sentAt("b"), [7, 7]);
    await settle();
    assertEquals(sentAt("c"), [12, 12]);
    await settle();
    clock.advance(5_000);
    assertEquals(sentAt("d"), [5_012, 5_012]);
  }
});

test("What is lent to one connection may be sent by another", () => {
  const a = live(), b = live();
  a.connection.onMessage = (bytes) => b.connection.send(bytes);
  a.socket.receive("hello");
  assertEquals(b.socket.sent, ["hello"]);
});

test("What is lent to one connection leaves by another at once, whatever that still has to answer", () => {
  const a = live(), b = live();
  b.socket.receive("one");
  b.socket.receive("two");
  a.connection.onMessage = (bytes) => b.connection.send(bytes);
  a.socket.receive("hello");
  assertEquals(b.socket.sent, ["hello"]);
});

test("What is lent within a call in which something else is lent leaves by the end of its own", () => {
  const a = live(), b = live(), c = live();
  a.connection.onMessage = () => b.socket.receive("inner");
  b.connection.onMessage = (bytes) => c.connection.send(bytes);
  a.socket.receive("outer");
  assertEquals(c.socket.sent, ["inner"]);
});

test("What an iterator gives is the receiver's own, large or small", async () => {
  const { socket, connection } = live();
  const log = collect(connection, decode);
  const large = "x".repeat(5_000);
  socket.receive("before");
  socket.receive(large);
  await settle();
  socket.receive("after");
  socket.end();
  await settle();
  assertEquals(log, ["before", large, "after", "done"]);
});

test("A callback that is set late gets first what has come before", () => {
  const { socket, connection } = live();
  socket.receive("a");
  socket.receive("b");
  const log: string[] = [];
  connection.onMessage = (bytes) => void log.push(decode(bytes));
  socket.receive("c");
  assertEquals(log, ["a", "b", "c"]);
});

test("A callback's promise holds the next message back", async () => {
  const { socket, connection } = live();
  const log: string[] = [];
  const release: (() => void)[] = [];
  connection.onMessage = (bytes) => {
    log.push(decode(bytes));
    return new Promise<void>((resolve) => release.push(resolve));
  };
  socket.receive("a");
  socket.receive("b");
  socket.receive("c");
  assertEquals(log, ["a"]);
  release[0]!();
  await settle();
  assertEquals(log, ["a", "b"]);
});

test("Reading stops when the application holds too much back, and goes on at half of it", async () => {
  const { socket, connection } = live({ maxInboundBytes: 10 });
  socket.receive("12345");
  assert(!socket.paused);
  socket.receive("67890");
  assert(socket.paused);
  const iterator = connection[Symbol.asyncIterator]();
  await iterator.next();
  assert(!socket.paused);
});

test("A peer is not judged for silence while we do not read, and has a whole interval afterwards", async () => {
  const { clock, socket, connection, ends } = live({
    maxInboundBytes: 1,
    protocol: lines(),
    heartbeat: { interval: 100, timeout: 50 },
  });
  socket.receive("x\n");
  clock.advance(10_000);
  assertEquals(ends, []);
  await connection[Symbol.asyncIterator]().next();
  clock.advance(90);
  assertEquals(connection.health, "healthy");
  clock.advance(20);
  assertEquals(connection.health, "suspect");
  clock.advance(70);
  assertEquals(ends.map(({ code }) => code), ["heartbeat-timeout"]);
});

test("One connection yields to the others after 256 KiB", () => {
  const { clock, socket, connection } = live();
  connection.onMessage = () => {};
  for (let i = 0; i < 3; i++) socket.receive(new Uint8Array(64 * 1024));
  assert(!socket.paused);
  socket.receive(new Uint8Array(64 * 1024));
  assert(socket.paused);
  clock.turn();
  assert(!socket.paused);
});

test("send() waits above a quarter of the bound, until half of that has gone", async () => {
  const { socket, connection } = live({ maxOutboundBytes: 400_000 });
  socket.room = 0;
  let accepted = 0;
  const send = () => void connection.send(new Uint8Array(50_000)).then(() => accepted++);
  send();
  send();
  await settle();
  assertEquals(accepted, 2);
  send();
  await settle();
  assertEquals(accepted, 2);
  socket.take(90_000);
  await settle();
  assertEquals(accepted, 2);
  socket.take(20_000);
  await settle();
  assertEquals(accepted, 3);
});

test("A sender that does not wait ends the connection at the bound, and loses nothing silently", async () => {
  const { socket, connection, ends } = live({ maxOutboundBytes: 100_000 });
  socket.room = 0;
  for (let i = 0; i < 3; i++) connection.send(new Uint8Array(50_000));
  assertEquals(ends, []);
  await assertRejects(() => connection.send("x"), Error, "Too many bytes wait to be sent: 150000");
  assertEquals(ends.map(({ code, origin }) => [code, origin]), [["write-overflow", "local"]]);
  assert(socket.aborted);
});

test("send() is rejected with the close reason, also for those that wait", async () => {
  const { socket, connection } = live({ maxOutboundBytes: 4 });
  socket.room = 0;
  const waiting = connection.send("abc");
  socket.fail("ECONNRESET");
  for (const send of [waiting, connection.send("x")]) {
    assertStrictEquals(await send.catch((error) => error), await connection.closed);
  }
});

test("send() throws at once what the protocol cannot send, and goes on", () => {
  const { socket, connection } = live({ protocol: lines() });
  connection.onMessage = () => {};
  assertThrows(() => connection.send("a\nb"), TypeError);
  connection.send("ok");
  socket.receive("x\n");
  assertEquals(socket.sent, ["ok\n"]);
});

test("The end of the peer closes a callback connection once its last callback has settled", async () => {
  const { socket, connection, ends } = live();
  let release!: () => void;
  connection.onMessage = async (bytes) => {
    await new Promise<void>((resolve) => release = resolve);
    connection.send(decode(bytes).toUpperCase());
  };
  socket.receive("late");
  socket.end();
  await settle();
  assert(!socket.finished);
  release();
  await settle();
  assertEquals(socket.sent, ["LATE"]);
  assert(socket.finished);
  socket.handler!.close();
  assertEquals(ends.map(({ code, origin }) => [code, origin]), [["closed", "peer"]]);
});

test("finish() sends FIN and goes on receiving", async () => {
  const { socket, connection, ends } = live();
  const log = collect(connection, decode);
  connection.send("question");
  connection.finish();
  connection.finish();
  assertEquals(socket.sent, ["question"]);
  assert(socket.finished);
  await assertRejects(() => connection.send("more"), Error, "finished sending");
  socket.receive("answer");
  socket.end();
  await settle();
  assertEquals(log, ["answer", "done"]);
  assertEquals(ends.map(({ code, origin }) => [code, origin]), [["closed", "local"]]);
});

test("close() sends what was accepted, then FIN, and reads on so that the answer is not reset", async () => {
  const { socket, connection, ends, clock } = live({ maxInboundBytes: 1 });
  socket.receive("unread");
  assert(socket.paused);
  connection.send("last");
  const closed = connection.close();
  assertEquals(connection.state, "closing");
  assertEquals(socket.sent, ["last"]);
  assert(socket.finished);
  assert(!socket.paused);
  socket.receive("too late");
  socket.end();
  await closed;
  assertEquals(ends.map(({ code, origin }) => [code, origin]), [["closed", "local"]]);
  assertEquals(clock.pending, 0);
});

test("close() gives the peer closeTimeout from when the last byte has left", () => {
  const { socket, connection, ends, clock } = live({ closeTimeout: 100, writeTimeout: 10_000 });
  socket.room = 0;
  connection.send("x".repeat(20_000));
  connection.close();
  clock.advance(5_000);
  assertEquals(ends, []);
  socket.take(20_000);
  clock.advance(99);
  assertEquals(ends, []);
  clock.advance(12);
  assertEquals(ends.map(({ code }) => code), ["close-timeout"]);
  assert(socket.aborted);
});

test("A connection ends once: the first cause wins, and is told alike everywhere", async () => {
  const { socket, connection, ends, clock } = live();
  const { signal, closed } = connection;
  const cause = new Error("enough");
  connection.abort(cause);
  connection.abort(new Error("again"));
  socket.fail("ECONNRESET");
  connection.close();
  assertEquals(ends.length, 1);
  const [reason] = ends;
  assertEquals([reason!.code, reason!.origin, reason!.cause], ["aborted", "local", cause]);
  assertStrictEquals(await closed, reason);
  assertStrictEquals(signal.reason, reason);
  assertEquals(connection.state, "closed");
  assertEquals(clock.pending, 0);
});

test("closed and signal tell the reason to those who ask late, too", async () => {
  const { socket, connection, ends } = live();
  socket.fail("ECONNRESET");
  assertStrictEquals(await connection.closed, ends[0]);
  assertStrictEquals(connection.signal.reason, ends[0]);
  assertEquals([ends[0]!.code, ends[0]!.origin, ends[0]!.systemCode], ["reset", "peer", "ECONNRESET"]);
});

test("An iterator gives what had come before a failure, then throws it", async () => {
  const { socket, connection } = live();
  socket.receive("a");
  socket.fail("ETIMEDOUT");
  const log = collect(connection, decode);
  await settle();
  assertEquals(log, ["a", "network-failed"]);
});

test("abort() throws away what waits", async () => {
  const { socket, connection } = live();
  socket.receive("a");
  connection.abort();
  const log = collect(connection, decode);
  await settle();
  assertEquals(log, ["aborted"]);
});

for (
  const [how, callback] of [
    ["throws", () => {
      throw new Error("bug");
    }],
    ["is rejected", () => Promise.reject(new Error("bug"))],
  ] as const
) {
  test(`A callback that ${how} ends its connection`, async () => {
    const { socket, connection, ends } = live();
    connection.onMessage = callback;
    socket.receive("a");
    await settle();
    assertEquals(ends.map(({ code, message }) => [code, message]), [[
      "handler-failed",
      "Handler of the connection failed: bug",
    ]]);
    assert(socket.aborted);
  });
}

test("A peer that breaks the protocol ends its connection", () => {
  const { socket, ends } = live({ protocol: lines({ maxLineBytes: 3 }) });
  socket.receive("12345\n");
  assertEquals(ends.map(({ code, origin, message }) => [code, origin, message]), [[
    "protocol-error",
    "peer",
    "Peer broke the protocol: A line must be <= 3 bytes: 5 have come",
  ]]);
  assert(socket.aborted);
});

test("A protocol with a bug ends its connection, and nothing else", () => {
  const bug = new RangeError("bug");
  const { open } = raw();
  const broken = {
    name: "broken",
    answersPings: false,
    open: () =>
      Object.assign(open(), {
        receive: () => {
          throw bug;
        },
      }),
  };
  const { socket, ends } = live({ protocol: broken });
  socket.receive("x");
  assertEquals(ends.map(({ code, origin, cause }) => [code, origin, cause]), [[
    "protocol-error",
    "local",
    bug,
  ]]);
});

test("drain() answers until nothing has moved for a moment, then closes", async () => {
  const { clock, socket, connection, ends } = live();
  connection.onMessage = (bytes) => connection.send(bytes);
  connection.drain();
  assertEquals(connection.state, "draining");
  clock.advance(190);
  socket.receive("a");
  clock.advance(190);
  assert(!socket.finished);
  assertEquals(socket.sent, ["a"]);
  clock.advance(30);
  assert(socket.finished);
  socket.end();
  await settle();
  assertEquals(ends.map(({ code, origin }) => [code, origin]), [["closed", "local"]]);
});

test("drain() does not wait for a moment between heartbeats", async () => {
  const { clock, socket, connection } = live({
    protocol: raw({ token: "heartbeat" }),
    heartbeat: { interval: 100, timeout: 1_000, sendEvery: 100, steady: true },
  });
  connection.onMessage = () => {};
  connection.drain();
  for (let i = 0; i < 10 && !socket.finished; i++) {
    clock.advance(50);
    socket.receive("heartbeat");
  }
  assert(socket.finished);
  await settle();
});

test("drain() waits for what is still to be sent, and for a callback at work", async () => {
  const { clock, socket, connection } = live({ writeTimeout: 60_000 });
  let release!: () => void;
  connection.onMessage = () => new Promise<void>((resolve) => release = resolve);
  socket.receive("a");
  socket.room = 0;
  connection.send("x".repeat(20_000));
  connection.drain();
  clock.advance(1_000);
  assert(!socket.finished);
  socket.take(20_000);
  clock.advance(1_000);
  assert(!socket.finished);
  release();
  await settle();
  clock.advance(500);
  assert(socket.finished);
});

test("stats() counts bytes and messages both ways", async () => {
  const { socket, connection } = live({ protocol: raw({ token: "heartbeat" }) });
  connection.onMessage = (bytes) => connection.send(bytes);
  socket.receive("heartbeat");
  socket.receive("ab");
  await settle();
  const { bytesReceived, bytesSent, messagesReceived, messagesSent, beatsReceived } = connection.stats();
  assertEquals([bytesReceived, bytesSent, messagesReceived, messagesSent, beatsReceived], [11, 2, 1, 1, 1]);
});

test("ref() and unref() reach the socket", () => {
  const { socket, connection } = live();
  connection.unref();
  assert(!socket.held);
  connection.ref();
  assert(socket.held);
});

test("await using closes", async () => {
  const { socket, connection } = live();
  const disposed = connection[Symbol.asyncDispose]();
  socket.end();
  await disposed;
  assertEquals((await connection.closed).code, "closed");
});
