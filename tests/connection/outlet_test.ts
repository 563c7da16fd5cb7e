import { test } from "node:test";
import { assert, assertEquals, assertLessOrEqual } from "@std/assert";
import { Outlet, type OutletOwner } from "../../lib/connection/outlet.ts";
import { beginReceiving, endReceiving } from "../../lib/connection/turn_batch.ts";
import type { Pieces } from "../../lib/protocol/protocol.ts";
import { text } from "../support/feed.ts";
import { FakeSocket } from "../support/fake_socket.ts";
import { settle } from "../support/live.ts";

/** A long message: `count` pieces of `size` bytes each, all of them `letter`. */
function long(letter: string, count: number, size: number): Pieces {
  return {
    left: count * size,
    next() {
      if (this.left === 0) return undefined;
      (this as { left: number }).left -= size;
      return text(letter.repeat(size));
    },
  };
}

function opened(room = Infinity) {
  const socket = new FakeSocket();
  socket.room = room;
  const log: string[] = [];
  const owner: OutletOwner & { urgent: boolean } = {
    urgent: false,
    waiting: () => log.push("waiting"),
    sent: () => log.push("sent"),
  };
  return { socket, owner, log, outlet: new Outlet(socket, owner) };
}

/** What was sent, as runs: `a3 b2`. */
const runs = (sent: readonly string[]) =>
  sent.join("").replace(/(.)\1*/g, (run, letter) => `${letter}${run.length} `).trim();

/** Notes what `socket` is given from now on, write by write: the fake keeps of what waits only how much. */
function noted(socket: FakeSocket): string[] {
  const given: string[] = [];
  const write = socket.write.bind(socket);
  socket.write = (bytes) => {
    given.push(new TextDecoder().decode(bytes));
    return write(bytes);
  };
  return given;
}

test("Small messages of a turn leave as one write", async () => {
  const { socket, outlet, log } = opened();
  assertEquals(outlet.send(text("a")), 1);
  outlet.write(text("p"));
  outlet.send(text("bb"));
  assertEquals([socket.sent, outlet.bytes], [[], 4]);
  await settle();
  assertEquals([socket.sent, outlet.bytes, log], [["apbb"], 0, ["sent"]]);
});

test("A long message goes piece by piece, no farther ahead of the kernel than 64 KiB", () => {
  const { socket, outlet } = opened(10_000);
  assertEquals(outlet.send(long("a", 20, 10_000)), 200_000);
  // One with the kernel, and 64 KiB and a piece less a byte at most that wait.
  assertEquals(outlet.bytes, 190_000);
  assertEquals(socket.bufferedAmount, 70_000);
  assertLessOrEqual(socket.bufferedAmount, 65_536 + 10_000);
  socket.room = Infinity;
  socket.start({ data: () => {}, written: () => outlet.pump(), end() {}, close() {} });
  socket.take(10_000);
  assertEquals(outlet.bytes, socket.bufferedAmount);
});

test("What is not a message passes between the pieces; the next message waits for the last", () => {
  const { socket, outlet } = opened(0);
  const handler = { data() {}, written: () => outlet.pump(), end() {}, close() {} };
  socket.start(handler);
  outlet.send(long("a", 8, 16_000));
  outlet.send(text("b"));
  outlet.write(text("P"));
  outlet.flush();
  const queued = noted(socket);
  while (outlet.bytes > 0) socket.take(20_000);
  assertEquals(runs(queued), "a48000 b1");
});

test("While something is urgent no piece goes before it, and one at a time when the way is free", () => {
  const { socket, owner, outlet } = opened(0);
  socket.start({ data() {}, written: () => outlet.pump(), end() {}, close() {} });
  owner.urgent = true;
  outlet.send(long("a", 4, 10_000));
  assertEquals(socket.bufferedAmount, 10_000);
  outlet.pump();
  assertEquals(socket.bufferedAmount, 10_000);
  socket.take(9_999);
  assertEquals(socket.bufferedAmount, 1);
  socket.take(1);
  assertEquals(socket.bufferedAmount, 10_000);
  owner.urgent = false;
  outlet.pump();
  assertEquals(socket.bufferedAmount, 30_000);
  assertEquals(outlet.bytes, 30_000);
});

test("The goodbye goes after all that was sent, and FIN after the goodbye", () => {
  const { socket, outlet } = opened(0);
  socket.start({ data() {}, written: () => outlet.pump(), end() {}, close() {} });
  outlet.send(long("a", 10, 10_000));
  outlet.finish(text("bye"));
  outlet.finish(text("again"));
  assert(!socket.finished);
  let sent = 0;
  while (outlet.bytes > 0) {
    sent += Math.min(50_000, socket.bufferedAmount);
    socket.take(50_000);
  }
  assertEquals(sent, 100_003);
  assert(socket.finished);
});

test("Without a goodbye, and with nothing that waits, FIN goes at once", () => {
  for (const goodbye of [undefined, new Uint8Array(0)]) {
    const { socket, outlet } = opened();
    outlet.send(text("a"));
    outlet.finish(goodbye);
    assertEquals([socket.sent, socket.finished], [["a"], true]);
  }
});

test("clear() drops what the socket does not have yet", async () => {
  const { socket, outlet } = opened(0);
  outlet.send(long("a", 20, 10_000));
  outlet.write(text("x"));
  const given = socket.bufferedAmount;
  outlet.clear();
  assertEquals(outlet.bytes, given);
  await settle();
  assertEquals(socket.bufferedAmount, given);
});

test("A long queue behind a long message keeps its order", () => {
  const { socket, outlet } = opened(0);
  const queued = noted(socket);
  socket.start({ data() {}, written: () => outlet.pump(), end() {}, close() {} });
  outlet.send(long("-", 10, 16_000));
  for (let i = 0; i < 3_000; i++) outlet.send(text(`${i},`));
  while (outlet.bytes > 0) socket.take(5_000);
  assertEquals(
    queued.join("").replaceAll("-", ""),
    Array.from({ length: 3_000 }, (_, i) => `${i},`).join(""),
  );
});

test("What waits behind a long message while a chunk is lent waits in memory of its own", () => {
  const { socket, outlet } = opened(0);
  const queued = noted(socket);
  socket.start({ data() {}, written: () => outlet.pump(), end() {}, close() {} });
  const lent = new Uint8Array(200_000).fill(0x61);
  /** A message that refers to `lent` until its last piece is taken. */
  const refers: Pieces = {
    left: lent.length,
    next() {
      const from = lent.length - this.left;
      if (this.left === 0) return undefined;
      (this as { left: number }).left -= 10_000;
      return lent.slice(from, from + 10_000);
    },
  };
  beginReceiving();
  assertEquals([outlet.send(refers), outlet.send(lent.subarray(7, 12))], [200_000, 5]);
  endReceiving();
  assertEquals(outlet.bytes, 200_005);
  lent.fill(0x78);
  while (outlet.bytes > 0) socket.take(20_000);
  assertEquals(runs(queued), "a200005");
});
