import { test } from "node:test";
import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { ACCEPTED, Inbox, type InboxOwner } from "../../lib/connection/inbox.ts";
import { settle } from "../support/live.ts";

/** An owner that writes down what it is told, and marks what it makes its own. */
function opened(maxBytes = 10) {
  const log: string[] = [], turns: (() => void)[] = [];
  let receiver: (message: string) => unknown;
  const owner: InboxOwner<string> = {
    own: (message) => `own ${message}`,
    keep: () => log.push("keep"),
    full: (full) => log.push(full ? "full" : "room"),
    emptied: () => log.push("emptied"),
    failed: (error) => log.push(`failed ${(error as Error).message}`),
    afterTurn: (then) => turns.push(then),
    deliver: (message) => receiver(message),
  };
  const inbox = new Inbox(owner, maxBytes);
  const receive = (callback: (message: string) => unknown) => {
    receiver = callback;
    inbox.delivers = true;
  };
  return { inbox, log, turns, receive };
}

/** A promise that is settled from outside. */
function deferred(): { promise: Promise<void>; resolve(): void; reject(error: unknown): void } {
  let resolve!: () => void, reject!: (error: unknown) => void;
  const promise = new Promise<void>((yes, no) => [resolve, reject] = [yes, no]);
  return { promise, resolve, reject };
}

test("Inbox lends a message to a callback that is free, and owns those that have to wait", async () => {
  const { inbox, log, receive } = opened();
  const got: string[] = [], first = deferred();
  inbox.push("early", 1);
  receive((message) => {
    got.push(message);
    if (message === "slow") return first.promise;
  });
  inbox.push("lent", 1);
  inbox.push("slow", 1);
  inbox.push("late", 1);
  assertEquals(got, ["own early", "lent", "slow"]);
  assertEquals(log, ["keep"]);
  first.resolve();
  await settle();
  assertEquals(got.at(-1), "own late");
  assert(inbox.idle);
});

test("Inbox does not wait for a message that was accepted at once", () => {
  const { inbox, log, receive } = opened();
  let got = 0;
  receive(() => {
    got++;
    return ACCEPTED;
  });
  inbox.push("a", 1);
  inbox.push("b", 1);
  assertEquals([got, log], [2, []]);
});

test("Inbox waits for anything that has a then", async () => {
  const { inbox, receive } = opened();
  const got: string[] = [];
  let done!: () => void;
  receive((message) => {
    got.push(message);
    return { then: (resolve: () => void) => void (done = resolve) };
  });
  inbox.push("a", 1);
  inbox.push("b", 1);
  await settle();
  assertEquals(got, ["a"]);
  done();
  assertEquals(got, ["a", "own b"]);
});

test("Inbox is full at its bound, and has room again at half of it", async () => {
  const { inbox, log } = opened(10);
  inbox.push("a", 4);
  inbox.push("b", 5);
  assertEquals(log, []);
  inbox.push("c", 1);
  inbox.push("d", 1);
  assertEquals(log, ["full"]);
  await inbox.next();
  assertEquals(log, ["full"]);
  await inbox.next();
  assertEquals(log, ["full", "room"]);
});

test("Inbox.clear() makes room", async () => {
  const { inbox, log } = opened(1);
  inbox.push("a", 1);
  inbox.clear();
  assertEquals(log, ["full", "room"]);
  inbox.push("b", 1);
  assertEquals(await inbox.next(), { done: false, value: "own b" });
});

test("Inbox gives messages to those who wait, in the order in which they asked", async () => {
  const { inbox, log } = opened(1);
  const answers = [inbox.next(), inbox.next()];
  inbox.push("a", 5);
  inbox.push("b", 5);
  assertEquals(await Promise.all(answers), [
    { done: false, value: "own a" },
    { done: false, value: "own b" },
  ]);
  assertEquals(log, [], "what is taken at once takes no room");
});

test("Inbox.end() lets what waits be taken, then is done, for those who wait too", async () => {
  const { inbox, log } = opened();
  inbox.push("a", 1);
  inbox.end();
  inbox.push("too late", 1);
  assertEquals(log, []);
  assertEquals(await inbox.next(), { done: false, value: "own a" });
  assertEquals(log, ["emptied"]);
  assertEquals(await inbox.next(), { done: true, value: undefined });
  const other = opened().inbox, waiting = other.next();
  other.end();
  assertEquals(await waiting, { done: true, value: undefined });
});

test("Inbox.end() with a reason throws it after what waits, each time; the first end counts", async () => {
  const { inbox } = opened();
  const reason = new Error("broken");
  inbox.push("a", 1);
  inbox.end(reason);
  inbox.end(new Error("again"));
  assertEquals((await inbox.next()).value, "own a");
  for (let i = 0; i < 2; i++) await assertRejects(() => inbox.next(), Error, "broken");
  const other = opened().inbox, waiting = other.next().catch((error) => error);
  other.end(reason);
  assertStrictEquals(await waiting, reason);
});

test("Inbox is emptied only once the last callback has settled", async () => {
  const { inbox, log, receive } = opened();
  const work = deferred();
  receive(() => work.promise);
  inbox.push("a", 1);
  inbox.end();
  assert(!inbox.idle);
  assertEquals(log, ["keep"]);
  work.resolve();
  await settle();
  assertEquals(log, ["keep", "emptied"]);
});

test("Inbox reports a callback that throws, or whose promise is rejected", async () => {
  const { inbox, log, receive } = opened();
  receive(() => {
    throw new Error("thrown");
  });
  inbox.push("a", 1);
  receive(() => Promise.reject(new Error("rejected")));
  inbox.push("b", 1);
  await settle();
  assertEquals(log, ["failed thrown", "keep", "failed rejected"]);
});

test("Inbox keeps order over thousands of messages that are taken while others come", async () => {
  const { inbox, turns } = opened(Infinity);
  const got: string[] = [];
  let n = 0;
  const timer = setInterval(() => turns.shift()?.(), 1);
  for (let round = 0; round < 50; round++) {
    for (let i = 0; i < 100; i++) inbox.push(`${n++}`, 1);
    for (let i = 0; i < 70; i++) got.push((await inbox.next()).value!);
  }
  inbox.end();
  for await (const message of { [Symbol.asyncIterator]: () => inbox }) got.push(message);
  clearInterval(timer);
  assertEquals(got, Array.from({ length: 5_000 }, (_, i) => `own ${i}`));
});

/** So many messages that waited are taken in one turn. */
const RUN = 1_024;

test("Inbox gives an iterator 1024 messages that waited, and then the others a turn", async () => {
  const { inbox, turns } = opened(Infinity);
  for (let i = 0; i < RUN + 2; i++) inbox.push(`${i}`, 1);
  for (let i = 0; i < RUN; i++) assertEquals((await inbox.next()).value, `own ${i}`);
  const log: unknown[] = [];
  for (let i = 0; i < 4; i++) void inbox.next().then(({ value }) => log.push(value));
  inbox.push("after", 1);
  await settle();
  assertEquals([log, turns.length], [[], 1]);
  turns.shift()!();
  await settle();
  assertEquals(log, [`own ${RUN}`, `own ${RUN + 1}`, "own after"]);
  inbox.end();
  await settle();
  assertEquals(log.slice(3), [undefined]);
});

test("Inbox that ends while others have their turn gives what waits first, and then its end", async () => {
  const { inbox, log, turns } = opened(Infinity);
  for (let i = 0; i < RUN + 1; i++) inbox.push(`${i}`, 1);
  for (let i = 0; i < RUN; i++) await inbox.next();
  const last = inbox.next(), end = inbox.next().catch((error) => error);
  const reason = new Error("broken");
  inbox.end(reason);
  assertEquals(log, []);
  turns.shift()!();
  assertEquals((await last).value, `own ${RUN}`);
  assertStrictEquals(await end, reason);
  assertEquals(log, ["emptied"]);
});

test("Inbox that is cleared while others have their turn ends for those who wait", async () => {
  const { inbox, turns } = opened(Infinity);
  for (let i = 0; i < RUN + 1; i++) inbox.push(`${i}`, 1);
  for (let i = 0; i < RUN; i++) await inbox.next();
  const waiting = inbox.next();
  inbox.end();
  inbox.clear();
  turns.shift()!();
  assertEquals(await waiting, { done: true, value: undefined });
});

test("Inbox gives a callback 1024 messages that waited, and the rest in later turns", () => {
  const { inbox, turns, receive } = opened(Infinity);
  const got: string[] = [];
  for (let i = 0; i < 2 * RUN + 1; i++) inbox.push(`${i}`, 1);
  receive((message) => void got.push(message));
  inbox.push("after", 1);
  assertEquals([got.length, turns.length], [RUN, 1]);
  turns.shift()!();
  assertEquals(got.length, 2 * RUN);
  turns.shift()!();
  assertEquals(got.slice(2 * RUN), [`own ${2 * RUN}`, "own after"]);
  assert(inbox.idle);
});

test("Inbox is full of many small messages too, however small: one for each 64 bytes of its bound", async () => {
  const { inbox, log } = opened(64 * 2_000);
  for (let i = 0; i < 1_999; i++) inbox.push("", 0);
  assertEquals(log, []);
  inbox.push("", 0);
  assertEquals(log, ["full"]);
  for (let i = 0; i < 999; i++) await inbox.next();
  assertEquals(log, ["full"]);
  await inbox.next();
  assertEquals(log, ["full", "room"]);
  const small = opened(1);
  for (let i = 0; i < 1_023; i++) small.inbox.push("", 0);
  assertEquals(small.log, []);
  small.inbox.push("", 0);
  assertEquals(small.log, ["full"], "a small bound leaves room for as many");
});
