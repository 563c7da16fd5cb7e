import { test } from "node:test";
import { assertEquals, assertStrictEquals } from "@std/assert";
import { ACCEPTED } from "../../lib/connection/inbox.ts";
import { Room } from "../../lib/connection/room.ts";
import { settle } from "../support/live.ts";

/** A room of 1000 bytes, and what has been settled in it. */
function watched() {
  const room = new Room(1_000);
  const log: string[] = [];
  const note = (name: string, promise: Promise<void>) => {
    promise.then(() => log.push(name), (reason) => log.push(`${name} ${reason}`));
    return promise;
  };
  return { room, log, note };
}

test("Up to a quarter of the bound nobody waits, and above it everybody does", () => {
  const { room } = watched();
  assertStrictEquals(room.wait(0), ACCEPTED);
  assertStrictEquals(room.wait(250), ACCEPTED);
  assertEquals(room.wait(251) === ACCEPTED, false);
});

test("Those who wait share a promise, and go on at an eighth", async () => {
  const { room, log, note } = watched();
  const first = note("a", room.wait(251));
  assertStrictEquals(room.wait(900), first);
  room.left(126);
  await settle();
  assertEquals(log, []);
  room.left(125);
  await settle();
  assertEquals(log, ["a"]);
  assertEquals(room.wait(251) === first, false);
});

test("Who waits for nothing to be left waits until nothing is", async () => {
  const { room, log, note } = watched();
  assertStrictEquals(room.empty(0), ACCEPTED);
  const first = note("empty", room.empty(1));
  assertStrictEquals(room.empty(5), first);
  void note("room", room.wait(300));
  room.left(1);
  await settle();
  assertEquals(log, ["room"]);
  room.left(0);
  room.left(0);
  await settle();
  assertEquals(log, ["room", "empty"]);
});

test("At the end everybody is told why, and nobody has to catch it", async () => {
  const { room, log, note } = watched();
  void room.wait(300);
  void note("room", room.wait(300));
  void note("empty", room.empty(1));
  room.end("over");
  room.left(0);
  await settle();
  assertEquals(log, ["room over", "empty over"]);
});

test("Without a bound nobody waits", () => {
  assertStrictEquals(new Room(Infinity).wait(1e12), ACCEPTED);
});
