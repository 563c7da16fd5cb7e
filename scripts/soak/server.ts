/**
 * The servers of a soak: one that stays and echoes, and one with sessions that is restarted.
 *
 * Prints where they listen. Understands, line by line: `restart` (drains into a store and serves again, at the same
 * port) and `report`.
 *
 * @module
 */

import process from "node:process";
import { createInterface } from "node:readline";
import { type Connection, frames, memoryStore, serve, type TcpAddress } from "../../mod.ts";
import { type ServerReport, SESSION_HEARTBEAT, STEADY_HEARTBEAT } from "./setting.ts";
import { descriptors, heap, memoryAtRest, timers } from "./tidy.ts";

type Message = Uint8Array | string;

/** What is known of one client with sessions, over all of them. */
interface Client {
  /** Number of its last message, and of the last one that was echoed. */
  last: number;
  echoed: number;
  connection: Connection<Message, Message>;
}

const uncaught: string[] = [];
const tell = (error: unknown) => void uncaught.push(error instanceof Error ? `${error.stack}` : `${error}`);
process.on("uncaughtException", tell);
process.on("unhandledRejection", tell);

const clients = new Map<string, Client>();
const store = memoryStore();
let astray = 0, sessions = 0;

const steady = await serve(
  { port: 0, maxConnections: 100_000, protocol: frames(), heartbeat: STEADY_HEARTBEAT },
  (connection) => {
    connection.onMessage = (message) => connection.send(message);
  },
);

function handle(connection: Connection<Message, Message>): void {
  sessions++;
  void connection.closed.then(() => sessions--);
  connection.onMessage = (message) => {
    const [id, number] = String(message).split(":") as [string, string];
    let client = clients.get(id);
    if (client === undefined) clients.set(id, client = { last: 0, echoed: 0, connection });
    if (Number(number) !== client.last + 1) astray++;
    client.last = Number(number);
    client.connection = connection;
    echo(client);
  };
}

/** Echoes all that has not been, for as long as the session takes it: a server that drains takes no more. */
function echo(client: Client): void {
  while (client.echoed < client.last) {
    const { state } = client.connection;
    if (state === "closing" || state === "closed") return;
    void client.connection.send(String(++client.echoed));
  }
}

const open = (port: number) =>
  serve({
    port,
    maxConnections: 100_000,
    protocol: frames(),
    heartbeat: SESSION_HEARTBEAT,
    handshakeTimeout: 5_000,
    closeTimeout: 2_000,
    resume: { store },
  }, handle);

let lasting = await open(0);
const { port } = lasting.address as TcpAddress;
console.log(JSON.stringify({ steady: (steady.address as TcpAddress).port, lasting: port }));

for await (const line of createInterface({ input: process.stdin })) {
  if (line === "restart") {
    await lasting.drain({ timeout: 10_000 });
    lasting = await open(port);
    console.log(JSON.stringify({ restarted: true }));
  } else {
    const { now, ended } = steady.stats();
    const report: ServerReport = {
      memory: await memoryAtRest(),
      heap: heap(),
      timers: timers(),
      descriptors: descriptors(),
      now: now + lasting.stats().now,
      sessions,
      astray,
      uncaught,
      ended,
    };
    console.log(JSON.stringify(report));
  }
}
process.exit();
