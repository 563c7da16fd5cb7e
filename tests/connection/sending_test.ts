/**
 * What a connection sends, over a socket whose other end is the test: when the time of a peer that does not read begins, and
 * where the bytes of short messages lie.
 *
 * @module
 */

import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { LiveConnection } from "../../lib/connection/live_connection.ts";
import { connectionPolicy } from "../../lib/connection/policy.ts";
import type { Pieces, Protocol } from "../../lib/protocol/protocol.ts";
import { FakeClock } from "../../lib/testing/fake_clock.ts";
import { FakeSocket } from "../support/fake_socket.ts";

const PIECE = 64 * 1024;

/** A long message, all 0. */
class Long implements Pieces {
  left: number;

  constructor(size: number) {
    this.left = size;
  }

  next(): Uint8Array | undefined {
    const size = Math.min(PIECE, this.left);
    this.left -= size;
    return size === 0 ? undefined : new Uint8Array(size);
  }
}

/** Bytes as they are: long messages in pieces, short ones written side by side, and a goodbye. */
const plain: Protocol<Uint8Array> = {
  name: "plain",
  answersPings: false,
  open: () => ({
    unfinished: 0,
    receive: (chunk, events) => events.message(chunk, chunk.length),
    end() {},
    encode: (message) => message.length <= PIECE ? message : new Long(message.length),
    encodeInto(message, space, at) {
      if (message.length > 1_000 || at + message.length > space.length) return -1;
      space.set(message, at);
      return at + message.length;
    },
    goodbye: () => Uint8Array.of(1, 2, 3),
  }),
};

function opened() {
  const clock = new FakeClock(), ends: string[] = [], writes: Uint8Array[] = [];
  const socket = new class extends FakeSocket {
    override write(bytes: Uint8Array): boolean {
      writes.push(bytes);
      return super.write(bytes);
    }
  }();
  const policy = connectionPolicy({ action: "test", role: "client" }, {
    protocol: plain,
    heartbeat: false,
    writeTimeout: 1_000,
    closeTimeout: 60_000,
    clock,
  });
  const connection = new LiveConnection<Uint8Array, Uint8Array>(socket, policy, {
    ended: (_, { code }) => void ends.push(`${clock.now()} ${code}`),
  });
  connection.onMessage = () => {};
  connection.start();
  return { clock, socket, connection, ends, writes };
}

test("The time of a goodbye that the peer does not take runs from the goodbye", () => {
  const { clock, socket, connection, ends } = opened();
  clock.advance(10_000);
  socket.room = 0;
  void connection.close();
  clock.advance(990);
  assertEquals(ends, []);
  clock.advance(20);
  assertEquals(ends, ["11000 write-stalled"]);
});

test("The time of each piece runs from when it was given to the socket", () => {
  const { clock, socket, connection, ends, writes } = opened();
  socket.room = 0;
  void connection.send(new Uint8Array(3 * PIECE));
  for (let i = 0; i < 3; i++) {
    assertEquals([ends.length, writes.length], [0, i + 1]);
    clock.advance(900);
    // All of it at once, so that nothing waits for a moment.
    if (i < 2) socket.take(PIECE);
  }
  assertEquals(ends, []);
  clock.advance(110);
  assertEquals(ends, ["2800 write-stalled"]);
});

test("Short messages of one turn are sent once they are much, and not only at its end", async () => {
  const { connection, writes } = opened();
  for (let i = 0; i < 100; i++) void connection.send(new Uint8Array(1_000).fill(i));
  const early = writes.length;
  await undefined;
  const sizes = writes.map(({ length }) => length);
  assert(early >= 4 && sizes.every((size) => size < 20_000), `${early} of ${sizes}`);
  assertEquals(sizes.reduce((sum, size) => sum + size), 100_000);
});

test("A short message that has to wait keeps no memory but its own", async () => {
  const { socket, connection, writes } = opened();
  socket.room = 10;
  for (let i = 0; i < 5; i++) {
    void connection.send(new Uint8Array(20).fill(i));
    await undefined;
  }
  const memory = writes.map(({ buffer }) => buffer.byteLength);
  // The first one found an empty socket.
  assert(memory[0]! > 20, `${memory}`);
  assertEquals(memory.slice(1), [20, 20, 20, 20]);
});
