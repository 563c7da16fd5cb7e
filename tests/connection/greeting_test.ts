import { test } from "node:test";
import { assertEquals } from "@std/assert";
import { Greeting, type GreetingOwner } from "../../lib/connection/greeting.ts";
import type { Hello, Offer, Role, SessionOffer, Wire } from "../../lib/protocol/protocol.ts";
import { FakeClock } from "../../lib/testing/fake_clock.ts";
import { Wheel } from "../../lib/time/wheel.ts";

const TERMS = { sendEvery: 1, hearEvery: 2, minPingGap: 3 };
const HELLO: Hello = { sendEvery: 0, hearEvery: 0, minPingGap: 0, maxMessageBytes: 9 };
const SESSION: SessionOffer = { resumed: false, received: 4, window: 5 };

function greeting(role: Role, deadline = 1_000) {
  const clock = new FakeClock(), wheel = new Wheel(clock);
  const log: unknown[] = [];
  const said: Offer[] = [];
  const wire = {
    greet(offer: Offer) {
      said.push(offer);
      return Uint8Array.from([said.length]);
    },
  } as Partial<Wire<never, never>> as Wire<never, never>;
  const owner: GreetingOwner = {
    write: (bytes) => log.push(`write ${bytes}`),
    asked: (hello) => log.push(hello === HELLO ? "asked" : "?"),
    greeted: (hello) => log.push(hello === HELLO ? "greeted" : "?"),
    late: () => log.push(`late ${clock.now()}`),
  };
  return { clock, wheel, log, said, it: new Greeting(wire, role, TERMS, wheel, deadline, owner) };
}

test("A client speaks first, and has greeted when the server answers", () => {
  const { it, log, said, wheel } = greeting("client");
  it.begin(SESSION);
  assertEquals([log, said], [["write 1"], [{ ...TERMS, session: SESSION }]]);
  it.heard(HELLO);
  assertEquals(log, ["write 1", "greeted"]);
  assertEquals(wheel.size, 0);
});

test("A server says nothing before it was spoken to, and is asked for its answer", () => {
  const { it, log, said, wheel } = greeting("server");
  it.begin(undefined);
  assertEquals([log, said], [[], []]);
  it.heard(HELLO);
  assertEquals([log, said], [["asked"], []]);
  it.answer(SESSION);
  assertEquals([log, said], [["asked", "write 1", "greeted"], [{ ...TERMS, session: SESSION }]]);
  assertEquals(wheel.size, 0);
});

for (const role of ["client", "server"] as const) {
  test(`A ${role} whose peer is silent is late at the deadline, and not before`, () => {
    const { clock, it, log } = greeting(role);
    it.begin(undefined);
    log.length = 0;
    clock.advance(999);
    assertEquals(log, []);
    clock.advance(1);
    clock.turn();
    assertEquals(log, ["late 1000"]);
    clock.advance(10_000);
    assertEquals(log.length, 1);
  });
}

test("A server that takes long for its answer, as a store may, is late too", () => {
  const { clock, it, log } = greeting("server");
  it.heard(HELLO);
  clock.advance(1_000);
  clock.turn();
  assertEquals(log, ["asked", "late 1000"]);
});

test("A greeting that was stopped is not late, and answers nobody", () => {
  const { clock, it, log, said } = greeting("server");
  it.heard(HELLO);
  it.stop();
  it.stop();
  it.answer(SESSION);
  clock.advance(5_000);
  assertEquals([log, said, clock.pending], [["asked"], [], 0]);
});

test("Bytes that are in the kernel at the deadline are read first", () => {
  const { clock, it, log } = greeting("client");
  it.begin(undefined);
  clock.wakeAfter(1_000, () => {});
  clock.advance(999);
  // The wheel asks again after a turn of the event loop: the hello comes in it.
  clock.afterTurn(() => it.heard(HELLO));
  clock.advance(1);
  clock.turn();
  assertEquals(log, ["write 1", "greeted"]);
});

test("Without a deadline nobody is late", () => {
  const { clock, it, log } = greeting("client", Infinity);
  it.begin(undefined);
  clock.advance(1e9);
  assertEquals([log.length, clock.pending], [1, 0]);
});
