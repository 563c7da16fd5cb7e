/**
 * What the tests of faults share: the server under test on the runtime that runs them, peers in Python, and the
 * times that everything is measured against.
 *
 * @module
 */

import { test } from "node:test";
import { appendFileSync, readFileSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { assertLessOrEqual, assertStrictEquals } from "@std/assert";
import { noProc, Observer, socketsOf } from "../support/proc_net.ts";
import { killAll, lacking, launch, type Running } from "../support/processes.ts";
import { commandFor } from "../support/runtime.ts";
import { type Scheduled, scheduled, stretched } from "../support/scheduled.ts";

/** Silence after which the server asks, and how often it beats, in milliseconds. */
export const INTERVAL = 400;
/** Silence after that which it takes for death. */
export const TIMEOUT = 1_200;
/** What it may be late by: a tick. */
const TICK = 100;
/** What a machine with other things to do may add. */
export const SLACK = 250;
/** The longest that a peer may be dead and not yet gone. */
export const BOUND = INTERVAL + TIMEOUT + TICK + SLACK;

/** How slow the slowest answer but one in a hundred may be for a peer that has done nothing wrong. */
export const SLOWEST_ANSWER = 150;

/** The server under test. */
export interface FaultServer extends Running {
  readonly hostname: string;
  readonly port: number;
  /** Whether it can drop a connection with RST. */
  readonly reset: boolean;
  /** How many connections it has, and how the others ended. */
  report(): Promise<Report>;
  /**
   * How many sockets its process holds beyond those of its connections: the listener, the runtime's own, of which
   * some come with the first connection, and whatever was forgotten.
   */
  surplus(): Promise<number>;
}

/** What the server says of itself. */
export interface Report {
  readonly now: number;
  readonly ended: readonly Ended[];
  /** Callers turned away. */
  readonly refused: number;
  /** How often it had to listen again. */
  readonly reopened: number;
  /** What its wall clock shows. */
  readonly date: number;
}

/** How a connection of the server ended, by its own word. */
export interface Ended {
  /** `address:port` of the peer. */
  readonly remote: string;
  readonly code: string;
  /** How long the peer had been silent, in milliseconds. */
  readonly silent: number;
  /** For how long what waited for the peer had not become less, in milliseconds. */
  readonly stuck: number;
}

/** Peers in one process. */
export interface Peers extends Running {
  /** `address:port` of each, as the server sees it. */
  readonly remotes: readonly string[];
  /** Tells them to come to an end, and what they say then. */
  report<T = Summary>(): Promise<T>;
}

/** What good peers have found. Times are in milliseconds. */
export interface Summary {
  /** Connections lost. */
  readonly lost: number;
  readonly answers: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  /** Longest time without a heartbeat on any connection. */
  readonly gap: number;
  /** Fewest heartbeats on any connection. */
  readonly beats: number;
  /** Most heartbeats within 300 ms on any connection. */
  readonly burst: number;
}

/** The path of one of our programs. */
export const program = (name: string): string => fileURLToPath(new URL(`programs/${name}`, import.meta.url));

const PEERS = program("peers.py");

/** How to start the server. */
export interface ServerSetup {
  readonly hostname?: string;
  readonly port?: number;
  /** What to put before the command, as `ip netns exec NAME`: it must end as the server's own process. */
  readonly prefix?: readonly string[];
  readonly protocol?: "raw" | "lines" | "frames";
  /** Whether the server takes messages by an iterator, and not by a callback. */
  readonly iterate?: boolean;
  /** Options for `serve()` besides. */
  readonly options?: object;
}

/** Starts the server under test. */
export async function startServer(
  { hostname = "127.0.0.1", port = 0, prefix = [], protocol = "raw", iterate = false, options: more = {} }:
    ServerSetup = {},
): Promise<FaultServer> {
  const file = program("server.ts");
  const options = JSON.stringify({
    hostname,
    port,
    interval: INTERVAL,
    timeout: TIMEOUT,
    protocol,
    iterate,
    options: more,
  });
  const running = launch([...prefix, ...commandFor(file, [options])]);
  const told = await running.told<{ port: number; reset: boolean }>();
  started.push({ pid: running.pid, then: scheduled(running.pid) });
  const report: FaultServer["report"] = () => {
    running.tell("report");
    return running.told();
  };
  return {
    ...running,
    ...told,
    hostname,
    report,
    async surplus() {
      const { now } = await report();
      return socketsOf(running.pid) - now;
    },
  };
}

/** Starts `count` peers of the server, of a kind that `peers.py` knows. Resolves once they are connected. */
export async function startPeers(
  kind: string,
  { hostname, port }: { readonly hostname: string; readonly port: number },
  count: number,
  { argument, source = "127.0.0.1", prefix = [] }: {
    readonly argument?: number;
    readonly source?: string;
    readonly prefix?: readonly string[];
  } = {},
): Promise<Peers> {
  const last = argument === undefined ? [] : [String(argument)];
  const args = [kind, `${hostname}/${source}`, String(port), String(count), ...last];
  const running = launch([...prefix, "python3", PEERS, ...args]);
  const { ports } = await running.told<{ ports: number[] }>();
  return {
    ...running,
    remotes: ports.map((port) => `${source}:${port}`),
    report: () => {
      running.tell("report");
      return running.told();
    },
  };
}

/** Has one exchange with the server, of a kind that `exchanges.py` knows, and resolves to what it found. */
export async function exchange<T>(
  kind: string,
  { hostname, port }: { readonly hostname: string; readonly port: number },
  argument = 1,
): Promise<T> {
  const running = launch([
    "python3",
    program("exchanges.py"),
    kind,
    hostname,
    String(port),
    String(argument),
  ]);
  return await running.told<T>();
}

/** Starts a server in Python that answers heartbeats `delay` milliseconds later. */
export async function startAnsweringServer(delay: number): Promise<Running & { readonly port: number }> {
  const running = launch(["python3", PEERS, "server", "127.0.0.1", "0", "0", String(delay)]);
  const { ports: [port] } = await running.told<{ ports: [number] }>();
  return { ...running, port };
}

/** Starts a peer that speaks frames, of a kind that `framed.py` knows. Resolves once it has greeted. */
export async function startFramed(
  kind: string,
  { hostname, port }: { readonly hostname: string; readonly port: number },
  { argument = 0, source = "127.0.0.1", prefix = [] }: {
    readonly argument?: number;
    readonly source?: string;
    readonly prefix?: readonly string[];
  } = {},
): Promise<Running & { readonly remote: string }> {
  const args = [kind, `${hostname}/${source}`, String(port), String(argument)];
  const running = launch([...prefix, "python3", program("framed.py"), ...args]);
  const { port: own } = await running.told<{ port: number }>();
  return { ...running, remote: `${source}:${own}` };
}

/** A server in Python that clients come back to; see `called.py`. */
export interface Called extends Running {
  readonly port: number;
  /** Tells it what to do from now on, and resolves to what has happened since the last time. */
  order(word: "serve" | "mute" | "drop" | "slam" | "report"): Promise<Calls>;
}

/** What a server in Python saw: instants in milliseconds since it was last asked. */
export interface Calls {
  readonly accepted: readonly number[];
  readonly lost: readonly number[];
  readonly open: number;
}

/** Starts a server in Python that clients come back to, or a name server that gives `name` as every address. */
export async function startCalled(
  { hostname = "127.0.0.1", port = 0, name, prefix = [] }: {
    readonly hostname?: string;
    readonly port?: number;
    readonly name?: string;
    readonly prefix?: readonly string[];
  } = {},
): Promise<Called> {
  const last = name === undefined ? [] : [name];
  const running = launch([...prefix, "python3", program("called.py"), hostname, String(port), ...last]);
  const told = await running.told<{ port: number }>();
  return {
    ...running,
    ...told,
    order(word) {
      running.tell(word);
      return running.told();
    },
  };
}

/** Clients of ours that come back, in one process; see `returning.ts`. */
export interface Clients extends Running {
  /** What became of them. */
  ask(word?: "report" | "quiet"): Promise<Became>;
}

/** What became of clients that come back. Times are in milliseconds. */
export interface Became {
  /** Connected now. */
  readonly open: number;
  /** How often any of them was connected. */
  readonly opened: number;
  /** When the first of them was, since the start. */
  readonly firstAt: number;
  /** How those ended that will not come back. */
  readonly ended: readonly string[];
  readonly sent: number;
  readonly back: number;
  /** Echoes that were not the next number. */
  readonly wrong: number;
  /** How long ago the last echo came. */
  readonly silent: number;
  /** Connections to another server that were lost. */
  readonly harmed: number;
}

/** Starts `count` clients that come back. Resolves once they are connected. */
export async function startClients(
  target: { readonly hostname: string; readonly port: number },
  count: number,
  { protocol = "raw", options, every, beside, prefix = [] }: {
    readonly protocol?: "raw" | "frames";
    readonly options: object;
    readonly every?: number;
    /** Port of another server, to which nothing happens. */
    readonly beside?: number;
    readonly prefix?: readonly string[];
  },
): Promise<Clients> {
  const { hostname, port } = target;
  const argument = JSON.stringify({ target: { hostname, port }, count, protocol, options, every, beside });
  const running = launch([...prefix, ...commandFor(program("returning.ts"), [argument])]);
  await running.told();
  return {
    ...running,
    ask(word = "report") {
      running.tell(word);
      return running.told();
    },
  };
}

/** Starts the client whose callback can block, with `each` connections to every port. */
export async function startClient(ports: readonly number[], each: number): Promise<Running> {
  const running = launch(
    commandFor(program("client.ts"), [JSON.stringify({ ports, each, interval: INTERVAL, timeout: TIMEOUT })]),
  );
  await running.told();
  return running;
}

/**
 * Asserts that nobody who has done nothing wrong has felt anything: beyond what this process, which does next to nothing,
 * felt of the machine itself, and what the server had to wait for a processor.
 */
export function assertUnharmed(neighbours: Summary): void {
  const [, once] = noise();
  assertStrictEquals(neighbours.lost, 0);
  assertLessOrEqual(neighbours.p99, bearable(SLOWEST_ANSWER));
  assertLessOrEqual(neighbours.gap, INTERVAL + SLACK + once);
}

/** How long something may take on this machine that may take so many milliseconds on one that has nothing else to do. */
export function bearable(time: number): number {
  return time * stretch() + noise()[0];
}

/** The servers of a test, and what each had had of the processor when it was ready. */
const started: { readonly pid: number; readonly then: Scheduled }[] = [];

/** How many times its time the work of a server took, since others had the processor. */
function stretch(): number {
  return Math.max(1, ...started.map(({ pid, then }) => stretched(pid, then)));
}

/** How late timers of this process were while a test ran, in milliseconds. */
const lateness: number[] = [];

/** How often that is measured, in milliseconds. */
const MEASURE_EVERY = 10;

/** No machine is so slow that more than this is forgiven, in milliseconds. */
const MOST_NOISE = 300;

/** What the machine adds to most times, and what to the longest. */
function noise(): [often: number, once: number] {
  const times = [...lateness].sort((a, b) => a - b);
  const at = (share: number) => Math.min(MOST_NOISE, times[Math.ceil(share * times.length) - 1] ?? 0);
  return [at(0.99), at(1)];
}

/** Begins to measure that. Returns what ends it. */
function listen(): () => void {
  lateness.length = started.length = 0;
  let before = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    lateness.push(Math.max(0, now - before - MEASURE_EVERY));
    before = now;
  }, MEASURE_EVERY);
  return () => clearInterval(timer);
}

/** Waits for all, and then fails if one has: none is left running in the midst of it. */
export async function all(...parts: readonly Promise<void>[]): Promise<void> {
  const results = await Promise.allSettled(parts);
  for (const result of results) if (result.status === "rejected") throw result.reason;
}

/** Seconds of processor time that `pid` has had so far. */
export function processorTime(pid: number): number {
  // After the name, which may have any character in it. Linux counts in hundredths.
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").replace(/^.*\) /s, "").split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

const skip = noProc || lacking("python3", "--version");
if (skip) console.log(`skipped: ${skip}`);

/** What was found, line by line: the row of docs/faults.md, the fault, its bound, and what was measured. */
const found: [row: number, fault: string, bound: string, measured: string][] = [];

/** File to which what was found goes besides, if any: see table.mjs. */
const log = process.env["HOLDFAST_FAULTS_LOG"];

/** Notes what was measured, for the table. */
export function note(row: number, fault: string, bound: string, measured: string): void {
  found.push([row, fault, bound, measured]);
}

/** Declares a test, at whose end everything is killed that it has launched, and what it has noted is printed. */
export function check(name: string, body: () => Promise<void>): void {
  test(name, { timeout: 120_000, skip }, async () => {
    const quiet = listen();
    let slowed = 1;
    try {
      await body();
    } finally {
      quiet();
      slowed = stretch();
      Observer.stopAll();
      await killAll();
      const lines = found.splice(0);
      const width = Math.max(0, ...lines.map(([, fault]) => fault.length));
      for (const [row, fault, bound, measured] of lines) {
        console.log(`  ${String(row).padStart(2)}  ${fault.padEnd(width)}  ${bound}: ${measured}`);
      }
      const [often, once] = noise().map(Math.round);
      console.log(
        `      this machine: timers ${often} ms late, ${once} ms at most; work takes ${
          slowed.toFixed(1)
        } times its time`,
      );
      if (log !== undefined) appendFileSync(log, lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
    }
  });
}

/** Numbers as `120..180 ms`. */
export function span(values: readonly number[]): string {
  return `${Math.round(Math.min(...values))}..${Math.round(Math.max(...values))} ms`;
}
