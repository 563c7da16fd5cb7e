import { test } from "node:test";
import { assertEquals, assertNotStrictEquals, assertStrictEquals } from "@std/assert";
import { Loan } from "../../lib/connection/loan.ts";

/** A chunk of `size` bytes that lies in `memory` bytes. */
function chunk(size: number, memory = size): Uint8Array {
  return new Uint8Array(memory).subarray(0, size).fill(7);
}

test("Loan gives the chunk back if nobody wants to keep it", () => {
  const loan = new Loan();
  loan.begin(chunk(100));
  assertEquals(loan.end(), false);
});

test("Loan keeps a message in its chunk while that takes at most 64 times its memory", () => {
  const loan = new Loan();
  for (const [memory, kept] of [[640, true], [641, false], [640, true]] as const) {
    const lent = chunk(500, memory);
    loan.begin(lent);
    const message = lent.subarray(3, 13), own = loan.own(message);
    assertEquals([own.buffer === lent.buffer, loan.end()], [kept, kept]);
    assertEquals(own, message);
  }
});

test("Loan keeps a whole chunk that is a message, whatever it lies in", () => {
  const loan = new Loan(), lent = chunk(1, 65_536);
  loan.begin(lent);
  assertStrictEquals(loan.own(lent), lent);
  assertEquals(loan.end(), true);
});

test("Loan copies what does not lie in the chunk, and leaves text alone", () => {
  const loan = new Loan(), token = Uint8Array.of(1, 2, 3);
  loan.begin(chunk(100));
  const own = loan.own(token);
  assertNotStrictEquals(own, token);
  assertEquals(own, token);
  assertStrictEquals(loan.own("text"), "text");
  assertEquals(loan.end(), false);
});

test("Loan keeps a chunk that somebody still looks at", () => {
  const loan = new Loan();
  loan.begin(chunk(100));
  loan.keep();
  assertEquals(loan.end(), true);
  loan.begin(chunk(100));
  assertEquals(loan.end(), false);
});
