import { test } from "node:test";
import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { Outcome } from "../../lib/connection/outcome.ts";
import { ConnectionError } from "../../lib/errors.ts";
import { settle } from "../support/live.ts";

const reason = new ConnectionError("reset", "gone");

test("Before the end there is no reason, and nobody has been told", async () => {
  const outcome = new Outcome();
  let told = false;
  void outcome.closed.then(() => told = true);
  await settle();
  assertEquals([outcome.reason, told, outcome.signal.aborted], [undefined, false, false]);
});

test("It is decided first and told later, to the promise and the signal alike, once", async () => {
  const outcome = new Outcome();
  const log: string[] = [];
  void outcome.closed.then(() => log.push("closed"));
  outcome.signal.addEventListener("abort", () => log.push("aborted"));
  outcome.decide(reason);
  assertStrictEquals(outcome.reason, reason);
  await settle();
  assertEquals([log, outcome.signal.aborted], [[], false]);
  outcome.announce();
  await settle();
  assertEquals(log.sort(), ["aborted", "closed"]);
  assertStrictEquals(await outcome.closed, reason);
  assertStrictEquals(outcome.signal.reason, reason);
});

test("Who asks only after the end gets the same", async () => {
  const outcome = new Outcome();
  outcome.decide(reason);
  outcome.announce();
  assertStrictEquals(await outcome.closed, reason);
  assert(outcome.signal.aborted);
  assertStrictEquals(outcome.signal.reason, reason);
});

test("The promise and the signal are the same whenever they are asked for", () => {
  const outcome = new Outcome();
  assertStrictEquals(outcome.closed, outcome.closed);
  assertStrictEquals(outcome.signal, outcome.signal);
});
