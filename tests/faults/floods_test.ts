/**
 * Peers that take more than their share: memory stays bounded, nobody starves, and nothing is sent back manifold.
 *
 * @module
 */

import { assertLessOrEqual, assertStrictEquals } from "@std/assert";
import { residentMemory } from "../support/proc_net.ts";
import { pause } from "../support/processes.ts";
import {
  assertUnharmed,
  bearable,
  BOUND,
  check,
  INTERVAL,
  note,
  SLOWEST_ANSWER,
  startPeers,
  startServer,
  type Summary,
} from "./lab.ts";

const MIB = 1024 * 1024;

/** What 40 peers that never read may cost, all of them together. */
const MEMORY = 128 * MIB;

check("40 peers that never read cost bounded memory, and nobody else time", async () => {
  const server = await startServer();
  const neighbours = await startPeers("polite", server, 10);
  await pause(INTERVAL);
  const surplus = await server.surplus();
  const before = residentMemory(server.pid);
  let peak = before;
  const timer = setInterval(() => peak = Math.max(peak, residentMemory(server.pid)), 25);

  const peers = [await startPeers("deaf", server, 20), await startPeers("flooding", server, 20)];
  for (const until = performance.now() + 3 * BOUND; performance.now() < until;) {
    await pause(100);
    if ((await server.report()).ended.length >= 40) break;
  }
  clearInterval(timer);
  const { now, ended } = await server.report();
  const felt = await neighbours.report();
  note(17, "40 never read: memory", "<= 128 MiB more", `${Math.round((peak - before) / MIB)} MiB more`);
  note(17, "40 never read: neighbours", "p99 <= 150 ms, gap <= 650 ms", times(felt));

  assertStrictEquals(ended.filter(({ code }) => code === "write-stalled").length, 40);
  assertStrictEquals(now, 10);
  assertStrictEquals(await server.surplus() <= surplus, true);
  assertLessOrEqual(peak - before, MEMORY);
  assertUnharmed(felt);
  for (const { kill } of peers) kill("SIGKILL");
});

check("a flood of heartbeats starves nobody and is not echoed", async () => {
  const server = await startServer();
  const neighbours = await startPeers("polite", server, 10);
  await pause(INTERVAL);
  const before = residentMemory(server.pid);
  const flood = await startPeers("tokens", server, 1, { argument: 2 });
  await pause(2_000 + INTERVAL);
  const { sent, echoed, burst, lost } = await flood.report<Summary & { sent: number; echoed: number }>();
  const growth = residentMemory(server.pid) - before;
  const felt = await neighbours.report();
  note(
    18,
    "flood of heartbeats",
    "0 echoed, <= 96 MiB more",
    `${echoed} of ${Math.round(sent / MIB)} MiB echoed, ${Math.round(growth / MIB)} MiB more`,
  );
  note(18, "flood: neighbours", "p99 <= 150 ms, gap <= 650 ms", times(felt));

  // Enough to be one: a server that stopped reading at once would pass all that follows.
  assertLessOrEqual(20 * MIB, sent);
  assertStrictEquals(echoed, 0);
  assertLessOrEqual(burst, 3);
  assertStrictEquals(lost, 0);
  assertLessOrEqual(growth, 96 * MIB);
  assertUnharmed(felt);
});

/** How many messages a flood must have brought, to be one. */
const MANY = 200_000;

check("a flood of tiny messages is not felt by the others, however they are taken", async () => {
  for (const iterate of [false, true]) {
    const server = await startServer({ protocol: "lines", iterate, options: { writeTimeout: 30_000 } });
    const neighbours = await startPeers("lines", server, 10);
    await pause(INTERVAL);
    const before = residentMemory(server.pid);
    const flood = await startPeers("tiny", server, 3, { argument: 2 });
    const { sent, echoed, lost } = await flood.told<{ sent: number; echoed: number; lost: number }>();
    const growth = residentMemory(server.pid) - before;
    const felt = await neighbours.report();
    const how = iterate ? "iterator" : "callback";
    note(18, `flood of empty lines, ${how}`, "p99 <= 150 ms", times(felt));
    const read = `${(echoed / 1e6).toFixed(1)} of ${(sent / 1e6).toFixed(1)} million handled`;
    note(
      18,
      `flood of empty lines, ${how}`,
      "<= 96 MiB more",
      `${Math.round(growth / MIB)} MiB more, ${read}`,
    );

    assertLessOrEqual(MANY, sent);
    assertLessOrEqual(MANY, echoed);
    assertStrictEquals(lost, 0);
    assertLessOrEqual(growth, 96 * MIB);
    assertLessOrEqual(felt.p99, bearable(SLOWEST_ANSWER));
    assertStrictEquals(felt.lost, 0);
  }
});

function times({ p50, p99, max, gap }: Summary): string {
  return `p50 ${Math.round(p50)} ms, p99 ${Math.round(p99)} ms, slowest ${Math.round(max)} ms, gap ${
    Math.round(gap)
  } ms`;
}
