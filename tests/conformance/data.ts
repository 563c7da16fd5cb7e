/**
 * Conformance: bytes arrive whole and in order, a slow peer holds the sender back, and everybody keeps their
 * hands off buffers that are not theirs.
 *
 * @module
 */

import { assert, assertEquals, assertGreater, assertLess, assertStrictEquals } from "@std/assert";
import type { Socket } from "../../lib/transport/transport.ts";
import { bytesOf, check, checkPattern, Log, pass, pattern, type Suite } from "./harness.ts";

const MiB = 1 << 20;

/** Far more than any kernel takes for one socket on loopback, or for two with a relay between them. */
const MUCH = 32 * MiB;

export function testData(suite: Suite): void {
  check(
    suite,
    "32 MiB pass whole and in order, both ways at once, past a peer that stalls",
    async (bench) => {
      const { client, server } = await bench.started();
      const bytes = pattern(MUCH);
      for (const log of [client, server]) {
        log.keep = false;
        let at = 0;
        log.onData = (chunk) => {
          checkPattern(chunk, at);
          at += chunk.length;
        };
      }
      client.socket.pause();
      server.socket.pause();
      assertStrictEquals(client.socket.write(bytes), false, "the kernel took 32 MiB at once");
      assertStrictEquals(server.socket.write(bytes), false, "the kernel took 32 MiB at once");
      await pass(300);
      assertGreater(client.socket.bufferedAmount, 0);
      assertGreater(server.socket.bufferedAmount, 0);
      client.socket.resume();
      server.socket.resume();
      await client.until("all of it at the client", () => client.received === MUCH);
      await server.until("all of it at the server", () => server.received === MUCH);
      await client.until("nothing buffered", () => client.socket.bufferedAmount === 0);
      await server.until("nothing buffered", () => server.socket.bufferedAmount === 0);
      checkPattern(bytes, 0); // The caller's bytes are as they were.
    },
  );

  check(suite, "many writes, large and small, keep their order", async (bench) => {
    const { client, server } = await bench.started();
    server.keep = false;
    let at = 0;
    server.onData = (chunk) => {
      checkPattern(chunk, at);
      at += chunk.length;
    };
    let sent = 0;
    server.socket.pause();
    for (let i = 0; i < 10_000; i++) {
      const length = i % 1000 === 999 ? 700_000 : 1 + i % 50;
      client.socket.write(pattern(length, sent));
      sent += length;
      if (i === 5_000) server.socket.resume();
      if (i % 2_000 === 0) await pass(1);
    }
    await server.until("all of it", () => server.received === sent);
  });

  check(suite, "an empty write is harmless", async (bench) => {
    const { client, server } = await bench.started();
    assertStrictEquals(client.socket.write(new Uint8Array(0)), true);
    client.socket.write(bytesOf("a"));
    client.socket.write(new Uint8Array(0));
    client.socket.write(bytesOf("b"));
    await server.until("both bytes", () => server.received === 2);
    assertEquals(server.text(), "ab");
    assertEquals(client.socket.bufferedAmount, 0);
  });

  check(suite, "a view on part of a buffer sends that part", async (bench) => {
    const { client, server } = await bench.started();
    const whole = pattern(1000);
    client.socket.write(whole.subarray(100, 200));
    client.socket.write(new Uint8Array(whole.buffer, 300, 50));
    await server.until("150 bytes", () => server.received === 150);
    assertEquals(server.bytes().subarray(0, 100), pattern(100, 100));
    assertEquals(server.bytes().subarray(100), pattern(50, 300));
  });

  check(suite, "a chunk is a plain Uint8Array, and never empty", async (bench) => {
    const { client, server } = await bench.started();
    let wrong = 0;
    server.onData = (chunk) => {
      if (Object.getPrototypeOf(chunk) !== Uint8Array.prototype || chunk.length === 0) wrong++;
    };
    client.socket.write(pattern(100_000));
    client.socket.shutdown();
    await server.until("end", () => server.events.includes("end"));
    assertEquals(server.received, 100_000);
    assertEquals(wrong, 0);
  });

  check(
    suite,
    "a borrowed chunk may be changed and written back, also while the peer stalls",
    async (bench) => {
      const { client, server } = await bench.started();
      server.keep = false;
      // In place, as a server that answers in upper case does it.
      server.onData = (chunk) => {
        for (let i = 0; i < chunk.length; i++) chunk[i]! ^= 0xff;
        server.socket.write(chunk);
      };
      client.keep = false;
      let at = 0;
      client.onData = (chunk) => {
        for (let i = 0; i < chunk.length; i++) chunk[i]! ^= 0xff;
        checkPattern(chunk, at);
        at += chunk.length;
      };
      // The answers wait while the questions keep coming, so that a read buffer used again would show.
      client.socket.pause();
      const piece = 50_000;
      for (let sent = 0; sent < 24 * MiB; sent += piece) {
        client.socket.write(pattern(Math.min(piece, 24 * MiB - sent), sent));
      }
      await server.until("answers in waiting", () => server.socket.bufferedAmount > MiB);
      client.socket.resume();
      await client.until("all answers", () => client.received === 24 * MiB);
    },
  );

  check(suite, "a borrowed chunk may be written to another socket", async (bench) => {
    const front = await bench.started();
    const back = await bench.started();
    // front.client → front.server ⇒ back.client → back.server, which stalls at first.
    front.server.keep = false;
    front.server.onData = (chunk) => void back.client.socket.write(chunk);
    back.server.keep = false;
    let at = 0;
    back.server.onData = (chunk) => {
      checkPattern(chunk, at);
      at += chunk.length;
    };
    back.server.socket.pause();
    for (let sent = 0; sent < 24 * MiB; sent += 30_000) {
      front.client.socket.write(pattern(Math.min(30_000, 24 * MiB - sent), sent));
    }
    await front.server.until("bytes in waiting", () => back.client.socket.bufferedAmount > MiB);
    back.server.socket.resume();
    await back.server.until("all of it", () => back.server.received === 24 * MiB);
  });

  check(suite, "a chunk that was kept stays as it was", async (bench) => {
    const { client, server } = await bench.started();
    server.keep = false;
    const kept: Uint8Array[] = [];
    let turn = 0;
    server.onData = (chunk) => {
      if (turn++ % 2 === 0) {
        kept.push(chunk);
        return true;
      }
      chunk.fill(0xee); // Not kept: the transport may do as it likes with it, and so may we.
    };
    const places: number[] = [];
    const sizes = [10, 3_000, 70_000, 1, 200_000, 500];
    let sent = 0;
    for (let round = 0; round < 8; round++) {
      for (const size of sizes) {
        places.push(sent);
        client.socket.write(pattern(size, sent));
        sent += size;
        await server.until("the write", () => server.received === sent);
      }
    }
    // Kept chunks hold pieces of the pattern; each names its own place by its content.
    assertGreater(kept.length, 10);
    const all = pattern(sent);
    let from = 0;
    for (const chunk of kept) {
      const at = find(all, chunk, from);
      assert(at >= 0, "a kept chunk was changed");
      from = at + chunk.length;
    }
  });

  check(
    suite,
    "a chunk that was kept stays as it was though the handler paused and went on",
    async (bench) => {
      const { client, server } = await bench.started();
      server.keep = false;
      const kept: Uint8Array[] = [];
      server.onData = (chunk) => {
        server.socket.pause();
        server.socket.resume();
        kept.push(chunk);
        return true;
      };
      for (let sent = 0; sent < 4 * MiB; sent += 50_000) client.socket.write(pattern(50_000, sent));
      await server.until("all of it", () => server.received >= 4 * MiB);
      let at = 0;
      for (const chunk of kept) {
        checkPattern(chunk, at);
        at += chunk.length;
      }
    },
  );

  check(suite, "a kept chunk may be written later", async (bench) => {
    const { client, server } = await bench.started();
    const kept: Uint8Array[] = [];
    server.onData = (chunk) => {
      kept.push(chunk);
      return true;
    };
    for (let i = 0; i < 20; i++) {
      client.socket.write(pattern(1000, i * 1000));
      await server.until("the write", () => server.received === (i + 1) * 1000);
    }
    for (const chunk of kept) server.socket.write(chunk);
    await client.until("all of it back", () => client.received === 20_000);
    checkPattern(client.bytes(), 0);
  });

  check(suite, "write says whether the kernel has all, and written tells of each step", async (bench) => {
    const { client, server } = await bench.started();
    server.keep = false;
    const steps: number[] = [];
    let writing = false;
    client.onWritten = () => {
      assert(!writing, "written() was called during write()");
      steps.push(client.socket.bufferedAmount);
    };
    assertStrictEquals(client.socket.write(bytesOf("small")), client.socket.bufferedAmount === 0);
    await client.until("nothing buffered", () => client.socket.bufferedAmount === 0);
    steps.length = 0;

    server.socket.pause();
    writing = true;
    let full = client.socket.write(pattern(24 * MiB));
    writing = false;
    assertStrictEquals(full, false);
    const stuck = await settled(client.socket);
    assertGreater(stuck, 4 * MiB);
    const quiet = steps.length;
    await pass(200);
    assertEquals(steps.length, quiet, "progress was told of although nobody read");

    // A slow peer: it reads a little at a time.
    server.onData = () => {
      server.socket.pause();
      setTimeout(() => server.socket.resume(), 1);
    };
    server.socket.resume();
    await client.until("half of it", () => client.socket.bufferedAmount < stuck / 2);
    // The kernel itself makes room in large steps; one step at the very end is what must not be.
    assertGreater(steps.length - quiet, 1, "a peer that reads slowly looks like one that is stuck");
    server.onData = undefined;
    server.socket.resume();
    await client.until("nothing buffered", () => client.socket.bufferedAmount === 0);
    await client.until("the last step", () => steps.at(-1) === 0);
    for (let i = 1; i < steps.length; i++) {
      assertLess(steps[i]!, steps[i - 1]!, "written() was called without progress");
    }
    const total = steps.length;
    full = client.socket.write(bytesOf("more"));
    assertStrictEquals(full, client.socket.bufferedAmount === 0);
    await server.until("all of it", () => server.received === 5 + 24 * MiB + 4);
    await pass(50);
    assertLess(steps.length, total + 2);
  });

  check(suite, "written is told also when more is written meanwhile", async (bench) => {
    const { client, server } = await bench.started();
    server.keep = false;
    // Each step writes again, as much as there is room for, until 24 MiB went through.
    let sent = 0;
    const push = () => {
      while (sent < 24 * MiB) {
        const length = Math.min(100_000, 24 * MiB - sent);
        const full = client.socket.write(pattern(length, sent));
        sent += length;
        if (!full) return;
      }
    };
    let at = 0;
    server.onData = (chunk) => {
      checkPattern(chunk, at);
      at += chunk.length;
    };
    client.onWritten = () => {
      if (client.socket.bufferedAmount < 64 * 1024) push();
    };
    push();
    await server.until("all of it", () => server.received === 24 * MiB);
  });

  check(suite, "pause holds the peer back, and resume goes on", async (bench) => {
    const { client, server } = await bench.started();
    server.socket.pause();
    server.keep = false;
    let at = 0;
    server.onData = (chunk) => {
      checkPattern(chunk, at);
      at += chunk.length;
    };
    client.socket.write(pattern(MUCH));
    const stuck = await settled(client.socket);
    assertEquals(server.received, 0);
    assertGreater(stuck, 8 * MiB, "a paused socket kept reading");
    await pass(100);
    assertEquals(client.socket.bufferedAmount, stuck);
    server.socket.resume();
    await server.until("all of it", () => server.received === MUCH);
  });

  check(suite, "pause during data is heeded at once", async (bench) => {
    const { client, server } = await bench.started();
    let calls = 0;
    server.onData = () => {
      calls++;
      server.socket.pause();
    };
    client.socket.write(pattern(2 * MiB));
    await server.until("the first chunk", () => calls === 1);
    await pass(100);
    assertEquals(calls, 1);
    server.socket.resume();
    await server.until("the second chunk", () => calls === 2);
    await pass(50);
    assertEquals(calls, 2);
  });

  check(suite, "pause and resume in quick turns lose nothing", async (bench) => {
    const { client, server } = await bench.started();
    let at = 0;
    server.keep = false;
    server.onData = (chunk) => {
      checkPattern(chunk, at);
      at += chunk.length;
      server.socket.pause();
      server.socket.resume();
      server.socket.pause();
      queueMicrotask(() => server.socket.resume());
    };
    client.socket.write(pattern(4 * MiB));
    await server.until("all of it", () => server.received === 4 * MiB);
    server.socket.resume();
    server.socket.resume();
    client.socket.write(pattern(1, 4 * MiB));
    await server.until("one more", () => server.received === 4 * MiB + 1);
  });

  check(suite, "nothing is delivered before start, and nothing during it", async (bench) => {
    const { client, server } = await bench.pair();
    client.write(bytesOf("early"));
    client.shutdown();
    await pass(100);
    const log = new Log(server);
    log.start();
    assertEquals(log.events, []);
    await log.until("end", () => log.events.includes("end"));
    assertEquals(log.events, ["data", "end"]);
    assertEquals(log.text(), "early");
  });

  check(suite, "pause before start holds", async (bench) => {
    const { client, server } = await bench.pair();
    client.write(bytesOf("early"));
    server.pause();
    const log = new Log(server).start();
    await pass(100);
    assertEquals(log.events, []);
    server.resume();
    await log.until("the bytes", () => log.received === 5);
  });

  check(suite, "what is written before start is sent, and its progress is told after", async (bench) => {
    const { client, server } = await bench.pair();
    const log = new Log(server).start();
    log.keep = false;
    client.write(pattern(16 * MiB));
    await log.until("the first bytes", () => log.received > 0);
    const opened = new Log(client).start();
    assertEquals(opened.events, []);
    await log.until("all of it", () => log.received === 16 * MiB);
    await opened.until("nothing buffered", () => client.bufferedAmount === 0);
    await opened.until("written", () => opened.events.includes("written"));
  });

  check(suite, "small messages of one turn go out and come back", async (bench) => {
    const { client, server } = await bench.started();
    server.onData = (chunk) => void server.socket.write(chunk);
    for (let round = 1; round <= 200; round++) {
      for (let i = 0; i < 16; i++) client.socket.write(pattern(64, ((round - 1) * 16 + i) * 64));
      await client.until("the answers", () => client.received === round * 16 * 64);
    }
    checkPattern(client.bytes(), 0);
    assertEquals(client.socket.bufferedAmount, 0);
  });

  check(suite, "one flooding peer does not keep the others waiting", async (bench) => {
    const flood = await bench.started();
    const quiet = await bench.started();
    flood.server.keep = false;
    quiet.server.onData = (chunk) => void quiet.server.socket.write(chunk);
    const block = new Uint8Array(256 * 1024);
    const refill = () => {
      for (let i = 0; i < 40 && flood.client.socket.write(block); i++);
    };
    flood.client.onWritten = () => void (flood.client.socket.bufferedAmount === 0 && refill());
    // Where every write goes through at once, written() is never called.
    const timer = setInterval(() => flood.client.socket.bufferedAmount === 0 && refill(), 1);
    bench.after(() => clearInterval(timer));
    refill();
    let slowest = 0;
    for (let i = 1; i <= 50; i++) {
      const asked = performance.now();
      quiet.client.socket.write(bytesOf("q"));
      await quiet.client.until("an answer", () => quiet.client.received === i);
      slowest = Math.max(slowest, performance.now() - asked);
    }
    assertGreater(flood.server.received, MiB);
    assertLess(slowest, 2_000);
  });
}

/** Waits until the kernel has taken what it takes without a reader; returns what is left. */
async function settled(socket: Socket): Promise<number> {
  for (let left = socket.bufferedAmount;; left = socket.bufferedAmount) {
    await pass(200);
    if (socket.bufferedAmount === left) return left;
  }
}

/** Place of `part` in `all`, from `start` on; `-1` if it is not there. */
function find(all: Uint8Array, part: Uint8Array, start: number): number {
  for (let at = start; at + part.length <= all.length; at++) {
    if (all[at] !== part[0]) continue;
    let i = 1;
    while (i < part.length && all[at + i] === part[i]) i++;
    if (i === part.length) return at;
  }
  return -1;
}
