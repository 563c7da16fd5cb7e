/**
 * Every ordered pair of Deno, Bun and Node as server and client, as real processes.
 *
 * Each runtime that runs this is the server of its three pairs, so that together they are nine.
 *
 * @module
 */

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import {
  assertEquals,
  assertGreater,
  assertGreaterOrEqual,
  assertLess,
  assertStrictEquals,
} from "@std/assert";
import { killAll, launch } from "../support/processes.ts";
import { commandFor } from "../support/runtime.ts";
import { type EndReport, type Ports, SIZE } from "./programs/pair.ts";

const path = (url: string) => fileURLToPath(new URL(url, import.meta.url));
const SERVER = path("programs/pair_server.ts"), CLIENT = path("programs/pair_client.ts");
const BIN = path("../../node_modules/.bin");
const MAP = path("../support/import_map.json");

/** How to run a program on a runtime. */
const RUNTIMES: Readonly<Record<string, readonly string[]>> = {
  deno: ["run", "-A", "--no-lock", "--no-check", "--import-map", MAP],
  bun: ["run"],
  node: ["--import", "tsx"],
};

const { versions } = process as { versions: Record<string, string | undefined> };
const own = versions.deno !== undefined ? "deno" : versions.bun !== undefined ? "bun" : "node";

/** Where a runtime is: this one, one of the devDependencies, or one that everybody has. */
function find(name: string): string | undefined {
  if (name === own) return process.execPath;
  // Node's own is everybody's.
  const folders = (name === "node" ? [] : [BIN]).concat(process.env["PATH"]!.split(delimiter));
  return folders.map((folder) => join(folder, name)).find((file) =>
    existsSync(file) && spawnSync(file, ["--version"]).status === 0
  );
}

interface ClientReport extends EndReport {
  readonly rtt?: number;
}

for (const [name, args] of Object.entries(RUNTIMES)) {
  const program = find(name);
  const skip = program === undefined ? `${name} is not installed` : false;
  if (skip) console.log(`skipped: ${skip}`);

  test(
    `a server on ${own} and a client on ${name} understand each other`,
    { timeout: 60_000, skip },
    async () => {
      try {
        await meet(name === own ? commandFor(CLIENT, []) : [program!, ...args, CLIENT]);
      } finally {
        await killAll();
      }
    },
  );
}

async function meet(client: readonly string[]): Promise<void> {
  const server = launch(commandFor(SERVER, []));
  const ports = await server.told<Ports>();
  const peer = launch([...client, JSON.stringify(ports)]);

  // Whoever began says so, and both say that it ended in good order.
  const both = async <T>(origin: "local" | "peer") => {
    const here = await peer.told<T & ClientReport>(), there = await server.told<EndReport>();
    assertEquals([here.code, here.origin], ["closed", origin]);
    assertEquals([there.code, there.origin], ["closed", origin === "local" ? "peer" : "local"]);
    return { here, there };
  };

  const requests = await both<{ answered: number }>("local");
  assertStrictEquals(requests.here.answered, 50);
  for (const { beatsReceived } of [requests.here, requests.there]) assertGreaterOrEqual(beatsReceived, 3);

  const halfClose = await both<{ whole: boolean }>("local");
  assertStrictEquals(halfClose.here.whole, true);

  const bulk = await both<{ exact: boolean; received: number }>("local");
  assertStrictEquals(bulk.here.received, SIZE);
  assertStrictEquals(bulk.here.exact, true);
  assertStrictEquals(bulk.there.bytesReceived, SIZE);

  const chat = await both<{ answers: unknown[]; done: boolean }>("peer");
  assertEquals(chat.here.answers, ["HELLO", "STRASSE", ""]);
  assertStrictEquals(chat.here.done, true);
  assertStrictEquals(chat.there.messagesReceived, 4);
  // Both ask when it is quiet, and one that was asked is quiet no more: at least one of them has had answers.
  assertGreater(chat.here.pongsReceived + chat.there.pongsReceived, 1);
  assertGreater(chat.here.beatsReceived + chat.there.beatsReceived, 1);
  if (chat.here.pongsReceived > 0) assertLess(chat.here.rtt!, 1_000);

  assertStrictEquals(await peer.ended(), 0);
  server.closeInput();
  assertStrictEquals(await server.ended(), 0);
}
