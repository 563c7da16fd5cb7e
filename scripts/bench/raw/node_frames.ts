/**
 * The best server that one can write by hand on `node:net` for messages with their length in front, echoing them.
 *
 * Argument: port.
 *
 * @module
 */

import { createServer, type Socket } from "node:net";
import process from "node:process";
import { Incoming, Outgoing } from "./frames.ts";

const INCOMING: unique symbol = Symbol("incoming");

const outgoing = new Outgoing();

function onData(this: Socket, chunk: Uint8Array): void {
  (this as Socket & { [INCOMING]: Incoming })[INCOMING].answer(chunk, outgoing);
  const bytes = outgoing.take();
  if (bytes.length === 0) return;
  const more = this.write(bytes);
  if (this.writableLength === 0) return;
  // The kernel has not taken all of it.
  outgoing.leave();
  if (!more) this.pause();
}

function onDrain(this: Socket): void {
  if (this.isPaused()) this.resume();
}

function onError(): void {}

createServer({ noDelay: true }, (socket) => {
  Object.assign(socket, { [INCOMING]: new Incoming() });
  socket.on("data", onData).on("drain", onDrain).on("error", onError);
}).listen({ host: "127.0.0.1", port: Number(process.argv[2]), backlog: 511 });
