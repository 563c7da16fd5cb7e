import process from "node:process";
import { test } from "node:test";
import { assert, assertEquals, assertLess, assertLessOrEqual } from "@std/assert";
import { type Connection, serve, type ServeOptions, type TcpAddress } from "../../mod.ts";
import { hasSs, ss } from "../support/ss.ts";
import { text } from "../support/feed.ts";
import { call, type Caller, until } from "./callers.ts";
import { block, concat, ip4, ip6, LOCAL } from "./proxy_headers.ts";

const timeout = 60_000;

/** An echo server on real sockets, and its port. */
async function started(options: ServeOptions = {}) {
  const connections: Connection<Uint8Array, Uint8Array | string>[] = [];
  const errors: unknown[] = [];
  const onError = (error: unknown) => void errors.push(error);
  const server = await serve({ port: 0, heartbeat: false, onError, ...options }, (connection) => {
    connections.push(connection);
    connection.onMessage = (bytes) => connection.send(bytes);
  });
  return { server, connections, errors, port: (server.address as TcpAddress).port };
}

/** Asks all of them. Returns those who were served, those who were closed, and those left hanging. */
async function sorted(
  callers: readonly Caller[],
): Promise<[served: Caller[], closed: Caller[], hanging: Caller[]]> {
  const served = new Set<Caller>();
  await Promise.all(callers.map(async (caller) => await caller.ask("?", 3_000) && served.add(caller)));
  const rest = callers.filter((caller) => !served.has(caller));
  return [[...served], rest.filter(({ closed }) => closed), rest.filter(({ closed }) => !closed)];
}

test(
  "Of 100 callers 40 are served, 60 closed and none left hanging, and places are free again",
  { timeout },
  async () => {
    const { server, port } = await started({ maxConnections: 40 });
    const callers = await Promise.all(Array.from({ length: 100 }, () => call(port)));
    const [served, closed, hanging] = await sorted(callers);
    assertEquals([served.length, closed.length, hanging.length], [40, 60, 0]);
    assertEquals(server.stats().refusedBy.full, 60);
    for (const caller of served.slice(0, 10)) caller.leave();
    assertLessOrEqual(await until(() => server.stats().now === 30, 1_000), 1_000);
    const [again] = await sorted(await Promise.all(Array.from({ length: 10 }, () => call(port))));
    assertEquals(again.length, 10);
    for (const caller of [...served, ...again]) caller.leave();
    await server.drain();
  },
);

test(
  "Of 24 callers from one address 8 are served and 16 closed, and another address is served",
  { timeout },
  async () => {
    const { server, port } = await started({ maxConnectionsPerAddress: 8 });
    const callers = await Promise.all(Array.from({ length: 24 }, () => call(port, "127.0.0.2")));
    const [served, closed, hanging] = await sorted(callers);
    assertEquals([served.length, closed.length, hanging.length], [8, 16, 0]);
    const other = await call(port, "127.0.0.3");
    assert(await other.ask("?", 1_000));
    assertEquals(server.stats().refusedBy.perAddress, 16);
    served[0]!.leave();
    await until(() => server.stats().now === 8);
    const next = await call(port, "127.0.0.2");
    assert(await next.ask());
    for (const caller of [...served, other, next]) caller.leave();
    await server.drain();
  },
);

test("A server for both families sees one IPv4 address, whichever way it is shown", { timeout }, async () => {
  const started6 = await started({ hostname: "::", maxConnectionsPerAddress: 1 }).catch(() => undefined);
  if (started6 === undefined) return console.log("skipped: there is no IPv6");
  const { server, port, connections } = started6;
  const first = await call(port);
  assert(await first.ask());
  const second = await call(port);
  assert(!await second.ask());
  const third = await call(port, "::1", "::1");
  assert(await third.ask());
  assertEquals(connections.length, 2);
  for (const caller of [first, third]) caller.leave();
  await server.drain();
});

test(
  "Callers behind a proxy are told apart, in both versions, however the header is cut",
  { timeout },
  async () => {
    const { server, port, connections, errors } = await started({
      proxyProtocol: { trusted: ["127.0.0.1"] },
      maxConnectionsPerAddress: 1,
    });
    const to = { hostname: "198.51.100.1", port: 443 };
    const headers = [
      text("PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n"),
      block(0x21, 0x11, concat(ip4({ hostname: "192.0.2.8", port: 1 }, to), new Uint8Array(40))),
      block(0x21, 0x21, ip6({ hostname: "2001:db8::9", port: 2 }, { hostname: "2001:db8::1", port: 443 })),
      LOCAL,
    ];
    const callers = [];
    for (const header of headers) {
      const caller = await call(port);
      caller.write(header.subarray(0, 5));
      await new Promise((resolve) => setTimeout(resolve, 30));
      caller.write(concat(header.subarray(5), text("first ")));
      assert(await caller.ask("second"));
      await until(() => caller.received === "first second");
      assertEquals(caller.received, "first second");
      callers.push(caller);
    }
    const hosts = connections.map(({ remoteAddress }) => (remoteAddress as TcpAddress).hostname);
    assertEquals(hosts, ["192.0.2.7", "192.0.2.8", "2001:db8::9", "127.0.0.1"]);
    const proxies = connections.map(({ remoteAddress }) =>
      "proxy" in remoteAddress ? (remoteAddress.proxy as TcpAddress).hostname : undefined
    );
    assertEquals(proxies, ["127.0.0.1", "127.0.0.1", "127.0.0.1", undefined]);

    const second = await call(port);
    second.write(headers[0]!);
    assert(!await second.ask());
    const stranger = await call(port, "127.0.0.2");
    stranger.write(headers[0]!);
    assert(!await stranger.ask());
    const careless = await call(port);
    assert(!await careless.ask("GET / HTTP/1.1\r\n\r\n"));
    const { perAddress, untrusted, proxyHeader } = server.stats().refusedBy;
    assertEquals([perAddress, untrusted, proxyHeader, errors.length], [1, 1, 1, 1]);
    for (const caller of callers) caller.leave();
    await server.drain();
  },
);

test("A large transfer through a proxied connection loses nothing", { timeout }, async () => {
  const { server, port } = await started({ proxyProtocol: { trusted: ["127.0.0.1"] } });
  const caller = await call(port);
  const data = Array.from({ length: 40_000 }, (_, i) => `line ${i}\n`).join("");
  caller.write("PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n");
  assert(await caller.ask(data, 20_000));
  assert(caller.received === data);
  caller.leave();
  await server.drain();
});

test(
  "A listener that the kernel takes away is open again within 4 s, and nobody is lost",
  { timeout },
  async () => {
    if (!hasSs()) return console.log("skipped: there is no ss");
    const { server, port, errors } = await started();
    const old = await call(port);
    assert(await old.ask());
    try {
      ss("-KH", "state", "listening", "sport", "=", `:${port}`);
    } catch {
      // Not permitted; seen below.
    }
    if (ss("-ltnH", `sport = :${port}`).length > 0) {
      old.leave();
      await server.drain();
      return console.log("skipped: ss -K is not permitted");
    }
    const { user } = process.cpuUsage();
    const took = await until(async () => {
      const caller = await call(port);
      const served = await caller.ask("?", 500);
      caller.leave();
      return served;
    }, 6_000);
    assertLess(took, 4_000);
    assertLess(process.cpuUsage().user - user, 0.6 * 4e6, "it burns the processor meanwhile");
    assert(await old.ask());
    assertEquals([errors.length, server.stats().reopened], [1, 1]);
    assertEquals(server.stats().ended["aborted"], undefined);
    old.leave();
    await server.drain();
  },
);
