import { test } from "node:test";
import { assert, assertEquals, assertLessOrEqual, assertRejects, assertStrictEquals } from "@std/assert";
import type { ConnectionOptions } from "../../lib/connection.ts";
import { lines } from "../../lib/protocol/lines.ts";
import { raw } from "../../lib/protocol/raw.ts";
import { live, settle } from "../support/live.ts";

const HEARTBEAT = { interval: 100, timeout: 50 };

const talking = (options: ConnectionOptions<string, string> = {}) => {
  const it = live<string, string>({ protocol: lines(), ...options });
  it.connection.onMessage = () => {};
  return it;
};

test("A ping is answered in the same turn, with the rest", () => {
  const { socket, connection } = talking();
  connection.onMessage = (line) => connection.send(line);
  socket.receive("a\nPING\nb\n");
  assertEquals(socket.sent, ["a\nPONG\nb\n"]);
});

test("A peer that pings more often than it may is closed, and its close reason says why", () => {
  const { clock, socket, ends } = talking({ minPingGap: 1_000 });
  for (let i = 0; i < 100; i++) {
    socket.receive("PING\n");
    clock.advance(900);
  }
  assertEquals(ends, []);
  for (let i = 0; i < 2; i++) {
    socket.receive("PING\n");
    clock.advance(800);
  }
  socket.receive("PING\n");
  assertEquals(ends, []);
  socket.receive("PING\n");
  assertEquals(ends.map(({ code, origin }) => [code, origin]), [["too-many-pings", "peer"]]);
  assert(socket.aborted);
});

test("A peer that is served may ping as often as it likes", () => {
  const { socket, connection, ends } = talking({ minPingGap: 1_000 });
  connection.onMessage = () => connection.send("answer");
  for (let i = 0; i < 100; i++) socket.receive("PING\nquestion\n");
  assertEquals(ends, []);
});

test("A client does not count its server's pings unless told to", () => {
  const { socket, ends } = talking();
  for (let i = 0; i < 100; i++) socket.receive("PING\n");
  assertEquals(ends, []);
});

test("Answers to a peer that does not read are bounded, and there are more once it reads", () => {
  const { clock, socket, connection } = talking();
  socket.room = 0;
  for (let i = 0; i < 1_000; i++) {
    socket.receive("PING\n".repeat(100));
    clock.turn();
  }
  assertEquals(connection.stats().beatsReceived, 100_000);
  assertLessOrEqual(connection.bufferedAmount, 60 * "PONG\n".length);
  socket.room = Infinity;
  socket.take(1_000);
  socket.receive("PING\n");
  assertEquals(socket.sent, ["PONG\n"]);
});

test("A flood of tokens costs no answer where the protocol has none", () => {
  const { socket, connection, ends } = live({ protocol: raw({ token: "heartbeat" }), minPingGap: 1_000 });
  connection.onMessage = (bytes) => connection.send(bytes);
  for (let i = 0; i < 1_000; i++) socket.receive("heartbeat".repeat(100));
  assertEquals(connection.stats().beatsReceived, 100_000);
  assertEquals([socket.sent, ends], [[], []]);
});

test("A raw client answers tokens, but not where the answer might be taken for data", async () => {
  const { clock, socket, connection } = live({ protocol: raw({ token: "heartbeat", answer: true }) });
  connection.onMessage = () => {};
  socket.receive("heartbeat");
  assertEquals(socket.sent.splice(0), ["heartbeat"]);
  void connection.send("data");
  await settle();
  clock.advance(199);
  socket.receive("heartbeat");
  assertEquals(socket.sent.splice(0), ["data"]);
  clock.advance(1);
  socket.receive("heartbeat");
  assertEquals(socket.sent.splice(0), ["heartbeat"]);
  socket.room = 0;
  void connection.send("x");
  await settle();
  clock.advance(1_000);
  socket.receive("heartbeat");
  assertEquals(connection.bufferedAmount, 1);
});

test("probe() asks at once, and is fulfilled with the round trip", async () => {
  const { clock, socket, connection } = talking({ heartbeat: HEARTBEAT });
  clock.advance(10);
  const answer = connection.probe();
  assertEquals(socket.sent, ["PING\n"]);
  assertEquals(connection.health, "suspect");
  clock.advance(7);
  socket.receive("PONG\n");
  assertEquals(await answer, 7);
  assertEquals(connection.health, "healthy");
});

test("A probe that is answered in its own instant is answered", async () => {
  const { clock, socket, connection, ends } = talking({ heartbeat: HEARTBEAT });
  socket.receive("x\n");
  const answer = connection.probe();
  assertEquals(connection.health, "suspect");
  socket.receive("PONG\n");
  assertEquals(await answer, 0);
  assertEquals(connection.health, "healthy");
  clock.advance(90);
  assertEquals(ends, []);
});

test("Probes that are asked for together are one", async () => {
  const { clock, socket, connection } = talking();
  const answers = [connection.probe(), connection.probe()];
  clock.advance(3);
  assertStrictEquals(answers[0], answers[1]);
  assertEquals(socket.sent, ["PING\n"]);
  socket.receive("PONG\n");
  assertEquals(await Promise.all(answers), [3, 3]);
  clock.advance(1);
  void connection.probe();
  assertEquals(socket.sent, ["PING\n", "PING\n"]);
});

test("A probe that nobody answers ends the connection within the timeout, and is rejected with the reason", async () => {
  const { clock, connection, ends } = talking({ heartbeat: HEARTBEAT });
  const answer = connection.probe().catch((error) => error);
  clock.advance(49);
  assertEquals(ends, []);
  clock.advance(12);
  assertEquals(ends.map(({ code }) => code), ["heartbeat-timeout"]);
  assertStrictEquals(await answer, ends[0]);
});

test("Without pongs any byte answers a probe", async () => {
  const { clock, socket, connection } = live({ protocol: raw({ token: "heartbeat" }) });
  const answer = connection.probe();
  assertEquals(socket.sent, ["heartbeat"]);
  clock.advance(5);
  socket.receive("x");
  assertEquals(await answer, 5);
});

test("What is being taken when somebody asks is no answer to him; the next byte is, of that instant too", async () => {
  const { clock, socket, connection } = live({ protocol: raw({ token: "heartbeat" }) });
  const answers: number[] = [];
  connection.onMessage = () => {
    connection.onMessage = () => {};
    void connection.probe().then((rtt) => answers.push(rtt));
  };
  clock.advance(5);
  socket.receive("x");
  await settle();
  assertEquals([answers, connection.health], [[], "suspect"]);
  socket.receive("x");
  await settle();
  assertEquals([answers, connection.health], [[0], "healthy"]);
});

test("A probe waits for what stands before it, and nobody has to wait for the probe", async () => {
  const { socket, connection } = talking();
  socket.room = 0;
  void connection.send("x");
  await settle();
  void connection.probe();
  assertEquals(socket.bufferedAmount, 2);
  socket.room = Infinity;
  socket.take(2);
  assertEquals(socket.sent, ["PING\n"]);
});

test("A protocol without a ping cannot probe; a closed connection has nobody to ask", async () => {
  await assertRejects(() => live().connection.probe(), TypeError, "the protocol must have a ping");
  const { connection, ends } = talking();
  connection.abort();
  assertStrictEquals(await connection.probe().catch((error) => error), ends[0]);
});
