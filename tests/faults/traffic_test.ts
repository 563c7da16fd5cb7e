/**
 * Connections that are well, or merely odd: beats on their grid, every byte as it was sent, ends in good order; and two
 * that take and give nothing.
 *
 * @module
 */

import { assert, assertEquals, assertGreater, assertLessOrEqual, assertStrictEquals } from "@std/assert";
import { residentMemory } from "../support/proc_net.ts";
import { pause } from "../support/processes.ts";
import {
  all,
  assertUnharmed,
  bearable,
  BOUND,
  check,
  exchange,
  type FaultServer,
  INTERVAL,
  note,
  SLACK,
  span,
  startPeers,
  startServer,
  TIMEOUT,
} from "./lab.ts";

const MIB = 1024 * 1024;

check(
  "what is well stays well: beats, odd chunks, much data, half an end, and silence beside them",
  async () => {
    // One after another they would disturb what is measured by their start.
    const [server, alone, lines] = await Promise.all([
      startServer({ options: { firstByteTimeout: TIMEOUT } }),
      startServer(),
      startServer({ protocol: "lines" }),
    ]);
    await all(quiet(server), busy(server), narrow(alone), spoken(lines));
  },
);

/** Beats on time, and heartbeats in odd chunks, with peers beside them that never say anything. */
async function quiet(server: FaultServer): Promise<void> {
  const beating = exchange<
    { mean: number; gap: number; grid: number[]; beats: number; echo: number; strays: number }
  >(
    "beats",
    server,
    12,
  );
  const glued = exchange<{ wrong: unknown[]; tried: number }>("glued", server);
  const { times } = await exchange<{ times: number[] }>("silent", server, 10);
  const { wrong, tried } = await glued;
  const { mean, gap, grid, beats, echo, strays } = await beating;
  // A beat that is late leaves no mark on those after it.
  const drift = Math.min(...grid.slice(-3).map((at, i) => Math.abs(at - (grid.length - 3 + i) * INTERVAL)));
  const { ended } = await server.report();

  note(1, "beats every 400 ms: mean", "off by <= 20 ms", `${(mean - INTERVAL).toFixed(1)} ms`);
  note(1, "beats: longest gap", `<= ${INTERVAL + SLACK} ms`, `${Math.round(gap)} ms`);
  note(1, "beats: drift after 11", `<= ${INTERVAL / 4} ms`, `${Math.round(drift)} ms`);
  note(1, "echo beside them", "<= 500 ms", `${Math.round(echo)} ms`);
  note(2, "merged and torn heartbeats", "0 bytes altered", `${wrong.length} of ${tried} wrong`);
  note(10, "10 connect and say nothing", `gone after ${TIMEOUT}..${BOUND} ms`, span(times));
  assertStrictEquals(beats, 12);
  assertStrictEquals(strays, 0);
  assertLessOrEqual(Math.abs(mean - INTERVAL), Math.max(0.05 * INTERVAL, 15));
  assertLessOrEqual(gap, INTERVAL + SLACK);
  assertLessOrEqual(drift, INTERVAL / 4);
  assertLessOrEqual(echo, bearable(500));
  assertEquals(wrong, []);
  assertStrictEquals(times.length, 10);
  for (const time of times) {
    assertLessOrEqual(TIMEOUT, time + 1);
    assertLessOrEqual(time, BOUND);
  }
  // The peer that beats has asked, and was not among them.
  assertStrictEquals(ended.filter(({ code }) => code === "first-byte-timeout").length, 10);
}

/** Much data, in odd pieces, and a peer that ends its half first. */
async function busy(server: FaultServer): Promise<void> {
  const neighbours = await startPeers("polite", server, 10);
  await pause(INTERVAL);
  const garbage = await exchange<{ bytes: number; wrong: number }>("garbage", server);
  const transfer = await exchange<{ bytes: number; exact: boolean; time: number }>("transfer", server);
  const half = await exchange<{ exact: boolean; end: string; time: number }>("half", server);
  const felt = await neighbours.report();

  note(
    3,
    `${garbage.bytes} odd bytes in odd pieces`,
    "0 altered",
    `${garbage.wrong} altered`,
  );
  note(4, "8 MiB there and back", "exact, <= 10000 ms", `${transfer.exact}, ${Math.round(transfer.time)} ms`);
  note(4, "neighbours", "0 lost, p99 <= 150 ms", `${felt.lost} lost, ${Math.round(felt.p99)} ms`);
  note(
    8,
    "64 KiB, then FIN",
    "all back, FIN <= 1000 ms",
    `${half.exact}, ${half.end}, ${Math.round(half.time)} ms`,
  );
  assertStrictEquals(garbage.wrong, 0);
  assert(transfer.exact, `${transfer.bytes} came back, or others`);
  assertLessOrEqual(transfer.time, 10_000);
  assert(half.exact);
  assertStrictEquals(half.end, "FIN");
  assertLessOrEqual(half.time, 1_000);
  assertUnharmed(felt);
}

/** One that sends as much as it can through a small window, and reads nothing. */
async function narrow(server: FaultServer): Promise<void> {
  const neighbours = await startPeers("polite", server, 5);
  await pause(INTERVAL);
  const before = residentMemory(server.pid);
  let peak = before;
  const timer = setInterval(() => peak = Math.max(peak, residentMemory(server.pid)), 25);
  let found;
  try {
    found = await exchange<{ sent: number; cut: number | null }>("narrow", server);
  } finally {
    clearInterval(timer);
  }
  const felt = await neighbours.report();
  const growth = peak - before;
  note(
    16,
    "reads nothing, window 8 KiB",
    `cut <= ${BOUND} ms after its last byte`,
    `${Math.round(found.cut!)} ms`,
  );
  note(16, "reads nothing, window 8 KiB", "<= 64 MiB more", `${Math.round(growth / MIB)} MiB more`);
  note(16, "neighbours", "0 lost, p99 <= 150 ms", `${felt.lost} lost, ${Math.round(felt.p99)} ms`);
  assertGreater(found.sent, 4096);
  assertLessOrEqual(found.cut ?? Infinity, BOUND);
  assertLessOrEqual(growth, 64 * MIB);
  assertEquals(await codes(server), ["write-stalled"]);
  assertUnharmed(felt);
}

/** A protocol in which a ping is a line, and so is its answer. */
async function spoken(server: FaultServer): Promise<void> {
  const { pings, cut, lost, echo } = await exchange<
    { pings: number; cut: number | null; lost: boolean; echo: number }
  >("lines", server, 3_500);
  note(9, "lines: no answer to PING", `gone after ${TIMEOUT}..${BOUND} ms`, `${Math.round(cut ?? NaN)} ms`);
  note(9, "lines: neighbour that answers", "0 lost, > 3 answers", `${lost ? 1 : 0} lost, ${pings} answers`);
  assertLessOrEqual(TIMEOUT, cut ?? 0);
  assertLessOrEqual(cut ?? Infinity, BOUND);
  assertStrictEquals(lost, false);
  assertGreater(pings, 3);
  assertLessOrEqual(echo, bearable(500));
  assert((await codes(server)).includes("heartbeat-timeout"));
}

/** How its connections ended that did not end in good order, or by a peer that just left. */
async function codes(server: FaultServer): Promise<string[]> {
  const { ended } = await server.report();
  return ended.map(({ code }) => code).filter((code) => code !== "closed" && code !== "reset");
}
