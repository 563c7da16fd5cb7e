/**
 * The best echo server that one can write by hand on `node:net`, as it is documented: what ours is measured against.
 *
 * `write` returns `false` for every chunk of 16 KiB or more, also if the kernel took it at once: whether to pause is told
 * by `writableLength`.
 *
 * Arguments: port; and, to send 9 bytes to each connection every so often, the interval in milliseconds.
 *
 * @module
 */

import { createServer, type Socket } from "node:net";
import process from "node:process";
import { beat } from "./beat.ts";

const [port, interval] = process.argv.slice(2).map(Number);
const sockets = new Set<Socket>();

function onData(this: Socket, bytes: Uint8Array): void {
  if (!this.write(bytes) && this.writableLength > 0) this.pause();
}

function onDrain(this: Socket): void {
  if (this.isPaused()) this.resume();
}

function onClose(this: Socket): void {
  sockets.delete(this);
}

function onError(): void {}

createServer({ noDelay: true }, (socket) => {
  sockets.add(socket);
  socket.on("data", onData).on("drain", onDrain).on("error", onError).on("close", onClose);
}).listen({ host: "127.0.0.1", port, backlog: 511 });

if (interval !== undefined) beat(sockets, interval, (socket, bytes) => void socket.write(bytes));
