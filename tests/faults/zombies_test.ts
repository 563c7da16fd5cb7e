/**
 * Peers that are gone and do not say so: found in time, never too early, and to nobody else's harm.
 *
 * @module
 */

import {
  assert,
  assertEquals,
  assertGreaterOrEqual,
  assertLessOrEqual,
  assertStrictEquals,
} from "@std/assert";
import { buildHosts, type Direction } from "../support/namespace.ts";
import { Observer, tcpRows } from "../support/proc_net.ts";
import { pause } from "../support/processes.ts";
import {
  assertUnharmed,
  BOUND,
  check,
  INTERVAL,
  note,
  type Peers,
  SLACK,
  span,
  startPeers,
  startServer,
  type Summary,
  TIMEOUT,
} from "./lab.ts";

/** Peers that went wrong at some instant, and the latest at which they may be gone. */
interface Zombies {
  readonly row: number;
  readonly fault: string;
  readonly peers: Peers;
  readonly since: number;
  readonly bound: number;
  readonly code: string;
}

check("a zombie is gone in time, not too early, for good, and to nobody's harm", async () => {
  const hosts = buildHosts();
  const missing = "missing" in hosts ? hosts.missing : undefined;
  if (missing !== undefined) console.log(`skipped: black holes: ${missing}`);
  try {
    await haunt("missing" in hosts ? undefined : hosts);
  } finally {
    if (!("missing" in hosts)) hosts.remove();
  }
});

async function haunt(
  hosts: Exclude<ReturnType<typeof buildHosts>, { missing: string }> | undefined,
): Promise<void> {
  const server = await startServer({ hostname: "0.0.0.0", prefix: hosts?.onServer ?? [] });
  const local = { hostname: "127.0.0.1", port: server.port };
  const here = { prefix: hosts?.onServer ?? [] };
  const there = { hostname: hosts?.server ?? "", port: server.port };

  const neighbours = await startPeers("polite", local, 10, here);
  const cuts = hosts === undefined ? [] : await Promise.all(
    (["both", "to-server", "to-client"] as Direction[]).map(async (direction, i) => {
      const source = hosts.clients[i]!;
      const peers = await startPeers("talking", there, 10, { source, prefix: hosts.onClient });
      return { direction, source, peers };
    }),
  );
  const brief = hosts &&
    await startPeers("polite", there, 10, { source: hosts.clients[3]!, prefix: hosts.onClient });
  const stopped = await startPeers("talking", local, 10, here);
  await pause(INTERVAL + SLACK);
  const before = await server.surplus();

  const silent = [stopped, ...cuts.map(({ peers }) => peers)].flatMap(({ remotes }) => remotes);
  const observer = await Observer.watch(server.pid, silent);
  const zombies: Zombies[] = [];
  stopped.kill("SIGSTOP");
  zombies.push({
    row: 9,
    fault: "stopped",
    peers: stopped,
    since: performance.now(),
    bound: BOUND,
    code: "heartbeat-timeout",
  });
  for (const { direction, source, peers } of cuts) {
    hosts!.cut(source, direction);
    zombies.push({
      row: { both: 11, "to-server": 12, "to-client": 13 }[direction],
      fault: `black hole, ${direction}`,
      peers,
      since: performance.now(),
      // A peer that hears nothing is silent only once its kernel waits for an acknowledgement.
      bound: direction === "to-client" ? BOUND + INTERVAL : BOUND,
      code: "heartbeat-timeout",
    });
  }
  if (hosts !== undefined) {
    hosts.cut(hosts.clients[3]!, "both");
    await pause(0.35 * TIMEOUT);
    hosts.heal(hosts.clients[3]!);
  }
  const deaf = await startPeers("deaf", local, 5, here);
  const flooding = await startPeers("flooding", local, 5, here);
  const stuck = [...deaf.remotes, ...flooding.remotes];
  const queues = await Observer.watch(server.pid, stuck, true);

  await Promise.all([observer.gone(3 * BOUND), queues.gone(3 * BOUND)]);
  for (const { row, fault, peers, since, bound } of zombies) {
    const times = peers.remotes.map((remote) => (observer.of(remote).goneAt ?? Infinity) - since);
    note(row, fault, `gone after ${TIMEOUT}..${bound} ms`, span(times));
  }
  // A peer that does not read is a zombie from the last byte on that its kernel took.
  const stalls = (peers: Peers) =>
    peers.remotes.map((remote) => (queues.of(remote).goneAt ?? Infinity) - queues.of(remote).movedAt);
  note(16, "never reads, is sent data", `gone after at most ${BOUND} ms`, span(stalls(deaf)));
  note(16, "never reads, and floods", `gone after at most ${BOUND} ms`, span(stalls(flooding)));

  const all = [...silent, ...stuck];
  const left = tcpRows(server.pid).filter(({ local, remote }) =>
    local.endsWith(`:${server.port}`) && all.includes(remote)
  );
  const { ended } = await server.report();
  const surplus = await server.surplus();
  const felt = await neighbours.report<Summary>();
  const own = ended.filter(({ remote }) => stuck.includes(remote)).map(({ stuck }) => stuck);
  note(16, "never reads, as the server sees it", `gone after ${TIMEOUT}..${BOUND} ms`, span(own));
  note(11, "neighbours", "0 lost, p99 <= 150 ms, gap <= 650 ms", told(felt));
  note(11, "left in the kernel", server.reset ? "none" : "(no reset on this runtime)", `${left.length}`);

  for (const { peers, since, bound, code } of zombies) {
    for (const remote of peers.remotes) {
      const time = (observer.of(remote).goneAt ?? Infinity) - since;
      assertGreaterOrEqual(time, TIMEOUT);
      assertLessOrEqual(time, bound);
      const own = ended.find((end) => end.remote === remote);
      assertStrictEquals(own?.code, code);
      assertGreaterOrEqual(own.silent, INTERVAL + TIMEOUT);
    }
  }
  for (const time of [...stalls(deaf), ...stalls(flooding)]) assertLessOrEqual(time, BOUND);
  for (const remote of stuck) {
    const own = ended.find((end) => end.remote === remote);
    assertStrictEquals(own?.code, "write-stalled");
    // By the server's own word: from outside, a byte that its kernel took cannot be told from one that was
    // acknowledged at last, and a runtime may learn of either only when 16 KiB have gone.
    assertGreaterOrEqual(own.stuck, TIMEOUT);
    assertLessOrEqual(own.stuck, BOUND);
  }
  assertUnharmed(felt);
  assertStrictEquals(ended.length, all.length);
  assertStrictEquals(surplus, before);
  if (server.reset) assertEquals(left, []);
  else assert(left.every(({ inode }) => inode === "0"));

  if (brief === undefined) return;
  const survivors = await brief.report<Summary>();
  note(
    14,
    "black hole of 420 ms",
    "0 lost, answers <= 2000 ms",
    `${survivors.lost} lost, ${Math.round(survivors.max)} ms`,
  );
  assertStrictEquals(survivors.lost, 0);
  assertLessOrEqual(survivors.max, 2_000);
}

/** A summary in few words. */
function told({ lost, p99, gap }: Summary): string {
  return `${lost} lost, p99 ${Math.round(p99)} ms, gap ${Math.round(gap)} ms`;
}
