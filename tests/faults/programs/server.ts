/**
 * The server that faults happen to: echoes in upper case, beats, and gives silent peers up.
 *
 * Argument: `{ hostname, port, interval, timeout }` as JSON. Prints one line of JSON when it listens,
 * `{ port, reset }`, and one in answer to a line on standard input: how many connections there are, and how each
 * of the others ended. It does what the messages `block` and `stream` ask for, besides echoing.
 *
 * @module
 */

import process from "node:process";
import { createInterface } from "node:readline";
import { type Connection, detectTransport, raw, serve, type TcpAddress } from "../../../mod.ts";

const { hostname, port, interval, timeout } = JSON.parse(process.argv[2]!) as {
  readonly hostname: string;
  readonly port: number;
  readonly interval: number;
  readonly timeout: number;
};

/** How long `block` keeps the event loop from turning, in milliseconds. */
const BLOCK = 6_000;

const encoder = new TextEncoder();
/** Whether `bytes` begin with `word`; TCP may have put more behind it. */
const begin = (bytes: Uint8Array, word: Uint8Array) => word.every((byte, i) => byte === bytes[i]);
const block = encoder.encode("block"), stream = encoder.encode("stream");

const ended: { remote: string; code: string; silent: number; stuck: number }[] = [];

/** What waits for each peer, and since when it has not become less. */
const waiting = new Map<object, { bytes: number; since: number }>();

/** How often that is looked at, in milliseconds. */
const LOOK_EVERY = 20;

async function pour(connection: Connection<Uint8Array, Uint8Array | string>): Promise<void> {
  try {
    // Fresh memory each time: what is buffered has to show.
    while (connection.state === "open") await connection.send(new Uint8Array(32 * 1024).fill(0x20));
  } catch { /* `closed` tells. */ }
}

const server = await serve({
  hostname,
  port,
  protocol: raw({ token: "heartbeat" }),
  heartbeat: { interval, timeout, sendEvery: interval, steady: true },
}, (connection) => {
  connection.onMessage = (bytes) => {
    if (begin(bytes, stream)) return void pour(connection);
    if (begin(bytes, block)) { for (const until = performance.now() + BLOCK; performance.now() < until;); }
    for (let i = 0; i < bytes.length; i++) if (bytes[i]! >= 0x61 && bytes[i]! <= 0x7a) bytes[i]! -= 0x20;
    return connection.send(bytes);
  };
  const address = connection.remoteAddress as TcpAddress;
  connection.closed.then(({ code, facts }) => {
    const silent = facts!.endedAt - facts!.lastHeardAt;
    const stuck = performance.now() - (waiting.get(connection)?.since ?? Infinity);
    waiting.delete(connection);
    ended.push({ remote: `${address.hostname}:${address.port}`, code, silent, stuck });
  });
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

for await (const _line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify({ now: server.stats().now, ended }));
}
process.exit();
