import { test } from "node:test";
import { assert, assertEquals, assertLess } from "@std/assert";
import { ASK_AGAIN, type Due, Wheel } from "../../lib/time/wheel.ts";
import { FakeClock } from "../../lib/testing/fake_clock.ts";
import { seeded } from "../../lib/testing/seeded.ts";

const TICK = 10;
/** Ticks within which a deadline is kept to the tick, and how many late one may be that is farther away. */
const NEAR = 256, COARSE = 16;

/** Something due that writes down when it was called, and what to answer. */
class Recorder implements Due {
  readonly calls: [now: number, sure: boolean][] = [];
  readonly #answer: (now: number, sure: boolean) => number;

  constructor(answer: (now: number, sure: boolean) => number = () => Infinity) {
    this.#answer = answer;
  }

  due(now: number, sure: boolean): number {
    this.calls.push([now, sure]);
    return this.#answer(now, sure);
  }
}

test("Wheel calls at the deadline or up to one tick later, never before", () => {
  const clock = new FakeClock(), wheel = new Wheel(clock, { tick: TICK });
  const recorder = new Recorder();
  wheel.add(recorder, 101);
  clock.advance(101);
  assertEquals(recorder.calls, []);
  clock.advance(8);
  assertEquals(recorder.calls, []);
  clock.advance(1);
  assertEquals(recorder.calls, [[110, false]]);
  assertEquals(clock.pending, 0);
});

test("Wheel keeps every deadline over all spans, within a tick, or 16 where it is far", () => {
  const random = seeded(7);
  const clock = new FakeClock(), wheel = new Wheel(clock, { tick: TICK });
  const entries: { at: number; late: number; recorder: Recorder }[] = [];
  for (let i = 0; i < 2_000; i++) {
    // From one millisecond to five days, evenly over the orders of magnitude: past the span of all rings.
    const at = clock.now() + 10 ** (random() * 8.6);
    const recorder = new Recorder(), far = at - clock.now() >= (NEAR - 1) * TICK;
    wheel.add(recorder, at);
    entries.push({ at, late: far ? COARSE * TICK : TICK, recorder });
    clock.advance(random() * 50);
  }
  clock.advance(10 ** 8.7);
  for (const { at, late, recorder } of entries) {
    assertEquals(recorder.calls.length, 1);
    const [called] = recorder.calls[0]!;
    assert(called >= at, `called at ${called} for ${at}`);
    // Timers know whole milliseconds only.
    assertLess(called - at, late + 1);
  }
  assertEquals(clock.pending, 0);
});

test("Wheel wakes up once for deadlines that are far and close together", () => {
  const clock = new FakeClock(), wheel = new Wheel(clock, { tick: TICK });
  const recorders = Array.from({ length: COARSE * TICK }, () => new Recorder());
  for (const [i, recorder] of recorders.entries()) {
    wheel.add(recorder, 10_081 + i - clock.now() % (COARSE * TICK));
  }
  clock.advance(11_000);
  const instants = new Set(recorders.map(({ calls }) => calls[0]![0]));
  assertEquals([...instants], [10_240]);
});

test("Wheel measures what is set after a pause from now, not from when it was due", () => {
  const clock = new FakeClock(), wheel = new Wheel(clock, { tick: TICK });
  const recorder = new Recorder((now) => now < 8_000 ? now + 50 : Infinity);
  wheel.add(recorder, 100);
  clock.sleep(7_961);
  clock.advance(200);
  assertEquals(recorder.calls.map(([now]) => now), [7_961, 8_020]);
});

test("Wheel sets one timer for 100 000 deadlines, and calls each of them once", () => {
  const clock = new FakeClock(), wheel = new Wheel(clock, { tick: TICK });
  let calls = 0;
  for (let i = 0; i < 100_000; i++) wheel.add({ due: () => (calls++, Infinity) }, i % 5_000);
  assertEquals(clock.pending, 1);
  assertEquals(wheel.size, 100_000);
  clock.advance(5_000 + COARSE * TICK);
  assertEquals(calls, 100_000);
  assertEquals(clock.pending, 0);
});

test("Wheel calls again at the deadline that was returned", () => {
  const clock = new FakeClock(), wheel = new Wheel(clock, { tick: TICK });
  const recorder = new Recorder((now) => now + 100);
  wheel.add(recorder, 100);
  clock.advance(350);
  assertEquals(recorder.calls.map(([now]) => now), [100, 200, 300]);
});

test("Wheel.set() moves a deadline both ways, and Infinity puts it to sleep", () => {
  const clock = new FakeClock(), wheel = new Wheel(clock, { tick: TICK });
  const recorder = new Recorder();
  const id = wheel.add(recorder, 500);
  wheel.set(id, 100);
  wheel.set(id, 300);
  clock.advance(290);
  assertEquals(recorder.calls, []);
  wheel.set(id, Infinity);
  clock.advance(1_000);
  assertEquals(recorder.calls, []);
  wheel.set(id, 1_400);
  clock.advance(110);
  assertEquals(recorder.calls, [[1_400, false]]);
});

test("Wheel.set() wakes one that sleeps, and leaves alone who has been given its place meanwhile", () => {
  const clock = new FakeClock(), wheel = new Wheel(clock, { tick: TICK });
  const sleeper = new Recorder(), other = new Recorder();
  const id = wheel.add(sleeper, 500);
  wheel.set(id, Infinity);
  wheel.add(other, 500);
  wheel.set(id, 700);
  clock.advance(1_000);
  assertEquals([sleeper.calls, other.calls], [[[700, false]], [[500, false]]]);
});

test("Wheel.hasten() never puts a deadline off", () => {
  const clock = new FakeClock(), wheel = new Wheel(clock, { tick: TICK });
  const recorder = new Recorder();
  const id = wheel.add(recorder, 100);
  wheel.hasten(id, 200);
  wheel.hasten(id, 50);
  clock.advance(60);
  assertEquals(recorder.calls, [[50, false]]);
});

test("Wheel.remove() leaves no timer behind once it is empty", () => {
  const clock = new FakeClock(), wheel = new Wheel(clock, { tick: TICK });
  const a = wheel.add(new Recorder(), 100), b = wheel.add(new Recorder(), 200);
  wheel.remove(a);
  assertEquals(clock.pending, 1);
  wheel.remove(b);
  assertEquals(clock.pending, 0);
  assertEquals(wheel.size, 0);
});

test("Wheel survives owners that remove others, themselves, and add new ones during the sweep", () => {
  const clock = new FakeClock(), wheel = new Wheel(clock, { tick: TICK });
  const called: string[] = [];
  const ids: Record<string, number> = {};
  const owner = (name: string, act: () => void): Due => ({
    due: () => {
      called.push(name);
      act();
      return Infinity;
    },
  });
  // All in one slot. Whoever comes first removes the other two and itself, and adds one for the next tick.
  for (const name of ["a", "b", "c"]) {
    ids[name] = wheel.add(
      owner(name, () => {
        for (const other of ["a", "b", "c"]) wheel.remove(ids[other]!);
        wheel.add(owner("new", () => {}), 0);
      }),
      100,
    );
  }
  clock.advance(200);
  assertEquals(called.length, 2);
  assertEquals(called[1], "new");
  assertEquals(wheel.size, 1);
});

test("Wheel visits everybody although one of them throws", () => {
  const clock = new FakeClock();
  const errors: unknown[] = [];
  const wheel = new Wheel(clock, { tick: TICK, onError: (error) => errors.push(error) });
  const recorders = [new Recorder(), new Recorder()];
  const bug = new Error("bug");
  wheel.add(recorders[0]!, 100);
  wheel.add(
    new Recorder(() => {
      throw bug;
    }),
    100,
  );
  wheel.add(recorders[1]!, 100);
  clock.advance(100);
  assertEquals(errors, [bug]);
  assertEquals(recorders.map(({ calls }) => calls.length), [1, 1]);
});

test("Wheel asks a doubtful owner again after a turn, and tells it that it may be sure", () => {
  const clock = new FakeClock(), wheel = new Wheel(clock, { tick: TICK });
  const log: string[] = [];
  wheel.add(new Recorder((_, sure) => (log.push(sure ? "sure" : "doubt"), sure ? Infinity : ASK_AGAIN)), 100);
  clock.afterTurn = ((after) => (then: () => void) => {
    log.push("turn");
    after.call(clock, then);
  })(clock.afterTurn);
  clock.advance(100);
  assertEquals(log, ["doubt", "turn", "sure"]);
});

test("Wheel forgets a doubtful owner that was removed meanwhile", () => {
  const clock = new FakeClock(), wheel = new Wheel(clock, { tick: TICK });
  const recorder = new Recorder(() => ASK_AGAIN);
  const id = wheel.add(recorder, 100);
  clock.afterTurn = ((after) => (then: () => void) => {
    wheel.remove(id);
    after.call(clock, then);
  })(clock.afterTurn);
  clock.advance(100);
  assertEquals(recorder.calls.length, 1);
  assertEquals(wheel.size, 0);
});

test("Wheel notices that the process was away, and lets the event loop turn before it calls anybody", () => {
  const clock = new FakeClock(), wheel = new Wheel(clock, { tick: TICK });
  const recorder = new Recorder();
  wheel.add(recorder, 100);
  let turned = false;
  clock.afterTurn = ((after) => (then: () => void) =>
    after.call(clock, () => {
      turned = true;
      then();
    }))(clock.afterTurn);
  clock.sleep(6_000);
  assert(turned);
  assertEquals(recorder.calls, [[6_000, false]]);
  assertEquals(wheel.pause, { end: 6_000, length: 5_900 });
  assertEquals(wheel.pauses, 1);
});

test("Wheel takes 200 ms of lateness for granted", () => {
  const clock = new FakeClock(), wheel = new Wheel(clock, { tick: TICK });
  wheel.add(new Recorder(), 100);
  clock.sleep(300);
  assertEquals(wheel.pauses, 0);
  wheel.add(new Recorder(), 400);
  clock.sleep(301);
  assertEquals(wheel.pauses, 1);
});

test("Wheel waits again when its timer comes early", () => {
  const clock = new FakeClock(), recorder = new Recorder();
  const wakeAfter = clock.wakeAfter.bind(clock);
  // As Node does: up to a millisecond early.
  clock.wakeAfter = (delay, wake) => wakeAfter(delay > 1 ? delay - 1 : 1, wake);
  const wheel = new Wheel(clock, { tick: TICK });
  wheel.add(recorder, 100);
  clock.advance(99);
  assertEquals(recorder.calls, []);
  clock.advance(11);
  assertEquals(recorder.calls.length, 1);
  assert(recorder.calls[0]![0] >= 100);
});

test("Wheel does not spin within an instant when a quotient is rounded down", () => {
  // (32.3 - 2.3) / 10 is a hair less than 3 here.
  const clock = new FakeClock(2.3000000000000007), wheel = new Wheel(clock, { tick: TICK });
  const wakeAfter = clock.wakeAfter.bind(clock);
  let wakes = 0;
  clock.wakeAfter = (delay, wake) => {
    assertLess(++wakes, 10);
    return wakeAfter(delay, wake);
  };
  const recorder = new Recorder();
  wheel.add(recorder, 32);
  // A timer that comes at the tick exactly, and not at the next whole millisecond.
  clock.advance(29.999999999999996);
  clock.advance(100);
  assertEquals(recorder.calls.length, 1);
  assertLess(wakes, 10);
});

test("Wheel does not take an entry that joins a sleeping wheel for a pause of its own", () => {
  const clock = new FakeClock(), wheel = new Wheel(clock, { tick: TICK });
  wheel.add(new Recorder((now) => now < 5_000 ? 5_840 : Infinity), 4_380);
  clock.advance(5_832);
  // From 4 380 on it is 323 ticks to this deadline, and 178 from now on: it waits in a fine slot.
  const recorder = new Recorder();
  wheel.add(recorder, 7_602);
  clock.advance(5_000);
  assertEquals(wheel.pauses, 0);
  assertEquals(recorder.calls, [[7_610, false]]);
});

/** A wheel with one entry that may be put off by 100 ms after it was touched, and is due at 200. */
function spared() {
  const clock = new FakeClock(), wheel = new Wheel(clock, { tick: TICK });
  const recorder = new Recorder(), id = wheel.add(recorder, 200);
  wheel.spare(id, 100);
  return { clock, wheel, recorder, id };
}

test("Wheel calls for a deadline that is past already at once, and takes that for no pause", () => {
  for (const others of [[], [60_000]]) {
    const clock = new FakeClock(), wheel = new Wheel(clock, { tick: TICK });
    for (const deadline of others) wheel.add(new Recorder(), deadline);
    clock.advance(1_004);
    const recorder = new Recorder();
    wheel.add(recorder, 500);
    clock.advance(0);
    assertEquals(recorder.calls, [[1_004, false]]);
    assertEquals([wheel.pause, wheel.pauses], [undefined, 0]);
    assertLess(wheel.lag, TICK);
  }
});

test("Wheel puts off what was touched since, calls nobody for it, and is never early", () => {
  const { clock, wheel, recorder, id } = spared();
  clock.advance(101);
  wheel.touch(id, clock.now());
  clock.advance(150);
  // For 201, which is the next tick.
  assertEquals(recorder.calls, [[210, false]]);
  assertEquals([wheel.putOffs(id), wheel.pauses], [1, 0]);
});

test("Wheel calls for a touch that is a whole span ago", () => {
  const { clock, wheel, recorder, id } = spared();
  clock.advance(100);
  wheel.touch(id, clock.now());
  clock.advance(100);
  assertEquals(recorder.calls, [[200, false]]);
  assertEquals(wheel.putOffs(id), 0);
});

test("Wheel puts off again and again, and calls when touches end", () => {
  const { clock, wheel, recorder, id } = spared();
  for (let i = 0; i < 20; i++) {
    clock.advance(50);
    wheel.touch(id, clock.now());
  }
  assertEquals(recorder.calls, []);
  // At 200 for the first time, and at each 50 ms after that.
  assertEquals(wheel.putOffs(id), 17);
  clock.advance(200);
  assertEquals(recorder.calls, [[1_100, false]]);
  assertEquals(clock.pending, 0);
});

test("Wheel.set() and Wheel.hasten() take back what was spared, also if they move nothing", () => {
  const moves: ((wheel: Wheel, id: number) => void)[] = [
    (wheel, id) => wheel.set(id, 200),
    (wheel, id) => wheel.hasten(id, 200),
    (wheel, id) => wheel.hasten(id, 500),
    (wheel, id) => wheel.spare(id, 0),
  ];
  for (const move of moves) {
    const { clock, wheel, recorder, id } = spared();
    clock.advance(150);
    wheel.touch(id, clock.now());
    move(wheel, id);
    clock.advance(100);
    assertEquals(recorder.calls, [[200, false]]);
  }
});

test("Wheel puts nothing off on its own once it has called", () => {
  const clock = new FakeClock(), wheel = new Wheel(clock, { tick: TICK });
  const recorder = new Recorder((now) => now < 300 ? 300 : Infinity), id = wheel.add(recorder, 200);
  wheel.spare(id, 100);
  clock.advance(250);
  wheel.touch(id, clock.now());
  clock.advance(100);
  assertEquals(recorder.calls.map(([now]) => now), [200, 300]);
});

test("Wheel puts nothing off that was spared before this process was away", () => {
  const { clock, wheel, recorder, id } = spared();
  wheel.set(id, 1_000);
  wheel.spare(id, 5_000);
  wheel.touch(id, clock.now());
  wheel.add(new Recorder(), 100);
  clock.sleep(400);
  wheel.touch(id, clock.now());
  clock.advance(700);
  assertEquals(recorder.calls, [[1_000, false]]);
  assertEquals([wheel.pauses, wheel.putOffs(id)], [1, 0]);
});

test("Wheel spares nothing to whoever is given the number of another", () => {
  const { clock, wheel, id } = spared();
  clock.advance(150);
  wheel.touch(id, clock.now());
  wheel.remove(id);
  const recorder = new Recorder();
  assertEquals(wheel.add(recorder, 200), id);
  clock.advance(100);
  assertEquals(recorder.calls, [[200, false]]);
  assertEquals(wheel.putOffs(id), 0);
});

test("Wheel counts anew for whoever is given the number of another", () => {
  const { clock, wheel, id } = spared();
  clock.advance(150);
  wheel.touch(id, clock.now());
  clock.advance(60);
  assertEquals(wheel.putOffs(id), 1);
  wheel.remove(id);
  assertEquals(wheel.add(new Recorder(), 400), id);
  assertEquals(wheel.putOffs(id), 0);
});

test("Wheel reads ahead whom it will call, and nobody whom it puts off", () => {
  const clock = new FakeClock(), wheel = new Wheel(clock, { tick: TICK });
  const seen: string[] = [];
  const owner = (name: string) => ({
    prefetch: () => seen.push(`${name} is read`),
    due() {
      seen.push(`${name} is called`);
      return Infinity;
    },
  });
  const spoken = wheel.add(owner("who spoke"), 200);
  wheel.spare(spoken, 100);
  wheel.add(owner("who was silent"), 200);
  clock.advance(150);
  wheel.touch(spoken, clock.now());
  clock.advance(60);
  assertEquals(seen, ["who was silent is read", "who was silent is called"]);
  assertEquals(wheel.putOffs(spoken), 1);
});
