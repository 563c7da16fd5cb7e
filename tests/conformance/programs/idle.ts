/**
 * Opens many connections to itself, passes one small message over each, and prints the bytes of memory that
 * each socket then takes.
 *
 * Arguments: URL of the transport's module, the address as JSON, number of connections.
 *
 * @module
 */

import process from "node:process";
import type { Socket } from "../../../lib/transport/transport.ts";
import { load } from "./load.ts";

const [module, target, count] = process.argv.slice(2) as [string, string, string];
const transport = await load(module);
const message = new Uint8Array(64);
const sockets: Socket[] = [];
let answered = 0;

const listener = await transport.listen!(JSON.parse(target), {
  accept: (socket) => {
    sockets.push(socket);
    socket.start({ data: (chunk) => void socket.write(chunk), written() {}, end() {}, close() {} });
  },
});

const open = async (total: number) => {
  while (sockets.length < total * 2) {
    const batch = Math.min(50, total - sockets.length / 2);
    const expected = answered + batch;
    await Promise.all(Array.from({ length: batch }, async () => {
      const socket = await transport.connect(listener.address);
      sockets.push(socket);
      socket.start({ data: () => void answered++, written() {}, end() {}, close() {} });
      socket.write(message);
    }));
    while (answered < expected) await new Promise((resolve) => setTimeout(resolve, 1));
  }
};

/** Resident memory once it has come to rest. */
const resident = async () => {
  for (let i = 0; i < 5; i++) {
    (globalThis as { gc?: () => void }).gc?.();
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return process.memoryUsage().rss;
};

await open(100); // So that code and pools are there before it is measured.
const before = await resident();
const already = sockets.length;
await open(Number(count));
console.log(Math.max(1, Math.round((await resident() - before) / (sockets.length - already))));
for (const socket of sockets) socket.abort();
await listener.close();
