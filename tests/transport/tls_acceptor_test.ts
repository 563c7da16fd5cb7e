import { test } from "node:test";
import { assertEquals, assertMatch } from "@std/assert";
import type { ListenOptions, Socket } from "../../lib/transport/transport.ts";
import { type Handshake, TlsAcceptor } from "../../lib/transport/tls_acceptor.ts";

const TIMEOUT = { timeout: 20_000 };
const pass = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** A handshake that the test ends. */
class Fake implements Handshake {
  readonly remoteAddress = { hostname: "192.0.2.1", port: 4321 };
  readonly opened: Promise<Socket>;
  resolve!: (socket: Socket) => void;
  reject!: (error: unknown) => void;
  drops = 0;
  aborts = 0;
  readonly socket = { abort: () => void this.aborts++ } as unknown as Socket;

  constructor() {
    this.opened = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }

  drop(): void {
    this.drops++;
  }
}

function bench(handshakeTimeout: number | undefined, options: Partial<ListenOptions> = {}) {
  const accepted: Socket[] = [];
  const failures: Error[] = [];
  const acceptor = new TlsAcceptor({
    accept: (socket) => void accepted.push(socket),
    failed: (error) => void failures.push(error as Error),
    tls: { certificate: "", key: "", handshakeTimeout },
    ...options,
  });
  const begin = () => {
    const fake = new Fake();
    acceptor.take(fake);
    return fake;
  };
  return { acceptor, accepted, failures, begin };
}

test("TlsAcceptor gives a socket on once its handshake is over", TIMEOUT, async () => {
  const { accepted, failures, begin } = bench(undefined);
  const [first, second] = [begin(), begin()];
  await pass(10);
  assertEquals(accepted, []);
  second.resolve(second.socket);
  await pass(1);
  assertEquals(accepted, [second.socket]);
  first.resolve(first.socket);
  await pass(1);
  assertEquals(accepted, [second.socket, first.socket]);
  assertEquals([failures.length, first.drops, second.drops, first.aborts], [0, 0, 0, 0]);
});

test("TlsAcceptor drops a handshake that fails, and says which", TIMEOUT, async () => {
  const { accepted, failures, begin } = bench(undefined);
  const fake = begin();
  const cause = Object.assign(new Error("certificate required"), { code: "ERR_SSL_X" });
  fake.reject(cause);
  await pass(1);
  assertEquals([fake.drops, accepted.length, failures.length], [1, 0, 1]);
  assertEquals(failures[0]!.message, "TLS handshake with 192.0.2.1:4321 failed: certificate required");
  assertEquals(failures[0]!.cause, cause);
  assertEquals((failures[0] as { code?: string }).code, "ERR_SSL_X");
});

test("TlsAcceptor drops a handshake that takes too long, once", TIMEOUT, async () => {
  const { accepted, failures, begin } = bench(50);
  const fake = begin();
  await pass(200);
  assertEquals([fake.drops, failures.length], [1, 1]);
  assertMatch(failures[0]!.message, /not over in 50 ms/);
  fake.resolve(fake.socket);
  await pass(1);
  assertEquals([accepted.length, fake.aborts, failures.length], [0, 1, 1]);
});

test("TlsAcceptor tells of ten failures a second at most", TIMEOUT, async () => {
  const { failures, begin } = bench(undefined);
  const fakes = Array.from({ length: 50 }, begin);
  for (const fake of fakes) fake.reject(new Error("no"));
  await pass(10);
  assertEquals(failures.length, 10);
  assertEquals(fakes.every(({ drops }) => drops === 1), true);
  await pass(1_100);
  begin().reject(new Error("no"));
  await pass(10);
  assertEquals(failures.length, 11);
});

test("TlsAcceptor drops the oldest of more than a thousand", TIMEOUT, async () => {
  const { accepted, failures, begin } = bench(Infinity);
  const [oldest, second, ...rest] = Array.from({ length: 1_000 }, begin);
  assertEquals(oldest!.drops, 0);
  const last = begin();
  assertEquals([oldest!.drops, second!.drops, last.drops], [1, 0, 0]);
  assertMatch(failures[0]!.message, /more than 1000 handshakes/);
  for (const fake of [second!, ...rest, last]) fake.resolve(fake.socket);
  await pass(10);
  assertEquals(accepted.length, 1_000);
});

test("TlsAcceptor drops all that is under way when it closes, and says nothing", TIMEOUT, async () => {
  const { acceptor, accepted, failures, begin } = bench(30);
  const [first, second] = [begin(), begin()];
  acceptor.close();
  assertEquals([first.drops, second.drops], [1, 1]);
  first.resolve(first.socket);
  second.reject(new Error("no"));
  const late = begin();
  await pass(150);
  assertEquals([late.drops, first.aborts, accepted.length, failures.length], [1, 1, 0, 0]);
});

test("TlsAcceptor aborts a socket that accept throws over", TIMEOUT, async () => {
  const broken = new Error("handler is broken");
  const { failures, begin } = bench(undefined, {
    accept: () => {
      throw broken;
    },
  });
  const fake = begin();
  fake.resolve(fake.socket);
  await pass(1);
  assertEquals([fake.aborts, failures], [1, [broken]]);
});
