import { test } from "node:test";
import { assert, assertEquals, assertLessOrEqual } from "@std/assert";
import type { Protocol } from "../../lib/protocol/protocol.ts";
import { frames } from "../../lib/protocol/frames.ts";
import { json } from "../../lib/protocol/json.ts";
import { lines } from "../../lib/protocol/lines.ts";
import { raw } from "../../lib/protocol/raw.ts";
import { live, settle } from "../support/live.ts";

/** Messages and heartbeats of one connection in one turn. */
const MOST = 1_024;

const encoder = new TextEncoder();

/** Repeats `bytes` so often. */
function repeated(bytes: Uint8Array, times: number): Uint8Array {
  const whole = new Uint8Array(bytes.length * times);
  for (let i = 0; i < times; i++) whole.set(bytes, i * bytes.length);
  return whole;
}

/** Lets one turn pass, and what waits for promises. FakeClock's own `turn()` goes on until nothing asks for one. */
function turnsOf(clock: { afterTurn(then: () => void): void }): () => number {
  const waiting: (() => void)[] = [];
  clock.afterTurn = (then) => void waiting.push(then);
  return () => {
    const now = waiting.splice(0);
    for (const then of now) then();
    return now.length;
  };
}

test("A chunk of very many messages is handed over in many turns, and its neighbour has each of them", async () => {
  const flooded = live({ protocol: lines() }), neighbour = live({ protocol: lines() }, flooded.clock);
  const turn = turnsOf(flooded.clock);
  const log: string[] = [];
  flooded.connection.onMessage = (line) => void log.push(line);
  neighbour.connection.onMessage = () => void log.push("neighbour");
  const numbers = Array.from({ length: 20_000 }, (_, i) => `${i}`);
  flooded.socket.receive(`${numbers.join("\n")}\n`);
  neighbour.socket.receive("hello\n");
  assertEquals([log.length, log.at(-1)], [MOST + 1, "neighbour"]);
  let turns = 0;
  for (; flooded.socket.paused; turns++) {
    const before = log.length;
    turn();
    neighbour.socket.receive("hello\n");
    await settle();
    assertLessOrEqual(log.length - before, MOST + 1);
  }
  assertEquals(turns, Math.floor(20_000 / MOST));
  assertEquals(log.filter((line) => line !== "neighbour"), numbers, "nothing is lost, and order is kept");
});

test("Every protocol stops amid a chunk, and goes on where it stopped", () => {
  const hello = (protocol: Protocol<never>) =>
    protocol.greets
      ? protocol.open("server").greet!({ sendEvery: 0, hearEvery: 0, minPingGap: 0 })
      : undefined;
  const message = (protocol: Protocol<unknown>, what: unknown) => {
    const wire = protocol.open("server");
    wire.greet?.({ sendEvery: 0, hearEvery: 0, minPingGap: 0 });
    return wire.encode(what) as Uint8Array;
  };
  const cases: [Protocol<never>, Uint8Array, number][] = [
    [lines() as never, encoder.encode("\n"), 1],
    [lines() as never, encoder.encode("PING\n"), 0],
    [frames() as never, message(frames() as never, ""), 1],
    [frames() as never, frames().open("server").ping!(), 0],
    [json() as never, message(json(), 1), 1],
    [raw({ token: "-", match: "anywhere" }) as never, encoder.encode("x-"), 1],
  ];
  for (const [protocol, bytes, messages] of cases) {
    const { socket, connection, clock, ends } = live<unknown, unknown>({ protocol, minPingGap: 0 });
    const turn = turnsOf(clock);
    let got = 0;
    connection.onMessage = () => void got++;
    const first = hello(protocol);
    if (first !== undefined) socket.receive(first);
    const each = bytes.length === 2 ? 2 : 1;
    const before = connection.stats().beatsReceived;
    const events = () => each === 2 ? 2 * got : got + connection.stats().beatsReceived - before;
    socket.receive(repeated(bytes, 4 * MOST));
    assertLessOrEqual(events(), MOST, `${protocol.name} ${bytes}`);
    assert(socket.paused, protocol.name);
    for (let i = 0; socket.paused && i < 20; i++) {
      const had = events();
      turn();
      assertLessOrEqual(events() - had, MOST, protocol.name);
    }
    assertEquals([events(), got, ends], [4 * MOST * each, 4 * MOST * messages, []], protocol.name);
  }
});

test("Messages that take an application long are handed over in fewer than that", () => {
  const { socket, connection, clock } = live({ protocol: lines() });
  const turn = turnsOf(clock);
  let now = 0, got = 0;
  clock.now = () => now;
  connection.onMessage = () => {
    got++;
    now += 1;
  };
  socket.receive("x\n".repeat(100));
  assertEquals(got, 16, "the clock is looked at after each 16");
  turn();
  assertEquals(got, 32);
});

test("An end, and a close in order, that come after too much for a turn are told when all is taken", async () => {
  const { socket, connection, clock, ends } = live({ protocol: lines() });
  const turn = turnsOf(clock);
  const got: string[] = [];
  const done = (async () => {
    for await (const line of connection) got.push(line);
    got.push("done");
  })();
  socket.receive(`${"x\n".repeat(2 * MOST)}the last`);
  connection.finish();
  socket.end();
  assertEquals(ends, []);
  for (let i = 0; i < 10; i++) {
    turn();
    await settle();
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await done;
  assertEquals([got.length, got.at(-2), got.at(-1)], [2 * MOST + 2, "the last", "done"]);
  assertEquals(ends.map(({ code }) => code), ["closed"]);
});

test("A reset drops what was too much for a turn, and an abort does", () => {
  for (const how of ["reset", "aborted"] as const) {
    const { socket, connection, clock, ends } = live({ protocol: lines() });
    const turn = turnsOf(clock);
    let got = 0;
    connection.onMessage = () => void got++;
    socket.receive("x\n".repeat(2 * MOST));
    if (how === "reset") socket.fail("ECONNRESET");
    else connection.abort();
    turn();
    turn();
    assertEquals([got, ends.map(({ code }) => code)], [MOST, [how]]);
  }
});

test("An application without room stops what is left of a chunk, and is not hurried by it", () => {
  const { socket, connection, clock } = live({ protocol: lines(), maxInboundBytes: 8 });
  const turn = turnsOf(clock);
  let free!: () => void, got = 0;
  connection.onMessage = () => ++got === 1 ? new Promise<void>((resolve) => free = resolve) : undefined;
  socket.receive("x\n".repeat(3 * MOST));
  for (let i = 0; i < 5; i++) turn();
  assertEquals([got, socket.paused], [1, true]);
  assertLessOrEqual(connection.heldBytes, 3 * MOST * 2);
  free();
  return settle().then(() => {
    for (let i = 0; i < 10; i++) turn();
    assertEquals([got, socket.paused], [3 * MOST, false]);
  });
});

test("A peer whose messages wait for their turn is not taken for silent, and a drain not for over", async () => {
  const { socket, connection, clock, ends } = live({
    protocol: lines(),
    heartbeat: { interval: 1_000, timeout: 500 },
  });
  const turn = turnsOf(clock);
  let got = 0;
  connection.onMessage = () => void got++;
  socket.receive("x\n".repeat(5 * MOST));
  for (let i = 0; i < 4; i++) {
    // As on a machine that has much else to do: longer than the peer may be silent after it was asked.
    clock.advance(600);
    turn();
    turn();
  }
  assertEquals([got, ends], [5 * MOST, []]);
  socket.receive("x\n".repeat(2 * MOST));
  void connection.drain();
  clock.advance(250);
  await settle();
  assertEquals(connection.state, "draining", "something is under way");
  turn();
  assertEquals(got, 7 * MOST);
  clock.advance(250);
  turn();
  await settle();
  assertEquals(connection.state, "closing");
});
