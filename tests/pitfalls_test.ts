/**
 * What heartbeats of other systems get wrong, and no other test here shows: see the table in `docs/liveness.md`. The
 * number at the end of a name is that of the pitfall.
 *
 * @module
 */

import { test } from "node:test";
import {
  assert,
  assertEquals,
  assertLess,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import type { ConnectionOptions } from "../lib/connection.ts";
import { Heartbeat } from "../lib/liveness/heartbeat.ts";
import { heartbeatPolicy } from "../lib/liveness/heartbeat_policy.ts";
import { RoundTrip } from "../lib/liveness/rtt.ts";
import { lines } from "../lib/protocol/lines.ts";
import { raw } from "../lib/protocol/raw.ts";
import { serve } from "../lib/server.ts";
import { type Pause, pauseBetween } from "../lib/time/pause.ts";
import { ASK_AGAIN, Wheel } from "../lib/time/wheel.ts";
import { FakeClock } from "../lib/testing/fake_clock.ts";
import type { FakeSocket } from "./support/fake_socket.ts";
import { FakeTransport } from "./support/fake_transport.ts";
import { live, settle } from "./support/live.ts";

const HEARTBEAT = { interval: 100, timeout: 50 };
const DAY = 86_400_000;

/** A connection of lines that takes messages, with what was written to its socket and when. */
function talking(options: ConnectionOptions<string, string> = {}, clock = new FakeClock()) {
  const it = live<string, string>({ protocol: lines(), heartbeat: HEARTBEAT, ...options }, clock);
  it.connection.onMessage = () => {};
  const written: string[] = [];
  spy(it.socket, (bytes) => written.push(`${clock.now()} ${bytes.trim()}`));
  return { ...it, written };
}

function spy(socket: FakeSocket, wrote: (bytes: string) => void): void {
  const write = socket.write.bind(socket);
  socket.write = (bytes) => {
    wrote(new TextDecoder().decode(bytes));
    return write(bytes);
  };
}

const codes = (ends: readonly { code: string }[]): string[] => ends.map(({ code }) => code);

// Clock and timers.

test("A deadline one whole ring away, set from within a call, is not due at once (2)", () => {
  for (const delay of [2_560, 81_920]) {
    const clock = new FakeClock(), wheel = new Wheel(clock);
    const calls: number[] = [];
    wheel.add({ due: (now) => calls.push(now) > 2 ? Infinity : now + delay }, 160);
    clock.advance(160 + 3 * delay);
    assertEquals(calls, [160, 160 + delay, 160 + 2 * delay]);
  }
});

test("Timeouts of months come when they are due, and not at once (3)", () => {
  const { clock, ends } = talking({ heartbeat: { interval: 60 * DAY, timeout: 30 * DAY } });
  clock.advance(90 * DAY - 1);
  assertEquals(codes(ends), []);
  clock.advance(12);
  assertEquals(codes(ends), ["heartbeat-timeout"]);
});

/** A heartbeat that asked at 30 s, with a minute to answer that a sleep of ours ate up. */
function asleep(): { heartbeat: Heartbeat; sleep: Pause } {
  const heartbeat = new Heartbeat(0, heartbeatPolicy({ interval: 30_000, timeout: 10_000 }), 0.5);
  assertEquals(heartbeat.check(30_000), "probe");
  heartbeat.flushed(30_000);
  return { heartbeat, sleep: { end: 100_000, length: 60_000 } };
}

test("A hiccup right after a long sleep does not hide it: nobody is judged by silence across it (5)", () => {
  const { heartbeat, sleep } = asleep();
  assertEquals(heartbeat.check(100_000, sleep), "wait");
  const hiccup = { end: 100_900, length: 250, before: sleep };
  assertEquals(heartbeat.check(100_900, hiccup), "wait");
  assertEquals(heartbeat.check(101_000, hiccup), "probe");
});

test("Many small pauses excuse as much as one large one (5)", () => {
  const heartbeat = new Heartbeat(0, heartbeatPolicy({ interval: 100, timeout: 1_000 }), 0);
  heartbeat.check(100);
  heartbeat.flushed(100);
  let pause: Pause | undefined;
  for (const end of [300, 700, 1_100]) pause = pauseBetween(end - 210, end, 10, pause);
  assertEquals(heartbeat.check(1_100, pause), "probe");
});

test("A process that stutters for ever still asks, still beats, and still finds the dead (6)", () => {
  const policy = heartbeatPolicy({ interval: 10_000, timeout: 10_000, sendEvery: 10_000 });
  const heartbeat = new Heartbeat(0, policy, 0.9);
  const log: string[] = [];
  let pause: Pause | undefined;
  for (let now = 500; now < 120_000 && log.at(-1)?.includes("dead") !== true; now += 500) {
    pause = pauseBetween(now - 250, now, 10, pause);
    const verdict = heartbeat.check(now, pause);
    if (verdict !== "wait") log.push(`${Math.round(now / 1_000)} ${verdict}`);
    if (verdict === "probe") heartbeat.flushed(now);
  }
  // Three excuses, and then only the time in which it was awake counts.
  assertEquals(log, ["11 probe", "23 probe", "35 probe", "47 probe", "59 beat", "65 dead"]);
});

/** Every way in which a connection may end. */
const ENDS: Record<string, (it: ReturnType<typeof talking>) => void> = {
  abort: ({ connection }) => connection.abort(),
  close: ({ connection, socket }) => {
    void connection.close();
    socket.end();
  },
  dispose: ({ connection, socket }) => {
    void connection[Symbol.asyncDispose]();
    socket.end();
  },
  reset: ({ socket }) => socket.fail("ECONNRESET"),
  verdict: ({ clock }) => clock.advance(200),
};

test("After any end no timer is left, nothing is written or told, and a probe settles once (7)", async () => {
  for (const [how, end] of Object.entries(ENDS)) {
    const told: string[] = [];
    const tell = (what: string) => () => void told.push(what);
    const observer = { probeSent: tell("probe"), suspect: tell("suspect"), healthy: tell("healthy") };
    const it = talking({ observer });
    it.socket.receive("half a li");
    let settled = 0;
    const probe = it.connection.probe().finally(() => settled++).catch((error) => error);
    end(it);
    await settle();
    assertEquals(it.clock.pending, 0, how);
    assertEquals(settled, 1, how);
    assertStrictEquals(await probe, it.ends[0], how);
    told.length = it.written.length = 0;
    it.socket.handler!.data(new TextEncoder().encode("ne\nPONG\nPING\n"));
    it.socket.handler!.written();
    it.connection.heartbeat.update({ interval: 5 });
    it.clock.advance(10_000);
    await settle();
    assertEquals([told, it.written, it.clock.pending, settled, it.ends.length], [[], [], 0, 1, 1], how);
  }
});

test("What a chunk holds after the message at which the connection ended is not looked at (7)", () => {
  const strikes: string[] = [];
  const { socket, connection, ends, written } = talking({
    minPingGap: 1_000,
    observer: { strike: () => strikes.push("strike") },
  });
  const got: string[] = [];
  connection.onMessage = (line) => {
    got.push(line);
    connection.abort();
  };
  socket.receive("one\nPING\nPING\nPING\nPONG\ntwo\n");
  assertEquals([got, strikes, written, codes(ends)], [["one"], [], [], ["aborted"]]);
  assertEquals(connection.stats().beatsReceived, 0);
});

test("A hook that throws, or ends others, in the midst of a sweep costs nobody a visit, and nobody gets two (8)", () => {
  const clock = new FakeClock();
  const all = Array.from({ length: 12 }, () => talking({}, clock));
  for (const [i, { connection }] of all.entries()) {
    connection.onHealth = () => {
      // Its neighbours on both sides, whichever the sweep has visited already.
      if (i === 5) { for (const n of [4, 6]) all[n]!.connection.abort(); }
      if (i === 8) throw new Error("bug");
    };
  }
  clock.advance(105);
  const probes = all.map(({ written }) => written.length);
  assertEquals(probes.filter((_, i) => ![4, 6, 8].includes(i)), Array(9).fill(1));
  assert([4, 6].every((i) => probes[i]! <= 1));
  assertEquals([4, 6, 8].flatMap((i) => codes(all[i]!.ends)), ["aborted", "aborted", "handler-failed"]);
  assertEquals(all.filter(({ ends }) => ends.length > 0).length, 3);
});

test("What an owner sets within its own call counts, as does what it returns: the sooner of the two (8)", () => {
  const clock = new FakeClock(), wheel = new Wheel(clock);
  const calls: number[] = [];
  const id: number = wheel.add({
    due: (now) => {
      if (calls.push(now) > 1) return Infinity;
      wheel.hasten(id, now + 50);
      return now + 100;
    },
  }, 100);
  clock.advance(1_000);
  assertEquals(calls, [100, 150]);
});

test("10 000 connections that opened together do not ask together (10)", () => {
  let draw = 0;
  const clock = new FakeClock(0, () => (draw++ % 9_973) / 9_973);
  const ticks = new Map<number, number>();
  for (let i = 0; i < 10_000; i++) {
    const { socket } = live({ protocol: raw({ token: "x" }), heartbeat: { interval: 10_000 } }, clock);
    socket.write = () => {
      ticks.set(clock.now(), (ticks.get(clock.now()) ?? 0) + 1);
      return true;
    };
  }
  clock.advance(10_160);
  const counts = [...ticks.values()];
  assertEquals(counts.reduce((sum, n) => sum + n, 0), 10_000);
  // Over two seconds; what falls due within 160 ms is sent at once.
  assertLess(Math.max(...counts), 10_000 * 160 / 2_000 + 100);
});

// Receiving.

test("A peer whose pong is stuck behind its own 200 kB at 4 kB/s survives (11)", () => {
  const { clock, socket, ends } = talking({
    protocol: lines({ maxLineBytes: 300_000 }),
    heartbeat: { interval: 4_000, timeout: 2_000 },
    frameTimeout: 5_000,
  });
  for (let i = 0; i < 50; i++) {
    socket.receive(new Uint8Array(4_000).fill(120));
    clock.advance(1_000);
    assertEquals(codes(ends), []);
  }
  socket.receive("\nPONG\n");
  clock.advance(3_900);
  assertEquals(codes(ends), []);
});

test("Half a message, a ping, a pong and an empty message each answer a probe (11)", () => {
  for (const bytes of ["x", "PING\n", "PONG\n", "\n"]) {
    const { clock, socket, ends } = talking();
    for (let i = 0; i < 20; i++) {
      clock.advance(110);
      socket.receive(bytes);
    }
    assertEquals(codes(ends), [], JSON.stringify(bytes));
  }
});

test("A server that pushes all the time finds a peer that never says anything (12)", async () => {
  const { clock, socket, connection, ends } = talking();
  for (let i = 0; i < 16 && ends.length === 0; i++) {
    clock.advance(10);
    void connection.send("news");
    await settle();
    socket.take(100);
  }
  assertEquals(codes(ends), ["heartbeat-timeout"]);
  assertEquals(ends[0]!.facts!.endedAt, 150);
});

test("Where answers are slower than our pings, late ones are not taken for quick ones (14)", () => {
  const roundTrip = new RoundTrip();
  const events = Array.from({ length: 30 }, (_, i) => [[i * 100, "ping"], [i * 100 + 250, "pong"]] as const);
  for (const [at, what] of events.flat().sort(([a], [b]) => a - b)) {
    if (what === "ping") roundTrip.asked(at);
    else assertEquals(roundTrip.answered(at), at < 3_000);
  }
  assertEquals(roundTrip.times, undefined);
  // Once it is quiet, a ping has one pong again.
  roundTrip.asked(20_000);
  roundTrip.answered(20_250);
  assertEquals(roundTrip.times!.latest, 250);
});

test("A peer that answers several pings by one pong is measured again after a quiet spell (14)", () => {
  const roundTrip = new RoundTrip();
  for (const at of [0, 1_000, 2_000]) roundTrip.asked(at);
  roundTrip.answered(2_100);
  roundTrip.asked(3_000);
  roundTrip.answered(3_100);
  assertEquals(roundTrip.times, undefined);
  roundTrip.asked(13_001);
  roundTrip.answered(13_101);
  assertEquals(roundTrip.times!.latest, 100);
});

test("A pong in the very tick of the deadline wins (15)", () => {
  const clock = new FakeClock();
  clock.wakeAfter(150, () => socket.receive("PONG\n"));
  const { socket, ends } = talking({}, clock);
  clock.advance(209);
  assertEquals(codes(ends), []);
});

test("A pong that is read before our own pause was noticed gives no round trip (16)", () => {
  const { clock, socket, connection } = talking({ heartbeat: { interval: 100, timeout: 500 } });
  clock.advance(100);
  // The event loop wakes up, and reads before it looks at its timers.
  clock.afterTurn = (() => {}) as FakeClock["afterTurn"];
  const { now } = clock;
  clock.now = () => now.call(clock) + 6_000;
  socket.receive("PONG\n");
  assertEquals(connection.rtt, undefined);
  assertEquals(connection.health, "healthy");
});

test("A peer that has finished sending is not judged for its silence (17)", async () => {
  const { clock, socket, connection, ends } = talking();
  let answer!: () => void;
  connection.onMessage = () =>
    new Promise<void>((resolve) =>
      answer = () => {
        void connection.send("late");
        resolve();
      }
    );
  socket.receive("question\n");
  socket.end();
  clock.advance(10_000);
  assertEquals(codes(ends), []);
  answer();
  await settle();
  assertEquals([socket.sent, socket.finished], [["late\n"], true]);
});

// Sending.

test("Neither probes nor beats pile up behind a peer that reads nothing (19)", () => {
  const { clock, socket, connection, written } = talking({
    heartbeat: { interval: 100, timeout: Infinity, sendEvery: 30 },
    writeTimeout: DAY,
  });
  socket.room = 0;
  clock.advance(60_000);
  assertEquals(written, ["30 PING"]);
  assertEquals(connection.bufferedAmount, 5);
  socket.room = Infinity;
  socket.take(5);
  assertEquals(written, ["30 PING", "60000 PING"]);
});

test("A ping stands between messages and never within one, and an answer keeps its place among them (22)", async () => {
  const { clock, socket, connection } = talking({ writeTimeout: DAY });
  let stream = "";
  const write = socket.write.bind(socket);
  socket.write = (bytes) => {
    stream += new TextDecoder().decode(bytes);
    return write(bytes);
  };
  connection.onMessage = (line) => connection.send(`answer ${line}`);
  socket.room = 7;
  void connection.send("x".repeat(30));
  await settle();
  clock.advance(120);
  socket.receive("one\nPING\ntwo\n");
  assertEquals(stream, `${"x".repeat(30)}\nanswer one\nPONG\nanswer two\n`);
  socket.room = Infinity;
  socket.take(1_000);
  clock.advance(110);
  assert(stream.split("\n").slice(0, -1).every((line) => /^(x{30}|answer \w+|P[IO]NG)$/.test(line)), stream);
});

test("The end of a dead peer waits for nothing: no flush, no goodbye, no callback (23)", async () => {
  for (const probed of [true, false]) {
    const { clock, socket, connection, ends } = talking({ maxOutboundBytes: 100, writeTimeout: 400 });
    let waiting: unknown;
    connection.onMessage = () => new Promise(() => {});
    socket.receive("never done\n");
    if (!probed) {
      socket.room = 0;
      connection.send("x".repeat(90)).catch((error) => waiting = error);
    }
    const closed = connection.closed;
    await settle();
    clock.advance(1_000);
    // All of it in the same turn, before any promise.
    assertEquals(codes(ends), [probed ? "heartbeat-timeout" : "write-stalled"]);
    assert(socket.aborted && !socket.finished);
    assertEquals([connection.state, clock.pending], ["closed", 0]);
    assertStrictEquals(await closed, ends[0]);
    if (!probed) assertStrictEquals(waiting, ends[0]);
  }
});

test("Every duration is > 0 or never: what is none is refused by its name, and 0 is never at once (24)", () => {
  const names = ["writeTimeout", "idleTimeout", "firstByteTimeout", "frameTimeout", "closeTimeout", "maxAge"];
  for (const name of [...names, "maxAgeGrace"]) {
    for (const value of [0, -1, NaN, "1"]) {
      assertThrows(
        () => live({ [name]: value }),
        RangeError,
        `"${name}" must be > 0: current value is ${value}`,
      );
    }
    live({ [name]: Infinity }).clock.advance(DAY);
  }
  assertThrows(() => live({ minPingGap: -1 }), RangeError, `"minPingGap" must be > 0: current value is -1`);
  const never = talking({ heartbeat: { interval: Infinity, timeout: 1 } });
  never.clock.advance(DAY);
  assertEquals([never.written, never.ends], [[], []]);
  const short = talking({ heartbeat: { interval: 100, timeout: 10 } });
  short.clock.advance(130);
  assertEquals(short.written, ["100 PING"]);
  assertEquals(short.ends[0]!.facts!.endedAt, 110);
});

// Lifecycle.

test("What comes after the verdict changes nothing of it (25)", async () => {
  const { clock, socket, connection, ends } = talking();
  clock.advance(200);
  for (const after of ["ECONNRESET", "ETIMEDOUT"]) socket.fail(after);
  socket.handler!.end();
  socket.handler!.close();
  connection.abort(new Error("too late"));
  await connection.close();
  assertEquals(codes(ends), ["heartbeat-timeout"]);
  assertStrictEquals(await connection.closed, ends[0]);
  assertStrictEquals(connection.signal.reason, ends[0]);
});

test("An owner that is gone does not move the deadline of who got its number (26)", () => {
  const clock = new FakeClock(), wheel = new Wheel(clock);
  const calls: number[] = [];
  const id: number = wheel.add({
    due: (now) => {
      wheel.remove(id);
      assertEquals(wheel.add({ due: (now) => (calls.push(now), Infinity) }, 10_000), id);
      return now + 10;
    },
  }, 100);
  clock.advance(10_100);
  assertEquals(calls, [10_080]);
});

test("A wheel's second look is for the one that was in doubt, not for who got its number (26)", () => {
  const clock = new FakeClock(), wheel = new Wheel(clock);
  const id = wheel.add({ due: () => ASK_AGAIN }, 100);
  let calls = 0;
  clock.afterTurn = ((after) => (then: () => void) => {
    wheel.remove(id);
    assertEquals(wheel.add({ due: () => (calls++, Infinity) }, 10_000), id);
    after.call(clock, then);
  })(clock.afterTurn);
  clock.advance(1_000);
  assertEquals(calls, 0);
  clock.advance(10_000);
  assertEquals(calls, 1);
});

test("A new connection knows nothing of the one before it (26)", () => {
  const clock = new FakeClock();
  const old = talking({}, clock);
  clock.advance(103);
  old.socket.receive("PONG\n");
  clock.advance(120);
  assertEquals([old.connection.health, old.connection.rtt?.latest], ["suspect", 3]);
  const young = talking({}, clock);
  assertEquals([young.connection.health, young.connection.rtt], ["healthy", undefined]);
  clock.advance(90);
  assertEquals([codes(old.ends), codes(young.ends)], [["heartbeat-timeout"], []]);
  clock.advance(20);
  // The old one's pong is no answer here.
  assertEquals(young.connection.health, "suspect");
  assertEquals(young.connection.stats().beatsSent, 1);
  clock.advance(60);
  assertEquals(young.ends[0]!.facts!.lastHeardAt, 223);
});

test("There is no heartbeat before a connection has started, nor while it closes, which has its own end (27)", async () => {
  const transport = new FakeTransport(), clock = new FakeClock();
  const options = { port: 0, transport, clock, protocol: lines(), heartbeat: HEARTBEAT, closeTimeout: 1_000 };
  const server = await serve(options, (connection) => {
    // Not before the handler has seen it.
    assertEquals([clock.pending, connection.state], [0, "open"]);
    connection.onMessage = () => {};
  });
  const socket = transport.call();
  assertEquals([clock.pending, socket.sent], [1, []]);
  for (const connection of server.connections) void connection.close();
  clock.advance(990);
  assertEquals(socket.sent, []);
  assertEquals(server.stats().ended, {});
  clock.advance(20);
  assertEquals(server.stats().ended, { "close-timeout": 1 });
});

test("While it drains, a connection goes on asking, and finds out (28)", () => {
  const { clock, socket, connection, ends, written } = talking();
  connection.onMessage = () => new Promise(() => {});
  socket.receive("long work\n");
  void connection.drain();
  for (let i = 0; i < 10; i++) {
    clock.advance(105);
    socket.receive("PONG\n");
  }
  assertEquals(connection.state, "draining");
  assertEquals(written.length, 10);
  clock.advance(200);
  assertEquals(codes(ends), ["heartbeat-timeout"]);
});

test("A peer with the same settings is never taken for a flood (32)", async () => {
  for (const interval of [10, 500, 1_000, 1_900, 30_000]) {
    const transport = new FakeTransport(), clock = new FakeClock();
    const heartbeat = { interval, timeout: interval };
    const server = await serve({ port: 0, transport, clock, protocol: lines(), heartbeat }, (connection) => {
      connection.onMessage = () => {};
    });
    const socket = transport.call();
    for (let i = 0; i < 50; i++) {
      // As a client's heartbeat does when our own pings keep it waiting, and a tenth early at that.
      clock.advance(interval * 0.9);
      socket.receive("PING\n");
    }
    assertEquals([server.stats().strikes, server.stats().now], [0, 1]);
  }
});

test("A probe right after a message is sent, in its place, and judged (34)", async () => {
  const { clock, connection, written, ends } = talking();
  void connection.send("x");
  const answer = connection.probe();
  await settle();
  assertEquals(written, ["0 x", "0 PING"]);
  clock.advance(60);
  assertEquals(codes(ends), ["heartbeat-timeout"]);
  await assertRejects(() => answer, Error, "silent");
});

test("Where pings are answered, a probe waits for the pong: other bytes are life, and no round trip (34)", async () => {
  const { clock, socket, connection } = talking();
  const answer = connection.probe();
  let settled = false;
  void answer.then(() => settled = true);
  clock.advance(5);
  socket.receive("x\n");
  await settle();
  assertEquals([connection.health, settled], ["healthy", false]);
  clock.advance(5);
  socket.receive("PONG\n");
  assertEquals(await answer, 10);
});

test("A probe is judged although the peer is never asked otherwise (34)", () => {
  const { clock, connection, ends } = talking({ heartbeat: { interval: Infinity, timeout: 50 } });
  clock.advance(DAY);
  void connection.probe();
  clock.advance(60);
  assertEquals(codes(ends), ["heartbeat-timeout"]);
});

test("10 000 chunks, whole messages and pieces, cost no timer and no wake-up (37)", () => {
  const clock = new FakeClock();
  const { socket } = talking({ idleTimeout: DAY, frameTimeout: DAY }, clock);
  let calls = 0;
  clock.wakeAfter = ((wake) => (delay: number, then: () => void) => (calls++, wake.call(clock, delay, then)))(
    clock.wakeAfter,
  );
  const nextAt = clock.nextAt;
  for (let i = 0; i < 10_000; i++) socket.receive(i % 3 === 0 ? "x\n" : "y");
  assertEquals([calls, clock.nextAt, clock.pending], [0, nextAt, 1]);
});
