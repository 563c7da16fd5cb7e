/**
 * Clients that come back to a server which was killed and started again at the same port.
 *
 * @module
 */

import { performance } from "node:perf_hooks";
import { connect, type Connection, frames } from "../../mod.ts";
import { pause } from "../../tests/support/processes.ts";
import { type Runtime, startServer } from "./child.ts";
import { PLAIN_HEARTBEAT } from "./tally.ts";

/** How many come back, and how. */
export interface RestartOptions {
  readonly clients: number;
  /** Longest delay between two attempts, in milliseconds. */
  readonly cap: number;
  readonly runtime: Runtime;
}

/** What came of it. Times are in milliseconds since the server was killed. */
export interface RestartReport {
  readonly clients: number;
  /** Clients that are back. */
  readonly back: number;
  /** The most of them that came back within 100 ms. */
  readonly busiest: number;
  /** When the server listened again. */
  readonly listeningAt: number;
  readonly firstAt: number;
  readonly lastAt: number;
  /** How many came back in each 100 ms since the server listened again. */
  readonly histogram: readonly number[];
}

type Message = Uint8Array | string;

/** Width of a slot of the histogram, in milliseconds. */
const SLOT = 100;

/** Clients that dial at a time at the beginning: the queue of those who wait to be accepted is finite. */
const AT_A_TIME = 50;

/** Kills a server that has clients, starts it again, and sees when they are back. */
export async function restart({ clients, cap, runtime }: RestartOptions): Promise<RestartReport> {
  const first = await startServer(runtime, {});
  const { port } = first;
  const connections: Connection<Message, Message>[] = [];
  while (connections.length < clients) {
    const some = Math.min(AT_A_TIME, clients - connections.length);
    connections.push(
      ...await Promise.all(Array.from({ length: some }, () =>
        connect({ hostname: "127.0.0.1", port }, {
          protocol: frames(),
          heartbeat: PLAIN_HEARTBEAT,
          reconnect: { max: cap },
        }))),
    );
  }
  const backAt: number[] = [];
  let killedAt = 0;
  for (const connection of connections) {
    connection.onState = (state) => state === "open" && backAt.push(performance.now() - killedAt);
  }
  killedAt = performance.now();
  first.server.kill("SIGKILL");
  await first.server.ended();
  const { server } = await startServer(runtime, { port });
  const listeningAt = performance.now() - killedAt;
  try {
    while (backAt.length < clients && performance.now() - killedAt < listeningAt + 3 * cap) await pause(20);
  } finally {
    for (const connection of connections) connection.abort();
    server.kill("SIGKILL");
    await server.ended();
  }
  return { clients, listeningAt, ...figuresOf(backAt, listeningAt) };
}

function figuresOf(
  backAt: readonly number[],
  listeningAt: number,
): Omit<RestartReport, "clients" | "listeningAt"> {
  const times = [...backAt].sort((a, b) => a - b);
  let busiest = 0;
  // Any 100 ms, not only those that begin with a slot.
  for (let from = 0, to = 0; from < times.length; from++) {
    while (to < times.length && times[to]! < times[from]! + SLOT) to++;
    busiest = Math.max(busiest, to - from);
  }
  const histogram: number[] = [];
  for (const time of times) {
    const slot = Math.max(0, Math.floor((time - listeningAt) / SLOT));
    while (histogram.length <= slot) histogram.push(0);
    histogram[slot]!++;
  }
  return { back: times.length, busiest, firstAt: times[0] ?? NaN, lastAt: times.at(-1) ?? NaN, histogram };
}
