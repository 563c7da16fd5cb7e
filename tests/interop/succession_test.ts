/**
 * A server process takes over from another, with the sessions of its clients.
 *
 * @module
 */

import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { assertEquals } from "@std/assert";
import { connect, frames } from "../../mod.ts";
import { start } from "../support/runtime.ts";

const SERVER = new URL("../session/programs/successor.ts", import.meta.url);
const CLIENTS = 20;
const MESSAGES = 200;

/** Runs clients against one server process and then its successor. Returns what came back, and how they ended. */
async function succeed(shared: boolean) {
  const folders = [0, 1].map(() => mkdtempSync(join(tmpdir(), "holdfast-")));
  const first = start(SERVER, [folders[0]!]);
  const port = Number(await first.line());
  let second: ReturnType<typeof start> | undefined;
  const options = { protocol: frames(), resume: true, reconnect: { initial: 50, max: 300 } };
  const clients = await Promise.all(Array.from({ length: CLIENTS }, async () => {
    const connection = await connect({ hostname: "127.0.0.1", port }, options);
    const back: string[] = [];
    connection.onMessage = (message) => void back.push(String(message));
    // The server can go once nothing is under way: who is told to go sends no more until it is elsewhere.
    let told = false;
    connection.onDrain = () => void (told = true);
    connection.onState = (state) => void (told &&= state !== "open");
    return { connection, back, waits: () => told && connection.state !== "closed" };
  }));
  try {
    const sending = clients.map(async ({ connection, waits }) => {
      for (let i = 0; i < MESSAGES; i++) {
        while (waits()) await new Promise((resolve) => setTimeout(resolve, 5));
        // Those whose session was lost are told so.
        await connection.send(`${i}`).catch(() => {});
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      await connection.flush().catch(() => {});
    });
    await new Promise((resolve) => setTimeout(resolve, 300));
    first.send("drain");
    assertEquals(await first.ended(), 0);
    const rest = readdirSync(folders[0]!).length;
    second = start(SERVER, [shared ? folders[0]! : folders[1]!, `${port}`]);
    await second.line();
    await Promise.all(sending);
    for (const { connection, back } of clients) {
      const end = performance.now() + 20_000;
      while (connection.state !== "closed" && back.length < MESSAGES && performance.now() < end) {
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
    const processes = new Set(clients.flatMap(({ back }) => back.map((line) => line.split(": ")[0]!)));
    const reasons = await Promise.all(clients.map(async ({ connection }) => {
      await connection.close();
      return await connection.closed;
    }));
    return { clients, rest, processes, reasons };
  } finally {
    for (const { connection } of clients) connection.abort();
    for (const program of [first, second]) {
      program?.kill("SIGKILL");
      await program?.ended();
    }
    for (const folder of folders) rmSync(folder, { recursive: true });
  }
}

test(
  "Sessions go on in the next process of a server, if both share the store",
  { timeout: 120_000 },
  async () => {
    const { clients, rest, processes, reasons } = await succeed(true);
    assertEquals([rest, processes.size], [CLIENTS, 2]);
    const expected = Array.from({ length: MESSAGES }, (_, i) => `${i}`);
    for (const { back } of clients) assertEquals(back.map((line) => line.split(": ")[1]), expected);
    assertEquals(new Set(reasons.map(({ code }) => code)), new Set(["closed"]));
  },
);

test(
  "Without a shared store the loss is told, with what was not acknowledged",
  { timeout: 120_000 },
  async () => {
    const { clients, reasons } = await succeed(false);
    assertEquals(new Set(reasons.map(({ code }) => code)), new Set(["session-lost"]));
    for (const [i, { unacknowledged }] of reasons.entries()) {
      // What came back was acknowledged, and what was not acknowledged was sent after it.
      const last = Number(clients[i]!.back.at(-1)!.split(": ")[1]);
      assertEquals(
        unacknowledged.map(Number).every((number) => number > last),
        true,
        `${last}: ${unacknowledged}`,
      );
    }
  },
);
