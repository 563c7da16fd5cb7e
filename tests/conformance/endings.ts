/**
 * Conformance: the two directions end separately, a reset is noticed, `abort` never waits, and `close` is
 * called exactly once and last.
 *
 * @module
 */

import { once } from "node:events";
import net from "node:net";
import tls from "node:tls";
import { assert, assertEquals, assertLess, assertStrictEquals } from "@std/assert";
import type { TcpAddress } from "../../lib/transport/transport.ts";
import {
  type Bench,
  bytesOf,
  type Call,
  check,
  Log,
  pass,
  pattern,
  type Stranger,
  type Suite,
  within,
} from "./harness.ts";
import { material } from "./secured.ts";

const MiB = 1 << 20;

export function testEndings(suite: Suite): void {
  for (const first of ["client", "server"] as const) {
    const last = first === "client" ? "server" : "client";
    check(suite, `half-close by the ${first}: the reply still arrives`, async (bench) => {
      const both = await bench.started();
      both[first].socket.write(bytesOf("question"));
      both[first].socket.shutdown();
      await both[last].until("end", () => both[last].events.includes("end"));
      assertEquals(both[last].text(), "question");
      await pass(50);
      both[last].socket.write(bytesOf("reply"));
      await both[first].until("the reply", () => both[first].received === 5);
      await pass(50);
      assertEquals([both.client.closes, both.server.closes], [0, 0], "closed with one direction open");
      both[last].socket.write(bytesOf(", late"));
      both[last].socket.shutdown();
      await both[first].closed();
      await both[last].closed();
      assertEquals(both[first].text(), "reply, late");
      assertEquals(both[first].events.filter(notWritten), ["data", "end", "close"]);
      assertEquals(both[last].events.filter(notWritten), ["data", "end", "close"]);
      assertEquals([both.client.error, both.server.error], [undefined, undefined]);
      await closedOnce(both.client, both.server);
    });
  }

  check(suite, "both ends shut down at the same time", async (bench) => {
    const { client, server } = await bench.started();
    client.socket.write(bytesOf("a"));
    server.socket.write(bytesOf("b"));
    client.socket.shutdown();
    server.socket.shutdown();
    await client.closed();
    await server.closed();
    assertEquals([client.text(), server.text()], ["b", "a"]);
    assertEquals(client.events.filter(notWritten), ["data", "end", "close"]);
    assertEquals(server.events.filter(notWritten), ["data", "end", "close"]);
    assertEquals([client.error, server.error], [undefined, undefined]);
    await closedOnce(client, server);
  });

  check(suite, "shutdown comes after what is buffered", async (bench) => {
    const { client, server } = await bench.started();
    server.keep = false;
    server.socket.pause();
    client.socket.write(pattern(16 * MiB));
    client.socket.shutdown();
    client.socket.shutdown();
    await pass(100);
    server.socket.resume();
    await server.until("end", () => server.events.includes("end"));
    assertEquals(server.received, 16 * MiB);
    assertEquals(client.socket.bufferedAmount, 0);
    server.socket.shutdown();
    await client.closed();
    await server.closed();
    assertEquals([client.error, server.error], [undefined, undefined]);
  });

  check(suite, "both directions end with much under way in each", async (bench) => {
    const { client, server } = await bench.started();
    for (const log of [client, server]) {
      log.keep = false;
      log.socket.write(pattern(12 * MiB));
      log.socket.shutdown();
    }
    await client.closed();
    await server.closed();
    assertEquals([client.received, server.received], [12 * MiB, 12 * MiB]);
    assertEquals([client.error, server.error], [undefined, undefined]);
  });

  check(suite, "shutdown during data and during end", async (bench) => {
    const { client, server } = await bench.started();
    server.onData = () => {
      server.socket.write(bytesOf("answer"));
      server.socket.shutdown();
    };
    client.onEnd = () => client.socket.shutdown();
    client.socket.write(bytesOf("question"));
    await client.closed();
    await server.closed();
    assertEquals(client.text(), "answer");
    assertEquals(server.events.filter(notWritten), ["data", "end", "close"]);
    assertEquals([client.error, server.error], [undefined, undefined]);
  });

  check(suite, "a write during end is sent", async (bench) => {
    const { client, server } = await bench.started();
    server.onEnd = () => {
      server.socket.write(bytesOf("last words"));
      server.socket.shutdown();
    };
    client.socket.shutdown();
    await client.closed();
    await server.closed();
    assertEquals(client.text(), "last words");
    assertEquals([client.error, server.error], [undefined, undefined]);
  });

  check(suite, "FIN while paused is told after resume, once, and after the data", async (bench) => {
    const { client, server } = await bench.started();
    server.socket.pause();
    client.socket.write(pattern(200_000));
    client.socket.shutdown();
    await pass(150);
    assertEquals(server.events, []);
    server.socket.resume();
    await server.until("end", () => server.events.includes("end"));
    assertEquals(server.received, 200_000);
    await pass(50);
    assertEquals(server.events, ["data", "end"]);
    server.socket.pause();
    server.socket.resume();
    server.socket.shutdown();
    await server.closed();
    assertEquals(server.events.filter(notWritten), ["data", "end", "close"]);
    assertEquals(server.error, undefined);
  });

  check(
    suite,
    "FIN of both ends while paused is an end in order, however long nobody reads",
    async (bench) => {
      for (const bytes of [0, 5_000]) {
        const { client, server } = await bench.started();
        server.socket.pause();
        server.socket.shutdown();
        await client.until("end", () => client.events.includes("end"));
        client.socket.write(pattern(bytes));
        client.socket.shutdown();
        await client.closed();
        // A runtime may close it by itself now, or once it is read.
        await pass(200);
        server.socket.resume();
        await server.closed();
        assertEquals(server.received, bytes);
        assertEquals(server.events.filter(notWritten), [...(bytes > 0 ? ["data"] : []), "end", "close"]);
        assertEquals([client.error, server.error], [undefined, undefined]);
        await closedOnce(client, server);
      }
    },
  );

  check(suite, "pause after end does not block close", async (bench) => {
    const { client, server } = await bench.started();
    client.socket.shutdown();
    await server.until("end", () => server.events.includes("end"));
    server.socket.pause();
    server.socket.shutdown();
    await server.closed();
    await client.closed();
    assertEquals([client.error, server.error], [undefined, undefined]);
  });

  check(suite, "write after shutdown is dropped", async (bench) => {
    const { client, server } = await bench.started();
    client.socket.write(bytesOf("kept"));
    client.socket.shutdown();
    assertStrictEquals(client.socket.write(bytesOf("dropped")), true);
    assertStrictEquals(client.socket.write(pattern(16 * MiB)), true);
    assert(client.socket.bufferedAmount <= 4);
    await server.until("end", () => server.events.includes("end"));
    assertEquals(server.text(), "kept");
    server.socket.write(bytesOf("reply"));
    await client.until("the reply", () => client.received === 5);
  });

  check(suite, "a closed socket takes every call and does nothing", async (bench) => {
    const orderly = await bench.started();
    orderly.client.socket.shutdown();
    orderly.server.socket.shutdown();
    await orderly.client.closed();
    await orderly.server.closed();
    const aborted = await bench.started();
    aborted.client.socket.abort();
    await aborted.client.closed();
    for (const log of [orderly.client, orderly.server, aborted.client]) {
      const { socket } = log;
      const events = [...log.events];
      assertStrictEquals(socket.write(pattern(16 * MiB)), true);
      assertEquals(socket.bufferedAmount, 0);
      socket.pause();
      socket.resume();
      socket.shutdown();
      socket.setNoDelay(false);
      socket.setTcpKeepAlive(false);
      socket.unref();
      socket.ref();
      socket.abort();
      await pass(30);
      assertEquals(log.events, events);
    }
  });

  check(suite, "addresses are readable after close", async (bench) => {
    const { client, server } = await bench.started();
    const before = [client, server].map(({ socket }) => [{ ...socket.localAddress }, {
      ...socket.remoteAddress,
    }]);
    client.socket.abort();
    await client.closed();
    server.socket.abort();
    await server.closed();
    const after = [client, server].map(({ socket }) => [{ ...socket.localAddress }, {
      ...socket.remoteAddress,
    }]);
    assertEquals(after, before);
  });

  check(suite, "abort of an idle socket is seen by the peer", async (bench) => {
    const { client, server } = await bench.started();
    await pass(30);
    client.socket.abort();
    await seen(suite, server);
    await client.closed();
    assertEquals(client.events, ["close"]);
    assertEquals(client.error, undefined);
    await closedOnce(client, server);
  });

  check(suite, "abort is seen by a peer that is paused", async (bench) => {
    const { client, server } = await bench.started();
    server.socket.pause();
    await pass(30);
    client.socket.abort();
    if (!suite.resets) {
      await pass(100);
      server.socket.resume(); // An end waits while paused, as it should.
    }
    await seen(suite, server);
    await closedOnce(client, server);
  });

  check(suite, "abort by a peer that left much unread ends the writer", async (bench) => {
    const { client, server } = await bench.pair();
    const log = new Log(server).start();
    let least = Infinity;
    log.onWritten = () => least = Math.min(least, server.bufferedAmount);
    server.write(pattern(24 * MiB));
    await pass(100);
    client.abort();
    await log.until("the loss", () => log.closes > 0 || log.events.includes("end"));
    // Where an abort is no reset, the peer's end comes first, and the bytes that go on meet nobody.
    await log.closed();
    assert(["ECONNRESET", "EPIPE"].includes(log.code()!), `closed with ${log.error}`);
    assertEquals(server.bufferedAmount, 0);
    assert(least > MiB, "what was lost was told as written");
    await closedOnce(log);
  });

  check(
    suite,
    "abort of a socket with much buffered, to a peer that reads nothing, waits for nothing",
    async (bench) => {
      const { client, server } = await bench.pair();
      const log = new Log(client).start();
      client.write(pattern(24 * MiB));
      await pass(100);
      assert(client.bufferedAmount > 0);
      const before = log.events.length;
      const asked = performance.now();
      client.abort();
      assertLess(performance.now() - asked, 100);
      assertEquals(log.events.length, before, "something was called during abort");
      assertEquals(client.bufferedAmount, 0);
      await log.closed(2_000);
      assertEquals(log.error, undefined);
      const peer = new Log(server);
      peer.keep = false;
      await seen(suite, peer.start());
      assertLess(peer.received, 24 * MiB);
      await closedOnce(log, peer);
    },
  );

  check(suite, "abort straight after shutdown, with and without bytes in waiting", async (bench) => {
    for (const size of [0, 10, 16 * MiB]) {
      const { client, server } = await bench.pair();
      const log = new Log(client).start();
      client.write(pattern(size));
      client.shutdown();
      client.abort();
      client.abort();
      assertEquals(log.events, []);
      await log.closed(2_000);
      assertEquals(log.events, ["close"]);
      assertEquals(log.error, undefined);
      const peer = new Log(server).start();
      peer.keep = false;
      await peer.until("the loss", () => peer.closes > 0 || peer.events.includes("end"));
      assertLess(peer.received, 16 * MiB);
      server.abort();
      await peer.closed();
      await closedOnce(log, peer);
    }
  });

  check(suite, "abort some time after shutdown", async (bench) => {
    for (const size of [0, 24 * MiB]) {
      const { client, server } = await bench.pair();
      const log = new Log(client).start();
      client.write(pattern(size));
      client.shutdown();
      await pass(50);
      client.abort();
      await log.closed(2_000);
      assertEquals(log.error, undefined);
      const peer = new Log(server).start();
      peer.keep = false;
      await peer.until("the loss", () => peer.closes > 0 || peer.events.includes("end"));
      assertLess(peer.received, 24 * MiB);
      await closedOnce(log);
    }
  });

  check(suite, "abort during data: nothing more is called but close", async (bench) => {
    const { client, server } = await bench.started();
    let during = true;
    server.onData = () => {
      server.socket.abort();
      during = server.closes > 0;
    };
    client.socket.write(pattern(4 * MiB));
    client.socket.shutdown();
    await server.closed();
    assertEquals(during, false);
    assertEquals(server.events, ["data", "close"]);
    assertEquals(server.error, undefined);
    await client.until("the loss", () => client.closes > 0 || client.events.includes("end"));
    await closedOnce(server);
  });

  check(suite, "abort during end, during written and during close", async (bench) => {
    const one = await bench.started();
    one.server.onEnd = () => one.server.socket.abort();
    one.client.socket.shutdown();
    await one.server.closed();
    assertEquals(one.server.events, ["end", "close"]);
    assertEquals(one.server.error, undefined);

    const two = await bench.started();
    two.client.onWritten = () => two.client.socket.abort();
    two.client.socket.write(pattern(16 * MiB));
    await two.client.closed();
    assertEquals(two.client.events, ["written", "close"]);
    assertEquals(two.client.error, undefined);

    const three = await bench.started();
    three.client.onClose = () => three.client.socket.abort();
    three.client.socket.abort();
    await three.client.closed();
    await closedOnce(one.server, two.client, three.client);
  });

  check(suite, "abort before start: close is told once started", async (bench) => {
    const { client, server } = await bench.pair();
    client.abort();
    client.abort();
    await pass(50);
    const log = new Log(client).start();
    assertEquals(log.events, []);
    await log.closed();
    assertEquals(log.events, ["close"]);
    assertEquals(log.error, undefined);
    await seen(suite, new Log(server).start());
    await closedOnce(log);
  });

  check(suite, "abort in the turn of start", async (bench) => {
    const { client, server } = await bench.pair();
    server.write(bytesOf("early"));
    await pass(30);
    const log = new Log(client).start();
    client.abort();
    await log.closed();
    assertEquals(log.events, ["close"]);
    await closedOnce(log);
  });

  check(suite, "abort while paused closes too", async (bench) => {
    const { client, server } = await bench.started();
    server.socket.write(pattern(MiB));
    client.socket.pause();
    await pass(30);
    const before = client.events.length;
    client.socket.abort();
    await client.closed(2_000);
    assertEquals(client.events.slice(before), ["close"]);
    await closedOnce(client);
  });

  check(suite, "both ends abort at the same time", async (bench) => {
    const { client, server } = await bench.started();
    client.socket.abort();
    server.socket.abort();
    await client.closed();
    await server.closed();
    assertEquals([client.events, server.events], [["close"], ["close"]]);
    assertEquals([client.error, server.error], [undefined, undefined]);
    await closedOnce(client, server);
  });

  check(suite, "an end after an orderly answer, then abort, gives no error", async (bench) => {
    const { client, server } = await bench.started();
    client.socket.write(bytesOf("x"));
    client.socket.shutdown();
    await server.until("end", () => server.events.includes("end"));
    server.socket.abort();
    await server.closed();
    assertEquals(server.error, undefined);
    await client.until("the loss", () => client.closes > 0 || client.events.includes("end"));
  });

  const system = suite.module !== undefined || suite.call !== undefined;
  if (system && suite.kind === "tcp") testStrangers(suite);
}

/** Resets that a peer of another make sends, so that they are tested where `abort` is no reset too. */
function testStrangers(suite: Suite): void {
  check(suite, "a stranger's reset is close with ECONNRESET: idle", async (bench) => {
    const { stranger, log } = await visit(bench);
    await pass(30);
    stranger.reset();
    await log.closed();
    assertEquals(log.code(), "ECONNRESET");
    assertEquals(log.events, ["close"]);
    await closedOnce(log);
  });

  check(suite, "a stranger's reset is close with ECONNRESET: while much is buffered", async (bench) => {
    const { stranger, log } = await visit(bench);
    stranger.pause();
    log.socket.write(pattern(16 * MiB));
    await pass(100);
    stranger.reset();
    await log.closed();
    assertEquals(log.code(), "ECONNRESET");
    assertEquals(log.socket.bufferedAmount, 0);
    await closedOnce(log);
  });

  check(suite, "a stranger's reset is close with ECONNRESET: while paused", async (bench) => {
    const { stranger, log } = await visit(bench);
    log.socket.pause();
    await pass(30);
    stranger.reset();
    await log.closed();
    assertEquals(log.code(), "ECONNRESET");
    await closedOnce(log);
  });

  check(suite, "a stranger's reset is close with ECONNRESET: after our shutdown", async (bench) => {
    const { stranger, log } = await visit(bench);
    log.socket.shutdown();
    await pass(50);
    stranger.reset();
    await log.closed();
    assertEquals(log.code(), "ECONNRESET");
    await closedOnce(log);
  });

  check(suite, "a stranger's reset is close with an error: after its end", async (bench) => {
    const { stranger, log } = await visit(bench);
    stranger.end();
    await log.until("end", () => log.events.includes("end"));
    log.socket.write(bytesOf("into the void"));
    await pass(20);
    stranger.reset();
    await pass(20);
    // Nothing is read any more, so that only a write can meet the reset.
    log.socket.write(bytesOf("and more"));
    await pass(20);
    log.socket.write(bytesOf("and more"));
    await log.closed();
    assert(["ECONNRESET", "EPIPE"].includes(log.code()!), `closed with ${log.error}`);
    await closedOnce(log);
  });

  check(suite, "a reset before start is told after it", async (bench) => {
    const { stranger, socket } = await call(bench);
    stranger.reset();
    await pass(50);
    const log = new Log(socket).start();
    assertEquals(log.events, []);
    await log.closed();
    assertEquals(log.code(), "ECONNRESET");
    await closedOnce(log);
  });
}

/** A client over `node:net` or `node:tls`, connected to a socket of the transport under test. */
async function call(bench: Bench): Promise<Call> {
  if (bench.suite.call !== undefined) return await bench.suite.call(bench);
  const door = await bench.listen();
  const { hostname, port } = door.listener.address as TcpAddress;
  const raw = net.connect({ host: hostname, port, allowHalfOpen: true });
  raw.on("error", () => {});
  bench.after(() => raw.destroy());
  if (raw.connecting) await within(once(raw, "connect"), "connect");
  let upper = raw;
  if (bench.suite.secured) {
    const { ca } = await material();
    const secure = tls.connect({ socket: raw, ca, host: hostname, servername: "localhost" });
    secure.on("error", () => {});
    upper = secure;
    await within(once(secure, "secureConnect"), "the handshake");
  }
  const stranger = {
    pause: () => void upper.pause(),
    end: () => void upper.end(),
    // On Bun the lower one has left its connection to the upper one once its peer has ended.
    reset: () => void (raw.destroyed ? upper : raw).resetAndDestroy(),
  };
  return { stranger, socket: await door.next() };
}

/** The same, started. */
async function visit(bench: Bench): Promise<{ stranger: Stranger; log: Log }> {
  const { stranger, socket } = await call(bench);
  const log = new Log(socket);
  log.keep = false;
  return { stranger, log: log.start() };
}

/** Waits until `log` sees that its peer aborted: a reset where the runtime can send one, else an end. */
async function seen(suite: Suite, log: Log): Promise<void> {
  if (suite.resets) {
    await log.closed();
    assertEquals(log.code(), "ECONNRESET");
    return;
  }
  await log.until("the loss", () => log.closes > 0 || log.events.includes("end"));
  log.socket.shutdown();
  log.socket.abort();
  await log.closed();
}

/** Waits a little, and sees that `close` was called once on each, and last. */
async function closedOnce(...logs: Log[]): Promise<void> {
  await pass(30);
  for (const log of logs) {
    assertEquals(log.closes, 1);
    assertEquals(log.events.at(-1), "close");
  }
}

const notWritten = (name: string): boolean => name !== "written";
