/**
 * Callers beyond a limit, a listener that dies, and handshakes of TLS that come to nothing.
 *
 * @module
 */

import net from "node:net";
import { spawnSync } from "node:child_process";
import { assert, assertEquals, assertLessOrEqual, assertStrictEquals } from "@std/assert";
import { detectTransport, type TcpAddress } from "../../mod.ts";
import { call, type Caller, until } from "../server/callers.ts";
import { certificates } from "../support/certificates.ts";
import { lacking, pause } from "../support/processes.ts";
import {
  all,
  assertUnharmed,
  bearable,
  check,
  type FaultServer,
  INTERVAL,
  note,
  processorTime,
  SLACK,
  span,
  startPeers,
  startServer,
} from "./lab.ts";

check("limits are exact, a listener that dies listens again, and handshakes end in time", async () => {
  const [full, narrow, deaf] = await Promise.all([
    startServer({ options: { maxConnections: 40, heartbeat: false } }),
    startServer({ hostname: "0.0.0.0", options: { maxConnectionsPerAddress: 8, heartbeat: false } }),
    startServer(),
  ]);
  await all(crowd(full), crowdFromOne(narrow), deafness(deaf), handshakes());
});

/** Counts those that are served, those that were closed, and those of which neither is known in time. */
async function ask(
  callers: readonly Caller[],
): Promise<{ served: Caller[]; closed: number; hanging: number }> {
  const answers = await Promise.all(callers.map((caller) => caller.ask("a")));
  const served = callers.filter((_, i) => answers[i]);
  const closed = callers.filter((caller, i) => !answers[i] && caller.closed).length;
  return { served, closed, hanging: callers.length - served.length - closed };
}

/** More callers than there are places. */
async function crowd({ port }: FaultServer): Promise<void> {
  const callers = await Promise.all(Array.from({ length: 100 }, () => call(port)));
  const { served, closed, hanging } = await ask(callers);
  const left = served.slice(0, 10);
  for (const caller of left) caller.leave();
  const more: Caller[] = [];
  const time = await until(async () => {
    const caller = await call(port);
    if (await caller.ask("a", 500)) more.push(caller);
    else caller.leave();
    return more.length === 10;
  });
  const rest = await ask(served.slice(10));
  for (const caller of [...callers, ...more]) caller.leave();

  note(19, "100 callers, 40 places", "40 / 60 / 0 hanging", `${served.length} / ${closed} / ${hanging}`);
  note(19, "10 of them leave", "places taken again <= 1000 ms", `${Math.round(time)} ms`);
  note(19, "the others", "30 served", `${rest.served.length}`);
  assertEquals([served.length, closed, hanging], [40, 60, 0]);
  assertLessOrEqual(time, bearable(1_000));
  assertStrictEquals(rest.served.length, 30);
}

/** More callers from one address than it may have. */
async function crowdFromOne({ port }: FaultServer): Promise<void> {
  const callers = await Promise.all(Array.from({ length: 24 }, () => call(port, "127.0.0.2")));
  const { served, closed, hanging } = await ask(callers);
  const since = performance.now();
  const other = await call(port, "127.0.0.3");
  const answered = await other.ask("a");
  const time = performance.now() - since;
  for (const caller of [...callers, other]) caller.leave();

  note(
    20,
    "24 from one address, 8 places",
    "8 / 16 / 0 hanging",
    `${served.length} / ${closed} / ${hanging}`,
  );
  note(20, "another address", "served <= 1000 ms", `${Math.round(time)} ms`);
  assertEquals([served.length, closed, hanging], [8, 16, 0]);
  assert(answered);
  assertLessOrEqual(time, bearable(1_000));
}

/** The kernel takes its listener away. */
async function deafness(server: FaultServer): Promise<void> {
  const missing = lacking("ss", "-V");
  if (missing !== false) return console.log(`skipped: a listener that dies: ${missing}`);
  const neighbours = await startPeers("polite", server, 10);
  await pause(INTERVAL);
  const busyBefore = processorTime(server.pid), before = performance.now();
  const { status } = spawnSync("ss", ["-K", "-ltn", "sport", "=", `:${server.port}`]);
  const time = await until(async () => {
    const caller = await call(server.port);
    const answered = await caller.ask("a", 500);
    caller.leave();
    return answered;
  }, 10_000);
  await pause(2_000);
  const busy = (processorTime(server.pid) - busyBefore) / (performance.now() - before) * 1_000;
  const felt = await neighbours.report();

  note(28, "listener killed", "listens again <= 5000 ms", `${Math.round(time)} ms`);
  note(28, "meanwhile", "<= 60 % of a core", `${Math.round(100 * busy)} %`);
  note(28, "neighbours", "0 lost, p99 <= 150 ms", `${felt.lost} lost, p99 ${Math.round(felt.p99)} ms`);
  const { reopened } = await server.report();
  if (reopened === 0 && status !== 0) return console.log("skipped: a listener that dies: ss may not kill it");
  assertStrictEquals(reopened, 1);
  assertLessOrEqual(time, 5_000);
  assertLessOrEqual(busy, 0.6);
  assertUnharmed(felt);
}

/** How long a handshake of TLS may take, in milliseconds. */
const HANDSHAKE = 600;

/** Callers that never finish a handshake of TLS, and good ones beside them. */
async function handshakes(): Promise<void> {
  const transport = await detectTransport();
  if (transport.listen === undefined || transport.capabilities.tls === undefined) {
    return console.log(`skipped: handshakes of TLS: ${transport.name} has none`);
  }
  const { server: { certificate, key }, authority } = await certificates();
  let accepted = 0;
  const listener = await transport.listen({ hostname: "127.0.0.1", port: 0 }, {
    tls: { certificate, key, handshakeTimeout: HANDSHAKE },
    accept(socket) {
      accepted++;
      socket.start({ data() {}, written() {}, end() {}, close() {} });
    },
    failed() {},
  });
  try {
    const { port } = listener.address as TcpAddress;
    const says: Record<string, (socket: net.Socket) => void> = {
      "nothing": () => {},
      "half a ClientHello": (socket) => socket.write(Uint8Array.of(0x16, 3, 1, 2, 0, 1)),
      "HTTP": (socket) => socket.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
      "garbage": (socket) => socket.write(new Uint8Array(300).fill(0x99)),
    };
    const stalls = Object.entries(says).map(async ([what, say]) => {
      const times = await Promise.all(Array.from({ length: 5 }, () => cut(port, say)));
      return [what, times] as const;
    });
    const good: number[] = [];
    const ended = Promise.all(stalls);
    for (let i = 0; i < 10; i++) {
      const since = performance.now();
      const socket = await transport.connect({ hostname: "127.0.0.1", port }, {
        tls: { ca: authority.certificate },
        timeout: 5_000,
      });
      good.push(performance.now() - since);
      socket.abort();
      await pause(30);
    }
    for (const [what, times] of await ended) {
      const bound = HANDSHAKE + 100 + SLACK;
      note(29, `TLS: 5 callers say ${what}`, `cut <= ${bound} ms`, span(times));
      for (const time of times) assertLessOrEqual(time, bound);
    }
    note(29, "TLS: good handshakes meanwhile", "<= 1000 ms", span(good));
    for (const time of good) assertLessOrEqual(time, bearable(1_000));
    assertStrictEquals(accepted, 10);
  } finally {
    await listener.close();
  }
}

/** Calls `port`, and resolves to how long after what it says the call was ended. */
function cut(port: number, say: (socket: net.Socket) => void): Promise<number> {
  return new Promise((resolve) => {
    let since = 0;
    const socket = net.connect({ host: "127.0.0.1", port }, () => {
      since = performance.now();
      say(socket);
    });
    const end = () => {
      resolve(performance.now() - since);
      socket.destroy();
    };
    socket.on("error", end).on("end", end).on("close", end).resume();
  });
}
