/**
 * A client of several servers, whose callback blocks the event loop when a server says `block`.
 *
 * Argument: `{ ports, each, interval, timeout }` as JSON. Prints `{}` when it has `each` connections to every
 * port, and the reasons for which connections have ended in answer to a line on standard input.
 *
 * @module
 */

import process from "node:process";
import { createInterface } from "node:readline";
import { connect, raw } from "../../../mod.ts";

const { ports, each, interval, timeout } = JSON.parse(process.argv[2]!) as {
  readonly ports: readonly number[];
  readonly each: number;
  readonly interval: number;
  readonly timeout: number;
};

/** How long `block` keeps the event loop from turning, in milliseconds. */
const BLOCK = 6_000;

const ended: { port: number; code: string }[] = [];

for (const port of ports) {
  for (let i = 0; i < each; i++) {
    const connection = await connect({ hostname: "127.0.0.1", port }, {
      protocol: raw({ token: "heartbeat" }),
      heartbeat: { interval, timeout },
    });
    connection.onMessage = (bytes) => {
      if (bytes.length !== 5) return;
      for (const until = performance.now() + BLOCK; performance.now() < until;);
    };
    connection.closed.then(({ code }) => ended.push({ port, code }));
  }
}
console.log("{}");

for await (const _line of createInterface({ input: process.stdin })) console.log(JSON.stringify({ ended }));
process.exit();
