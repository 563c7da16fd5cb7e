/**
 * Peers that go, in whatever way: nothing of them is left. And a server that goes, and comes back.
 *
 * @module
 */

import { assertEquals, assertGreaterOrEqual, assertLessOrEqual, assertStrictEquals } from "@std/assert";
import { Observer, residentMemory } from "../support/proc_net.ts";
import { pause } from "../support/processes.ts";
import {
  assertUnharmed,
  check,
  exchange,
  INTERVAL,
  note,
  type Peers,
  SLACK,
  span,
  startPeers,
  startServer,
} from "./lab.ts";

/** How many come back to a server at once. */
const PEERS = 1_000;

/**
 * How long the slowest of them may take to connect: one retry of the kernel's, which is due after 1 s where a busy machine
 * lets more than the 511 in the backlog come at once.
 */
const CONNECT = 1_000 + SLACK;

/** How long the server gives itself to end, in milliseconds. */
const DRAIN = 10_000;

/** How long what is gone may be held. */
const RELEASE = 1_000;

check("peers that are killed, send FIN or send RST leave nothing behind", async () => {
  const server = await startServer();
  const neighbours = await startPeers("polite", server, 5);
  await pause(INTERVAL);
  const before = await server.surplus();

  const ways: [row: number, name: string, kind: string, codes: string[], go: (peers: Peers) => unknown][] = [
    [7, "50 peers killed", "talking", ["closed", "reset"], (peers) => peers.kill("SIGKILL")],
    [5, "50 FIN", "fin", ["closed"], (peers) => peers.report()],
    [6, "50 RST", "rst", ["reset"], (peers) => peers.report()],
  ];
  for (const [row, name, kind, codes, go] of ways) {
    const peers = await startPeers(kind, server, 50);
    await pause(INTERVAL / 2);
    const observer = await Observer.watch(server.pid, peers.remotes);
    const since = performance.now();
    go(peers);
    await observer.gone(5 * RELEASE);
    const times = peers.remotes.map((remote) => (observer.of(remote).goneAt ?? Infinity) - since);
    note(row, name, `released within ${RELEASE} ms`, span(times));
    // Those of the ways before may have had the same ports.
    const seen = (await server.report()).ended.slice(-50).filter(({ remote }) =>
      peers.remotes.includes(remote)
    )
      .map(({ code }) => code);
    assertStrictEquals(seen.length, 50);
    assertEquals(seen.filter((code) => !codes.includes(code)), []);
    for (const time of times) assertLessOrEqual(time, RELEASE);
  }
  const after = await server.surplus();
  note(5, "sockets left", "0", String(after - before));
  assertStrictEquals(after, before);
  assertUnharmed(await neighbours.report());
});

check("1500 peers that come and go in every way leave nothing behind", async () => {
  const server = await startServer();
  // Code and pools have to be there before it is measured.
  await startPeers("churn", server, 500);
  await pause(INTERVAL);
  const surplus = await server.surplus();
  const before = residentMemory(server.pid);
  const since = performance.now();
  await startPeers("churn", server, 1_500);
  const time = performance.now() - since;
  await pause(INTERVAL);
  const growth = residentMemory(server.pid) - before;
  const { now, ended } = await server.report();
  note(
    21,
    "1500 peers in turn",
    "0 left",
    `${now}, ${await server.surplus() - surplus} sockets (${Math.round(time)} ms)`,
  );
  note(21, "1500 peers in turn", "<= 32 MiB more", `${Math.round(growth / 1024 / 1024)} MiB`);

  assertStrictEquals(now, 0);
  // One in five is gone so soon that the system may not even tell of it.
  assertGreaterOrEqual(ended.length, 1_600);
  assertStrictEquals(await server.surplus(), surplus);
  assertLessOrEqual(growth, 32 * 1024 * 1024);
});

check("a server that is killed and started again has its 1000 clients back", async () => {
  const first = await startServer();
  // From another address, since a client that tries a port long enough with nobody there may connect to itself.
  const clients = await startPeers("returning", first, PEERS, { source: "127.0.0.2" });
  first.kill("SIGKILL");
  await first.ended();
  const since = performance.now();
  const second = await startServer({ port: first.port });
  const listening = performance.now();
  const { slowest } = await clients.told<{ slowest: number }>();
  const served = performance.now();
  const { now, ended } = await second.report();
  note(
    26,
    "restart on the same port",
    `${PEERS} served within 4000 ms of listening`,
    `${Math.round(served - listening)} ms`,
  );
  note(26, "restart on the same port", `slowest connect <= ${CONNECT} ms`, `${Math.round(slowest)} ms`);
  note(26, "restart on the same port", "start of the runtime included", `${Math.round(served - since)} ms`);

  assertStrictEquals(second.port, first.port);
  assertLessOrEqual(served - listening, 4_000);
  assertLessOrEqual(slowest, CONNECT);
  assertStrictEquals(now, PEERS);
  assertEquals(ended, []);
});

check(
  "a server that is told to end sends first what it was given to send, and takes nobody else",
  async () => {
    const server = await startServer();
    const peers = await startPeers("downloading", server, 16);
    server.kill("SIGTERM");
    const since = performance.now();
    await pause(INTERVAL / 2);
    const { refused } = await exchange<{ refused: boolean }>("gone", server);
    const { exact, missing, fin, ends } = await peers.told<
      { exact: number; missing: number; fin: number; ends: string[] }
    >();
    const code = await server.ended();
    const time = performance.now() - since;
    note(27, "SIGTERM with 16 MiB under way", "0 bytes lost, 16 FIN", `${missing} lost, ${fin} FIN`);
    note(27, "a caller meanwhile", "refused", refused ? "refused" : "taken");
    note(27, "exit", `0 within ${DRAIN + 1_000} ms`, `${code}, ${Math.round(time)} ms`);
    assertStrictEquals(missing, 0);
    assertStrictEquals(exact, 16);
    assertStrictEquals(fin, 16, ends.join());
    assertStrictEquals(refused, true);
    assertStrictEquals(code, 0);
    assertLessOrEqual(time, DRAIN + 1_000);
  },
);
