import { test } from "node:test";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { AddressCount } from "../../lib/server/address_count.ts";
import { Admission, type AdmissionLimits } from "../../lib/server/admission.ts";

const at = (hostname: string) => ({ hostname, port: 1 });
const ONE = at("192.0.2.1"), TWO = at("192.0.2.2");

function admission(limits: Partial<AdmissionLimits> = {}): Admission {
  const none = { maxConnections: Infinity, maxConnectionsPerAddress: Infinity, acceptRate: undefined };
  return new Admission({ ...none, ...limits }, 0);
}

test("AddressCount has so many places for each address, and forgets those that are gone", () => {
  const count = new AddressCount(2);
  assertEquals([count.take(ONE), count.take(ONE), count.take(ONE)], [true, true, false]);
  assertEquals([count.take(TWO), count.size], [true, 2]);
  count.free(ONE);
  assertEquals([count.take(ONE), count.take(ONE)], [true, false]);
  for (const address of [ONE, ONE, TWO]) count.free(address);
  assertEquals(count.size, 0);
});

test("AddressCount lets Unix-domain sockets be", () => {
  const count = new AddressCount(1), caller = { path: "" };
  assertEquals([count.take(caller), count.take(caller), count.size], [true, true, 0]);
  count.free(caller);
});

test("The last place is given, and no more", () => {
  const callers = admission({ maxConnections: 3 });
  assertEquals([2, 3, 4].map((taken) => callers.admit(ONE, taken, 0)), [undefined, "full", "full"]);
  assert(!callers.isFull(2));
  assert(callers.isFull(3));
});

test("There are no more places than descriptors", () => {
  const callers = admission({ maxConnections: 10, places: 3 });
  assertEquals([2, 3].map((taken) => callers.admit(ONE, taken, 0)), [undefined, "full"]);
  assertEquals(admission({ maxConnections: 2, places: 3 }).maxConnections, 2);
});

test("The last place of an address is given, and no more, until one has left", () => {
  const callers = admission({ maxConnectionsPerAddress: 2 });
  const admit = (address = ONE) => callers.admit(address, 0, 0);
  assertEquals([admit(), admit(), admit(), admit(TWO)], [undefined, undefined, "perAddress", undefined]);
  callers.left(ONE);
  assertEquals([admit(), admit()], [undefined, "perAddress"]);
});

test("The last token is given, and no more, until the next one is due", () => {
  const callers = admission({ acceptRate: { perSecond: 10, burst: 2 } });
  const admit = (now: number) => callers.admit(ONE, 0, now);
  assertEquals([admit(0), admit(0), admit(0), admit(99), admit(100)], [
    undefined,
    undefined,
    "rate",
    "rate",
    undefined,
  ]);
});

test("A caller who is refused takes neither a token nor a place", () => {
  const callers = admission({
    maxConnectionsPerAddress: 1,
    acceptRate: { perSecond: 10, burst: 2 },
  });
  assertEquals(callers.admit(ONE, 0, 0), undefined);
  for (let i = 0; i < 5; i++) assertEquals(callers.admit(ONE, 0, 0), "perAddress");
  assertEquals(callers.admit(TWO, 0, 0), undefined, "the other address finds its token");
  const three = at("192.0.2.3");
  assertEquals(callers.admit(three, 0, 0), "rate");
  assertEquals(callers.admit(three, 0, 100), undefined, "and its place");
});

test("Limits that are none are refused", () => {
  for (const name of ["maxConnections", "maxConnectionsPerAddress"] as const) {
    for (const value of [0, -1, 1.5, NaN]) {
      assertThrows(() => admission({ [name]: value }), RangeError, `"${name}" must be a whole number >= 1`);
    }
  }
  assertThrows(() => admission({ acceptRate: { perSecond: 0 } }), RangeError);
});
