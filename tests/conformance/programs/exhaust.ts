/**
 * An echo server that is started with few descriptors. On `cpu` it prints the seconds of processor time and of
 * time since the last `cpu`, on `quit` it ends.
 *
 * Arguments: URL of the transport's module, the address as JSON.
 *
 * @module
 */

import process from "node:process";
import { createInterface } from "node:readline";
import type { Socket } from "../../../lib/transport/transport.ts";
import { load } from "./load.ts";

const [module, target] = process.argv.slice(2) as [string, string];
const transport = await load(module);
// Deno 2.9.6 panics if it meets EMFILE in its first moments, before this (runtimes A9).
await new Promise((resolve) => setTimeout(resolve, 1_000));

const sockets = new Set<Socket>();
const listener = await transport.listen!(JSON.parse(target), {
  accept: (socket) => {
    sockets.add(socket);
    socket.start({
      data: (chunk) => void socket.write(chunk),
      written() {},
      end: () => socket.shutdown(),
      close: () => void sockets.delete(socket),
    });
  },
  failed() {},
});
const input = createInterface({ input: process.stdin });
console.log(JSON.stringify(listener.address));

let cpu = process.cpuUsage();
let clock = performance.now();
input.on("line", (line) => {
  if (line === "quit") {
    for (const socket of sockets) socket.abort();
    listener.close();
    input.close();
    process.stdin.destroy();
    return;
  }
  const used = process.cpuUsage(cpu);
  const now = performance.now();
  console.log(JSON.stringify([(used.user + used.system) / 1e6, (now - clock) / 1000]));
  cpu = process.cpuUsage();
  clock = now;
});
