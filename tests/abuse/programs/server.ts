/**
 * The servers that are abused, all in one process: each echoes.
 *
 * Argument: `{ certificate, key }` of the one that speaks TLS, as JSON. Prints its `Victim`s, then answers each line on
 * standard input with one line of JSON: `health` how it is, `rest` the same after its memory was tidied, and `break`
 * throws in earnest, twice, so that the test knows that it would hear of that.
 *
 * @module
 */

import process from "node:process";
import { createInterface } from "node:readline";
import {
  type Connection,
  frames,
  json,
  lines,
  type Protocol,
  raw,
  serve,
  type ServeOptions,
  type Server,
  systemClock,
  type TcpAddress,
} from "../../../mod.ts";
import { connectionPolicy } from "../../../lib/connection/policy.ts";
import { type Health, KEY, type Tallied, TOKEN, type Tongue } from "../setting.ts";

const uncaught: string[] = [];
const told = (error: unknown) => void uncaught.push(error instanceof Error ? `${error.stack}` : `${error}`);
process.on("uncaughtException", told);
process.on("unhandledRejection", told);

let errors = 0;
const servers = new Map<Tongue, Server<never, never>>();

/** As SECURITY.md has it for a public server, but with deadlines and limits that a round of a second meets. */
const options = {
  port: 0,
  heartbeat: { interval: 1_000, timeout: 1_000 },
  firstByteTimeout: 1_000,
  handshakeTimeout: 1_000,
  frameTimeout: 1_000,
  idleTimeout: 2_000,
  writeTimeout: 1_000,
  closeTimeout: 1_000,
  maxConnections: 1_000,
  maxInboundBytes: 64 << 10,
  maxOutboundBytes: 256 << 10,
  maxBufferedBytes: 16 << 20,
  messageRate: { perSecond: 200, burst: 1_000 },
  onError: () => void errors++,
} as const;

async function open<T>(
  tongue: Tongue,
  protocol: Protocol<T>,
  more: Partial<ServeOptions<T, T>> = {},
): Promise<void> {
  const echo = (message: T, connection: Connection<T, T>) => connection.send(message);
  const server = await serve({ ...options, protocol, ...more } as ServeOptions<T, T>, (connection) => {
    connection.onMessage = echo;
  });
  servers.set(tongue, server as unknown as Server<never, never>);
}

const resume = { window: 1_000 };
await open("raw", raw({ token: TOKEN, match: "anywhere" }) as Protocol<Uint8Array>);
// This one reads as iterators do, the others as callbacks.
servers.set(
  "lines",
  await serve({ ...options, protocol: lines({ maxLineBytes: 4096 }) }, async (connection) => {
    for await (const line of connection) await connection.send(line);
  }) as unknown as Server<never, never>,
);
await open("frames", frames({ maxMessageBytes: 64 << 10 }), { resume });
await open("keyed", frames({ maxMessageBytes: 64 << 10, key: KEY }), { resume });
await open("json", json({ over: frames({ maxMessageBytes: 64 << 10 }) }) as Protocol<unknown>);
await open("proxied", lines({ maxLineBytes: 4096 }), { proxyProtocol: { trusted: ["127.0.0.0/8"] } });
await open("tls", lines({ maxLineBytes: 4096 }), { tls: JSON.parse(process.argv[2]!) });

const victims = [...servers].map(([tongue, { address }]) => ({
  tongue,
  port: (address as TcpAddress).port,
}));
console.log(JSON.stringify({ victims }));

const { wheel } = connectionPolicy({ action: "look", role: "server" }, { clock: systemClock });

function health(): Health {
  const { rss, heapUsed } = process.memoryUsage();
  const tallied: Record<string, Tallied> = {};
  for (const [tongue, server] of servers) {
    const { now, accepted, refused, heldBytes, ended } = server.stats();
    tallied[tongue] = { now, accepted, refused, heldBytes, held: [...server.connections].length, ended };
  }
  return { uncaught, memory: rss, heap: heapUsed, timers: wheel.size, servers: tallied, errors };
}

/** Collects garbage as thoroughly as this runtime lets us. */
async function rest(): Promise<void> {
  const { gc, Bun } = globalThis as { gc?: () => void; Bun?: { gc(sync: boolean): void } };
  for (let i = 0; i < 3; i++) {
    if (Bun !== undefined) Bun.gc(true);
    else gc?.();
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  if (line === "rest") await rest();
  if (line === "break") {
    setTimeout(() => {
      throw new Error("thrown on purpose");
    });
    void Promise.reject(new Error("rejected on purpose"));
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  console.log(JSON.stringify(health()));
}
process.exit();
