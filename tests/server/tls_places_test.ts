/**
 * Places that TLS handshakes take, and TLS behind a proxy that sends its header first.
 *
 * @module
 */

import { test } from "node:test";
import { assert, assertEquals, assertGreater, assertRejects, assertStrictEquals } from "@std/assert";
import {
  type Address,
  connect,
  type Connection,
  ConnectionError,
  frames,
  lines,
  type Protocol,
  serve,
  type ServeOptions,
  type TcpAddress,
  type Transport,
} from "../../mod.ts";
import { secureClient } from "../../lib/transport/deno_tls.ts";
import { detectTransport } from "../../lib/transport/detect.ts";
import { tlsClient } from "../../lib/transport/tls_engine.ts";
import { certificates } from "../support/certificates.ts";
import { text } from "../support/feed.ts";
import { call, type Caller, until } from "./callers.ts";
import { block, concat, ip4, LOCAL } from "./proxy_headers.ts";

const timeout = 60_000;
const system = await detectTransport();
const skip = system.capabilities.tls === undefined && "this runtime's transport has no TLS";

/** An echo server that speaks TLS, and what its clients trust. */
async function started(options: Partial<ServeOptions<string, string>> = {}) {
  const { authority, server: { certificate, key } } = await certificates();
  const connections: Connection<string, string>[] = [];
  const errors: unknown[] = [];
  const server = await serve<string, string>({
    port: 0,
    protocol: lines(),
    heartbeat: false,
    tls: { certificate, key },
    onError: (error) => void errors.push(error),
    ...options,
  }, (connection) => {
    connections.push(connection);
    connection.onMessage = (line) => connection.send(line);
  });
  const port = (server.address as TcpAddress).port;
  const dial = (transport: Transport = system, protocol: Protocol<string> = lines()) =>
    connect({ hostname: "127.0.0.1", port }, {
      protocol,
      transport,
      heartbeat: false,
      tls: { ca: authority.certificate },
    });
  return { server, port, connections, errors, dial };
}

/** Whether a caller that says nothing is closed soon. */
const closed = async (caller: Caller) => await until(() => caller.closed, 2_000) < Infinity;
const hanging = async (caller: Caller) => {
  await new Promise((resolve) => setTimeout(resolve, 200));
  return !caller.closed;
};

/** Asks, and waits for the answer. */
async function ask(connection: Connection<string, string>, line: string): Promise<void> {
  const heard: string[] = [];
  connection.onMessage = (answer) => void heard.push(answer);
  await connection.send(line);
  await until(() => heard.length > 0, 10_000);
  assertEquals(heard, [line]);
}

test("maxConnections counts handshakes under way: the last place goes to one, and none beyond", {
  timeout,
  skip,
}, async () => {
  const { server, port, dial } = await started({ maxConnections: 2 });
  const first = await dial();
  await ask(first, "one of two");
  const half = await call(port);
  assert(await hanging(half), "there is a place for a handshake");
  const third = await call(port);
  assert(await closed(third), "and none for another");
  assertEquals([server.stats().now, server.stats().refusedBy.full], [1, 1]);
  await assertRejects(() => dial(), ConnectionError);
  assertEquals(server.stats().refusedBy.full, 2);
  half.leave();
  await until(async () => {
    const second = await dial().catch(() => undefined);
    if (second === undefined) return false;
    await ask(second, "two of two");
    await second.close();
    return true;
  });
  await first.close();
  await server.drain();
});

test("A handshake that takes too long gives its place back", { timeout, skip }, async () => {
  const { server, port, dial } = await started({ maxConnections: 1, handshakeTimeout: 300 });
  const silent = await call(port);
  assert(await closed(silent));
  const connection = await dial();
  await ask(connection, "here");
  await connection.close();
  await server.drain();
});

test("maxConnectionsPerAddress and acceptRate count handshakes too", { timeout, skip }, async () => {
  const { server, port, dial } = await started({ maxConnectionsPerAddress: 1 });
  const half = await call(port, "127.0.0.2");
  assert(await hanging(half));
  assert(await closed(await call(port, "127.0.0.2")));
  const other = await dial();
  await ask(other, "another address");
  assertEquals(server.stats().refusedBy.perAddress, 1);
  half.leave();
  await until(async () => !await closed(await call(port, "127.0.0.2")));
  await other.close();
  server.abort();

  const slow = await started({ acceptRate: { perSecond: 0.01, burst: 2 } });
  const connection = await slow.dial();
  await ask(connection, "the first of the burst, counted once");
  assert(await hanging(await call(slow.port)));
  assert(await closed(await call(slow.port)));
  assertEquals(slow.server.stats().refusedBy.rate, 1);
  slow.server.abort();
});

test(
  "Who finds no place is told so where the protocol can, after its handshake",
  { timeout, skip },
  async () => {
    const protocol = frames() as never as Protocol<string>;
    const { server, dial } = await started({ protocol, maxConnections: 1 });
    const first = await dial(system, protocol);
    const error = await assertRejects(() => dial(system, protocol), ConnectionError);
    assertStrictEquals(error.code, "server-full");
    assertEquals(server.stats().refusedBy.full, 1);
    await first.close();
    await until(() => server.stats().now === 0);
    await (await dial(system, protocol)).close();
    await server.drain();
  },
);

test("A server that stops lets go of handshakes under way", { timeout, skip }, async () => {
  const { server, port } = await started();
  const half = await call(port);
  assert(await hanging(half));
  await server.drain();
  assert(await closed(half));
});

const HEADER = text("PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n");

/** Speaks as HAProxy does: its header in plain text, in `pieces`, and then TLS. */
function proxy(...pieces: Uint8Array[]): Transport {
  return {
    name: system.name,
    capabilities: system.capabilities,
    async connect(target, { tls, ...plain } = {}) {
      const socket = await system.connect(target, plain);
      for (const piece of pieces) {
        socket.write(piece);
        if (pieces.length > 1) await new Promise((resolve) => setTimeout(resolve, 30));
      }
      return await secureClient(socket, (target as TcpAddress).hostname, tlsClient(tls!));
    },
  };
}

const proxyProtocol = { trusted: ["127.0.0.1"] };

test(
  "proxyProtocol and tls: the header comes first, and the handshake after it",
  { timeout, skip },
  async () => {
    const { server, dial, connections, errors } = await started({ proxyProtocol });
    const to = { hostname: "198.51.100.1", port: 443 };
    const headers = [
      [HEADER],
      [HEADER.subarray(0, 9), HEADER.subarray(9)],
      // As `send-proxy-v2` does, with more that need not be understood.
      [block(0x21, 0x11, concat(ip4({ hostname: "192.0.2.8", port: 1 }, to), new Uint8Array(40)))],
      [LOCAL],
    ];
    for (const pieces of headers) {
      const connection = await dial(proxy(...pieces));
      await ask(connection, "hello");
      const large = "x".repeat(60_000);
      await ask(connection, large);
      assertStrictEquals(connections.at(-1)!.tls?.protocol, "TLSv1.3");
      await connection.close();
      assertStrictEquals((await connections.at(-1)!.closed).code, "closed");
    }
    const hostOf = (address: Address) => (address as TcpAddress).hostname;
    assertEquals(connections.map(({ remoteAddress }) => hostOf(remoteAddress)), [
      "192.0.2.7",
      "192.0.2.7",
      "192.0.2.8",
      "127.0.0.1",
    ]);
    assertEquals(errors, []);
    await server.drain();
  },
);

test("proxyProtocol and tls: much data in both directions comes whole", { timeout, skip }, async () => {
  const { server, dial } = await started({ proxyProtocol });
  const connection = await dial(proxy(HEADER));
  const line = "0123456789".repeat(100), count = 2_000;
  let back = 0;
  connection.onMessage = (answer) => {
    assertStrictEquals(answer, line);
    back++;
  };
  for (let i = 0; i < count; i++) await connection.send(line);
  await until(() => back === count, 20_000);
  assertStrictEquals(back, count);
  await connection.close();
  await server.drain();
});

test("proxyProtocol and tls: who says no header, a wrong one, or no TLS after it is refused", {
  timeout,
  skip,
}, async () => {
  const { server, port, dial, errors } = await started({ proxyProtocol, handshakeTimeout: 600 });
  await assertRejects(() => dial(), ConnectionError);
  const stranger = await call(port, "127.0.0.2");
  assert(await closed(stranger));
  const wrong = await call(port);
  wrong.write("GET / HTTP/1.1\r\n\r\n");
  assert(await closed(wrong));
  const silent = await call(port), half = await call(port), babbling = await call(port);
  half.write(HEADER);
  babbling.write(concat(HEADER, text("hello, this is not TLS\n".repeat(10))));
  assert(await closed(babbling));
  assert(await closed(silent));
  assert(await closed(half));
  const { untrusted, proxyHeader } = server.stats().refusedBy;
  assertEquals([untrusted, proxyHeader, server.stats().now], [1, 3, 0]);
  assertGreater(errors.length, 0);
  await ask(await dial(proxy(HEADER)), "the server lives on");
  server.abort();
});

test("proxyProtocol and tls: limits count the callers, and their handshakes", { timeout, skip }, async () => {
  const { server, port, dial } = await started({
    proxyProtocol,
    maxConnectionsPerAddress: 1,
    maxConnections: 3,
  });
  const half = await call(port);
  half.write(HEADER);
  assert(await hanging(half));
  await assertRejects(() => dial(proxy(HEADER)), Error);
  assertStrictEquals(server.stats().refusedBy.perAddress, 1);
  const other = await dial(proxy(text("PROXY TCP4 192.0.2.9 198.51.100.1 1 443\r\n")));
  await ask(other, "another caller");
  const third = await call(port);
  assert(await hanging(third), "a place for one who has said no header yet");
  assert(await closed(await call(port)), "and for nobody else");
  assertStrictEquals(server.stats().refusedBy.full, 1);
  server.abort();
});
