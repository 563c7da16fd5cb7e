/**
 * Conditions that look like faults and are none: a wall clock that jumps, and a path that delays, loses, doubles and reorders
 * packets. Nobody is lost for them.
 *
 * @module
 */

import {
  assert,
  assertEquals,
  assertGreater,
  assertGreaterOrEqual,
  assertLess,
  assertLessOrEqual,
  assertStrictEquals,
} from "@std/assert";
import { buildFarHosts } from "../support/namespace.ts";
import { Observer } from "../support/proc_net.ts";
import { pause } from "../support/processes.ts";
import { wallClock } from "../support/wall_clock.ts";
import {
  all,
  assertUnharmed,
  BOUND,
  check,
  INTERVAL,
  note,
  SLACK,
  startFramed,
  startPeers,
  startServer,
  type Summary,
  TIMEOUT,
} from "./lab.ts";

const HOUR = 3_600;

check("nobody is lost because the wall clock jumps, or the path is bad", async () => {
  await all(jumps(), badPath());
});

/** The server's wall clock goes forwards and backwards, while a peer dies. */
async function jumps(): Promise<void> {
  const clock = wallClock();
  if ("missing" in clock) return console.log(`skipped: jumps of the wall clock: ${clock.missing}`);
  try {
    const server = await startServer({ prefix: clock.prefix });
    const good = [
      await startPeers("polite", server, 10),
      await startPeers("answering", server, 10),
    ];
    const dead = await startPeers("talking", server, 1);
    await pause(INTERVAL + SLACK);
    const off = async () => ((await server.report()).date - Date.now()) / 1_000;
    const seen: number[] = [];
    let diedAt = 0, observer: Observer | undefined;
    for (const hours of [1, 0, -1, -2]) {
      clock.set(hours * HOUR);
      if (hours === -2) {
        observer = await Observer.watch(server.pid, dead.remotes);
        dead.kill("SIGSTOP");
        diedAt = performance.now();
      }
      await pause(2 * INTERVAL);
      seen.push(Math.round(await off() / HOUR) + 0); // There is a -0, which is another.
    }
    await observer!.gone(3 * BOUND);
    const time = (observer!.of(dead.remotes[0]!).goneAt ?? Infinity) - diedAt;
    // Before the peers are asked: who has told how it was goes home.
    const { ended } = await server.report();
    const felt = await Promise.all(good.map((peers) => peers.report()));
    const gap = Math.max(...felt.map(({ gap }) => gap));
    const lost = felt.reduce((sum, { lost }) => sum + lost, 0);

    note(25, "wall clock +1 h, -1 h, -1 h, -1 h", "0 of 20 lost", `${lost} lost`);
    note(25, "gap between beats meanwhile", `<= ${INTERVAL + SLACK} ms`, `${Math.round(gap)} ms`);
    note(25, "a peer dies meanwhile", `gone after ${TIMEOUT}..${BOUND} ms`, `${Math.round(time)} ms`);
    assertEquals(seen, [1, 0, -1, -2], "the program does not see its clock");
    assertEquals(ended.map(({ code }) => code), ["heartbeat-timeout"]);
    assertLessOrEqual(TIMEOUT, time);
    assertLessOrEqual(time, BOUND);
    for (const summary of felt) {
      assertLessOrEqual(summary.burst, 3);
      assertUnharmed({ ...summary, p99: summary.p99 ?? 0 });
    }
  } finally {
    clock.remove();
  }
}

/** How long the path is bad, in milliseconds. */
const BAD = 5_000;

/** 30 ± 15 ms each way, 2 % lost, 1 % doubled. */
async function badPath(): Promise<void> {
  const hosts = await buildFarHosts({ delay: 30, jitter: 15, loss: 0.02, doubled: 0.01, seed: 15 });
  if ("missing" in hosts) return console.log(`skipped: a bad path: ${hosts.missing}`);
  const { server: hostname, client: source, onServer, onClient } = hosts;
  try {
    const [server, framed] = await Promise.all([
      startServer({ hostname, prefix: onServer }),
      startServer({ hostname, prefix: onServer, protocol: "frames" }),
    ]);
    const far = { source, prefix: onClient };
    const polite = await startPeers("polite", server, 5, far);
    const answering = await startPeers("answering", server, 5, far);
    const speaking = await Promise.all([
      startFramed("polite", framed, far),
      startFramed("polite", framed, far),
    ]);
    hosts.spoil();
    await pause(BAD);
    // Before the peers are asked: who has told how it was goes home.
    const ended = (await Promise.all([server.report(), framed.report()])).flatMap((report) => report.ended);
    const asked = await polite.report();
    const answered = await answering.report();
    const spoken = await Promise.all(speaking.map((peer) => {
      peer.tell("report");
      return peer.told<Summary>();
    }));
    const { passed, lost: dropped, doubled, overtaken } = await hosts.counts();
    const lost = [asked, answered, ...spoken].reduce((sum, { lost }) => sum + lost, 0);

    note(15, "30 ms +- 15 ms, 2 % lost, 1 % doubled", "0 of 12 lost", `${lost} lost`);
    note(15, "echo over it", "exact", `${asked.answers} answers, p99 ${Math.round(asked.p99)} ms`);
    note(15, "frames over it", "exact", `${spoken.map(({ answers }) => answers).join(" + ")} answers`);
    note(15, "packets", "", `${passed}: ${dropped} lost, ${doubled} doubled, ${overtaken} overtaken`);
    assertStrictEquals(lost, 0);
    assert(dropped > 5 && doubled > 0 && overtaken > 10, "the path was not bad");
    assertGreater(asked.p50, 40);
    assertLess(asked.p50, 500);
    assertGreater(asked.answers, 50);
    assertGreaterOrEqual(answered.beats, 5);
    for (const { answers } of spoken) assertGreater(answers, 10);
    assertEquals(ended, []);
  } finally {
    hosts.remove();
  }
}
