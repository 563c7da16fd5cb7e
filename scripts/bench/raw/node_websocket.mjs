/**
 * An echo server for WebSocket messages, by `ws` on Node.
 *
 * Argument: port.
 *
 * @module
 */

import process from "node:process";
import { WebSocketServer } from "ws";

/** Bytes that may wait for the kernel before the peer is not read from. */
const MOST_WAITING = 64 * 1024;

const server = new WebSocketServer({
  host: "127.0.0.1",
  port: Number(process.argv[2]),
  perMessageDeflate: false,
});
server.on("connection", (socket) => {
  socket.on("error", () => {});
  socket.on("message", (message) => {
    if (socket.bufferedAmount < MOST_WAITING) return socket.send(message);
    socket.pause();
    socket.send(message, () => socket.resume());
  });
});
