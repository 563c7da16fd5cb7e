/**
 * A server that is started with few descriptors: echoes, and tells how it is.
 *
 * Arguments: options for `serve()` as JSON, and how many files to hold open besides. Prints one line of JSON when it listens, `{ port }`, and one in answer to each
 * line on standard input: connections, callers turned away, errors told of, and the seconds of processor time and of
 * time since the last one. Ends by itself when it is told to `quit`.
 *
 * @module
 */

import { openSync } from "node:fs";
import process from "node:process";
import { createInterface } from "node:readline";
import { serve, type TcpAddress } from "../../../mod.ts";

// Deno 2.9.6 panics if it meets EMFILE in its first moments, before this (runtimes A9).
await new Promise((resolve) => setTimeout(resolve, 1_000));

for (let files = Number(process.argv[3]); files > 0; files--) openSync("/dev/null", "r");

let errors = 0;
const server = await serve(
  { port: 0, heartbeat: false, ...JSON.parse(process.argv[2]!), onError: () => void errors++ },
  (connection) => {
    connection.onMessage = (bytes) => connection.send(bytes);
  },
);
const input = createInterface({ input: process.stdin });
console.log(JSON.stringify({ port: (server.address as TcpAddress).port }));

let cpu = process.cpuUsage(), clock = performance.now();
input.on("line", (line) => {
  if (line === "quit") {
    server.abort();
    input.close();
    process.stdin.destroy();
    return;
  }
  const { user, system } = process.cpuUsage(cpu);
  const now = performance.now();
  const { now: connections, refused } = server.stats();
  const seconds = (now - clock) / 1_000, busy = (user + system) / 1e6;
  console.log(JSON.stringify({ connections, refused, errors, busy, seconds }));
  cpu = process.cpuUsage();
  clock = now;
});
