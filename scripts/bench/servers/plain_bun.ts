/**
 * What one would write by hand on `Bun.listen`: upper case, and one timer that sends `heartbeat` to all.
 *
 * Arguments: port, and the interval in milliseconds.
 *
 * @module
 */

import process from "node:process";

interface RawSocket {
  write(bytes: Uint8Array): number;
}

interface BunLike {
  listen(options: {
    hostname: string;
    port: number;
    socket: {
      binaryType: "uint8array";
      open(socket: RawSocket): void;
      data(socket: RawSocket, bytes: Uint8Array): void;
      close(socket: RawSocket): void;
      error(): void;
    };
  }): void;
}

const bun = (globalThis as unknown as { Bun: BunLike }).Bun;
const [port, interval] = process.argv.slice(2).map(Number) as [number, number];
const sockets = new Set<RawSocket>();
const beat = new TextEncoder().encode("heartbeat");

bun.listen({
  hostname: "127.0.0.1",
  port,
  socket: {
    binaryType: "uint8array",
    open: (socket) => void sockets.add(socket),
    data(socket, bytes) {
      for (let i = 0; i < bytes.length; i++) if (bytes[i]! >= 0x61 && bytes[i]! <= 0x7a) bytes[i]! -= 0x20;
      socket.write(bytes);
    },
    close: (socket) => void sockets.delete(socket),
    error() {},
  },
});

setInterval(() => {
  for (const socket of sockets) socket.write(beat);
}, interval);
