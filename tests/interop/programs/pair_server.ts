/**
 * The server of a pair: raw bytes and lines in upper case, with heartbeats. Closes the connection after the line
 * `bye`.
 *
 * Prints where it listens, and then how each connection has ended, as JSON. Drains at the end of its input.
 *
 * @module
 */

import process from "node:process";
import { type Connection, lines, raw, serve, type TcpAddress } from "../../../mod.ts";
import { type EndReport, INTERVAL, type Ports, SEND_EVERY, upperCase } from "./pair.ts";

async function tellEnd<In, Out>(connection: Connection<In, Out>): Promise<void> {
  const { code, origin } = await connection.closed;
  const { bytesReceived, messagesReceived, beatsReceived, pongsReceived } = connection.stats();
  const report: EndReport = { code, origin, bytesReceived, messagesReceived, beatsReceived, pongsReceived };
  console.log(JSON.stringify(report));
}

const bytes = await serve({
  port: 0,
  protocol: raw({ token: "heartbeat" }),
  heartbeat: { interval: 1_000, timeout: 5_000, sendEvery: SEND_EVERY, steady: true },
}, (connection) => {
  connection.onMessage = (chunk) => connection.send(upperCase(chunk));
  void tellEnd(connection);
});

const text = await serve({
  port: 0,
  protocol: lines(),
  heartbeat: { interval: INTERVAL, timeout: 5_000 },
}, async (connection) => {
  void tellEnd(connection);
  for await (const line of connection) {
    if (line === "bye") break;
    await connection.send(line.toUpperCase());
  }
});

const port = ({ address }: { address: unknown }) => (address as TcpAddress).port;
console.log(JSON.stringify({ raw: port(bytes), lines: port(text) } satisfies Ports));

for await (const _ of process.stdin);
await Promise.all([bytes.drain(), text.drain()]);
process.exit();
