import { test } from "node:test";
import { assertEquals } from "@std/assert";
import { Receipts } from "../../lib/session/receipts.ts";

/** How many of the next `messages` are news. */
const news = (receipts: Receipts, messages: number) =>
  Array.from({ length: messages }, () => receipts.count()).filter(Boolean).length;

test("What the application has not taken is not told, comes once more, and counts once", () => {
  const receipts = new Receipts(10);
  assertEquals(news(receipts, 5), 5);
  assertEquals(receipts.offer(receipts.taken(2)), 13);
  assertEquals(receipts.offering, true);
  // What the old link brings, and what is taken, while the new one is made changes nothing in what the peer was told.
  assertEquals(news(receipts, 1), 1);
  assertEquals(receipts.linked(receipts.taken(0)), 13);
  assertEquals([receipts.offering, receipts.expectsAgain], [false, true]);
  assertEquals(news(receipts, 4), 1);
  assertEquals([receipts.expectsAgain, receipts.taken(0)], [false, 17]);
});

test("An offer of which nothing came is forgotten; what was thrown away has not come", () => {
  const receipts = new Receipts();
  news(receipts, 5);
  receipts.offer(2);
  receipts.withdraw();
  assertEquals(receipts.offering, false);
  receipts.discard(3);
  assertEquals([receipts.linked(receipts.taken(0)), receipts.expectsAgain], [2, false]);
});
