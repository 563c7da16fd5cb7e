import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { heartbeatPolicy, NO_HEARTBEAT } from "../../lib/liveness/heartbeat_policy.ts";
import { IntervalSearch } from "../../lib/liveness/interval.ts";
import { Watch, type WatchPolicy } from "../../lib/liveness/watch.ts";

/** A watch over a peer that connected at 0, with every limit off unless `limits` say otherwise. */
function watching(limits: Partial<WatchPolicy> = {}, phase = 0.5): Watch {
  return new Watch(0, {
    heartbeat: NO_HEARTBEAT,
    writeTimeout: Infinity,
    idleTimeout: Infinity,
    firstByteTimeout: Infinity,
    frameTimeout: Infinity,
    closeTimeout: Infinity,
    maxAge: Infinity,
    maxAgeGrace: Infinity,
    minPingGap: 0,
    ...limits,
  }, phase);
}

/** Checks at the last instant before a deadline and at it: the deadline is where the verdict is. */
function assertAt(watch: Watch, at: number, verdict: string): void {
  assertEquals(watch.deadline(), at);
  assertEquals(watch.check(at - 1), "wait");
  assertEquals(watch.check(at), verdict);
}

test("Watch with every limit off never has anything to say", () => {
  const watch = watching();
  assertEquals(watch.deadline(), Infinity);
  assertEquals(watch.check(1e12), "wait");
});

test("Watch gives a peer its time for the first byte, and none for later ones", () => {
  assertAt(watching({ firstByteTimeout: 100 }), 100, "first-byte-timeout");
  const spoke = watching({ firstByteTimeout: 100 });
  spoke.heartbeat.heardAt = 50;
  assertEquals(spoke.deadline(), Infinity);
});

test("Watch goes on waiting for the first byte where what came was no sign of life", () => {
  const watch = watching({ firstByteTimeout: 100 });
  watch.heartbeat.heardAt = 50;
  assertEquals(watch.deadline(), Infinity);
  watch.heartbeat.heardAt = 0;
  assertAt(watch, 100, "first-byte-timeout");
});

test("Watch counts the idle time from the last message, either way, and from nothing else", () => {
  const watch = watching({ idleTimeout: 100 });
  watch.messageAt = 30;
  watch.heartbeat.heardAt = watch.heartbeat.sentAt = 80;
  watch.moved(90);
  assertAt(watch, 130, "idle-timeout");
});

test("Watch gives a message its time from its first byte", () => {
  const watch = watching({ frameTimeout: 100 });
  assertEquals(watch.frame(10, 1, false), true);
  assertEquals(watch.frame(60, 2, false), false, "it goes on, and has no more time for it");
  assertAt(watch, 110, "frame-timeout");
  assertEquals(watch.frame(70, 0, true), false);
  assertEquals(watch.deadline(), Infinity);
});

test("Watch gives the next message a time of its own, also where it came with the end of the last", () => {
  const watch = watching({ frameTimeout: 100 });
  watch.frame(10, 1, false);
  assertEquals(watch.frame(90, 5, true), true);
  assertAt(watch, 190, "frame-timeout");
});

test("Watch lets a message that flows at 1 KiB/s take as long as it needs", () => {
  const watch = watching({ frameTimeout: 1_000 });
  watch.frame(0, 1, false);
  // 200 kB at 4 kB/s.
  for (let now = 100; now <= 50_000; now += 100) {
    watch.frame(now, now * 4, false);
    assertEquals(watch.check(now), "wait");
  }
  const slow = watching({ frameTimeout: 1_000 });
  slow.frame(0, 1, false);
  // Just below 1 KiB/s.
  slow.frame(5_000, 5_000, false);
  assertEquals(slow.check(4_882), "wait");
  assertEquals(slow.check(4_883), "frame-timeout");
});

test("Watch does not count our own pauses against the first byte or a message", () => {
  const first = watching({ firstByteTimeout: 1_000 });
  assertEquals(first.deadline({ end: 6_000, length: 5_500 }), 6_500);
  assertEquals(first.check(6_499, { end: 6_000, length: 5_500 }), "wait");
  const frame = watching({ frameTimeout: 1_000 });
  frame.frame(500, 1, false);
  assertEquals(frame.deadline({ end: 6_000, length: 5_000 }), 6_500);
  assertEquals(frame.check(6_499, { end: 6_000, length: 5_000 }), "wait");
  assertEquals(frame.deadline({ end: 400, length: 300 }), 1_500, "that was before it began");
});

test("Watch ages within a tenth of the limit by phase, and the grace has no jitter", () => {
  for (const [phase, at] of [[0, 900], [0.5, 1_000], [1, 1_100]] as const) {
    const watch = watching({ maxAge: 1_000, maxAgeGrace: 300 }, phase);
    assertAt(watch, at, "aged");
    watch.heartbeat.heardAt = watch.messageAt = at + 200;
    watch.moved(at + 200);
    assertAt(watch, at + 300, "max-age");
  }
});

test("Watch tells of age once, and keeps the end of the grace while closing", () => {
  const watch = watching({ maxAge: 1_000, maxAgeGrace: 300, closeTimeout: 5_000 });
  assertEquals(watch.check(1_000), "aged");
  assertEquals(watch.check(1_001), "wait");
  watch.close();
  watch.parted(1_100);
  assertAt(watch, 1_300, "max-age");
});

test("Watch finds a drain quiet after 200 ms without movement, once for each drain", () => {
  const watch = watching();
  watch.moved(50);
  assertEquals(watch.deadline(), Infinity, "nobody waits for a quiet moment");
  watch.drain(100);
  watch.drain(250);
  watch.moved(150);
  assertAt(watch, 350, "quiet");
  assertEquals(watch.deadline(), Infinity);
  watch.drain(400);
  assertAt(watch, 600, "quiet");
});

test("Watch begins a drain no sooner than it was told to", () => {
  const watch = watching();
  watch.drain(1_000);
  watch.moved(500);
  assertAt(watch, 1_200, "quiet");
});

test("Watch gives the peer its time to leave from our last byte on, and asks nothing any more", () => {
  const watch = watching({
    heartbeat: heartbeatPolicy({ interval: 100, timeout: 50, sendEvery: 30 }),
    idleTimeout: 100,
    frameTimeout: 100,
    closeTimeout: 1_000,
  });
  watch.frame(0, 1, false);
  watch.parted(20);
  watch.close();
  assertEquals(watch.deadline(), Infinity, "our last byte has not left");
  assertEquals(watch.check(5_000), "wait");
  watch.parted(5_000);
  watch.parted(5_500);
  assertAt(watch, 6_000, "close-timeout");
});

test("Watch judges the write stall first, also while closing", () => {
  const watch = watching({ writeTimeout: 100, idleTimeout: 100, closeTimeout: 100 });
  watch.stall.waiting(0);
  assertAt(watch, 100, "write-stalled");
  watch.close();
  assertAt(watch, 100, "write-stalled");
});

test("Watch calls the heartbeat's death by its name", () => {
  const watch = watching({ heartbeat: heartbeatPolicy({ interval: 100, timeout: 50 }) }, 0);
  assertAt(watch, 100, "probe");
  watch.heartbeat.flushed(100);
  assertAt(watch, 150, "heartbeat-timeout");
  watch.heartbeat.heardAt = 150;
  assertEquals(watch.check(150), "wait", "a verdict is not remembered");
});

/** A watch whose interval is learned from 100 ms on, of a peer that answers after `n` quiet intervals. */
function learning(n: number): { watch: Watch; search: IntervalSearch; now: number } {
  const search = new IntervalSearch({ min: 100, max: 1_000 });
  const watch = watching({ heartbeat: heartbeatPolicy({ timeout: 50 }), search }, 0);
  let now = 0;
  for (let i = 0; i < n; i++) {
    now = watch.deadline();
    assertEquals(watch.check(now), "probe");
    watch.heartbeat.flushed(now);
    watch.heartbeat.heardAt = ++now;
    watch.answered(now);
  }
  return { watch, search, now };
}

test("Watch learns the interval from answers, and puts it in force", () => {
  const { watch, now } = learning(3);
  assertEquals(watch.heartbeat.policy.interval, 150);
  assertEquals(watch.deadline(), now + 150);
});

test("Watch learns from a break only if the peer was asked after a quiet spell of that length", () => {
  const idle = learning(4);
  assertEquals(idle.watch.heartbeat.quiet, 150);
  idle.watch.broke();
  assertEquals(idle.search.current, 150, "the last question was answered");
  const asked = learning(3);
  asked.watch.check(asked.now + 150);
  asked.watch.broke();
  assertEquals(asked.search.current, 100);
});

test("Watch learns nothing from a break across a pause of ours", () => {
  const { watch, search, now } = learning(3);
  const pause = { end: now + 60_000, length: 59_000 };
  assertEquals(watch.check(pause.end, pause), "probe");
  watch.broke();
  assertEquals(search.current, 150);
  assert(watch.heartbeat.suspect);
});
