/**
 * What watching costs: CPU time a second of many connections that are asked, and of many that speak by themselves,
 * apart from the reads and writes that this takes; and of reading. Without any socket.
 *
 *     node --import tsx scripts/bench/probe_cost.ts [--connections 100000] [--rounds 5]
 *     bun scripts/bench/probe_cost.ts
 *     deno run -A scripts/bench/probe_cost.ts
 *
 * Rounds of one interval alternate. In one the wheel turns; in the next a plain loop does as many writes and reads, in
 * batches as large, on as many connections that are not watched, in an order of chance as the wheel does. The rest is what
 * the watching costs. It is found twice, so that no one subtraction is believed: once with peers that are silent until
 * they are asked, once with peers that say something every half interval, so that all the wheel does is to look.
 *
 * The clock is a fake one, so that neither the load of the machine nor its timers are measured. What it costs to be woken
 * up so often is measured apart, with timers that do nothing, and counts as watching in full: a process that has sockets to
 * read would have been awake at many of these instants. All of it is CPU time of the whole process; medians count.
 *
 * @module
 */

import process from "node:process";
import { parseArgs } from "node:util";
import type { Lifeline } from "../../lib/connection/lifeline.ts";
import { LiveConnection } from "../../lib/connection/live_connection.ts";
import { connectionPolicy, type Role } from "../../lib/connection/policy.ts";
import { lines } from "../../lib/protocol/lines.ts";
import type { Clock, WakeUp } from "../../lib/time/clock.ts";
import type { Address, Socket, SocketHandler } from "../../lib/transport/transport.ts";

const INTERVAL = 10_000;
/** How often peers that speak are read, in milliseconds. */
const READ_GAP = 10;
/** What watching may cost, in milliseconds of CPU a second. */
const TARGET = 5;

const { values } = parseArgs({
  options: {
    connections: { type: "string", default: "100000" },
    rounds: { type: "string", default: "5" },
  },
});
const connections = Number(values.connections), rounds = Number(values.rounds);

const ADDRESS: Address = { hostname: "127.0.0.1", port: 0 };
const encoder = new TextEncoder();
const PONG = encoder.encode("PONG\n"), WORD = encoder.encode("x\n");

let pings = 0, timers = 0, looks = 0, lost = 0;

/** Handlers whose peers owe an answer. */
let owed: SocketHandler[] = [];

/** A socket to a peer that answers each write with a pong when {@linkcode answerAll} is called. */
class Answering implements Socket {
  readonly localAddress = ADDRESS;
  readonly remoteAddress = ADDRESS;
  readonly bufferedAmount = 0;
  line!: Lifeline<string, string>;

  start(handler: SocketHandler): void {
    this.line = handler as Lifeline<string, string>;
  }

  write(): boolean {
    pings++;
    owed.push(this.line);
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

function answerAll(): void {
  const handlers = owed;
  owed = [];
  for (const handler of handlers) handler.data(PONG);
}

/** A clock that goes only when it is told to. */
class StillClock implements Clock {
  #now = 0.5;
  #wake: (() => void) | undefined;
  #wakeAt = Infinity;
  #after: (() => void)[] = [];

  now(): number {
    return this.#now;
  }

  wakeAfter(delay: number, wake: () => void): WakeUp {
    timers++;
    this.#wake = wake;
    this.#wakeAt = this.#now + delay;
    return { cancel: () => void (this.#wakeAt = Infinity) };
  }

  afterTurn(then: () => void): void {
    this.#after.push(then);
  }

  random(): number {
    return Math.random();
  }

  /** Lets `ms` milliseconds pass. */
  run(ms: number): void {
    const end = this.#now + ms;
    while (this.#wakeAt <= end) {
      this.#now = this.#wakeAt;
      this.#wakeAt = Infinity;
      this.#wake!();
      answerAll();
      for (let then = this.#after.shift(); then !== undefined; then = this.#after.shift()) then();
    }
    this.#now = end;
  }
}

const clock = new StillClock();

/** Into an order of chance, as that on the wheel: neighbours in memory would be cheaper. */
function shuffle(all: unknown[]): void {
  for (let i = all.length - 1; i > 0; i--) {
    const other = Math.floor(Math.random() * (i + 1));
    [all[i], all[other]] = [all[other], all[i]];
  }
}

function median(numbers: readonly number[]): number {
  const sorted = numbers.slice().sort((a, b) => a - b), middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

const one = (number: number): string => number.toFixed(1);
const all = (numbers: readonly number[]): string => numbers.map(one).join(" ");

const KEEPER = {
  ended: (): void => void lost++,
  noticed: (what: string): void => void (what === "suppressed" && looks++),
};

function open(policy: ReturnType<typeof connectionPolicy<string, string>>): Lifeline<string, string> {
  const socket = new Answering();
  const connection = new LiveConnection(socket, policy, KEEPER);
  connection.onMessage = () => {};
  connection.start();
  return socket.line;
}

/** Calls `work` with one of `of` after the other, again and again, `count` of them a call. */
function inTurn<T>(of: readonly T[]): (count: number, work: (one: T) => void) => void {
  let next = 0;
  return (count, work) => {
    for (; count > 0; count--) work(of[next++ % of.length]!);
  };
}

const cpu = (): number => (process.cpuUsage().user + process.cpuUsage().system) / 1_000;

/** CPU time of `work` in ms, for each second of the interval that it stands for. */
function costOf(work: () => void): number {
  const start = cpu();
  work();
  return (cpu() - start) * 1_000 / INTERVAL;
}

/** CPU time in ms a second of being woken up so often for nothing, apart from what the process takes at rest. */
async function costOfWaking(times: number): Promise<number> {
  const idle = await costOfTimers(3_000);
  return await costOfTimers(1_000 / times) - idle;
}

/** CPU time in ms a second of a timer that comes every `gap` ms. */
async function costOfTimers(gap: number): Promise<number> {
  const start = performance.now(), before = cpu();
  while (performance.now() - start < 3_000) await new Promise((resolve) => setTimeout(resolve, gap));
  return (cpu() - before) * 1_000 / (performance.now() - start);
}

/** What was measured in the rounds of one kind, in ms of CPU a second. */
interface Figures {
  readonly total: number[];
  readonly bare: number[];
}

function report(what: string, { total, bare }: Figures, waking: number): void {
  const rest = total.map((one, i) => one - bare[i]!);
  console.log(`  ${what}: in all ${all(total)}, reads and writes alone ${all(bare)}`);
  console.log(
    `    watching: ${one(median(rest))} (${all(rest)}) + waking up ${one(waking)} = ${
      one(median(rest) + waking)
    }; target ${TARGET}`,
  );
}

async function main(): Promise<void> {
  const role: Role = { action: "measure", role: "client" };
  const options = { protocol: lines(), heartbeat: { interval: INTERVAL, timeout: INTERVAL }, clock };
  const policy = connectionPolicy<string, string>(role, options);
  const bare = connectionPolicy<string, string>(role, { ...options, heartbeat: false });
  const unwatched: Lifeline<string, string>[] = [], watched: Lifeline<string, string>[] = [];
  for (let i = 0; i < connections; i++) {
    clock.run(INTERVAL / connections);
    unwatched.push(open(bare));
    watched.push(open(policy));
  }
  shuffle(unwatched);
  shuffle(watched);
  // Each speaks once, in an order that has nothing to do with their places in memory: so they are asked from now on.
  const speak = inTurn(watched), speakUnwatched = inTurn(unwatched);
  const count = Math.round(connections * 2 * READ_GAP / INTERVAL);
  for (let at = 0; at < INTERVAL; at += READ_GAP) {
    speak(count / 2, (line) => line.data(WORD));
    clock.run(READ_GAP);
  }
  clock.run(INTERVAL);

  // Silent peers: each is asked every interval.
  const ping = inTurn(unwatched);
  const asked: Figures = { total: [], bare: [] };
  let before = [pings, timers] as const, probes = 0, wakes = 0;
  for (let i = 0; i <= rounds; i++) {
    before = [pings, timers];
    const total = costOf(() => clock.run(INTERVAL));
    [probes, wakes] = [pings - before[0], timers - before[1]];
    const batch = Math.ceil(probes / wakes);
    const alone = costOf(() => {
      for (let left = probes; left > 0; left -= batch) {
        ping(Math.min(batch, left), (line) => line.pulse.beat("beat", clock.now()));
        answerAll();
      }
    });
    // The first round warms up.
    if (i > 0) asked.total.push(total), asked.bare.push(alone);
  }

  // Peers that speak: none is asked.
  const spoken: Figures = { total: [], bare: [] };
  let seen = 0;
  for (let i = 0; i <= rounds + 1; i++) {
    seen = looks + watched.reduce((sum, line) => sum + line.putOffs, 0);
    before = [pings, timers];
    const total = costOf(() => {
      for (let at = 0; at < INTERVAL; at += READ_GAP) {
        speak(count, (line) => line.data(WORD));
        clock.run(READ_GAP);
      }
    });
    seen = looks + watched.reduce((sum, line) => sum + line.putOffs, 0) - seen;
    const alone = costOf(() => {
      for (let at = 0; at < INTERVAL; at += READ_GAP) speakUnwatched(count, (line) => line.data(WORD));
    });
    // In the first round some are asked still.
    if (i > 1) spoken.total.push(total), spoken.bare.push(alone);
  }
  const asks = pings - before[0];

  const chunk = encoder.encode("x\n".repeat(16));
  const timersReading = timers, times = 200_000, start = cpu();
  for (let i = 0; i < times; i++) watched[i % watched.length]!.data(chunk);
  const reading = (cpu() - start) / times * 1e6, set = timers - timersReading;

  const often = wakes * 1_000 / INTERVAL, waking = [];
  for (let i = 0; i < 3; i++) waking.push(await costOfWaking(often));

  console.log(`${connections} connections, interval ${INTERVAL} ms; ms of CPU a second, ${rounds} rounds:`);
  report(`silent peers (${probes / 10} probes, ${often} wake-ups a second)`, asked, median(waking));
  report(`peers that speak (${seen / 10} looks, ${asks / 10} probes a second)`, spoken, median(waking));
  console.log(
    `reading: ${set} timers set in ${times} reads, ${reading.toFixed(0)} ns each with 16 lines; ${lost} lost`,
  );
  process.exit(lost === 0 && set === 0 ? 0 : 1);
}

void main();
