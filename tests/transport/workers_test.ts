/**
 * The transport of Cloudflare Workers, where there is no workerd: what it refuses, and what its sockets make of the quirks of
 * releases that the tests in `tests/workers/` do not run on.
 *
 * @module
 */

import { test } from "node:test";
import { assert, assertEquals, assertNotStrictEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { connect } from "../../lib/client.ts";
import { lines } from "../../lib/protocol/lines.ts";
import { serve } from "../../lib/server.ts";
import type { Clock } from "../../lib/time/clock.ts";
import { lend } from "../../lib/transport/lent.ts";
import { memoryNetwork } from "../../lib/transport/memory.ts";
import type { Transport } from "../../lib/transport/transport.ts";
import { transport } from "../../lib/transport/workers.ts";
import { type RawSocket, WorkersSocket } from "../../lib/transport/workers_socket.ts";
import { FakeClock } from "../../lib/testing/fake_clock.ts";
import { bytesOf, Log, pass } from "../conformance/harness.ts";

const target = { hostname: "127.0.0.1", port: 1 };
const PEM = "-----BEGIN CERTIFICATE-----";

test("elsewhere the transport of Workers says what it needs, and only when it is used", async () => {
  await assertRejects(
    () => transport.connect(target),
    TypeError,
    `Cannot connect as transport "workers" needs "cloudflare:sockets", which only Cloudflare Workers have`,
  );
});

test("the transport of Workers does not listen, and says what does", async () => {
  const { hostname } = target;
  const instead = "use serve() on Deno, Bun or Node";
  await assertRejects(() => transport.listen!({ hostname, port: 0 }, { accept() {} }), TypeError, instead);
  await assertRejects(() => serve({ transport, port: 0 }, () => {}), TypeError, instead);
});

test("the transport of Workers refuses what it cannot honour", async () => {
  const cases = [
    [{ tcpNoDelay: false }, `"tcpNoDelay: false"`],
    [{ tcpKeepAlive: true }, `"tcpKeepAlive"`],
    [{ tcpKeepAlive: { initialDelay: 1000 } }, `"tcpKeepAlive.initialDelay"`],
    [{ tls: { ca: PEM } }, `"tls.ca"`],
    [{ tls: { certificate: PEM, key: PEM } }, `"tls.certificate"`],
    [{ tls: { alpnProtocols: ["h2"] } }, `"tls.alpnProtocols"`],
    [{ tls: { insecure: true } }, `"tls.insecure"`],
    [{ tls: { serverName: "other.test" } }, `"tls.serverName" other than the target's host name`],
    [{ timeout: 0 }, `"timeout"`],
  ] as const;
  for (const [options, named] of cases) {
    await assertRejects(() => transport.connect(target, options), Error, named);
  }
  await assertRejects(() => transport.connect({ path: "/run/app.sock" }), TypeError, "a Unix socket");
  const reason = new Error("changed my mind");
  const thrown = await assertRejects(() => transport.connect(target, { signal: AbortSignal.abort(reason) }));
  assertStrictEquals(thrown, reason);
});

test("each connection of a transport that makes clocks has one of its own, unless it was given one", async () => {
  const network = memoryNetwork();
  const made: Clock[] = [];
  const own: Transport = {
    name: "own",
    capabilities: network.transport.capabilities,
    connect: (where, options) => network.transport.connect(where, options),
    newClock() {
      const clock = transport.newClock!();
      made.push(clock);
      return clock;
    },
  };
  const where = { hostname: "server.test", port: 1 };
  const server = await serve({ ...where, transport: network.transport, protocol: lines() }, () => {});
  const first = await connect(where, { transport: own, protocol: lines() });
  const second = await connect(where, { transport: own, protocol: lines() });
  assertEquals(made.length, 2);
  assertNotStrictEquals(made[0], made[1]);
  const clock = new FakeClock();
  const third = await connect(where, { transport: own, protocol: lines(), clock });
  assertEquals(made.length, 2);
  for (const connection of [first, second, third]) connection.abort();
  server.abort();
});

/** A socket of the runtime, by hand. */
class Raw implements RawSocket {
  readonly written: Uint8Array[] = [];
  closeCalls = 0;
  finAsked = false;
  read!: (result: { done: boolean; value?: Uint8Array }) => void;
  readFails!: (error: unknown) => void;
  taken!: () => void;
  writeFails!: (error: unknown) => void;
  hangUp!: () => void;
  readonly opened = Promise.resolve();
  readonly closed = new Promise<void>((resolve) => this.hangUp = resolve);
  readonly readable = {
    getReader: () => ({
      read: () =>
        new Promise<{ done: boolean; value?: Uint8Array }>((resolve, reject) => {
          this.read = resolve;
          this.readFails = reject;
        }),
    }),
  };
  readonly writable = {
    getWriter: () => ({
      write: (bytes: Uint8Array) => {
        this.written.push(bytes);
        return new Promise<void>((resolve, reject) => [this.taken, this.writeFails] = [resolve, reject]);
      },
      close: () => {
        this.finAsked = true;
        return Promise.resolve();
      },
    }),
  };

  close(): Promise<void> {
    this.closeCalls++;
    return Promise.reject(undefined); // As some releases do once the peer has ended.
  }
}

/** A socket over one by hand, started. */
function opened(): { raw: Raw; log: Log } {
  const raw = new Raw();
  return { raw, log: new Log(new WorkersSocket(transport, raw, target, undefined)).start() };
}

test("an end after which the runtime calls the connection closed is a reset", async () => {
  const { raw, log } = opened();
  raw.hangUp();
  raw.read({ done: true });
  await log.closed();
  assertEquals([log.events, log.code()], [["close"], "ECONNRESET"]);
  assertEquals(raw.closeCalls, 1);
});

test("a connection that the runtime calls closed while nothing is read is reset", async () => {
  const { raw, log } = opened();
  log.socket.pause();
  raw.read({ done: false, value: bytesOf("unread") });
  await pass(0);
  assertEquals(log.events, []);
  raw.hangUp();
  await log.closed();
  assertEquals([log.events, log.code()], [["close"], "ECONNRESET"]);
});

test("both ends are over without a word from the runtime", async () => {
  const { raw, log } = opened();
  raw.read({ done: true });
  await log.until("end", () => log.events.includes("end"));
  log.socket.shutdown();
  await log.closed();
  assertEquals([log.events, log.error, raw.finAsked], [["end", "close"], undefined, true]);
});

test("a write is handed over in pieces of 16 KiB, each after the last, and an abort takes the rest back", async () => {
  const { raw, log } = opened();
  assertEquals(log.socket.write(new Uint8Array(40_000)), false);
  log.socket.write(bytesOf("more"));
  assertEquals([raw.written.length, log.socket.bufferedAmount], [1, 40_004]);
  raw.taken();
  await log.until("progress", () => log.events.includes("written"));
  assertEquals(raw.written.map(({ length }) => length), [16_384, 16_384]);
  assertEquals(log.socket.bufferedAmount, 40_004 - 16_384);
  log.socket.abort();
  assertEquals(log.socket.bufferedAmount, 0);
  raw.taken();
  await log.closed();
  await pass(0);
  assertEquals([raw.written.length, raw.closeCalls], [2, 1]);
  assertEquals([log.events, log.error], [["written", "close"], undefined]);
});

test("what was read before a write failed is delivered before the close", async () => {
  const { raw, log } = opened();
  log.socket.write(bytesOf("into the void"));
  raw.writeFails(new Error("Network connection lost."));
  raw.read({ done: false, value: bytesOf("last words") });
  await log.closed();
  assertEquals([log.text(), log.events, log.code()], ["last words", ["data", "close"], "ECONNRESET"]);
});

test("a socket of another request ends with an error that says so", async () => {
  const { raw, log } = opened();
  log.socket.write(bytesOf("hello"));
  raw.writeFails(new Error("Cannot perform I/O on behalf of a different request."));
  await log.closed();
  assertEquals([log.events, log.code()], [["close"], "EPERM"]);
  assert(log.error!.message.includes("another request or Durable Object"));
});

test("what another transport lends is sent as it was, also what waits", async () => {
  const { raw, log } = opened();
  const lent = new Uint8Array(4).fill(1);
  lend(lent);
  log.socket.write(lent.subarray(0, 2));
  log.socket.write(lent.subarray(2));
  lend(undefined);
  lent.fill(9);
  raw.taken();
  await pass(20);
  assertEquals(raw.written.map((bytes) => [...bytes]), [[1, 1], [1, 1]]);
});
