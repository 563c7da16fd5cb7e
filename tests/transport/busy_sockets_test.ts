/**
 * Sockets that are busy: whatever becomes of what one of them lends, its bytes and those of its neighbours stay what they
 * were. On Node busy sockets share memory.
 *
 * @module
 */

import { test } from "node:test";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { assert, assertEquals, assertNotStrictEquals, assertStrictEquals } from "@std/assert";
import { seeded } from "../../lib/testing/seeded.ts";
import { detectTransport } from "../../lib/transport/detect.ts";
import { transport as nodeTransport } from "../../lib/transport/node.ts";
import type { Socket, SocketHandler, TcpAddress, Transport } from "../../lib/transport/transport.ts";

/** More chunks than it takes to be busy. */
const MANY = 100;

/** Byte `at` of stream `of`: no two streams have a piece in common. */
const byteOf = (of: number, at: number): number => (at * 7 + (at >> 8) * 13 + of * 101) & 255;

/** What a client has sent and got back of a stream that is echoed. */
class Stream {
  readonly socket: Socket;
  readonly #of: number;
  sent = 0;
  got = 0;
  closed = false;
  /** Called when more has come back. */
  onGot = () => {};

  constructor(socket: Socket, of: number) {
    this.socket = socket;
    this.#of = of;
    socket.start({
      data: (chunk) => {
        for (let i = 0; i < chunk.length; i++) {
          if (chunk[i] !== byteOf(of, this.got + i)) {
            throw new Error(`stream ${of} is wrong at ${this.got + i}`);
          }
        }
        this.got += chunk.length;
        this.onGot();
      },
      written() {},
      end() {},
      close: () => this.closed = true,
    });
  }

  send(size: number): void {
    const bytes = new Uint8Array(size);
    for (let i = 0; i < size; i++) bytes[i] = byteOf(this.#of, this.sent + i);
    this.socket.write(bytes);
    this.sent += size;
  }

  /** Fulfilled when all that was sent has come back. */
  async whole(): Promise<void> {
    while (this.got < this.sent) {
      assert(!this.closed, `stream ${this.#of} was closed after ${this.got} of ${this.sent} bytes`);
      await new Promise<void>((resolve) => this.onGot = resolve);
    }
  }
}

/** A server whose sockets are handled by what `handle` makes, and clients of it. */
async function served(
  transport: Transport,
  handle: (socket: Socket, n: number) => SocketHandler["data"],
  test: (dial: () => Promise<Stream>) => Promise<void>,
): Promise<void> {
  let accepted = 0, dialled = 0;
  const sockets: Socket[] = [];
  const listener = await transport.listen!({ hostname: "127.0.0.1", port: 0 }, {
    accept(socket) {
      sockets.push(socket);
      const data = handle(socket, accepted++);
      socket.start({ data, written() {}, end: () => socket.shutdown(), close() {} });
    },
  });
  try {
    await test(async () => {
      const { hostname, port } = listener.address as TcpAddress;
      const socket = await transport.connect({ hostname, port });
      sockets.push(socket);
      return new Stream(socket, dialled++);
    });
  } finally {
    for (const socket of sockets) socket.abort();
    await listener.close();
  }
}

test(
  "Busy sockets mix nothing up, whether chunks are sent back, kept for a while, or wait for a slow reader",
  {
    timeout: 60_000,
  },
  async () => {
    const transport = await detectTransport(), random = seeded(5);
    await served(transport, (socket) => {
      // Who keeps a chunk sends all that follows after it.
      let last: Promise<void> | undefined, waiting = 0;
      return (chunk) => {
        const keeps = random() < 0.01;
        if (!keeps && waiting === 0) return void socket.write(chunk);
        waiting++;
        last = (last ?? Promise.resolve()).then(() => sleep(random() * 3)).then(() => {
          waiting--;
          socket.write(chunk);
        });
        return true;
      };
    }, async (dial) => {
      const streams = await Promise.all(Array.from({ length: 80 }, dial));
      await Promise.all(streams.map(async (stream, i) => {
        for (let n = 0; n < MANY; n++) {
          stream.send(1 + Math.floor(random() * 3_000));
          await stream.whole();
          if (i >= 3 || n % 50 !== 49) continue;
          // It does not read for a while, until more waits than the kernel takes.
          stream.socket.pause();
          for (let piece = 0; piece < 300; piece++) {
            stream.send(1 + Math.floor(random() * 80_000));
            await sleep(0);
          }
          stream.socket.resume();
          await stream.whole();
        }
      }));
      assertEquals(streams.map(({ got }) => got), streams.map(({ sent }) => sent));
    });
  },
);

test("A handler of a busy socket may give what it was lent to another thread, which nobody else notices", async () => {
  let gives = false;
  await served(await detectTransport(), (socket, n) => (chunk) => {
    socket.write(chunk.slice());
    if (!gives || n > 0) return;
    const bytes = structuredClone(chunk, { transfer: [chunk.buffer as ArrayBuffer] });
    assertEquals([chunk.length, bytes.length], [0, 500]);
    bytes.fill(1);
  }, async (dial) => {
    const streams = [await dial(), await dial(), await dial()];
    const say = async (times: number) => {
      for (; times > 0; times--) {
        for (const stream of streams) {
          stream.send(500);
          await stream.whole();
        }
      }
    };
    await say(MANY);
    gives = true;
    await say(MANY);
  });
});

const { bun, deno } = process.versions as { readonly bun?: string; readonly deno?: string };
const skip = bun || deno || process.platform === "win32"
  ? "skipped: only Node's sockets share memory"
  : false;

test("Busy sockets of Node's share memory; what one of them keeps is its own, and it reads elsewhere", {
  skip,
}, async () => {
  const lent: ArrayBufferLike[][] = [[], []];
  let kept: Uint8Array | undefined, keep = false;
  await served(nodeTransport, (socket, n) => (chunk) => {
    lent[n]!.push(chunk.buffer);
    socket.write(chunk);
    if (!keep || n === 1) return;
    keep = false;
    kept = chunk;
    return true;
  }, async (dial) => {
    const one = await dial(), two = await dial();
    const say = async (stream: Stream, times: number) => {
      for (; times > 0; times--) {
        stream.send(1_000);
        await stream.whole();
      }
    };
    await say(one, MANY);
    await say(two, MANY);
    const [of, by] = lent.map((each) => each.at(-1)!);
    assertStrictEquals(of, by);

    keep = true;
    const from = one.sent;
    await say(one, 1);
    await say(two, MANY);
    await say(one, MANY);
    assertStrictEquals(kept!.buffer, of);
    assertEquals([...kept!], Array.from({ length: 1_000 }, (_, i) => byteOf(0, from + i)));
    const [after, others] = lent.map((each) => each.at(-1)!);
    assertNotStrictEquals(after, others);
    assertNotStrictEquals(after, of);
    assertNotStrictEquals(others, of);
  });
});

test(
  "Sockets of Node's that are not busy share nothing, nor those whose chunks are kept",
  { skip },
  async () => {
    for (const keep of [false, true]) {
      const lent: ArrayBufferLike[] = [];
      await served(nodeTransport, (socket) => (chunk) => {
        lent.push(chunk.buffer);
        socket.write(chunk);
        return keep;
      }, async (dial) => {
        const stream = await dial();
        for (let n = 0; n < (keep ? MANY : 7); n++) {
          stream.send(100);
          await stream.whole();
        }
      });
      assertEquals(new Set(lent).size, lent.length);
    }
  },
);
