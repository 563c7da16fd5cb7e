/**
 * The best echo server that one can write by hand on `Bun.listen`: what ours is measured against.
 *
 * `write` takes what fits and forgets the rest. That is kept here, and the peer is not read from until it is out.
 *
 * Arguments: port; and, to send 9 bytes to each connection every so often, the interval in milliseconds.
 *
 * @module
 */

import process from "node:process";
import { beat } from "./beat.ts";
import type { BunLike, RawSocket } from "./bun.ts";

/** What waits for the kernel, in order; `undefined` while nothing does. */
type Waiting = Uint8Array[] | undefined;

const bun = (globalThis as unknown as { Bun: BunLike }).Bun;
const [port = 0, interval] = process.argv.slice(2).map(Number);
const sockets = new Set<RawSocket<Waiting>>();
/** Those whose peer has finished while something waited. */
const ended = new Set<RawSocket<Waiting>>();

bun.listen<Waiting>({
  hostname: "127.0.0.1",
  port,
  allowHalfOpen: true,
  socket: {
    binaryType: "uint8array",
    open(socket) {
      socket.data = undefined;
      sockets.add(socket);
    },
    data(socket, bytes) {
      // What Bun had read before it was told to pause still comes.
      if (socket.data !== undefined) return void socket.data.push(bytes);
      const size = socket.write(bytes);
      if (size === bytes.length || size < 0) return;
      socket.data = [bytes.subarray(size)];
      socket.pause();
    },
    drain(socket) {
      const waiting = socket.data;
      if (waiting === undefined) return;
      while (waiting.length > 0) {
        const bytes = waiting[0]!;
        const size = socket.write(bytes);
        if (size < 0) return;
        if (size < bytes.length) return void (waiting[0] = bytes.subarray(size));
        waiting.shift();
      }
      socket.data = undefined;
      if (ended.delete(socket)) socket.end();
      else socket.resume();
    },
    end(socket) {
      if (socket.data === undefined) socket.end();
      else ended.add(socket);
    },
    close(socket) {
      sockets.delete(socket);
      ended.delete(socket);
    },
    error() {},
  },
});

if (interval !== undefined) {
  // A beat in the midst of an answer would tear it.
  beat(sockets, interval, (socket, bytes) => {
    if (socket.data !== undefined) return;
    const size = socket.write(bytes);
    if (size === bytes.length || size < 0) return;
    socket.data = [bytes.subarray(size)];
    socket.pause();
  });
}
