/**
 * An echo server on `node:net` that reads into memory which all its sockets share. Node documents `onread` for sockets
 * that a program makes, not for accepted ones, so this takes the handle out of them: shown for what it brings, as our busy
 * sockets read so too, and not what ours is measured against. It is right only for peers that read: when the kernel does not
 * take an answer whole, others may read over the rest of it.
 *
 * Argument: port.
 *
 * @module
 */

import { createServer, Socket } from "node:net";
import process from "node:process";

let memory = new Uint8Array(64 * 1024);

createServer({ noDelay: true, pauseOnConnect: true }, (accepted) => {
  const { _handle: handle } = accepted as Socket & { _handle: unknown };
  Object.assign(accepted, { _handle: null });
  const onread = {
    buffer: () => memory,
    callback(size: number, bytes: Uint8Array): boolean {
      socket.write(bytes.subarray(0, size));
      if (socket.writableLength === 0) return true;
      // The kernel has not taken all of it: the memory is left to the write.
      memory = new Uint8Array(64 * 1024);
      return false;
    },
  };
  const socket = new Socket({ handle, onread } as ConstructorParameters<typeof Socket>[0]);
  socket.on("drain", () => socket.resume()).on("end", () => socket.end()).on("error", () => {});
  socket.resume();
}).listen({ host: "127.0.0.1", port: Number(process.argv[2]), backlog: 511 });
