/**
 * The heartbeat as a connection keeps it: on a clock, over a socket. Each test asserts what happened when.
 *
 * @module
 */

import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import type { ConnectionOptions } from "../lib/connection.ts";
import { lines } from "../lib/protocol/lines.ts";
import { raw } from "../lib/protocol/raw.ts";
import { FakeClock } from "../lib/testing/fake_clock.ts";
import type { FakeSocket } from "./support/fake_socket.ts";
import { live, settle } from "./support/live.ts";

const HEARTBEAT = { interval: 100, timeout: 50 };

/** A connection of lines whose log tells what was written when, and how it ended. */
function watched(options: ConnectionOptions<string, string> = {}, clock = new FakeClock()) {
  const log: string[] = [];
  const it = live<string, string>({ protocol: lines(), heartbeat: HEARTBEAT, ...options }, clock);
  it.connection.onMessage = () => {};
  spy(it.socket, (bytes) => log.push(`${clock.now()} ${bytes.trim()}`));
  it.connection.signal.addEventListener("abort", () =>
    log.push(`${clock.now()} ${it.connection.signal.reason.code}`));
  return { ...it, log };
}

function spy(socket: FakeSocket, wrote: (bytes: string) => void): void {
  const write = socket.write.bind(socket);
  socket.write = (bytes) => {
    wrote(new TextDecoder().decode(bytes));
    return write(bytes);
  };
}

test("A silent peer is asked, given up, reset, and leaves no timer behind", () => {
  const { clock, socket, log } = watched();
  clock.advance(1_000);
  assertEquals(log, ["100 PING", "150 heartbeat-timeout"]);
  assert(socket.aborted);
  assertEquals(clock.pending, 0);
});

test("A peer that answers is asked again an interval later, and its round trip is known", () => {
  const { clock, socket, connection, log } = watched();
  clock.advance(107);
  socket.receive("PONG\n");
  assertEquals(connection.rtt?.latest, 7);
  clock.advance(110);
  assertEquals(log, ["100 PING", "210 PING"]);
});

test("A peer that talks is never asked, and reading touches no timer", () => {
  const { clock, socket, log } = watched();
  const wakes = clock.nextAt;
  for (let i = 0; i < 99; i++) socket.receive("x\n");
  assertEquals(clock.nextAt, wakes);
  for (let i = 0; i < 100; i++) {
    clock.advance(99);
    socket.receive("x\n");
    assertEquals(clock.pending, 1);
  }
  assertEquals(log, []);
});

test("Half a line is life", () => {
  const { clock, socket, log } = watched();
  for (let i = 0; i < 50; i++) {
    clock.advance(90);
    socket.receive("x");
  }
  assertEquals(log, []);
});

test("Pongs that nobody asked for are not life", () => {
  const { clock, socket, log, connection } = watched();
  for (let i = 0; i < 3; i++) {
    clock.advance(30);
    socket.receive("PONG\n");
  }
  clock.advance(100);
  assertEquals(log, ["100 PING", "150 heartbeat-timeout"]);
  assertEquals(connection.stats().pongsReceived, 3);
  assertEquals(connection.rtt, undefined);
});

test("A pong is life once: what comes after it is unasked", () => {
  const { clock, socket, log } = watched();
  clock.advance(100);
  socket.receive("PONG\n");
  clock.advance(40);
  socket.receive("PONG\nPONG\n");
  clock.advance(120);
  assertEquals(log, ["100 PING", "200 PING", "250 heartbeat-timeout"]);
});

test("Bytes that are in the kernel when the verdict is due save the peer", () => {
  const { clock, socket, log } = watched();
  clock.advance(149);
  clock.afterTurn = ((after) => (then: () => void) =>
    after.call(clock, () => {
      socket.receive("late\n");
      then();
    }))(clock.afterTurn);
  clock.advance(50);
  assertEquals(log, ["100 PING"]);
});

test("A probe that cannot leave is not written, and not judged; the write stall is", () => {
  const { clock, socket, connection, log } = watched({ writeTimeout: 1_000 });
  socket.room = 0;
  connection.send("x".repeat(20_000));
  log.length = 0;
  clock.advance(990);
  assertEquals(log, []);
  clock.advance(20);
  assertEquals(log, ["1000 write-stalled"]);
});

test("A probe that waited leaves once there is room, and its time runs from there", () => {
  const { clock, socket, connection, log } = watched({ writeTimeout: 1_000 });
  socket.room = 0;
  connection.send("x".repeat(20_000));
  log.length = 0;
  clock.advance(500);
  socket.room = Infinity;
  socket.take(20_001);
  clock.advance(49);
  assertEquals(log, ["500 PING"]);
  clock.advance(20);
  assertEquals(log, ["500 PING", "550 heartbeat-timeout"]);
});

test("A probe that the socket takes a while to hand over is judged from when it has", () => {
  const { clock, socket, log } = watched({ writeTimeout: 1_000 });
  socket.room = 0;
  clock.advance(300);
  assertEquals(log, ["100 PING"]);
  socket.take(5);
  clock.advance(40);
  assertEquals(log, ["100 PING"]);
  clock.advance(20);
  assertEquals(log, ["100 PING", "350 heartbeat-timeout"]);
});

test("write-stalled counts from the last byte that the peer took", () => {
  const { clock, socket, connection, log } = watched({ heartbeat: false, writeTimeout: 1_000 });
  socket.room = 0;
  connection.send("x".repeat(20_000));
  log.length = 0;
  for (let i = 0; i < 10; i++) {
    clock.advance(900);
    socket.take(1);
  }
  assertEquals(log, []);
  clock.advance(990);
  assertEquals(log, []);
  clock.advance(20);
  assertEquals(log, ["10000 write-stalled"]);
});

test("writeTimeout is by default no longer than interval + timeout, and at most 30 s", () => {
  for (
    const [heartbeat, at] of [[HEARTBEAT, 150], [false, 30_080], [{ interval: 60_000 }, 30_080]] as const
  ) {
    const { clock, socket, connection, log } = watched({ heartbeat });
    socket.room = 0;
    connection.send("x".repeat(20_000));
    log.length = 0;
    clock.advance(40_000);
    assertEquals(log, [`${at} write-stalled`]);
  }
});

test("Steady beats come on their grid, whatever else is sent, and ask a peer that owes nothing else", () => {
  const clock = new FakeClock();
  const { socket, connection, ends } = live({
    protocol: raw({ token: "heartbeat" }),
    heartbeat: { interval: 400, timeout: 1_200, sendEvery: 400, steady: true },
  }, clock);
  const beats: number[] = [];
  spy(socket, (bytes) => bytes === "heartbeat" && beats.push(clock.now()));
  connection.onMessage = (bytes) => connection.send(bytes);
  for (let i = 0; i < 5; i++) {
    clock.advance(330);
    socket.receive("data");
  }
  assertEquals(beats, [400, 800, 1_200, 1_600]);
  clock.advance(1_590);
  assertEquals(ends.map(({ code }) => code), []);
  clock.advance(40);
  assertEquals(ends.map(({ code }) => code), ["heartbeat-timeout"]);
  const silence = ends[0]!.facts!.endedAt - 5 * 330;
  assert(silence >= 1_600 && silence <= 1_620, `found after ${silence} ms of silence`);
});

test("A steady beat is skipped while something waits to be sent, and sent once that has left", () => {
  const { clock, socket, connection, log } = watched({
    protocol: lines({ pong: false }),
    heartbeat: { interval: Infinity, sendEvery: 100, steady: true },
  });
  socket.room = 0;
  connection.send("x".repeat(20_000));
  log.length = 0;
  clock.advance(350);
  assertEquals(log, []);
  socket.room = Infinity;
  socket.take(20_001);
  clock.advance(100);
  assertEquals(log, ["350 PING", "400 PING"]);
});

test("Other rules can be put in force while the connection runs, for one of them", () => {
  const clock = new FakeClock();
  const a = watched({}, clock), b = watched({}, clock);
  clock.advance(50);
  a.connection.heartbeat.update({ interval: 20, timeout: 10 });
  assertEquals(a.connection.heartbeat.interval, 20);
  clock.advance(40);
  assertEquals(a.log, ["50 PING", "60 heartbeat-timeout"]);
  assertEquals(b.log, []);
  clock.advance(100);
  assertEquals(b.log, ["100 PING", "150 heartbeat-timeout"]);
});

test("A connection is suspect from the probe to the next byte", () => {
  const { clock, socket, connection } = watched();
  assertEquals(connection.health, "healthy");
  clock.advance(100);
  assertEquals(connection.health, "suspect");
  socket.receive("x");
  assertEquals(connection.health, "healthy");
});

test("After a pause of ours nobody healthy is given up, probes are spread, and the dead are still found", () => {
  let draw = 0;
  const clock = new FakeClock(0, () => (draw++ % 30) / 30);
  const all = Array.from(
    { length: 30 },
    () => watched({ heartbeat: { interval: 400, timeout: 1_200 } }, clock),
  );
  // All but the first answer, at once; while we are away their answers wait in the kernel.
  let kernel: (() => void)[] = [];
  let away = false;
  for (const { socket } of all.slice(1)) {
    spy(socket, () => {
      const answer = () => socket.receive("PONG\n");
      if (away) kernel.push(answer);
      else clock.wakeAfter(1, answer);
    });
  }
  clock.afterTurn = ((after) => (then: () => void) =>
    after.call(clock, () => {
      for (const answer of kernel) answer();
      kernel = [];
      then();
    }))(clock.afterTurn);
  clock.advance(410);
  away = true;
  clock.sleep(6_000);
  away = false;
  const resumed = clock.now();
  for (const { log } of all) log.length = 0;
  clock.advance(3_000);
  assertEquals(all.slice(1).flatMap(({ log }) => log.filter((entry) => entry.includes("timeout"))), []);
  assertEquals(all[0]!.ends.map(({ code }) => code), ["heartbeat-timeout"]);
  assert(all[0]!.ends[0]!.facts!.pauseSeen);
  const found = all[0]!.ends[0]!.facts!.endedAt - resumed;
  assert(found >= 1_200 && found <= 1_200 + 240 + 20, `found ${found} ms after the pause`);
  const firsts = all.slice(1).map(({ log }) => log[0]!.split(" ")[0]);
  assert(new Set(firsts).size >= 6, `probes came at ${firsts}`);
});

test("First probes of connections that opened together are spread over a fifth of the interval", () => {
  let draw = 0;
  const clock = new FakeClock(0, () => (draw++ % 100) / 100);
  const all = Array.from({ length: 100 }, () => watched({ heartbeat: { interval: 10_000 } }, clock));
  clock.advance(10_160);
  const firsts = all.map(({ log }) => Number(log[0]!.split(" ")[0]));
  assert(firsts.every((at) => at >= 8_000 && at <= 10_160), `${firsts}`);
  // What falls due within 160 ms is asked at once.
  assert(new Set(firsts).size > 12);
});

test("The idle limit counts messages, not heartbeats", () => {
  const { clock, socket, connection, log } = watched({ idleTimeout: 1_000 });
  const live = (ms: number) => {
    for (let i = 0; i < ms; i += 50) {
      clock.advance(50);
      socket.receive("PING\n");
    }
  };
  live(500);
  socket.receive("x\n");
  live(800);
  connection.send("y");
  live(900);
  assert(!log.some((entry) => entry.includes("idle")));
  live(200);
  assert(log.some((entry) => entry.endsWith("idle-timeout")));
});

test("A peer that says nothing at all is gone after firstByteTimeout, one that said a byte is not", () => {
  const options = { heartbeat: false, firstByteTimeout: 100 } as const;
  const silent = watched(options), spoke = watched(options);
  spoke.clock.advance(50);
  spoke.socket.receive("x");
  silent.clock.advance(200);
  spoke.clock.advance(200);
  assertEquals(silent.log, ["100 first-byte-timeout"]);
  assertEquals(spoke.log, []);
});

test("A message that has begun must end in time, however it trickles", () => {
  const { clock, socket, log } = watched({ heartbeat: false, frameTimeout: 1_000 });
  clock.advance(500);
  for (let i = 0; i < 20; i++) {
    socket.receive("x");
    clock.advance(90);
  }
  assertEquals(log, ["1500 frame-timeout"]);
});

test("A large message may take longer than frameTimeout while it flows at 1 KiB/s", () => {
  const { clock, socket, log } = watched({
    heartbeat: false,
    frameTimeout: 1_000,
    protocol: lines({ maxLineBytes: 300_000 }),
  });
  for (let i = 0; i < 50; i++) {
    socket.receive(new Uint8Array(4_000).fill(120));
    clock.advance(1_000);
  }
  assertEquals(log, []);
});

test("The next message has a deadline of its own", () => {
  const { clock, socket, log } = watched({ heartbeat: false, frameTimeout: 1_000 });
  for (let i = 0; i < 40; i++) {
    socket.receive(i % 10 === 9 ? "\nx" : "x");
    clock.advance(90);
  }
  assert(!log.some((entry) => entry.includes("frame")), `${log}`);
});

test("A peer that answered is asked again an interval later, though it had longer to answer", () => {
  const { clock, socket, log } = watched({ heartbeat: { interval: 100, timeout: 500 } });
  clock.advance(105);
  socket.receive("PONG\n");
  clock.advance(1_000);
  assertEquals(log, ["100 PING", "210 PING", "710 heartbeat-timeout"]);
});

test("A peer in question that is asked once more was told of once", () => {
  const { clock, socket, connection } = watched({ heartbeat: { interval: 100, timeout: 500 } });
  const told: string[] = [];
  connection.onHealth = (health) => told.push(health);
  clock.advance(100);
  void connection.probe();
  clock.advance(10);
  assertEquals(told, ["suspect"]);
  socket.receive("PONG\n");
  assertEquals(told, ["suspect", "healthy"]);
});

for (
  const [what, options] of [["idle-timeout", { idleTimeout: 100 }], ["frame-timeout", {
    frameTimeout: 100,
  }]] as const
) {
  test(`No ${what} while we do not read, and a whole one afterwards`, async () => {
    const { clock, socket, connection, log } = watched({ heartbeat: false, maxInboundBytes: 10, ...options });
    let take = () => {};
    connection.onMessage = () => new Promise<void>((resolve) => take = resolve);
    socket.receive("one\nlonger than ten bytes\nhalf a li");
    assert(socket.paused);
    clock.advance(1_000);
    assertEquals(log, []);
    take();
    await settle();
    take();
    await settle();
    assert(!socket.paused);
    clock.advance(99);
    assertEquals(log, []);
    clock.advance(20);
    assertEquals(log, [`1100 ${what}`]);
  });
}
