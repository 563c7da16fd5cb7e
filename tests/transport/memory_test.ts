import { test } from "node:test";
import {
  assert,
  assertEquals,
  assertGreater,
  assertInstanceOf,
  assertRejects,
  assertThrows,
} from "@std/assert";
import { ConnectionError } from "../../lib/errors.ts";
import { type MemoryNetwork, memoryNetwork, type MemoryNetworkOptions } from "../../lib/transport/memory.ts";
import type { Address, Socket, SocketHandler } from "../../lib/transport/transport.ts";
import { FakeClock } from "../../lib/testing/fake_clock.ts";
import { seeded } from "../../lib/testing/seeded.ts";

const decoder = new TextDecoder();
const bytesOf = (text: string) => new TextEncoder().encode(text);

/** Writes down what happens to a socket, and when. */
class Diary implements SocketHandler {
  readonly lines: string[] = [];
  readonly socket: Socket;
  readonly #clock: FakeClock;

  constructor(clock: FakeClock, socket: Socket) {
    this.#clock = clock;
    this.socket = socket;
    socket.start(this);
  }

  data(chunk: Uint8Array): void {
    this.#note(chunk.length > 20 ? `${chunk.length} bytes` : decoder.decode(chunk));
  }

  written(): void {
    this.#note(`left ${this.socket.bufferedAmount}`);
  }

  end(): void {
    this.#note("end");
  }

  close(error?: Error): void {
    this.#note(`close ${(error as { code?: string } | undefined)?.code ?? "in order"}`);
  }

  #note(text: string): void {
    this.lines.push(`${this.#clock.now()} ${text}`);
  }
}

interface World {
  readonly clock: FakeClock;
  readonly network: MemoryNetwork;
  readonly address: Address;
  readonly client: Diary;
  readonly server: Diary;
}

/** Time passes, and promises get their turn. */
async function live(clock: FakeClock, ms: number): Promise<void> {
  for (const until = clock.now() + ms; clock.now() < until;) {
    clock.advance(Math.min(1, until - clock.now()));
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** A connection that has just opened, on a network where a packet takes `delay`. */
async function world(
  options: MemoryNetworkOptions & { delay?: number; jitter?: number } = {},
): Promise<World> {
  const clock = options.clock as FakeClock | undefined ?? new FakeClock();
  const network = memoryNetwork({ ...options, clock });
  network.shape({ delay: options.delay, jitter: options.jitter });
  let server: Socket | undefined;
  const { address } = await network.transport.listen!({ hostname: "server", port: 80 }, {
    accept: (socket) => void (server = socket),
  });
  const opening = network.transport.connect(address);
  await live(clock, 2 * ((options.delay ?? 0) + (options.jitter ?? 0)) + 1);
  const client = new Diary(clock, await opening);
  return { clock, network, address, client, server: new Diary(clock, server!) };
}

test("memory: a packet takes its delay, and opening takes both ways", async () => {
  const { clock, client, server } = await world({ delay: 30 });
  assertEquals(clock.now(), 61);
  client.socket.write(bytesOf("hello"));
  await live(clock, 29);
  assertEquals(server.lines, []);
  await live(clock, 2);
  assertEquals(server.lines, ["91 hello"]);
});

test("memory: each way has its own delay", async () => {
  const { clock, network, client, server } = await world();
  const began = clock.now();
  network.shape({ delay: 10 }, "to-server");
  network.shape({ delay: 50 }, "to-client");
  client.socket.write(bytesOf("there"));
  server.socket.write(bytesOf("back"));
  await live(clock, 100);
  assertEquals(server.lines, [`${began + 10} there`]);
  assertEquals(client.lines, [`${began + 50} back`]);
});

test("memory: jitter never reorders", async () => {
  const random = seeded(7);
  const clock = new FakeClock(0, random);
  const { client, server } = await world({ clock, delay: 5, jitter: 40 });
  let sent = "";
  for (let i = 0; i < 50; i++) {
    const text = String(i % 10);
    sent += text;
    client.socket.write(bytesOf(text));
    await live(clock, 3);
  }
  await live(clock, 100);
  assertEquals(server.lines.map((line) => line.split(" ")[1]).join(""), sent);
});

test("memory: a cut stalls, and what was sent arrives after it is healed", async () => {
  const { clock, network, client, server } = await world({ delay: 10 });
  client.socket.write(bytesOf("on its way, "));
  network.cut();
  client.socket.write(bytesOf("sent in vain, "));
  client.socket.shutdown();
  await live(clock, 1_000);
  assertEquals(server.lines, []);
  network.heal();
  const healed = clock.now();
  client.socket.write(bytesOf("not counted"));
  await live(clock, 50);
  // One delivery, as all of it set out again together; and then the end.
  assertEquals(server.lines, [`${healed + 10} 26 bytes`, `${healed + 10} end`]);
});

test("memory: a cut of one way lets the other pass", async () => {
  const { clock, network, client, server } = await world();
  network.cut("to-client");
  client.socket.write(bytesOf("ask"));
  await live(clock, 10);
  server.socket.write(bytesOf("answer"));
  await live(clock, 1_000);
  assertEquals(server.lines.length, 1);
  assertEquals(client.lines, []);
  network.heal();
  await live(clock, 10);
  assertEquals(client.lines.length, 1);
});

test("memory: a reset across a cut is lost, and found by the next write", async () => {
  const { clock, network, client, server } = await world();
  network.cut();
  client.socket.abort();
  await live(clock, 100);
  assertEquals(client.lines.map((line) => line.split(" ").slice(1).join(" ")), ["close in order"]);
  assertEquals(server.lines, []);
  network.heal();
  await live(clock, 10_000);
  assertEquals(server.lines, []); // Half-open: it has no way of knowing.
  server.socket.write(bytesOf("anybody there?"));
  await live(clock, 10);
  assertEquals(server.lines.map((line) => line.split(" ").slice(1).join(" ")), ["close ECONNRESET"]);
  assertEquals(network.links.length, 0);
});

test("memory: reset breaks both ends, also across a cut", async () => {
  const { clock, network, client, server } = await world({ delay: 10 });
  network.cut();
  const [link] = network.links;
  link!.reset();
  await live(clock, 1);
  for (const { lines } of [client, server]) {
    assertEquals(lines, [`${lines[0]!.split(" ")[0]} close ECONNRESET`]);
  }
  assertEquals(network.links.length, 0);
});

test("memory: the kernel's room bounds what a sender gets rid of", async () => {
  const { clock, client, server } = await world({ bufferBytes: 1_000 });
  server.socket.pause();
  assertEquals(client.socket.write(new Uint8Array(600)), true);
  assertEquals(client.socket.write(new Uint8Array(600)), false);
  assertEquals(client.socket.bufferedAmount, 200);
  await live(clock, 1_000);
  assertEquals([client.lines, server.lines], [[], []]);
  const resumed = clock.now();
  server.socket.resume();
  await live(clock, 10);
  assertEquals(client.lines, [`${resumed} left 0`]);
  assertEquals(server.lines.map((line) => line.split(" ").slice(1).join(" ")), ["1000 bytes", "200 bytes"]);
});

test("memory: a cut of the acknowledgements holds the sender back", async () => {
  const { clock, network, client, server } = await world({ bufferBytes: 1_000 });
  network.cut("to-client");
  client.socket.write(new Uint8Array(3_000));
  await live(clock, 100);
  assertEquals(client.socket.bufferedAmount, 2_000);
  assertEquals(server.lines.length, 1);
  network.heal();
  await live(clock, 100);
  assertEquals(client.socket.bufferedAmount, 0);
});

test("memory: split cuts what arrives into chunks, and one turn glues what was sent together", async () => {
  const { clock, client, server } = await world({ split: (available) => Math.min(available, 4) });
  client.socket.write(bytesOf("ab"));
  client.socket.write(bytesOf("cdefgh"));
  client.socket.write(bytesOf("ij"));
  await live(clock, 10);
  assertEquals(server.lines.map((line) => line.split(" ")[1]), ["abcd", "efgh", "ij"]);
});

test("memory: split that answers nonsense still makes progress", async () => {
  for (const answer of [0, -5, 1e9, 2.5, NaN]) {
    const { clock, client, server } = await world({ split: () => answer });
    client.socket.write(bytesOf("abcdef"));
    await live(clock, 50);
    assertEquals(server.lines.map((line) => line.split(" ")[1]).join(""), "abcdef", String(answer));
  }
});

test("memory: a chunk that was lent is spent after the call, and one that was kept is not", async () => {
  const { clock, client, server } = await world();
  const seen: Uint8Array[] = [];
  server.data = (chunk) => {
    seen.push(chunk);
    if (seen.length === 2) return true as unknown as void;
  };
  client.socket.write(bytesOf("lent"));
  await live(clock, 5);
  client.socket.write(bytesOf("kept"));
  await live(clock, 5);
  assertEquals(seen[0], new Uint8Array(4).fill(0xdb));
  assertEquals(decoder.decode(seen[1]), "kept");
});

test("memory: a dial that is cut off waits, and goes through once healed", async () => {
  const { clock, network, address } = await world();
  network.cut();
  const dialling = network.transport.connect(address, { timeout: 5_000 });
  await live(clock, 1_000);
  network.heal();
  await live(clock, 5);
  (await dialling).abort();
});

test("memory: a dial gives up at its timeout, on the network's clock", async () => {
  const { clock, network, address } = await world();
  network.cut();
  const began = clock.now();
  const dialling = assertRejects(() => network.transport.connect(address, { timeout: 300 }), ConnectionError);
  await live(clock, 299);
  assertEquals(network.links.length, 2);
  await live(clock, 2);
  assertEquals((await dialling).code, "connect-timeout");
  assertGreater(clock.now(), began + 299);
  assertEquals(network.links.length, 1);
});

test("memory: a reset while dialling fails the dial", async () => {
  const { clock, network, address } = await world({ delay: 50 });
  const dialling = assertRejects(() => network.transport.connect(address), ConnectionError);
  await live(clock, 10);
  network.reset();
  await live(clock, 1);
  const error = await dialling;
  assertEquals([error.code, error.systemCode], ["connect-failed", "ECONNRESET"]);
});

test("memory: faults of one address leave the others alone", async () => {
  const { clock, network, client, server } = await world();
  const other = { hostname: "other", port: 80 };
  const accepted: Diary[] = [];
  await network.transport.listen!(other, {
    accept: (socket) => void accepted.push(new Diary(clock, socket)),
  });
  const opening = network.transport.connect(other);
  await live(clock, 5);
  const socket = await opening;
  network.to(other).cut();
  socket.write(bytesOf("held"));
  client.socket.write(bytesOf("passes"));
  await live(clock, 100);
  assertEquals(server.lines.length, 1);
  assertEquals(accepted[0]!.lines, []);
  const dialling = network.transport.connect(other); // A connection to come is cut too.
  await live(clock, 100);
  assertEquals(network.links.length, 3);
  network.to(other).heal();
  await live(clock, 10);
  assertEquals(accepted[0]!.lines.length, 1);
  (await dialling).abort();
});

test("memory: cut and heal leave nothing behind for connections to come", async () => {
  const { clock, network, address } = await world();
  for (let i = 0; i < 100; i++) {
    network.cut();
    network.heal();
  }
  const dialling = network.transport.connect(address, { timeout: 100 });
  await live(clock, 5);
  (await dialling).abort();
});

test("memory: networks do not reach each other", async () => {
  const { clock, address } = await world();
  const elsewhere = memoryNetwork({ clock });
  const dialling = assertRejects(() => elsewhere.transport.connect(address), ConnectionError);
  await live(clock, 5);
  assertEquals((await dialling).systemCode, "ECONNREFUSED");
});

test("memory: nothing waits on the clock once all is closed", async () => {
  const { clock, network, client, server } = await world({ delay: 10, jitter: 5 });
  client.socket.write(bytesOf("bye"));
  client.socket.shutdown();
  await live(clock, 50);
  server.socket.shutdown();
  await live(clock, 50);
  assertEquals(client.lines.map((line) => line.split(" ").slice(1).join(" ")), ["end", "close in order"]);
  assertEquals(server.lines.map((line) => line.split(" ").slice(1).join(" ")), [
    "bye",
    "end",
    "close in order",
  ]);
  assertEquals(clock.pending, 0);
  assertEquals(network.links.length, 0);
});

/** A minute of random trouble; what came of it, line by line. */
async function trouble(seed: number): Promise<string[]> {
  const random = seeded(seed);
  const clock = new FakeClock(0, random);
  const { network, client, server } = await world({
    clock,
    delay: 5,
    jitter: 20,
    bufferBytes: 5_000,
    split: (available) => 1 + Math.floor(random() * available),
  });
  for (let i = 0; i < 60; i++) {
    const lot = random();
    if (lot < 0.3) client.socket.write(new Uint8Array(Math.floor(random() * 3_000)));
    else if (lot < 0.6) server.socket.write(new Uint8Array(Math.floor(random() * 3_000)));
    else if (lot < 0.7) network.cut(random() < 0.5 ? "to-server" : "both");
    else if (lot < 0.9) network.heal();
    else if (lot < 0.95) client.socket.pause();
    else client.socket.resume();
    await live(clock, Math.ceil(random() * 20));
  }
  network.heal();
  client.socket.resume();
  client.socket.shutdown();
  server.socket.shutdown();
  await live(clock, 1_000);
  assertEquals(clock.pending, 0);
  assert(client.lines.at(-1)!.endsWith("close in order"), client.lines.at(-1));
  return [...client.lines, "--", ...server.lines];
}

test("memory: the same seed gives the same run, and another seed another", async () => {
  const first = await trouble(1);
  assertEquals(await trouble(1), first);
  assert((await trouble(2)).join("\n") !== first.join("\n"));
  assertGreater(first.length, 20);
});

test("memory: options are checked", () => {
  for (const bufferBytes of [0, -1, NaN]) {
    assertInstanceOf(assertThrows(() => memoryNetwork({ bufferBytes })), RangeError);
  }
});
