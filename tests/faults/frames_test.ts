/**
 * Peers that speak frames, and break the rules of life or of the protocol: each is found in time, and a good one beside
 * them feels nothing.
 *
 * @module
 */

import { assertEquals, assertGreater, assertLessOrEqual, assertStrictEquals } from "@std/assert";
import { residentMemory } from "../support/proc_net.ts";
import { pause } from "../support/processes.ts";
import {
  assertUnharmed,
  bearable,
  BOUND,
  check,
  INTERVAL,
  note,
  startFramed,
  startServer,
  type Summary,
  TIMEOUT,
} from "./lab.ts";

const MIB = 1024 * 1024;

/** What the longest message of the server is, and one byte. */
const TOO_LONG = 32_769;

/** How long what is plainly wrong may last. */
const AT_ONCE = 1_000;

/** What is to be found of a bad peer. */
interface Bad {
  readonly row: number;
  readonly kind: string;
  readonly argument?: number;
  readonly what: string;
  /** When it may be cut, in milliseconds since it went wrong. */
  readonly from?: number;
  readonly to: number;
  readonly codes: readonly string[];
}

const BAD: readonly Bad[] = [
  {
    row: 31,
    kind: "mute",
    what: "answers no ping",
    from: TIMEOUT,
    to: BOUND,
    codes: ["heartbeat-timeout"],
  },
  {
    row: 32,
    kind: "forging",
    argument: 0.3 * INTERVAL,
    what: "pongs that nobody asked for",
    from: TIMEOUT,
    to: BOUND,
    codes: ["heartbeat-timeout"],
  },
  {
    row: 34,
    kind: "oversize",
    argument: TOO_LONG,
    what: "header of a frame that is too long",
    to: AT_ONCE,
    codes: ["protocol-error"],
  },
  { row: 35, kind: "garbage", what: "64 KiB garbage", to: AT_ONCE, codes: ["protocol-error", "reset"] },
  {
    row: 35,
    kind: "stranger",
    what: "64 KiB garbage, no greeting",
    to: AT_ONCE,
    // The application never hears of it.
    codes: ["unknown"],
  },
  {
    row: 36,
    kind: "halved",
    what: "half a frame, then silence",
    to: BOUND,
    codes: ["frame-timeout", "heartbeat-timeout"],
  },
  {
    row: 37,
    kind: "trickling",
    argument: 0.3 * TIMEOUT,
    what: "a byte of a frame every 360 ms",
    from: TIMEOUT,
    to: BOUND,
    codes: ["frame-timeout"],
  },
];

check("of peers that speak frames the bad ones are cut in time, and the good ones feel nothing", async () => {
  const server = await startServer({ protocol: "frames", options: { frameTimeout: TIMEOUT } });
  const neighbours = await Promise.all([startFramed("polite", server), startFramed("polite", server)]);
  const asking = await startFramed("asking", server, { argument: Math.round(2.2 * BOUND) });
  await pause(INTERVAL);
  const surplus = await server.surplus();

  const remotes = new Map<Bad, string>();
  let growth = 0;
  // One after another: their interpreters would take the processor from the one that is measured.
  const peers: Promise<number | null>[] = [];
  for (const bad of BAD) {
    const before = residentMemory(server.pid);
    const peer = await startFramed(bad.kind, server, { argument: bad.argument ?? 0 });
    remotes.set(bad, peer.remote);
    const cut = peer.told<{ cut: number | null }>().then(({ cut }) => cut);
    peers.push(cut);
    if (bad.row !== 34) continue;
    await cut;
    growth = residentMemory(server.pid) - before;
  }
  const results = await Promise.all(peers);

  const beforeFlood = residentMemory(server.pid);
  let peak = beforeFlood;
  const timer = setInterval(() => peak = Math.max(peak, residentMemory(server.pid)), 25);
  let flood;
  try {
    flood = await (await startFramed("flooding", server)).told<{ cut: number; pings: number }>();
  } finally {
    clearInterval(timer);
  }
  const asked = await asking.told<{ pongs: number; lost: number; slowest: number; wrong: number }>();
  const felt = await Promise.all(neighbours.map((peer) => {
    peer.tell("report");
    return peer.told<Summary>();
  }));
  const { ended } = await server.report();

  note(
    30,
    "pings, whole and byte by byte",
    "0 lost, 0 wrong, pong <= 200 ms",
    `${asked.lost} lost, ${asked.wrong} wrong of ${asked.pongs}, ${Math.round(asked.slowest)} ms`,
  );
  const code = (remote: string | undefined) => ended.find((end) => end.remote === remote)?.code ?? "unknown";
  for (const [i, bad] of BAD.entries()) {
    const { row, what, from, to } = bad;
    const bound = from === undefined ? `cut <= ${to} ms` : `cut after ${from}..${to} ms`;
    const cut = results[i];
    note(row, what, bound, `${Math.round(cut ?? NaN)} ms, ${code(remotes.get(bad))}`);
  }
  note(34, "header of a frame that is too long", "<= 8 MiB more", `${(growth / MIB).toFixed(1)} MiB more`);
  note(33, "flood of pings", "cut <= 2000 ms", `${Math.round(flood.cut)} ms after ${flood.pings} pings`);
  note(33, "flood of pings", "<= 64 MiB more", `${((peak - beforeFlood) / MIB).toFixed(1)} MiB more`);
  const p99 = Math.max(...felt.map(({ p99 }) => p99));
  const lost = felt.reduce((sum, { lost }) => sum + lost, 0);
  note(33, "neighbours of them all", "0 lost, p99 <= 150 ms", `${lost} lost, p99 ${Math.round(p99)} ms`);

  assertStrictEquals(asked.lost, 0);
  assertStrictEquals(asked.wrong, 0);
  assertGreater(asked.pongs, 10);
  assertLessOrEqual(asked.slowest, bearable(200));
  for (const [i, bad] of BAD.entries()) {
    const { from = 0, to, codes, what } = bad;
    const cut = results[i] ?? Infinity;
    assertLessOrEqual(from, cut, what);
    assertLessOrEqual(cut, to, what);
    assertEquals(codes.includes(code(remotes.get(bad))), true, `${what}: ${code(remotes.get(bad))}`);
  }
  assertLessOrEqual(growth, 8 * MIB);
  assertLessOrEqual(flood.cut, 2_000);
  assertLessOrEqual(peak - beforeFlood, 64 * MIB);
  assertStrictEquals(ended.filter(({ code }) => code === "too-many-pings").length, 1);
  for (const summary of felt) assertUnharmed(summary);
  await pause(INTERVAL / 2);
  assertLessOrEqual(await server.surplus(), surplus);
});
