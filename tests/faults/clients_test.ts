/**
 * What can happen to a client: servers that fall silent or slam the door, names that nobody knows, paths that are cut, and
 * its own sleep. It finds out, comes back, does not hammer, and what happens to one connection is nothing to another.
 *
 * @module
 */

import { assert, assertEquals, assertLessOrEqual, assertStrictEquals } from "@std/assert";
import { buildHosts, type Hosts } from "../support/namespace.ts";
import { pause } from "../support/processes.ts";
import {
  all,
  assertUnharmed,
  BOUND,
  type Called,
  check,
  type Clients,
  INTERVAL,
  note,
  SLACK,
  span,
  startCalled,
  startClients,
  startPeers,
  startServer,
  TIMEOUT,
} from "./lab.ts";

const heartbeat = { interval: INTERVAL, timeout: TIMEOUT };

/** How long a server slams the door. */
const SLAMMING = 4_000;
/** Longest delay between two tries. */
const CAP = 2_000;
/** Longest delay between two tries where the way back is what is measured. */
const SHORT_CAP = 800;

check(
  "clients find out, come back, do not hammer, and survive sleep, unknown names and cut paths",
  async () => {
    const hosts = buildHosts("127.0.0.1");
    const missing = "missing" in hosts ? hosts.missing : undefined;
    if (missing !== undefined) console.log(`skipped: names and cut paths: ${missing}`);
    try {
      const well = await startCalled();
      // All of them are there before anything happens: to start is what takes the processor.
      const preparing = [slammed, dropped, muted, asleep].map((prepare) => prepare(well.port));
      if (!("missing" in hosts)) preparing.push(nameless(hosts), severed(hosts));
      const bodies = await Promise.all(preparing);
      await all(...bodies.map((body) => body()));
      const { lost, open } = await well.order("report");
      note(38, "20 connections beside all of these", "0 lost", `${lost.length} lost`);
      assertEquals(lost, []);
      assertStrictEquals(open, 20);
    } finally {
      if (!("missing" in hosts)) hosts.remove();
    }
  },
);

/** A server that accepts and resets: a connection that does not last is no success. */
async function slammed(beside: number): Promise<() => Promise<void>> {
  const server = await startCalled();
  const clients = await startClients({ hostname: "127.0.0.1", port: server.port }, 20, {
    options: { heartbeat, reconnect: { max: CAP } },
    beside,
  });
  return async () => {
    await server.order("drop");
    await server.order("slam");
    await pause(SLAMMING);
    const { accepted } = await server.order("serve");
    const back = await returned(server, 20, CAP + 1_000);
    note(38, "server resets what it accepts for 4 s", "<= 9 tries a client", `${accepted.length / 20}`);
    note(38, "and then serves", `20 back <= ${CAP + 1_000} ms`, `${Math.round(back)} ms`);
    assertLessOrEqual(20, accepted.length);
    assertLessOrEqual(accepted.length, 9 * 20);
    assertLessOrEqual(back, CAP + 1_000 + SLACK);
    await unharmed(clients, 0);
  };
}

/** A server that loses all at once, and is there. */
async function dropped(beside: number): Promise<() => Promise<void>> {
  const server = await startCalled();
  const clients = await startClients({ hostname: "127.0.0.1", port: server.port }, 200, {
    options: { heartbeat, reconnect: { max: CAP } },
    beside,
  });
  return async () => {
    await server.order("drop");
    await returned(server, 200, 2 * CAP);
    const { accepted, open } = await server.order("report");
    const slots: number[] = [];
    for (const at of accepted) slots[Math.floor(at / 100)] = (slots[Math.floor(at / 100)] ?? 0) + 1;
    const busiest = Math.max(...slots.filter(Boolean)) / 200;
    const last = Math.max(...accepted);
    note(39, "200 lose their server at once", "busiest 100 ms <= 25 %", `${Math.round(100 * busiest)} %`);
    note(39, "200 lose their server at once", `all back <= ${2 * CAP} ms`, `${Math.round(last)} ms`);
    assertStrictEquals(open, 200);
    assertLessOrEqual(busiest, 0.25);
    assertLessOrEqual(last, 2 * CAP);
    await unharmed(clients, 0);
  };
}

/** A server that is there and says nothing. */
async function muted(beside: number): Promise<() => Promise<void>> {
  const server = await startCalled();
  const clients = await startClients({ hostname: "127.0.0.1", port: server.port }, 10, {
    options: { heartbeat, reconnect: { initial: 300, max: 300 } },
    beside,
  });
  return async () => {
    await pause(INTERVAL);
    await server.order("mute");
    await pause(BOUND + 300 + SLACK);
    const { lost, accepted, open } = await server.order("report");
    note(40, "server falls silent", `given up after ${TIMEOUT}..${BOUND} ms`, span(lost));
    note(40, "server falls silent", `10 back <= ${BOUND + 300} ms`, `${accepted.length}, ${span(accepted)}`);
    assertStrictEquals(lost.length, 10);
    for (const time of lost) {
      assertLessOrEqual(TIMEOUT, time + 1);
      assertLessOrEqual(time, BOUND);
    }
    assertStrictEquals(accepted.length, 10);
    assertStrictEquals(open, 10);
    await unharmed(clients, 0);
  };
}

/** A client that was asleep for three timeouts. Its server was well all the time. */
async function asleep(beside: number): Promise<() => Promise<void>> {
  const server = await startCalled();
  const clients = await startClients({ hostname: "127.0.0.1", port: server.port }, 5, {
    options: { heartbeat, reconnect: { max: CAP } },
    beside,
  });
  return async () => {
    await pause(INTERVAL + SLACK);
    clients.kill("SIGSTOP");
    await pause(3 * TIMEOUT);
    clients.kill("SIGCONT");
    await pause(TIMEOUT + BOUND);
    const { lost, open } = await server.order("report");
    note(41, "client stopped for 3.6 s", "0 of 10 lost", `${lost.length} lost`);
    assertEquals(lost, []);
    assertStrictEquals(open, 5);
    const { opened } = await unharmed(clients, 0);
    assertStrictEquals(opened, 5);
  };
}

/** The name server fails for a while. All of this is on one host: the other's path is cut meanwhile. */
async function nameless({ onClient: prefix }: Hosts): Promise<() => Promise<void>> {
  const names = await startCalled({ port: 53, name: "127.0.0.1", prefix });
  const server = await startCalled({ prefix });
  return async () => {
    const target = { hostname: "server.holdfast.test", port: server.port };
    const clients = await startClients(target, 1, {
      options: { heartbeat, reconnect: { initial: 250, max: CAP, waitForFirst: true } },
      prefix,
    });
    // From its first question on.
    let asked: readonly number[] = [];
    while (asked.length === 0) {
      await pause(20);
      asked = (await names.order("report")).accepted;
    }
    await pause(2_500);
    const { accepted } = await names.order("serve");
    const back = await returned(server, 1, CAP + 2_000);
    const questions = asked.length + accepted.length;
    note(42, "names fail for 2.5 s", "2..20 questions", `${questions}`);
    note(42, "and then do not", `connected <= ${CAP + 2_000} ms`, `${Math.round(back)} ms`);
    assertLessOrEqual(2, questions);
    assertLessOrEqual(questions, 20);
    assertLessOrEqual(back, CAP + 2_000);
    const { ended } = await clients.ask();
    assertEquals(ended, []);
  };
}

/** The path is cut for longer than the kernel needs for three SYN: its fourth would come much too late. */
async function severed(hosts: Hosts): Promise<() => Promise<void>> {
  const { server: hostname, clients: [ours, others], onServer, onClient, cut, heal } = hosts;
  const server = await startServer({
    hostname,
    prefix: onServer,
    protocol: "frames",
    options: { resume: true },
  });
  const plain = await startServer({ hostname, prefix: onServer });
  const clients = await startClients(server, 5, {
    protocol: "frames",
    options: { heartbeat, resume: true, timeout: TIMEOUT, reconnect: { initial: 200, max: SHORT_CAP } },
    every: 50,
    prefix: onClient,
  });
  const neighbours = await startPeers("polite", plain, 5, { source: others!, prefix: onClient });
  return async () => {
    await pause(INTERVAL);
    const before = await clients.ask();
    assertStrictEquals(before.opened, 5);

    cut(ours!, "both");
    const cutAt = performance.now();
    let found = Infinity;
    while (performance.now() < cutAt + 3 * BOUND) {
      await pause(20);
      if ((await clients.ask()).open > 0) continue;
      found = performance.now() - cutAt;
      break;
    }
    await pause(cutAt + 4_000 - performance.now());
    heal(ours!);
    const healedAt = performance.now();
    let back = Infinity;
    while (performance.now() < healedAt + 4 * BOUND) {
      await pause(20);
      if ((await clients.ask()).open < 5) continue;
      back = performance.now() - healedAt;
      break;
    }
    await clients.ask("quiet");
    await pause(INTERVAL);
    const { sent, back: echoes, wrong, ended } = await clients.ask();
    const felt = await neighbours.report();

    note(11, "frames: black hole, seen by the client", `found <= ${BOUND} ms`, `${Math.round(found)} ms`);
    note(43, "healed after 4 s", `back <= ${TIMEOUT + SHORT_CAP} ms`, `${Math.round(back)} ms`);
    note(44, "session across it", "0 lost, 0 twice", `${sent - echoes} lost, ${wrong} wrong of ${sent}`);
    note(43, "neighbours", "0 lost, p99 <= 150 ms", `${felt.lost} lost, p99 ${Math.round(felt.p99)} ms`);
    assertLessOrEqual(found, BOUND);
    assertLessOrEqual(back, TIMEOUT + SHORT_CAP + SLACK);
    assert(sent > 400, `only ${sent} were sent`);
    assertStrictEquals(echoes, sent);
    assertStrictEquals(wrong, 0);
    assertEquals(ended, []);
    assertUnharmed(felt);
  };
}

/** Waits until `count` are connected. Resolves to how long that took. */
async function returned(server: Called, count: number, within: number): Promise<number> {
  const since = performance.now();
  for (;;) {
    const waited = performance.now() - since;
    server.tell("look");
    const { open } = await server.told<{ open: number }>();
    if (open >= count) return waited;
    if (waited > within + SLACK) return Infinity;
    await pause(20);
  }
}

/** Asserts that nothing happened to the connections beside, and that none has ended but `gone`. */
async function unharmed(clients: Clients, gone: number) {
  const became = await clients.ask();
  assertStrictEquals(became.harmed, 0);
  assertStrictEquals(became.ended.length, gone);
  return became;
}
