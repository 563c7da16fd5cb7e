/**
 * An echo server for WebSocket messages, by `Bun.serve`.
 *
 * Argument: port.
 *
 * @module
 */

import process from "node:process";

interface ServedSocket {
  send(message: Uint8Array): number;
}

interface BunLike {
  serve(options: {
    hostname: string;
    port: number;
    fetch(request: unknown, server: { upgrade(request: unknown): boolean }): Response | undefined;
    websocket: {
      perMessageDeflate: boolean;
      message(socket: ServedSocket, message: Uint8Array): void;
    };
  }): void;
}

const bun = (globalThis as unknown as { Bun: BunLike }).Bun;

bun.serve({
  hostname: "127.0.0.1",
  port: Number(process.argv[2]),
  fetch: (request, server) => server.upgrade(request) ? undefined : new Response("", { status: 400 }),
  websocket: { perMessageDeflate: false, message: (socket, message) => void socket.send(message) },
});
