/**
 * The server of a storm: counts what each client sends, and sends as many messages of its own. Started as a process of its
 * own, with the options as JSON in its argument.
 *
 * Prints where it listens. Understands, line by line: `restart` (drains into a store and serves again, at the same port)
 * and `report`.
 *
 * @module
 */

import process from "node:process";
import { createInterface } from "node:readline";
import { type Connection, frames, memoryStore, serve, type TcpAddress } from "../../mod.ts";
import { HEARTBEAT, padding, PLAIN_HEARTBEAT, type ServerReport, Tally } from "./tally.ts";

type Message = Uint8Array | string;

/** What the server knows of one client, over all of its connections. */
interface Client {
  readonly tally: Tally;
  connection: Connection<Message, Message>;
  /** Messages of ours, and how many more of them are to go. */
  sent: number;
  owed: number;
  waiting: boolean;
}

const options = JSON.parse(process.argv[2] ?? "{}") as { port?: number; resume?: boolean };
const clients = new Map<string, Client>();
const ends: Record<string, number> = {};
const store = memoryStore();
let sessions = 0;

/** Sends what is owed, each message after a moment, for as long as the connection takes it. */
function answer(client: Client): void {
  if (client.waiting || client.owed === 0) return;
  client.waiting = true;
  setTimeout(() => {
    client.waiting = false;
    const { connection } = client;
    if (connection.state === "closing" || connection.state === "closed") return;
    client.owed--;
    void connection.send(`${++client.sent}:${padding(Math.random)}`);
    answer(client);
  }, Math.random() * 20);
}

function handle(connection: Connection<Message, Message>): void {
  sessions++;
  void connection.closed.then(({ code }) => ends[code] = (ends[code] ?? 0) + 1);
  connection.onMessage = (message) => {
    const [id, number] = `${message}`.split(":") as [string, string];
    let client = clients.get(id);
    if (client === undefined) {
      client = { tally: new Tally(), connection, sent: 0, owed: 0, waiting: false };
      clients.set(id, client);
    }
    client.connection = connection;
    client.tally.take(Number(number));
    client.owed++;
    answer(client);
  };
}

const open = (port: number) =>
  serve({
    port,
    protocol: frames(),
    handshakeTimeout: 1_000,
    closeTimeout: 1_000,
    heartbeat: options.resume ? HEARTBEAT : PLAIN_HEARTBEAT,
    ...(options.resume && { resume: { store } }),
  }, handle);

let server = await open(options.port ?? 0);
const { port } = server.address as TcpAddress;
console.log(JSON.stringify({ port }));

for await (const line of createInterface({ input: process.stdin })) {
  if (line === "restart") {
    await server.drain({ timeout: 5_000 });
    server = await open(port);
    console.log(JSON.stringify({ restarted: true }));
  } else if (line === "report") {
    const total = new Tally();
    for (const { tally } of clients.values()) total.add(tally);
    const { count, twice, disordered } = total;
    const sent = [...clients.values()].reduce((sum, { sent }) => sum + sent, 0);
    const report: ServerReport = { clients: clients.size, sent, count, twice, disordered, sessions, ends };
    console.log(JSON.stringify(report));
  }
}
process.exit();
