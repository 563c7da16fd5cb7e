/**
 * An echo server for WebSocket messages, by `Deno.upgradeWebSocket`.
 *
 * Argument: port.
 *
 * @module
 */

import process from "node:process";

interface Upgraded {
  binaryType: string;
  onmessage: (event: { data: ArrayBuffer }) => void;
  send(data: ArrayBuffer): void;
}

interface DenoLike {
  serve(
    options: { hostname: string; port: number; onListen(): void },
    handler: (request: unknown) => unknown,
  ): void;
  upgradeWebSocket(request: unknown): { socket: Upgraded; response: unknown };
}

const deno = (globalThis as unknown as { Deno: DenoLike }).Deno;

deno.serve({ hostname: "127.0.0.1", port: Number(process.argv[2]), onListen() {} }, (request) => {
  const { socket, response } = deno.upgradeWebSocket(request);
  socket.binaryType = "arraybuffer";
  socket.onmessage = ({ data }) => socket.send(data);
  return response;
});
