/**
 * What one would write by hand on `node:net`: upper case, and one timer that sends `heartbeat` to all.
 *
 * Arguments: port, and the interval in milliseconds.
 *
 * @module
 */

import { createServer, type Socket } from "node:net";
import process from "node:process";

const [port, interval] = process.argv.slice(2).map(Number) as [number, number];
const sockets = new Set<Socket>();
const beat = new TextEncoder().encode("heartbeat");

createServer((socket) => {
  sockets.add(socket);
  socket.setNoDelay(true);
  socket.on("data", (bytes) => {
    for (let i = 0; i < bytes.length; i++) if (bytes[i]! >= 0x61 && bytes[i]! <= 0x7a) bytes[i]! -= 0x20;
    socket.write(bytes);
  });
  socket.on("error", () => {});
  socket.on("close", () => sockets.delete(socket));
}).listen({ host: "127.0.0.1", port, backlog: 511 });

setInterval(() => {
  for (const socket of sockets) socket.write(beat);
}, interval);
