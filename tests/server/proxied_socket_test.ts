import { test } from "node:test";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { ProxiedSocket } from "../../lib/server/proxied_socket.ts";
import type { Address, SocketHandler } from "../../lib/transport/transport.ts";
import { FakeSocket } from "../support/fake_socket.ts";
import { text } from "../support/feed.ts";
import { settle } from "../support/live.ts";

const HEADER = "PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n";
const PROXY = { hostname: "127.0.0.1", port: 2 };
const decoder = new TextDecoder();

interface Bench {
  readonly raw: FakeSocket;
  readonly socket: ProxiedSocket;
  /** What was told, in order. */
  readonly log: string[];
  readonly handler: SocketHandler;
}

/** A proxied socket whose handler starts as soon as the header is read, unless `started` says otherwise. */
function bench({ started = true, onData = (_: ProxiedSocket) => {} } = {}): Bench {
  const log: string[] = [];
  const raw = new FakeSocket();
  const handler: SocketHandler = {
    data: (chunk) => {
      log.push(decoder.decode(chunk));
      onData(socket);
    },
    written: () => void log.push("written"),
    end: () => void log.push("end"),
    close: (error) => void log.push(error === undefined ? "close" : `close: ${error.message}`),
  };
  const socket: ProxiedSocket = new ProxiedSocket(raw, {
    greeted: (socket) => {
      log.push("greeted");
      if (started) socket.start(handler);
    },
    ungreeted: (_, error) => void log.push(`ungreeted: ${(error as Error | undefined)?.message}`),
  });
  socket.greet();
  return { raw, socket, log, handler };
}

test("The header comes off, and what follows it is delivered after start() has returned", async () => {
  const { raw, socket, log } = bench();
  assertEquals(socket.remoteAddress, PROXY);
  raw.receive(HEADER + "hello");
  assertEquals(log, ["greeted"]);
  await settle();
  raw.receive("again");
  assertEquals(log, ["greeted", "hello", "again"]);
  assertEquals(socket.remoteAddress, { hostname: "192.0.2.7", port: 56_324, proxy: PROXY } as Address);
  assertEquals(socket.localAddress, raw.localAddress);
});

test("A header may come byte by byte, and the data right behind it", async () => {
  const { raw, log } = bench();
  for (const byte of text(HEADER + "abc")) raw.receive(Uint8Array.of(byte));
  await settle();
  assertEquals(log.slice(0, 1), ["greeted"]);
  assertEquals(log.slice(1).join(""), "abc");
});

test("Where the proxy speaks for itself the address stays its own", () => {
  const { raw, socket, log } = bench();
  raw.receive("PROXY UNKNOWN\r\n");
  assertEquals(log, ["greeted"]);
  assertEquals(socket.remoteAddress, PROXY);
});

test("After the header a chunk goes through as it is, to be kept or given back", async () => {
  let kept: Uint8Array | undefined;
  const raw = new FakeSocket();
  const socket: ProxiedSocket = new ProxiedSocket(raw, {
    greeted: () =>
      socket.start({ data: (chunk) => (kept = chunk, true), written() {}, end() {}, close() {} }),
    ungreeted() {},
  });
  socket.greet();
  raw.receive(HEADER);
  await settle();
  const chunk = text("mine");
  assertEquals(raw.handler!.data(chunk), true);
  assert(kept === chunk);
});

test("Data and FIN that come with the header keep their order", async () => {
  const { raw, log, socket } = bench();
  raw.receive(HEADER + "all");
  raw.end();
  socket.shutdown();
  raw.handler!.close();
  assertEquals(log, ["greeted", "all", "end", "close"]);
  await settle();
  assertEquals(log, ["greeted", "all", "end", "close"]);
});

test("A FIN behind the header alone is told", async () => {
  const { raw, log } = bench();
  raw.receive(HEADER);
  raw.end();
  await settle();
  assertEquals(log, ["greeted", "end"]);
});

test("Nothing is delivered before start(), and reading rests until then", async () => {
  const { raw, socket, log, handler } = bench({ started: false });
  raw.receive(HEADER + "a");
  assert(raw.paused);
  raw.receive("b");
  raw.end();
  await settle();
  assertEquals(log, ["greeted"]);
  socket.start(handler);
  assertEquals(log, ["greeted"], "nor during it");
  assert(!raw.paused);
  await settle();
  assertEquals(log, ["greeted", "a", "b", "end"]);
  assertThrows(() => socket.start(handler), TypeError);
});

test("pause() holds back what came with the header too, and resume() brings it, not during the call", async () => {
  const { raw, socket, log, handler } = bench({ started: false });
  raw.receive(HEADER + "a");
  raw.receive("b");
  raw.end();
  socket.pause();
  socket.start(handler);
  await settle();
  assertEquals(log, ["greeted"]);
  socket.resume();
  assertEquals(log, ["greeted"]);
  await settle();
  assertEquals(log, ["greeted", "a", "b", "end"]);
});

test("A handler that pauses gets no more, until it resumes, and an orderly end waits for that", async () => {
  const { raw, socket, log, handler } = bench({ started: false, onData: (socket) => socket.pause() });
  raw.receive(HEADER + "a");
  raw.receive("b");
  raw.end();
  socket.start(handler);
  await settle();
  assertEquals(log, ["greeted", "a"]);
  raw.handler!.close();
  await settle();
  assertEquals(log, ["greeted", "a"]);
  socket.resume();
  await settle();
  assertEquals(log, ["greeted", "a", "b"]);
  socket.resume();
  await settle();
  assertEquals(log, ["greeted", "a", "b", "end", "close"]);
});

test("abort() drops what is held, and close comes once, after it", async () => {
  for (const late of [false, true]) {
    const { raw, socket, log, handler } = bench({ started: false });
    raw.receive(HEADER + "a");
    socket.pause();
    socket.start(handler);
    if (late) raw.handler!.close();
    socket.abort();
    assertEquals(log, ["greeted"]);
    assert(raw.aborted);
    if (!late) raw.handler!.close();
    await settle();
    assertEquals(log, ["greeted", "close"]);
  }
});

test("A reset closes at once, even while paused, with its error", async () => {
  const { raw, socket, log, handler } = bench({ started: false });
  raw.receive(HEADER + "a");
  socket.pause();
  socket.start(handler);
  raw.fail("ECONNRESET");
  await settle();
  assertEquals(log, ["greeted", "close: ECONNRESET"]);
});

test("A socket that closed before start() says so after it", async () => {
  const { raw, socket, log, handler } = bench({ started: false });
  raw.receive(HEADER);
  raw.fail("ECONNRESET");
  socket.start(handler);
  assertEquals(log, ["greeted"]);
  await settle();
  assertEquals(log, ["greeted", "close: ECONNRESET"]);
});

for (
  const [what, meet, told] of [
    ["is no header", (raw: FakeSocket) => raw.receive("GET /"), "PROXY header must begin"],
    ["ends", (raw: FakeSocket) => raw.end(), "undefined"],
    ["breaks", (raw: FakeSocket) => raw.fail("ECONNRESET"), "ECONNRESET"],
  ] as const
) {
  test(`What ${what} before the header is whole leads to nothing but that news, once`, () => {
    const { raw, socket, log } = bench();
    raw.receive("PROXY ".slice(0, what === "is no header" ? 0 : 6));
    meet(raw);
    assertEquals(log.length, 1);
    assert(log[0]!.startsWith(`ungreeted: ${told}`), log[0]);
    socket.refuse();
    assert(raw.finished && raw.aborted, "FIN first, then the end");
    raw.handler!.close();
    assertEquals(log.length, 1);
  });
}

test("Everything else is the raw socket's", async () => {
  const { raw, socket, log } = bench();
  raw.receive(HEADER);
  await settle();
  raw.room = 2;
  assert(!socket.write(text("hello")));
  assertEquals(socket.bufferedAmount, 3);
  raw.take(3);
  assertEquals(log, ["greeted", "written"]);
  socket.unref();
  assert(!raw.held);
  socket.ref();
  assert(raw.held);
  socket.setNoDelay(true);
  socket.setTcpKeepAlive(true);
  socket.pause();
  assert(raw.paused);
  socket.resume();
  assert(!raw.paused);
});
