/**
 * Clients that come back when their connection is lost.
 *
 * Argument: `{ target, count, protocol, options, every, beside }` as JSON, with options for `connect()`. Prints `{}` when all are
 * connected (at once, if they need not be at first), and in answer to each line on standard input what became of them. With
 * `every`, each sends a numbered message so often, in milliseconds, until it is told `quiet`, and looks at what comes back. Five
 * more connections go to the port `beside`, if it is given: nothing is to happen to those.
 *
 * @module
 */

import process from "node:process";
import { createInterface } from "node:readline";
import {
  connect,
  type Connection,
  type ConnectOptions,
  frames,
  type Protocol,
  raw,
  type Target,
} from "../../../mod.ts";

type Message = Uint8Array | string;

const { target, count, protocol, options, every, beside } = JSON.parse(process.argv[2]!) as {
  readonly target: Target;
  readonly count: number;
  readonly protocol: "raw" | "frames";
  readonly options: ConnectOptions<Message, Message>;
  readonly every?: number;
  readonly beside?: number;
};

const started = performance.now();
const open = new Set<Connection<Message>>();
const ended: string[] = [];
const echoed: number[][] = [];
let opened = 0, firstAt = 0, sent = 0, lastAt = 0;

async function start(): Promise<void> {
  const chosen = protocol === "raw" ? raw({ token: "heartbeat" }) : frames();
  const connection = await connect<Message, Message>(target, {
    ...options,
    protocol: chosen as unknown as Protocol<Message>,
  });
  if (opened++ === 0) firstAt = performance.now() - started;
  open.add(connection);
  const numbers: number[] = [];
  echoed.push(numbers);
  connection.onMessage = (message) => {
    numbers.push(Number(message));
    lastAt = performance.now();
  };
  connection.onState = (state) => {
    if (state === "open") opened++;
    if (state === "open") open.add(connection);
    else open.delete(connection);
  };
  connection.closed.then(({ code }) => ended.push(code));
  if (every === undefined) return;
  let number = 0;
  const timer = setInterval(() => {
    if (stopped) return clearInterval(timer);
    connection.send(String(++number)).catch(() => {});
    sent++;
  }, every);
}

let stopped = false, harmed = 0;

if (beside !== undefined) {
  for (let i = 0; i < 5; i++) {
    const connection = await connect({ hostname: "127.0.0.1", port: beside }, {
      protocol: raw({ token: "heartbeat" }),
      heartbeat: options.heartbeat,
    });
    connection.closed.then(() => harmed++);
  }
}
const starting = Promise.all(Array.from({ length: count }, start));
if ((options.reconnect as { waitForFirst?: boolean }).waitForFirst !== true) await starting;
starting.catch((error) => ended.push(String(error)));
console.log("{}");

for await (const line of createInterface({ input: process.stdin })) {
  if (line === "quiet") stopped = true;
  const wrong = echoed.flatMap((numbers) => numbers.filter((number, i) => number !== i + 1));
  const back = echoed.reduce((sum, { length }) => sum + length, 0);
  // How long ago the last answer came says whether it is connected in truth.
  const silent = performance.now() - lastAt;
  const became = { open: open.size, opened, firstAt, ended, sent, back, wrong: wrong.length, silent, harmed };
  console.log(JSON.stringify(became));
}
process.exit();
