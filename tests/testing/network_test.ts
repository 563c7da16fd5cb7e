import { test } from "node:test";
import { assert, assertEquals, assertGreater, assertThrows } from "@std/assert";
import { connect } from "../../lib/client.ts";
import type { Connection } from "../../lib/connection.ts";
import { lines } from "../../lib/protocol/lines.ts";
import { raw } from "../../lib/protocol/raw.ts";
import { serve } from "../../lib/server.ts";
import { type TestNetwork, testNetwork, type TestNetworkOptions } from "../../lib/testing/network.ts";

const HERE = { hostname: "here.test", port: 7 };
const THERE = { hostname: "there.test", port: 7 };
const HEARTBEAT = { interval: 1_000, timeout: 500 };

/** A server at `where` that answers each line in upper case. */
async function shouting({ clock, transport }: TestNetwork, where = HERE): Promise<void> {
  await serve({ ...where, transport, clock, protocol: lines(), heartbeat: false }, (connection) => {
    connection.onMessage = (line) => connection.send(line.toUpperCase());
  });
}

/** A client that keeps what it hears. */
async function client({ clock, transport }: TestNetwork, where = HERE) {
  const connection = await clock.until(
    connect(where, { transport, clock, protocol: lines(), heartbeat: HEARTBEAT }),
  );
  const heard: string[] = [];
  connection.onMessage = (line) => void heard.push(line);
  return { connection, heard };
}

async function code({ clock }: TestNetwork, { closed }: Connection<string>): Promise<string> {
  return (await clock.until(closed)).code;
}

test("A test network takes its time", async () => {
  const network = testNetwork({ delay: 30 });
  await shouting(network);
  const { connection, heard } = await client(network);
  const opened = network.clock.now();
  assertEquals(opened, 60);
  await connection.send("hello");
  await network.clock.run(59);
  assertEquals(heard, []);
  await network.clock.run(1);
  assertEquals(heard, ["HELLO"]);
});

test("An hour of heartbeats over a slow network is over at once", async () => {
  const network = testNetwork({ delay: 100, jitter: 100 });
  await shouting(network);
  const { connection } = await client(network);
  await network.clock.run(3_600_000);
  assertEquals(connection.state, "open");
  assertGreater(connection.stats().bytesReceived, 2_500 * "PONG\n".length);
});

/** What a client hears when, with a lot of chance in it. */
async function story(options: TestNetworkOptions): Promise<string> {
  const network = testNetwork({ delay: 10, jitter: 50, split: true, ...options });
  await shouting(network);
  const { connection } = await client(network);
  const told: string[] = [];
  connection.onMessage = (line) => void told.push(`${network.clock.now()} ${line}`);
  for (let i = 0; i < 20; i++) {
    await connection.send(`line ${i}`);
    await network.clock.run(15);
  }
  await network.clock.run(1_000);
  assertEquals(
    told.map((line) => line.replace(/.* LINE /, "")),
    Array.from({ length: 20 }, (_, i) => `${i}`),
  );
  return told.join("\n");
}

test("The same seed gives the same run, another one another", async () => {
  assertEquals(await story({ seed: 5 }), await story({ seed: 5 }));
  assert(await story({ seed: 5 }) !== await story({ seed: 6 }), "the seed changes nothing");
});

test("split delivers what was sent in pieces", async () => {
  const sizes: number[] = [];
  const { clock, transport } = testNetwork({ split: true });
  await serve({ ...HERE, transport, clock, protocol: raw(), heartbeat: false }, (connection) => {
    connection.onMessage = (bytes) => void sizes.push(bytes.length);
  });
  const connection = await clock.until(connect(HERE, { transport, clock, heartbeat: false }));
  await connection.send(new Uint8Array(10_000));
  await clock.run(1);
  assertGreater(sizes.length, 1);
  assertEquals(sizes.reduce((sum, size) => sum + size, 0), 10_000);
});

test("cut() is silence, one way or both, until heal()", async () => {
  for (const direction of ["to-server", "to-client", "both"] as const) {
    const network = testNetwork();
    await shouting(network);
    const { connection, heard } = await client(network);
    network.cut(direction);
    await connection.send("hello");
    await network.clock.run(1_000);
    assertEquals(heard, [], direction);
    network.heal();
    await network.clock.run(0);
    assertEquals(heard, ["HELLO"], direction);

    network.cut(direction);
    assertEquals(await code(network, connection), "heartbeat-timeout", direction);
  }
});

test("reset() breaks connections", async () => {
  const network = testNetwork();
  await shouting(network);
  const { connection } = await client(network);
  network.reset();
  assertEquals(await code(network, connection), "reset");
});

test("A stalled server takes what its kernel holds, and no more", async () => {
  const network = testNetwork({ bufferBytes: 1_000 });
  const { clock } = network;
  await shouting(network);
  const { connection, heard } = await client(network);
  network.stall("server");
  await connection.send("hello");
  await connection.send("x".repeat(5_000));
  await clock.run(100);
  assertEquals(heard, []);
  assertGreater(connection.stats().bytesSent, 1_000);
  network.heal();
  await clock.run(100);
  assertEquals(heard.map((line) => line.length), [5, 5_000]);

  network.stall("server");
  await connection.send("y".repeat(5_000));
  assertEquals(await code(network, connection), "write-stalled");
});

test("A stalled client hears nothing, and what it sends arrives", async () => {
  const network = testNetwork();
  await shouting(network);
  const { connection, heard } = await client(network);
  network.stall("client");
  await connection.send("hello");
  await network.clock.run(100);
  assertEquals(heard, []);
  network.heal();
  await network.clock.run(0);
  assertEquals(heard, ["HELLO"]);
});

test("A stall is in force for connections to come", async () => {
  const network = testNetwork();
  await shouting(network);
  network.stall("server");
  const { connection } = await client(network);
  assertEquals(await code(network, connection), "heartbeat-timeout");
});

test("to() works on the connections to one address", async () => {
  const network = testNetwork();
  await shouting(network, HERE);
  await shouting(network, THERE);
  const here = await client(network, HERE), there = await client(network, THERE);

  for (const fault of ["cut", "stall"] as const) {
    if (fault === "cut") network.to(THERE).cut();
    else network.to(THERE).stall("server");
    for (const { connection } of [here, there]) await connection.send(fault);
    await network.clock.run(100);
    network.to(HERE).heal();
    await network.clock.run(100);
    assertEquals([here.heard, there.heard], [[fault.toUpperCase()], []]);
    network.to(THERE).heal();
    await network.clock.run(0);
    assertEquals(there.heard, [fault.toUpperCase()]);
    here.heard.length = there.heard.length = 0;
  }

  network.to(THERE).reset();
  assertEquals(await code(network, there.connection), "reset");
  assertEquals(here.connection.state, "open");
});

test("One link can be cut alone", async () => {
  const network = testNetwork();
  await shouting(network);
  const first = await client(network), second = await client(network);
  network.links[0]!.cut();
  for (const { connection } of [first, second]) await connection.send("hello");
  await network.clock.run(100);
  assertEquals([first.heard, second.heard], [[], ["HELLO"]]);
});

test("Weather that cannot be is refused", () => {
  for (const name of ["delay", "jitter"]) {
    assertThrows(() => testNetwork({ [name]: -1 }), RangeError, `"${name}" must be >= 0`);
    assertThrows(() => testNetwork({ [name]: NaN }), RangeError, `"${name}" must be >= 0`);
  }
  assertThrows(() => testNetwork({ bufferBytes: 0 }), RangeError, `"bufferBytes" must be > 0`);
});

test("Nothing is left once all has ended", async () => {
  const network = testNetwork();
  const { clock, transport } = network;
  const server = await serve({ ...HERE, transport, clock, protocol: lines() }, (connection) => {
    connection.onMessage = () => {};
  });
  const { connection } = await client(network);
  network.stall("client");
  network.heal();
  connection.close();
  await clock.until(server.drain());
  await clock.until(connection.closed);
  await clock.run(60_000);
  assertEquals([network.links.length, clock.pending], [0, 0]);
});
