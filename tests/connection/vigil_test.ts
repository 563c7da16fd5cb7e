import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import type { ConnectionOptions } from "../../lib/connection.ts";
import { connectionPolicy } from "../../lib/connection/policy.ts";
import { Vigil } from "../../lib/connection/vigil.ts";
import { LiveConnection } from "../../lib/connection/live_connection.ts";
import { Watch } from "../../lib/liveness/watch.ts";
import { lines } from "../../lib/protocol/lines.ts";
import { serve } from "../../lib/server.ts";
import { FakeClock } from "../../lib/testing/fake_clock.ts";
import { Wheel } from "../../lib/time/wheel.ts";
import { FakeSocket } from "../support/fake_socket.ts";
import { FakeTransport } from "../support/fake_transport.ts";

const HEARTBEAT = { interval: 1_000, timeout: 500 };

/**
 * A connection whose looks are put off by the wheel: the peer speaks, and nothing else goes on. It is 1 800; the next look is
 * at 1 900.
 */
function calm(options: ConnectionOptions<string, string> = {}) {
  const clock = new FakeClock(), socket = new FakeSocket();
  const ends: string[] = [], log: string[] = [];
  const policy = connectionPolicy({ action: "test", role: "client" }, {
    protocol: lines(),
    heartbeat: HEARTBEAT,
    clock,
    ...options,
  });
  const connection = new LiveConnection<string, string>(socket, policy, {
    ended: (_, { code }) => void ends.push(`${clock.now()} ${code}`),
    noticed: (what) => void log.push(`${clock.now()} ${what}`),
  });
  connection.onMessage = () => {};
  connection.start();
  /** Lets `ms` pass, in which the peer says `what` every 100 ms. */
  const chatter = (ms: number, what = "x\n") => {
    for (let at = 0; at < ms && ends.length === 0; at += 100) {
      clock.advance(100);
      if (ends.length === 0) socket.receive(what);
    }
  };
  chatter(1_800);
  return { clock, socket, connection, ends, log, chatter };
}

test("A connection whose peer speaks is looked at once, and then put off by the wheel", () => {
  const { connection, clock, log, chatter } = calm();
  assertEquals([connection.probesSpared, log], [0, []]);
  chatter(10_000);
  const { probesSpared } = connection;
  assert(probesSpared >= 10 && probesSpared <= 12, `${probesSpared}`);
  clock.advance(990);
  assertEquals(log, []);
  clock.advance(100);
  assertEquals(log, ["12800 suspect", "12800 probeSent"]);
});

test("The wheel puts off the same looks that would have found the peer alive", async () => {
  const counts: number[] = [];
  for (const observer of [undefined, { suppressed: () => {} }]) {
    const transport = new FakeTransport(), clock = new FakeClock();
    const server = await serve(
      { port: 0, transport, clock, protocol: lines(), heartbeat: HEARTBEAT, observer },
      (connection) => void (connection.onMessage = () => {}),
    );
    const sockets = [transport.call(), transport.call()];
    for (let i = 0; i < 100; i++) {
      clock.advance(97);
      for (const socket of sockets) socket.receive("x\n");
      // In between it is hastened, and looked at for another reason.
      if (i % 30 === 7) { for (const connection of server.connections) void connection.probe(); }
    }
    const { probesSuppressed } = server.stats();
    server.abort();
    assertEquals(server.stats().probesSuppressed, probesSuppressed);
    counts.push(probesSuppressed);
  }
  assert(counts[0]! > 10, `${counts}`);
  assertEquals(counts[0], counts[1]);
});

test("A pong that nobody asked for puts nothing off", () => {
  const { log, chatter } = calm();
  chatter(1_000, "PONG\n");
  assertEquals(log.slice(0, 2), ["2800 suspect", "2800 probeSent"]);
});

test("Bytes that the peer does not take are noticed while it speaks", () => {
  const { socket, connection, ends, chatter } = calm({ writeTimeout: 1_200 });
  socket.room = 0;
  void connection.send("abc");
  // It leaves with the first bytes that come, and its time runs from when it was sent.
  chatter(2_000);
  assertEquals(ends, ["3000 write-stalled"]);
});

test("A frame that does not end is noticed while it trickles", () => {
  const { ends, chatter } = calm({ frameTimeout: 1_200 });
  chatter(2_000, "x");
  assertEquals(ends, ["3100 frame-timeout"]);
});

test("A drain is over when nothing moves, though the peer's heartbeats come", () => {
  const { socket, connection, chatter } = calm();
  connection.leave(0);
  chatter(400, "PING\n");
  assert(socket.finished);
});

test("A peer that speaks and does not leave is left", () => {
  const { connection, ends, chatter } = calm({ closeTimeout: 1_200 });
  void connection.close();
  chatter(2_000);
  assertEquals(ends, ["3000 close-timeout"]);
});

test("A probe of the application has its own deadline", () => {
  const { clock, connection, ends } = calm();
  connection.probe().catch(() => {});
  clock.advance(600);
  assertEquals(ends, ["2300 heartbeat-timeout"]);
});

test("Other rules are in force at once", () => {
  const { clock, connection, log } = calm();
  connection.heartbeat.update({ interval: 300 });
  clock.advance(400);
  // The look at 1 900 is no longer put off by the wheel.
  assertEquals(log, ["1900 suppressed", "2100 suspect", "2100 probeSent"]);
});

test("What we owe the peer is sent while it speaks", () => {
  const { socket, connection, chatter } = calm();
  connection.heartbeat.update({ sendEvery: 400 });
  const before = socket.sent.length;
  chatter(2_100);
  assertEquals(socket.sent.length - before, 6);
});

test("A peer that we do not read is not asked, and has an interval when we do again", () => {
  const { clock, connection, log } = calm();
  connection.full(true);
  clock.advance(5_000);
  assertEquals(log, ["1900 suppressed"]);
  connection.full(false);
  clock.advance(1_090);
  assertEquals(log.slice(1), ["7800 suspect", "7800 probeSent"]);
});

test("Every connection is told of a pause of ours at its next look, though its peer speaks", () => {
  const { clock, log, chatter } = calm();
  clock.sleep(3_000);
  chatter(2_500);
  const paused = log.filter((line) => line.endsWith("paused"));
  assertEquals(paused, ["4800 paused"]);
});

test("A pause between two looks is told of at the next one", () => {
  const { clock, log, chatter } = calm();
  // Somebody else on the same wheel is woken too late.
  const wheel = connectionPolicy({ action: "test", role: "client" }, { clock }).wheel;
  const entry = wheel.add({ due: () => Infinity }, 1_850);
  clock.sleep(400);
  chatter(200);
  const paused = log.filter((line) => line.endsWith("paused"));
  assertEquals(paused.length, 1, `${log}`);
  wheel.remove(entry);
});

test("Peers are looked at in full by an observer that wants to know of each probe that was not needed", () => {
  const looks: number[] = [];
  const it = calm({ observer: { suppressed: () => void looks.push(1) } });
  it.chatter(10_000);
  assertEquals(it.connection.probesSpared, 0);
  assert(looks.length >= 11, `${looks.length}`);
});

test("A peer is not given up while what came from it is still being looked at", () => {
  const clock = new FakeClock(), wheel = new Wheel(clock);
  const policy = connectionPolicy({ action: "test", role: "client" }, {
    protocol: lines(),
    heartbeat: HEARTBEAT,
    clock,
  });
  const watch = new Watch(0, policy.watch, 0);
  const said: string[] = [];
  const owner = {
    doubtful: true,
    observed: false,
    beat: (verdict: string) => {
      said.push(verdict);
      watch.heartbeat.flushed(1_000);
    },
    aged: () => {},
    quiet: () => {},
    noticed: () => {},
    prefetch: () => 0,
    break: (verdict: string) => {
      said.push(verdict);
      vigil.end();
    },
  };
  const vigil = new Vigil(watch, wheel, owner);
  vigil.begin();
  assertEquals(vigil.due(1_000, false), 1_500);
  assertEquals([vigil.due(1_500, false), vigil.due(1_500, true), vigil.due(1_600, true)], [NaN, NaN, NaN]);
  assertEquals(said, ["probe"]);
  owner.doubtful = false;
  assertEquals([vigil.due(1_600, false), vigil.due(1_600, true)], [NaN, Infinity]);
  assertEquals(said, ["probe", "heartbeat-timeout"]);
});

test("A beat that is due after our FIN is not written", () => {
  const { clock, connection } = calm({ heartbeat: { ...HEARTBEAT, sendEvery: 400 } });
  connection.finish();
  const { bytesSent } = connection.stats();
  clock.advance(450);
  assertEquals(connection.stats().bytesSent, bytesSent);
});
