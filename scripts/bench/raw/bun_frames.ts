/**
 * The best server that one can write by hand on `Bun.listen` for messages with their length in front, echoing them.
 *
 * Argument: port.
 *
 * @module
 */

import process from "node:process";
import type { BunLike, RawSocket } from "./bun.ts";
import { Incoming, Outgoing } from "./frames.ts";

/** What belongs to a connection. */
interface Peer {
  readonly incoming: Incoming;
  /** Answers that wait for the kernel. */
  waiting: Uint8Array | undefined;
  /** What came meanwhile, though the socket was told to pause. */
  late: Uint8Array[];
  ended: boolean;
}

const bun = (globalThis as unknown as { Bun: BunLike }).Bun;
const outgoing = new Outgoing();

function answer(socket: RawSocket<Peer>, chunk: Uint8Array): void {
  const peer = socket.data;
  peer.incoming.answer(chunk, outgoing);
  const bytes = outgoing.take();
  if (bytes.length === 0) return;
  const size = socket.write(bytes);
  if (size === bytes.length || size < 0) return;
  peer.waiting = bytes.slice(size);
  socket.pause();
}

function drain(socket: RawSocket<Peer>): void {
  const peer = socket.data;
  if (peer.waiting === undefined) return;
  const size = socket.write(peer.waiting);
  if (size < 0) return;
  if (size < peer.waiting.length) return void (peer.waiting = peer.waiting.subarray(size));
  peer.waiting = undefined;
  while (peer.waiting === undefined && peer.late.length > 0) answer(socket, peer.late.shift()!);
  if (peer.waiting !== undefined) return;
  if (peer.ended) socket.end();
  else socket.resume();
}

bun.listen<Peer>({
  hostname: "127.0.0.1",
  port: Number(process.argv[2]),
  allowHalfOpen: true,
  socket: {
    binaryType: "uint8array",
    open: (socket) =>
      void (socket.data = { incoming: new Incoming(), waiting: undefined, late: [], ended: false }),
    data(socket, chunk) {
      if (socket.data.waiting === undefined) answer(socket, chunk);
      else socket.data.late.push(chunk);
    },
    drain,
    end(socket) {
      socket.data.ended = true;
      if (socket.data.waiting === undefined) socket.end();
    },
    close() {},
    error() {},
  },
});
