import process from "node:process";
import { test } from "node:test";
import { assertLess } from "@std/assert";
import { lines } from "../lib/protocol/lines.ts";
import { FakeClock } from "../lib/testing/fake_clock.ts";
import type { FakeSocket } from "./support/fake_socket.ts";
import { live } from "./support/live.ts";

const HEARTBEAT = { interval: 100, timeout: 50 };

/** Collects garbage where the runtime lets us. */
async function collector(): Promise<(() => void) | undefined> {
  const { Bun } = globalThis as { Bun?: { gc(sync: boolean): void } };
  if (Bun !== undefined) return () => Bun.gc(true);
  const { setFlagsFromString } = await import("node:v8");
  const { runInNewContext } = await import("node:vm");
  try {
    setFlagsFromString("--expose-gc");
    return runInNewContext("gc") as () => void;
  } catch {
    return undefined;
  }
}

test("A silent connection is a few numbers, and a ping leaves nothing behind", async () => {
  const collect = await collector();
  if (collect === undefined) return console.log("skipped: garbage cannot be collected at will here");
  const heap = () => {
    for (let i = 0; i < 3; i++) collect();
    return process.memoryUsage().heapUsed;
  };
  const clock = new FakeClock(), N = 5_000;
  const sockets: FakeSocket[] = [];
  const open = () => {
    const { socket, connection } = live<string, string>({ protocol: lines(), heartbeat: HEARTBEAT }, clock);
    connection.onMessage = () => {};
    socket.write = () => true;
    sockets.push(socket);
  };
  const round = () => {
    clock.advance(110);
    const pong = new TextEncoder().encode("PONG\n");
    for (const socket of sockets) socket.handler!.data(pong);
  };
  for (let i = 0; i < 100; i++) open();
  for (let i = 0; i < 20; i++) round();
  const before = heap();
  for (let i = 0; i < N; i++) open();
  for (let i = 0; i < 3; i++) round();
  const opened = heap();
  for (let i = 0; i < 30; i++) round();
  const after = heap();
  assertLess((opened - before) / N, 6_000, "bytes of a connection, with the fake socket");
  assertLess((after - opened) / N, 200, "bytes that 30 pings left behind");
});
