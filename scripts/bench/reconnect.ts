/**
 * 1 000 clients that come back to a server which was killed and started again, by the library or by hand.
 *
 * Argument: `callback`, or `raw` for sockets of `node:net` that dial again after the same delays. Prints, as JSON, the
 * CPU time of the clients' process from the kill until all are back, for each, and when the last was, counted from when
 * the server listened again.
 *
 * @module
 */

import { type ChildProcess, spawn } from "node:child_process";
import { connect as dial, createServer, type Socket } from "node:net";
import { performance } from "node:perf_hooks";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { backoff, connect } from "../../mod.ts";

const CLIENTS = 1_000;
/** Clients that dial at a time at the beginning: the queue of those who wait to be accepted is finite. */
const AT_A_TIME = 50;
/** Delays between attempts, in milliseconds. */
const DELAYS = { initial: 200, max: 1_000 };
/** How long all of it may take, in milliseconds. */
const PATIENCE = 30_000;

const { versions, execPath } = process as { versions: Record<string, string | undefined>; execPath: string };
const [runtime, ...flags] = versions["deno"] !== undefined
  ? ["deno", "run", "-A", "--no-lock", "--no-check"]
  : versions["bun"] !== undefined
  ? ["bun", "run"]
  : ["node", "--import", "tsx"];

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** A port that nobody listens on now. */
function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = dial(port, "127.0.0.1", () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", () => resolve(false));
  });
}

async function startServer(port: number): Promise<ChildProcess> {
  const file = fileURLToPath(new URL(`raw/${runtime}_echo.ts`, import.meta.url));
  const server = spawn(execPath, [...flags, file, String(port)], { stdio: "ignore" });
  while (!await answers(port)) await pause(20);
  return server;
}

let open = 0;

/** A client by hand. Fulfilled when it has connected for the first time. */
function byHand(port: number): Promise<void> {
  return new Promise((resolve) => {
    let attempt = 0;
    const again = (): void => {
      const socket: Socket = dial({ port, host: "127.0.0.1", noDelay: true });
      let connected = false;
      socket.on("connect", () => {
        connected = true;
        attempt = 0;
        open++;
        resolve();
      });
      socket.on("data", () => {});
      socket.on("error", () => {});
      socket.on("close", () => {
        if (connected) open--;
        setTimeout(again, backoff(attempt++, DELAYS, Math.random));
      });
    };
    again();
  });
}

/** The library's. */
async function byLibrary(port: number): Promise<void> {
  const connection = await connect({ hostname: "127.0.0.1", port }, { reconnect: DELAYS });
  open++;
  connection.onMessage = () => {};
  connection.onState = (state) => {
    if (state === "open") open++;
    else if (state === "away") open--;
  };
}

const client = process.argv[2] === "raw" ? byHand : byLibrary;
const port = await freePort();
const first = await startServer(port);
const kill = (server: ChildProcess): Promise<void> =>
  new Promise((resolve) => {
    server.once("exit", () => resolve());
    server.kill("SIGKILL");
  });

for (let i = 0; i < CLIENTS; i += AT_A_TIME) {
  await Promise.all(Array.from({ length: AT_A_TIME }, () => client(port)));
}
await pause(300);
const before = process.cpuUsage();
await kill(first);
const second = await startServer(port);
const listening = performance.now();
while (open < CLIENTS && performance.now() - listening < PATIENCE) await pause(5);
const back = performance.now() - listening;
const { user, system } = process.cpuUsage(before), came = open;
await kill(second);
if (came < CLIENTS) throw new Error(`only ${came} of ${CLIENTS} came back`);
console.log(JSON.stringify({ "CPU for each client, µs": (user + system) / CLIENTS, "last back, ms": back }));
process.exit(0);
