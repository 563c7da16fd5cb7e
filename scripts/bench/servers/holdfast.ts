/**
 * The library's server: upper case, and `heartbeat` every so often on each connection.
 *
 * Arguments: port, and the interval in milliseconds.
 *
 * @module
 */

import process from "node:process";
import { raw, serve } from "../../../mod.ts";

const [port, interval] = process.argv.slice(2).map(Number) as [number, number];

const server = await serve({
  port,
  protocol: raw({ token: "heartbeat" }),
  // No verdict on silent peers: those of the load generator say nothing.
  heartbeat: { interval, timeout: Infinity, sendEvery: interval, steady: true },
  maxConnections: 1_000_000,
}, (connection) => {
  connection.onMessage = (bytes) => {
    for (let i = 0; i < bytes.length; i++) if (bytes[i]! >= 0x61 && bytes[i]! <= 0x7a) bytes[i]! -= 0x20;
    return connection.send(bytes);
  };
});
process.on("SIGTERM", () => server.abort());
