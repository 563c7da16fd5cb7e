import { test } from "node:test";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { Heartbeat } from "../../lib/liveness/heartbeat.ts";
import { type HeartbeatOptions, heartbeatPolicy } from "../../lib/liveness/heartbeat_policy.ts";

/** A heartbeat with an interval of 100 and a timeout of 50, opened at 0. */
const heartbeat = (options: HeartbeatOptions = {}, phase = 0) =>
  new Heartbeat(0, heartbeatPolicy({ interval: 100, timeout: 50, ...options }), phase);

test("Heartbeat probes when the interval has passed in silence", () => {
  const h = heartbeat();
  assertEquals(h.check(99), "wait");
  assertEquals(h.check(100), "probe");
});

test("Heartbeat probes once a silence", () => {
  const h = heartbeat();
  assertEquals(h.check(100), "probe");
  h.flushed(100);
  assertEquals(h.check(149), "wait");
});

test("Heartbeat gives the peer up when the timeout has passed since the flush of the probe", () => {
  const h = heartbeat();
  h.check(100);
  assertEquals(h.check(1_000), "wait", "a probe that never left proves nothing");
  h.flushed(1_000);
  assertEquals(h.check(1_049), "wait");
  assertEquals(h.check(1_050), "dead");
  assertEquals(h.check(1_050), "dead", "asked again, the answer is the same");
});

test("Heartbeat counts the next interval from the last byte, not from the probe", () => {
  const h = heartbeat();
  h.check(100);
  h.flushed(100);
  h.heardAt = 149;
  assertEquals(h.check(150), "wait");
  assertEquals(h.deadline(), 249);
});

test("Heartbeat spares a peer whose byte comes with the deadline", () => {
  const h = heartbeat();
  h.check(100);
  h.flushed(100);
  h.heardAt = 150;
  assertEquals(h.check(150), "wait");
});

test("Heartbeat does not take what we send for life", () => {
  const h = heartbeat({ sendEvery: 30 });
  const verdicts: string[] = [];
  for (let now = 0; now <= 150; now++) {
    const verdict = h.check(now);
    if (verdict !== "wait") verdicts.push(`${now} ${verdict}`);
    if (verdict === "probe") h.flushed(now);
  }
  assertEquals(verdicts, ["30 beat", "60 beat", "90 beat", "100 probe", "130 beat", "150 dead"]);
});

test("Heartbeat is suspect from the probe to the next byte", () => {
  const h = heartbeat();
  assert(!h.suspect);
  h.check(100);
  assert(h.suspect);
  h.heardAt = 120;
  assert(!h.suspect);
});

test("Heartbeat asks but never gives up with an infinite timeout", () => {
  const h = heartbeat({ timeout: Infinity });
  assertEquals(h.check(100), "probe");
  h.flushed(100);
  assertEquals(h.check(1e12), "wait");
});

test("Heartbeat with an infinite interval does neither", () => {
  const h = heartbeat({ interval: Infinity });
  assertEquals(h.check(1e12), "wait");
  assertEquals(h.deadline(), Infinity);
});

test("Heartbeat owes something every sendEvery; data that was sent counts, data received does not", () => {
  const h = heartbeat({ interval: Infinity, sendEvery: 100 });
  assertEquals(h.check(99), "wait");
  h.heardAt = 99;
  assertEquals(h.check(100), "beat");
  h.sentAt = 150;
  assertEquals(h.check(249), "wait");
  assertEquals(h.check(250), "beat");
});

test("A steady heartbeat keeps its grid, whatever is sent and however late it is asked", () => {
  const h = heartbeat({ interval: Infinity, sendEvery: 100, steady: true });
  const beats: number[] = [];
  for (const now of [99, 100, 107, 199, 203, 300, 305, 399, 401, 500]) {
    h.sentAt = now;
    if (h.check(now) === "beat") beats.push(now);
  }
  assertEquals(beats, [100, 203, 300, 401, 500]);
});

test("A steady heartbeat catches up one beat after a pause, not all of them", () => {
  const h = heartbeat({ interval: Infinity, sendEvery: 100, steady: true });
  assertEquals(h.check(1_234), "beat");
  assertEquals(h.check(1_234), "wait");
  assertEquals(h.deadline(), 1_300);
});

test("Steady beats ask the peer, so that no probe is needed: silence is judged after interval + timeout", () => {
  const h = heartbeat({ sendEvery: 100, steady: true });
  const verdicts: string[] = [];
  for (let now = 0; now <= 150; now++) {
    for (let verdict = h.check(now); verdict !== "wait"; verdict = h.check(now)) {
      verdicts.push(`${now} ${verdict}`);
      if (verdict === "suspect") h.flushed(now);
      if (verdict === "dead") break;
    }
  }
  assertEquals(verdicts, ["100 suspect", "100 beat", "150 dead"]);
});

test("Steady beats that are rarer than the interval leave the asking to probes", () => {
  const h = heartbeat({ sendEvery: 300, steady: true });
  assertEquals(h.check(100), "probe");
});

test("Heartbeat spreads first probes and beats over a fifth of the period, and only the first", () => {
  const h = heartbeat({}, 0.5);
  assertEquals(h.deadline(), 90);
  h.heardAt = 50;
  assertEquals(h.deadline(), 150);
  assertEquals(heartbeat({ interval: Infinity, sendEvery: 100 }, 0.5).deadline(), 90);
  assertEquals(heartbeat({ interval: Infinity, sendEvery: 100, steady: true }, 0.5).deadline(), 90);
});

test("Heartbeat gives no verdict while we do not read, and a whole interval afterwards", () => {
  const h = heartbeat();
  h.check(100);
  h.flushed(100);
  h.listen(110, false);
  assertEquals(h.check(10_000), "wait");
  h.listen(10_000, true);
  assertEquals(h.check(10_099), "wait");
  assertEquals(h.check(10_100), "probe");
});

test("Heartbeat asks anew, with a whole timeout, after a pause of ours that outlasted the deadline", () => {
  const h = heartbeat();
  h.check(100);
  h.flushed(100);
  const pause = { end: 6_000, length: 5_850 };
  assertEquals(h.check(6_000, pause), "probe");
  h.flushed(6_000);
  assertEquals(h.check(6_049, pause), "wait");
  assertEquals(h.check(6_050, pause), "dead");
});

test("Heartbeat spreads what fell due during a pause", () => {
  const pause = { end: 6_000, length: 5_850 };
  // The spread is a fifth of the shortest period: here of the timeout.
  const silent = heartbeat({}, 0.5);
  assertEquals(silent.check(6_004, pause), "wait");
  assertEquals(silent.check(6_005, pause), "probe");
  const asked = heartbeat({}, 0.5);
  asked.check(100);
  asked.flushed(100);
  assertEquals(asked.check(6_004, pause), "wait");
  assertEquals(asked.check(6_005, pause), "probe");
  const steady = heartbeat({ interval: Infinity, timeout: Infinity, sendEvery: 100, steady: true }, 0.5);
  assertEquals(steady.check(6_009, pause), "wait");
  assertEquals(steady.check(6_010, pause), "beat");
});

test("A pause that is short against the timeout only shifts the deadline", () => {
  const h = heartbeat({ timeout: 1_000 });
  h.check(100);
  h.flushed(100);
  const pause = { end: 600, length: 220 };
  assertEquals(h.check(1_319, pause), "wait");
  assertEquals(h.check(1_320, pause), "dead");
});

test("Pauses excuse a silent peer three times and no more, or a stutter would keep the dead", () => {
  const h = heartbeat();
  let now = 100;
  assertEquals(h.check(now), "probe");
  for (const verdict of ["probe", "probe", "probe", "dead"]) {
    h.flushed(now);
    now += 500;
    const pause = { end: now, length: 400 };
    assertEquals(h.check(verdict === "dead" ? now + 400 : now, pause), verdict);
  }
});

test("Excuses are whole again once the peer was heard", () => {
  const h = heartbeat();
  let now = 0;
  for (let i = 0; i < 10; i++) {
    now += 100;
    assertEquals(h.check(now), "probe");
    h.flushed(now);
    now += 500;
    assertEquals(h.check(now, { end: now, length: 400 }), "probe");
    h.heardAt = now;
  }
});

test("Heartbeat.update() puts other rules in force at once", () => {
  const h = heartbeat();
  h.update(10, heartbeatPolicy({ interval: 20, timeout: 5, sendEvery: 15, steady: true }));
  assertEquals(h.deadline(), 20);
  assertEquals(h.check(20), "suspect");
  h.flushed(20);
  assertEquals(h.check(25), "dead");
});

test("Equal interval and timeout do not close before the first probe", () => {
  const h = heartbeat({ interval: 100, timeout: 100 });
  assertEquals(h.check(100), "probe");
  h.flushed(100);
  assertEquals(h.check(199), "wait");
  assertEquals(h.check(200), "dead");
});

test("An adaptive timeout is the longest at first, then follows the round trips, never below the shortest", () => {
  const h = heartbeat({ timeout: { min: 20, max: 200 } });
  assertEquals(h.timeout, 200);
  h.roundTrip.asked(0);
  h.roundTrip.answered(10);
  assertEquals(h.timeout, 30);
  h.heardAt = 10;
  assertEquals(h.check(110), "probe");
  h.flushed(110);
  assertEquals(h.check(139), "wait");
  assertEquals(h.check(140), "dead");
  for (let i = 0; i < 50; i++) {
    h.roundTrip.asked(0);
    h.roundTrip.answered(1);
  }
  assertEquals(h.timeout, 20);
});

test("heartbeatPolicy() rejects bounds that are none, and adapting to pongs that never come", () => {
  const set = (timeout: HeartbeatOptions["timeout"], answered = true) => () =>
    heartbeatPolicy({ timeout: timeout! }, answered);
  assertThrows(set({ min: 0, max: 1 }), RangeError, `"timeout.min" must be > 0: current value is 0`);
  assertThrows(set({ min: 2, max: 1 }), RangeError, `"timeout.max" must be >= 2: current value is 1`);
  assertThrows(set("adaptive", false), TypeError, "needs a protocol that answers pings");
  assertThrows(set("fast" as "adaptive"), RangeError, "current value is fast");
});

for (const name of ["interval", "timeout", "sendEvery"]) {
  for (const value of [0, -1, NaN, "1" as unknown as number]) {
    test(`heartbeatPolicy() rejects ${name} ${JSON.stringify(value)}`, () => {
      assertThrows(
        () => heartbeatPolicy({ [name]: value }),
        RangeError,
        `Cannot set a heartbeat as "${name}" must be > 0: current value is ${value}`,
      );
    });
  }
}

test("A peer in question gets no more time because it is asked again", () => {
  const heartbeat = new Heartbeat(0, heartbeatPolicy({ interval: 100, timeout: 50 }), 0);
  assertEquals(heartbeat.check(100), "probe");
  heartbeat.flushed(100);
  heartbeat.ask(130);
  heartbeat.flushed(130);
  assertEquals(heartbeat.check(149), "wait");
  assertEquals(heartbeat.check(150), "dead");
});

test("A byte that comes in the very instant of a question on demand, after it, is an answer; one before it is none", () => {
  for (const now of [0, 130]) {
    const heartbeat = new Heartbeat(0, heartbeatPolicy({ interval: 100, timeout: 50 }), 0);
    heartbeat.heardAt = now;
    heartbeat.ask(now);
    assertEquals(heartbeat.suspect, true);
    heartbeat.heardAt = now;
    assertEquals(heartbeat.suspect, false);
    assertEquals(heartbeat.check(now + 99), "wait");
    assertEquals(heartbeat.check(now + 100), "probe");
  }
});
