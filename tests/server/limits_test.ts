import { test } from "node:test";
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import type { Connection } from "../../lib/connection.ts";
import { ConnectionError } from "../../lib/errors.ts";
import { type ConnectionHandler, serve, type ServeOptions } from "../../lib/server.ts";
import { FakeClock } from "../../lib/testing/fake_clock.ts";
import type { Address } from "../../lib/transport/transport.ts";
import { FakeSocket } from "../support/fake_socket.ts";
import { FakeTransport } from "../support/fake_transport.ts";
import { settle } from "../support/live.ts";

const echo: ConnectionHandler = (connection) => {
  connection.onMessage = (bytes) => connection.send(bytes);
};

async function started(options: ServeOptions = {}, handler: ConnectionHandler = echo) {
  const transport = new FakeTransport(), clock = new FakeClock();
  const errors: unknown[] = [];
  const onError = (error: unknown) => void errors.push(error);
  const server = await serve({ port: 0, transport, clock, heartbeat: false, onError, ...options }, handler);
  /** Somebody calls from `remoteAddress`. */
  const call = (remoteAddress: Address = PROXY): FakeSocket => {
    const socket = Object.assign(new FakeSocket(), { remoteAddress });
    transport.listening!.accept(socket);
    return socket;
  };
  const refusedBy = () => {
    const { refused, refusedBy } = server.stats();
    assertEquals(Object.values(refusedBy).reduce((sum, some) => sum + some), refused);
    return Object.fromEntries(Object.entries(refusedBy).filter(([, some]) => some > 0));
  };
  return { transport, clock, server, errors, call, refusedBy };
}

const from = (hostname: string): Address => ({ hostname, port: 40_000 });
const PROXY = from("10.0.0.9");
const proxyProtocol = { trusted: ["10.0.0.0/8"] };
const header = (hostname: string) => `PROXY TCP4 ${hostname} 198.51.100.1 56324 443\r\n`;
const aborted = (sockets: FakeSocket[]) => sockets.map(({ aborted }) => aborted);

test("maxConnections: the last place is given, and the next caller closed at once", async () => {
  const { call, server, refusedBy } = await started({ maxConnections: 3 });
  const sockets = [call(), call(), call(), call()];
  assertEquals(aborted(sockets), [false, false, false, true]);
  assert(sockets[3]!.finished, "with FIN first");
  assertEquals([server.stats().now, refusedBy()], [3, { full: 1 }]);
});

test("maxConnectionsPerAddress: the last place of an address is given, and others are served", async () => {
  const { call, server, refusedBy } = await started({ maxConnectionsPerAddress: 2 });
  const one = [call(from("192.0.2.1")), call(from("::ffff:192.0.2.1")), call(from("192.0.2.1"))];
  assertEquals(aborted(one), [false, false, true]);
  assert(one[2]!.finished);
  assert(!call(from("192.0.2.2")).aborted);
  const network = ["2001:db8::1", "2001:db8::ffff:0:0:1", "2001:db8::2", "2001:db8:0:1::1"];
  assertEquals(aborted(network.map((host) => call(from(host)))), [false, false, true, false]);
  assertEquals(aborted(["", "", "", ""].map((path) => call({ path }))), [false, false, false, false]);
  assertEquals([server.stats().now, refusedBy()], [10, { perAddress: 2 }]);
});

test("maxConnectionsPerAddress: a place is free again however its connection ended", async () => {
  let broken = false;
  const { call, server, refusedBy } = await started({ maxConnectionsPerAddress: 1 }, (connection) => {
    if (broken) throw new Error("bug");
    return echo(connection);
  });
  const ends: ((socket: FakeSocket) => void)[] = [
    (socket) => socket.fail("ECONNRESET"),
    (socket) => socket.end(),
    () => [...server.connections][0]!.abort(),
  ];
  for (const end of ends) {
    const socket = call();
    assert(call().aborted);
    end(socket);
    socket.handler!.close();
  }
  broken = true;
  call();
  broken = false;
  assert(!call().aborted);
  assertEquals(refusedBy(), { perAddress: 3 });
});

test("acceptRate: the last token is given, and one more is there when it is due", async () => {
  const { call, clock, refusedBy } = await started({ acceptRate: { perSecond: 10, burst: 2 } });
  assertEquals(aborted([call(), call(), call()]), [false, false, true]);
  clock.advance(99);
  assert(call().aborted);
  clock.advance(1);
  assert(!call().aborted);
  assertEquals(refusedBy(), { rate: 2 });
});

test("firstByteTimeout: never early, at most a tick late, and told by its code", async () => {
  const { call, clock, server } = await started({ firstByteTimeout: 1_000 });
  const silent = call(), late = call();
  clock.advance(990);
  late.receive("x");
  clock.advance(9);
  assert(!silent.aborted);
  clock.advance(11);
  assertEquals(aborted([silent, late]), [true, false]);
  assertEquals(server.stats().ended, { "first-byte-timeout": 1 });
});

test("messageRate: the last token is given, and the next message ends the connection", async () => {
  const { call, server } = await started({ messageRate: { perSecond: 10, burst: 3 } });
  const socket = call();
  for (let i = 0; i < 3; i++) socket.receive("x");
  assert(!socket.aborted);
  socket.receive("x");
  assert(socket.aborted);
  assertEquals(server.stats().ended, { "too-many-messages": 1 });
});

test("maxOutboundBytes: exactly so many may wait, and sending on ends the connection", async () => {
  let held!: Connection;
  const { call, server } = await started({ maxOutboundBytes: 1_000 }, (connection) => {
    held = connection;
    connection.onMessage = () => {};
  });
  const socket = call();
  socket.room = 0;
  void held.send(new Uint8Array(1_000));
  void held.send(new Uint8Array(1));
  assertEquals([held.bufferedAmount, held.state, server.stats().bufferedBytes], [1_001, "open", 1_001]);
  void held.send(new Uint8Array(1));
  assertEquals(server.stats().ended, { "write-overflow": 1 });
});

test("maxInboundBytes: reading stops when so many wait, and not before", async () => {
  const { call } = await started({ maxInboundBytes: 1_000 }, async (connection) => {
    await connection.closed;
  });
  const socket = call();
  socket.receive(new Uint8Array(999));
  assert(!socket.paused);
  socket.receive(new Uint8Array(1));
  assert(socket.paused);
});

test("idleTimeout and maxAge end a connection at their time, each with its code", async () => {
  const idle = await started({ idleTimeout: 1_000 });
  const still = idle.call();
  idle.clock.advance(999);
  assert(!still.aborted);
  idle.clock.advance(11);
  assertEquals(idle.server.stats().ended, { "idle-timeout": 1 });

  const aged = await started({ maxAge: 1_000, maxAgeGrace: 500 });
  const old = aged.call();
  // The draw is 0, so it is the earliest: 10 % before.
  aged.clock.advance(899);
  assert(!old.finished);
  aged.clock.advance(601);
  old.end();
  assertEquals(aged.server.stats().ended, { "max-age": 1 });
});

test("proxyProtocol: the connection is the caller's, and so is what follows the header", async () => {
  const seen: Connection[] = [];
  const { call } = await started({ proxyProtocol }, (connection) => {
    seen.push(connection);
    return echo(connection);
  });
  const socket = call();
  socket.receive("PROXY TCP4 192.0.2.7 198.51.100.1 ");
  assertEquals(seen.length, 0, "it is nobody's yet");
  socket.receive("56324 443\r\nhello");
  await settle();
  assertEquals(socket.sent, ["hello"]);
  assertEquals(seen[0]!.remoteAddress, { hostname: "192.0.2.7", port: 56_324, proxy: PROXY } as Address);
  socket.receive("again");
  assertEquals(socket.sent, ["hello", "again"]);
});

test("proxyProtocol: off, a header is data like any other", async () => {
  const { call } = await started();
  const socket = call();
  socket.receive(header("192.0.2.7"));
  await settle();
  assertEquals(socket.sent, [header("192.0.2.7")]);
});

test("proxyProtocol: whoever is no proxy is refused, header or not", async () => {
  const { call, server, refusedBy, errors } = await started({ proxyProtocol });
  const stranger = call(from("11.0.0.1"));
  assert(stranger.finished && stranger.aborted);
  assertEquals(stranger.handler, undefined, "not a byte of it was read");
  assertEquals([server.stats().accepted, refusedBy(), errors], [0, { untrusted: 1 }, []]);
});

test("proxyProtocol: a decision that fails is a no, and told of", async () => {
  const bug = new Error("bug");
  const trusted = (): boolean => {
    throw bug;
  };
  const { call, refusedBy, errors } = await started({ proxyProtocol: { trusted } });
  assert(call().aborted);
  assertEquals([refusedBy(), errors], [{ untrusted: 1 }, [bug]]);
});

test("proxyProtocol: maxConnectionsPerAddress counts the callers, not the proxy", async () => {
  const { call, refusedBy } = await started({ proxyProtocol, maxConnectionsPerAddress: 1 });
  const sockets = ["192.0.2.1", "192.0.2.2", "192.0.2.1"].map((caller) => {
    const socket = call();
    socket.receive(header(caller));
    return socket;
  });
  assertEquals(aborted(sockets), [false, false, true]);
  assert(sockets[2]!.finished);
  sockets[0]!.fail("ECONNRESET");
  const next = call();
  next.receive(header("192.0.2.1"));
  assert(!next.aborted);
  assertEquals(refusedBy(), { perAddress: 1 });
});

test("proxyProtocol: what the proxy does not say a caller of is its own", async () => {
  const { call, server } = await started({ proxyProtocol });
  call().receive("PROXY UNKNOWN\r\n");
  assertEquals([...server.connections].map(({ remoteAddress }) => remoteAddress), [PROXY]);
});

for (
  const [what, options, limit] of [
    ["5 s unless told otherwise", {}, 5_000],
    ["handshakeTimeout", { handshakeTimeout: 3_000 }, 3_000],
    ["firstByteTimeout if that is less", { firstByteTimeout: 400 }, 400],
  ] as [string, ServeOptions, number][]
) {
  test(`proxyProtocol: a header has ${what}, never less, and hardly more`, async () => {
    const { call, clock, server, refusedBy, errors } = await started({ proxyProtocol, ...options });
    const late = call(), good = call();
    late.receive("PROXY ");
    clock.advance(limit - 1);
    good.receive(header("192.0.2.1"));
    assertEquals(aborted([late, good]), [false, false]);
    // A deadline that is seconds away may share a wake-up with others.
    clock.advance(161);
    assertEquals(late.aborted, true);
    assertEquals([server.stats().accepted, refusedBy()], [1, { proxyHeader: 1 }]);
    assertEquals(errors.map((error) => (error as Error).message), [
      `PROXY header must come within ${limit} ms`,
    ]);
    // What it still sends is nobody's.
    late.receive("TCP4");
    late.handler!.close();
    assertEquals(refusedBy(), { proxyHeader: 1 });
  });
}

test("proxyProtocol: a wrong header is refused at once, and told of", async () => {
  const { call, refusedBy, errors } = await started({ proxyProtocol });
  const socket = call();
  socket.receive("GET / HTTP/1.1\r\n");
  assert(socket.finished && socket.aborted);
  assertEquals(refusedBy(), { proxyHeader: 1 });
  assertMatch(`${errors[0]}`, /ProtocolError: PROXY header must begin as version 1 or 2 do/);
});

test("proxyProtocol: a proxy that only looks whether we are there is no error", async () => {
  const { call, refusedBy, errors, clock } = await started({ proxyProtocol });
  call().end();
  call().fail("ECONNRESET");
  assertEquals([refusedBy(), errors, clock.pending], [{ proxyHeader: 2 }, [], 0]);
});

test("proxyProtocol: those who wait for a header take places too", async () => {
  const { call, refusedBy } = await started({ proxyProtocol, maxConnections: 2 });
  const [first, second, third] = [call(), call(), call()];
  assertEquals(aborted([first, second, third]), [false, false, true]);
  first.receive(header("192.0.2.1"));
  second.receive(header("192.0.2.1"));
  assertEquals(aborted([first, second]), [false, false]);
  assert(call().aborted);
  assertEquals(refusedBy(), { full: 2 });
});

test("proxyProtocol: a server that stops lets go of those who wait", async () => {
  for (const how of ["drain", "abort"] as const) {
    const { call, server, clock } = await started({ proxyProtocol });
    const socket = call();
    void server[how]();
    assert(socket.aborted);
    await server.closed;
    assertEquals([clock.pending, server.stats().refused], [0, 0]);
  }
});

test("serve() refuses limits that are none, before it listens", async () => {
  const cases: [ServeOptions, string][] = [
    [
      { maxConnectionsPerAddress: 0 },
      `"maxConnectionsPerAddress" must be a whole number >= 1: current value is 0`,
    ],
    [{ proxyProtocol: { trusted: [] } }, `"proxyProtocol.trusted" must be a function or a list of networks`],
    [{ proxyProtocol: { trusted: ["10.0.0.1/8"] } }, `one is "10.0.0.1/8"`],
  ];
  for (const [options, message] of cases) {
    await assertRejects(() => started(options), Error, message);
  }
});

test("A listener that dies is opened again, and the connections live on", async () => {
  const { call, transport, server, errors } = await started();
  const socket = call();
  const death = new Error("gone");
  transport.listening!.died!(death);
  await settle();
  assertEquals([errors, server.stats().reopened], [[death], 1]);
  socket.receive("still here");
  assertEquals(socket.sent, ["still here"]);
  assert(!call().aborted);
});

test("A listener that is lost for good ends the server in good order, for a reason", async () => {
  const { call, transport, server, errors, clock } = await started();
  const socket = call();
  const { died } = transport.listening!;
  const cause = new ConnectionError("listen-failed", "taken", { systemCode: "EADDRINUSE" });
  transport.listen = () => Promise.reject(cause);
  died!(new Error("gone"));
  for (let passed = 0; passed < 2_500; passed += 100) {
    await settle();
    assert(!socket.aborted);
    clock.advance(100);
  }
  await settle();
  const [, lost] = errors as ConnectionError[];
  assertEquals([errors.length, lost!.code, lost!.systemCode], [2, "listen-failed", "EADDRINUSE"]);
  socket.receive("under way");
  clock.advance(300);
  assertEquals(socket.sent, ["under way"]);
  socket.end();
  await server.closed;
  assertEquals([server.stats().ended, clock.pending], [{ closed: 1 }, 0]);
});
