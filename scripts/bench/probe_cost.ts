/**
 * What watching costs: CPU time a second of many idle connections, and of reading, without any socket.
 *
 *     node --import tsx scripts/bench/probe_cost.ts [connections] [seconds]
 *
 * Peers answer each ping at once, so that the cost is that of the clocks and of the protocol, not of writing.
 *
 * @module
 */

import process from "node:process";
import { connectionPolicy } from "../../lib/connection/policy.ts";
import { LiveConnection } from "../../lib/connection/live_connection.ts";
import { lines } from "../../lib/protocol/lines.ts";
import { systemClock } from "../../lib/time/clock.ts";
import type { Address, Socket, SocketHandler } from "../../lib/transport/transport.ts";

const connections = Number(process.argv[2] ?? 100_000);
const seconds = Number(process.argv[3] ?? 12);
const INTERVAL = 10_000;

const ADDRESS: Address = { hostname: "127.0.0.1", port: 0 };
const PONG = new TextEncoder().encode("PONG\n");
let pings = 0;
let timers = 0;

/** A socket to a peer that answers each write with a pong in the next turn. */
class Answering implements Socket {
  readonly localAddress = ADDRESS;
  readonly remoteAddress = ADDRESS;
  readonly bufferedAmount = 0;
  handler!: SocketHandler;

  start(handler: SocketHandler): void {
    this.handler = handler;
  }

  write(): boolean {
    pings++;
    due.push(this.handler);
    return true;
  }

  pause(): void {}
  resume(): void {}
  shutdown(): void {}
  abort(): void {}
  setNoDelay(): void {}
  setTcpKeepAlive(): void {}
  ref(): void {}
  unref(): void {}
}

/** Handlers whose peers owe an answer. */
let due: SocketHandler[] = [];

function answerAll(): void {
  const handlers = due;
  due = [];
  for (const handler of handlers) handler.data(PONG);
}

const clock = {
  ...systemClock,
  wakeAfter: (delay: number, wake: () => void) => {
    timers++;
    return systemClock.wakeAfter(delay, () => {
      wake();
      answerAll();
    });
  },
};

const policy = connectionPolicy<string, string>(
  { action: "measure", guarded: false },
  { protocol: lines(), heartbeat: { interval: INTERVAL, timeout: INTERVAL }, clock },
);
const sockets: Answering[] = [];
let lost = 0;
for (let i = 0; i < connections; i++) {
  const socket = new Answering();
  const connection = new LiveConnection(socket, policy, { ended: () => lost++ });
  connection.onMessage = () => {};
  connection.start();
  sockets.push(socket);
}

// What does nothing but wait costs something too.
const cpu = () => process.cpuUsage().user / 1000 + process.cpuUsage().system / 1000;
const keepAlive = setInterval(() => {}, 1_000);
const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function main(): Promise<void> {
  // The first probes come early, spread over a fifth of the interval; from the second on the spread stays.
  await wait(INTERVAL * 1.2);
  const [cpuBefore, pingsBefore, timersBefore, start] = [cpu(), pings, timers, performance.now()];
  await wait(seconds * 1_000);
  const elapsed = (performance.now() - start) / 1_000;
  const used = (cpu() - cpuBefore) / elapsed;
  const line = "x\n".repeat(16);
  const chunk = new TextEncoder().encode(line);
  const timersReading = timers;
  const reads = 200_000;
  const readStart = cpu();
  for (let i = 0; i < reads; i++) sockets[i % sockets.length]!.handler.data(chunk);
  const read = (cpu() - readStart) / reads * 1e6;
  console.log(
    `${connections} connections, interval ${INTERVAL} ms: ${used.toFixed(1)} ms of CPU a second, ` +
      `${((pings - pingsBefore) / elapsed).toFixed(0)} pings and pongs a second, ` +
      `${((timers - timersBefore) / elapsed).toFixed(0)} timers set a second, ${lost} lost`,
  );
  console.log(
    `reading: ${timers - timersReading} timers set in ${reads} reads, ${
      read.toFixed(0)
    } ns each with 16 lines`,
  );
  clearInterval(keepAlive);
  process.exit(lost === 0 ? 0 : 1);
}

void main();
