import { test } from "node:test";
import { assertEquals } from "@std/assert";
import { Acks } from "../../lib/session/acks.ts";
import { FakeClock } from "../../lib/testing/fake_clock.ts";
import { Wheel } from "../../lib/time/wheel.ts";

/** A session of which the test says what was taken, and a log of what was told when. */
function owing(told = 0) {
  const clock = new FakeClock(), wheel = new Wheel(clock);
  const log: string[] = [];
  const owner = {
    taken: told,
    waiting: false,
    linked: true,
    acknowledge(count: number) {
      if (owner.linked) log.push(`${clock.now()} ${count}`);
      return owner.linked;
    },
  };
  const acks = new Acks(owner, clock, wheel, told);
  const arrive = (messages = 1) => {
    for (let i = 0; i < messages; i++) {
      owner.taken++;
      acks.arrived();
    }
  };
  return { clock, wheel, owner, acks, log, arrive };
}

test("One message is acknowledged 50 ms later, and then nothing more is due", () => {
  const { clock, log, arrive } = owing();
  arrive();
  clock.advance(49);
  assertEquals(log, []);
  clock.advance(1);
  assertEquals(log, ["50 1"]);
  clock.advance(10_000);
  assertEquals([log, clock.pending], [["50 1"], 0]);
});

test("Fifteen messages wait, the sixteenth does not", () => {
  const { log, arrive } = owing();
  arrive(15);
  assertEquals(log, []);
  arrive(1);
  assertEquals(log, ["0 16"]);
  arrive(15);
  assertEquals(log, ["0 16"]);
  arrive(1);
  assertEquals(log, ["0 16", "0 32"]);
});

test("Later messages do not put the acknowledgement of the first off", () => {
  const { clock, log, arrive } = owing();
  for (let i = 0; i < 5; i++) {
    arrive();
    clock.advance(20);
  }
  assertEquals(log, ["50 3"]);
  clock.advance(1_000);
  assertEquals(log, ["50 3", "110 5"]);
});

test("What goes along with data is not told again", () => {
  const { clock, acks, log, arrive } = owing();
  arrive(3);
  acks.tell();
  acks.tell();
  assertEquals(log, ["0 3"]);
  clock.advance(1_000);
  assertEquals(log, ["0 3"]);
});

test("What the application has not taken yet is told once it has", () => {
  const { clock, owner, acks, log } = owing();
  owner.waiting = true;
  acks.arrived();
  clock.advance(500);
  assertEquals(log, []);
  owner.taken = 1;
  owner.waiting = false;
  clock.advance(50);
  assertEquals(log, ["550 1"]);
  clock.advance(1_000);
  assertEquals([log.length, clock.pending], [1, 0]);
});

test("What could not be told is still owed", () => {
  const { clock, owner, acks, log, arrive } = owing();
  owner.linked = false;
  arrive(20);
  clock.advance(1_000);
  assertEquals(log, []);
  owner.linked = true;
  acks.tell();
  assertEquals(log, ["1000 20"]);
});

test("What the peer was told by other means is not told again", () => {
  const { clock, acks, log, arrive } = owing();
  arrive(5);
  acks.told(5);
  clock.advance(1_000);
  assertEquals(log, []);
  arrive();
  clock.advance(50);
  assertEquals(log, ["1050 6"]);
});

test("Counts go on from where the session was", () => {
  const { log, arrive } = owing(100);
  arrive(15);
  assertEquals(log, []);
  arrive();
  assertEquals(log, ["0 116"]);
});

test("A count that falls behind what was told is never told", () => {
  const { clock, owner, acks, log, arrive } = owing();
  arrive(2);
  acks.told(9);
  owner.taken = 8;
  acks.tell();
  clock.advance(1_000);
  assertEquals(log, []);
});

test("end() leaves no timer", () => {
  const { clock, wheel, acks, log, arrive } = owing();
  arrive();
  acks.end();
  assertEquals([clock.pending, wheel.size], [0, 0]);
  clock.advance(1_000);
  assertEquals(log, []);
});

test("The first message of a turn takes what is owed with it, and others only take what soon could not wait", () => {
  const { acks, log, arrive } = owing();
  arrive(1);
  acks.sending(true);
  assertEquals(log, ["0 1"]);
  arrive(7);
  acks.sending(false);
  assertEquals(log, ["0 1"]);
  arrive(1);
  acks.sending(false);
  acks.sending(true);
  assertEquals(log, ["0 1", "0 9"]);
});
