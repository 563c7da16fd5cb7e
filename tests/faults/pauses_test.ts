/**
 * This process itself was away: nobody healthy is lost for it, and the dead are found all the same.
 *
 * Each test takes its 6 s or so, nearly all of them asleep, so they run side by side.
 *
 * @module
 */

import { assertEquals, assertGreater, assertLess, assertLessOrEqual, assertStrictEquals } from "@std/assert";
import { Observer } from "../support/proc_net.ts";
import { pause } from "../support/processes.ts";
import {
  all,
  BOUND,
  check,
  type FaultServer,
  INTERVAL,
  note,
  type Peers,
  SLACK,
  startAnsweringServer,
  startClient,
  startPeers,
  startServer,
  TIMEOUT,
} from "./lab.ts";

/** How long a server is stopped: three timeouts. */
const ABSENCE = 3 * TIMEOUT;
/** How long the callbacks of our programs block. */
const BLOCK = 6_000;
/** How long a process starves, and what it gets of each period. */
const STARVATION = 5_000;
const PERIOD = 500;
const SHARE = 100;

check(
  "nobody healthy is lost when the server is stopped, blocked or starved, or the client is blocked",
  async () => {
    await all(
      absent(23, "server stopped for 3.6 s", TIMEOUT + BOUND, (server) =>
        Promise.resolve(async () => {
          server.kill("SIGSTOP");
          await pause(ABSENCE);
          server.kill("SIGCONT");
        })),
      absent(
        23,
        "server and peers stopped for 3.6 s",
        TIMEOUT + BOUND,
        (server, peers) =>
          Promise.resolve(async () => {
            for (const { kill } of [server, ...peers]) {
              kill("SIGSTOP");
            }
            await pause(ABSENCE);
            server.kill("SIGCONT");
            // Now no answer waits in the kernel: a server that only reads what is there first would judge.
            await pause(SHARE);
            for (const { kill } of peers) kill("SIGCONT");
          }),
      ),
      absent(23, "server's callback blocks for 6 s", TIMEOUT + BOUND, async (server) => {
        const blocker = await startPeers("blocking", server, 1);
        return async () => {
          await blocker.report();
          await pause(BLOCK);
        };
      }),
      absent(24, "server starved for 5 s", BOUND, (server) =>
        Promise.resolve(async () => {
          for (const until = performance.now() + STARVATION; performance.now() < until;) {
            server.kill("SIGSTOP");
            await pause(PERIOD - SHARE);
            server.kill("SIGCONT");
            await pause(SHARE);
          }
        })),
      blockedClient(),
    );
  },
);

/**
 * Lets the server be away while 30 peers are well and one is dead.
 *
 * @param bound How long the dead peer may still be there once the server is back.
 * @param prepare Resolves to what lets the server be away, which resolves when it is back.
 */
async function absent(
  row: number,
  fault: string,
  bound: number,
  prepare: (server: FaultServer, peers: readonly Peers[]) => Promise<() => Promise<void>>,
): Promise<void> {
  const server = await startServer();
  // All are healthy, and the first two kinds are in question half of the time.
  const healthy = [
    await startPeers("answering", server, 10, { argument: 2 }),
    await startPeers("talking", server, 10, { argument: 2 * INTERVAL }),
    await startPeers("polite", server, 10, { argument: 50 }),
  ];
  const dead = await startPeers("talking", server, 1);
  const leave = await prepare(server, healthy);
  await pause(INTERVAL + SLACK);
  const observer = await Observer.watch(server.pid, dead.remotes);

  dead.kill("SIGSTOP");
  const diedAt = performance.now();
  await leave();
  const backAt = performance.now();
  await observer.gone(2 * bound);
  const goneAt = observer.of(dead.remotes[0]!).goneAt ?? Infinity;
  // Whoever was to be lost by mistake is lost by then.
  await pause(Math.max(0, backAt + TIMEOUT + BOUND - performance.now()));

  const { ended } = await server.report();
  const summaries = await Promise.all(healthy.map((peers) => peers.report()));
  const lost = summaries.reduce((sum, { lost }) => sum + lost, 0);
  const burst = Math.max(...summaries.map(({ burst }) => burst));
  note(row, fault, "0 of 30 lost", `${lost} lost`);
  note(row, fault, `dead peer gone <= ${bound} ms after it`, `${Math.round(goneAt - backAt)} ms`);
  note(row, fault, "<= 3 beats at once", `${burst}`);

  assertStrictEquals(lost, 0);
  assertLessOrEqual(goneAt - backAt, bound);
  assertLess(TIMEOUT, goneAt - diedAt);
  // One that starves gets to it now and then; the others cannot have before they were back.
  if (row === 23) assertLess(backAt - SLACK, goneAt, "it was never away");
  assertLessOrEqual(burst, 3);
  const ours = [...healthy, dead].flatMap(({ remotes }) => remotes);
  assertEquals(ended.filter(({ remote }) => ours.includes(remote)).map(({ code }) => code), [
    "heartbeat-timeout",
  ]);
  for (const { beats } of summaries) assertGreater(beats, 3);
}

/** Lets the callback of a client block, while ten connections are well and the server of another one dies. */
async function blockedClient(): Promise<void> {
  const fault = "client's callback blocks for 6 s";
  // A third of the time its connections are in question.
  const healthy = await startAnsweringServer(INTERVAL / 2), dying = await startAnsweringServer(0);
  const client = await startClient([dying.port, ...Array(10).fill(healthy.port)], 1);
  await pause(INTERVAL + SLACK);
  const there = `127.0.0.1:${dying.port}`;
  const observer = await Observer.watch(client.pid, [there]);

  healthy.tell("block");
  await pause(INTERVAL);
  dying.kill("SIGSTOP");
  await pause(BLOCK - INTERVAL);
  const backAt = performance.now();
  await observer.gone(2 * (TIMEOUT + BOUND));
  await pause(Math.max(0, backAt + TIMEOUT + BOUND - performance.now()));
  client.tell("report");
  const { ended } = await client.told<{ ended: { port: number; code: string }[] }>();
  const time = (observer.of(there).goneAt ?? Infinity) - backAt;
  const lost = ended.filter(({ port }) => port === healthy.port).length;
  note(41, fault, "0 of 10 lost", `${lost} lost`);
  note(41, fault, `dead server given up <= ${TIMEOUT + BOUND} ms after it`, `${Math.round(time)} ms`);

  assertEquals(ended, [{ port: dying.port, code: "heartbeat-timeout" }]);
  assertLessOrEqual(time, TIMEOUT + BOUND);
}
