/**
 * The library's echo server, in each of its forms: what is measured.
 *
 * Arguments: port, `callback`, `iterator` or `streams`; and, to send 9 bytes to each connection every so often, the
 * interval in milliseconds.
 *
 * @module
 */

import process from "node:process";
import { type Connection, detectTransport, raw, serve, toStreams } from "../../../mod.ts";

const [port, form = "", interval] = process.argv.slice(2);

/** How an application answers in each form. */
const HANDLERS: Record<
  string,
  (connection: Connection<Uint8Array, Uint8Array | string>) => Promise<void> | void
> = {
  callback: (connection) => {
    connection.onMessage = (bytes) => connection.send(bytes);
  },
  iterator: async (connection) => {
    for await (const bytes of connection) await connection.send(bytes);
  },
};

if (form === "streams") {
  const transport = await detectTransport();
  await transport.listen!({ hostname: "127.0.0.1", port: Number(port) }, {
    accept(socket) {
      const { readable, writable } = toStreams(socket);
      // Who resets is gone.
      readable.pipeTo(writable).catch(() => {});
    },
  });
} else {
  const every = Number(interval);
  await serve({
    hostname: "127.0.0.1",
    port: Number(port),
    maxConnections: 1_000_000,
    ...(interval === undefined ? {} : {
      protocol: raw({ token: "heartbeat" }),
      // No verdict on silent peers: those of the load generator say nothing.
      heartbeat: { interval: every, timeout: Infinity, sendEvery: every, steady: true },
    }),
  }, HANDLERS[form]!);
}
