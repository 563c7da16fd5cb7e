/**
 * The server that faults happen to: echoes in upper case, beats, and gives silent peers up.
 *
 * Argument: `{ hostname, port, interval, timeout, protocol, iterate, options }` as JSON, with options for `serve()` besides. Prints
 * one line of JSON when it listens, `{ port, reset }`, and one in answer to a line on standard input: how many connections
 * there are, how each of the others ended, how many callers were turned
 * away, how often it had to listen again, and what the wall clock shows. It does what
 * the messages `block`, `stream` and `megabyte` ask for, besides echoing. At SIGTERM it drains and ends.
 *
 * @module
 */

import process from "node:process";
import { createInterface } from "node:readline";
import {
  type Connection,
  detectTransport,
  frames,
  lines,
  type Protocol,
  raw,
  serve,
  type TcpAddress,
} from "../../../mod.ts";

type Message = Uint8Array | string;

const { hostname, port, interval, timeout, protocol, iterate, options } = JSON.parse(process.argv[2]!) as {
  readonly hostname: string;
  readonly port: number;
  readonly interval: number;
  readonly timeout: number;
  readonly protocol: "raw" | "lines" | "frames";
  /** Whether messages are taken by an iterator, and not by a callback. */
  readonly iterate?: boolean;
  readonly options: object;
};

/** How long a drain may take, in milliseconds. */
const DRAIN = 10_000;

/** Longest message of a peer that speaks frames: a single frame can be announced that is longer. */
const LONGEST = 32_768;

const protocols = {
  raw: () => raw({ token: "heartbeat" }),
  lines: () => lines(),
  frames: () => frames({ maxMessageBytes: LONGEST }),
} as Record<typeof protocol, () => unknown> as Record<typeof protocol, () => Protocol<Message>>;

/** How long `block` keeps the event loop from turning, in milliseconds. */
const BLOCK = 6_000;

const encoder = new TextEncoder();
/** Whether `bytes` begin with `word`; TCP may have put more behind it. */
const begin = (bytes: Uint8Array, word: Uint8Array) => word.every((byte, i) => byte === bytes[i]);
const block = encoder.encode("block"), stream = encoder.encode("stream");
const megabyte = encoder.encode("megabyte");

const ended: { remote: string; code: string; silent: number; stuck: number }[] = [];

/** What waits for each peer, and since when it has not become less. */
const waiting = new Map<object, { bytes: number; since: number }>();

/** How often that is looked at, in milliseconds. */
const LOOK_EVERY = 20;

async function pour(connection: Connection<Message>): Promise<void> {
  try {
    // Fresh memory each time: what is buffered has to show.
    while (connection.state === "open") await connection.send(new Uint8Array(32 * 1024).fill(0x20));
  } catch { /* `closed` tells. */ }
}

/** Sends 1 MiB, all of it at once, in which each 4 bytes are the number of those before them. */
function give(connection: Connection<Message>): void {
  const numbers = new DataView(new ArrayBuffer(1 << 20));
  for (let at = 0; at < numbers.byteLength; at += 4) numbers.setUint32(at, at / 4);
  for (let at = 0; at < numbers.byteLength; at += 1 << 16) {
    connection.send(new Uint8Array(numbers.buffer, at, 1 << 16)).catch(() => {});
  }
}

const server = await serve<Message, Message>({
  hostname,
  port,
  protocol: protocols[protocol](),
  // Only raw has no pings that are answered, and asks by its beats.
  heartbeat: { interval, timeout, ...(protocol === "raw" ? { sendEvery: interval, steady: true } : {}) },
  ...options,
}, (connection) => {
  const answer = (message: Message) => {
    if (typeof message === "string") return connection.send(message.toUpperCase());
    const bytes = message;
    if (begin(bytes, megabyte)) return give(connection);
    if (begin(bytes, stream)) return void pour(connection);
    if (begin(bytes, block)) { for (const until = performance.now() + BLOCK; performance.now() < until;); }
    for (let i = 0; i < bytes.length; i++) if (bytes[i]! >= 0x61 && bytes[i]! <= 0x7a) bytes[i]! -= 0x20;
    return connection.send(bytes);
  };
  const loop = async () => {
    for await (const message of connection) await answer(message);
  };
  if (!iterate) connection.onMessage = answer;
  const address = connection.remoteAddress as TcpAddress;
  connection.closed.then(({ code, facts }) => {
    const silent = facts!.endedAt - facts!.lastHeardAt;
    const stuck = performance.now() - (waiting.get(connection)?.since ?? Infinity);
    waiting.delete(connection);
    ended.push({ remote: `${address.hostname}:${address.port}`, code, silent, stuck });
  });
  if (iterate) return loop();
});

setInterval(() => {
  for (const connection of server.connections) {
    const { bufferedAmount: bytes } = connection;
    const before = waiting.get(connection);
    if (bytes === 0) waiting.delete(connection);
    else if (before === undefined || bytes < before.bytes) {
      waiting.set(connection, { bytes, since: performance.now() });
    } else before.bytes = bytes;
  }
}, LOOK_EVERY);

const { capabilities } = await detectTransport();
console.log(JSON.stringify({ port: (server.address as TcpAddress).port, reset: capabilities.reset }));

process.on("SIGTERM", () => void server.drain({ timeout: DRAIN }).then(() => process.exit()));

for await (const _line of createInterface({ input: process.stdin })) {
  const { now, refused, reopened } = server.stats();
  console.log(JSON.stringify({ now, ended, refused, reopened, date: Date.now() }));
}
process.exit();
